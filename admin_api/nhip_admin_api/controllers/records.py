"""``/v1/records``: business objects of registered types."""

from typing import Annotated, Any

from litestar import Controller, Response, delete, get, put
from litestar.params import Body, FromPath, QueryParameter

from nhip.domain.customers import Record
from nhip.domain.directory import RecordFilter
from nhip.services.customers import records
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.presenting import moment

Text = Annotated[str | None, QueryParameter(max_length=200)]
Fields = Annotated[
    dict[str, Any],
    Body(
        description="`status`, `contact`, `custom` and the fields of the type: see `GET /v1/plugins/record_type/{kind}`"
    ),
]


class RecordsController(Controller):
    """Records: orders, deals, tickets, tasks, and what plugins add."""

    path = "/v1/records/{kind:str}"
    tags = ("Customers",)

    @get(guards=[requires("contacts:read")], summary="List records")
    async def list_records(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        paging: ThePaging,
        kind: FromPath[str],
        contact: Text = None,
        status: Text = None,
    ) -> Response[Page[dict[str, Any]]]:
        """Records of a type, of a contact, in a status, in the order of their making."""
        records.check_type(engine.intake, kind)
        wanted = RecordFilter(contact=contact, status=status)
        rows = await engine.database.read(
            records.page, principal.workspace_id, kind, wanted, after=paging.after, limit=paging.fetch
        )
        return paging.page(rows, lambda row: row.id, show_record)

    @get("/{external_id:str}", guards=[requires("contacts:read")], summary="Show a record")
    async def get_record(
        self, engine: TheEngine, principal: ThePrincipal, kind: FromPath[str], external_id: FromPath[str]
    ) -> dict[str, Any]:
        """One record."""
        return show_record(await engine.database.read(records.one, principal.workspace_id, kind, external_id))

    @put("/{external_id:str}", guards=[requires("contacts:write")], summary="Make or change a record")
    async def put_record(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        kind: FromPath[str],
        external_id: FromPath[str],
        data: Fields,
    ) -> dict[str, Any]:
        """Say what is true now: what is left out stays, null takes a field away. What changes becomes events."""
        event = records.change(engine.intake, kind, external_id, data)
        await engine.inbox.submit(principal.workspace_id, [event])
        return show_record(await engine.database.read(records.one, principal.workspace_id, kind, external_id))

    @delete("/{external_id:str}", guards=[requires("contacts:write")], summary="Delete a record")
    async def delete_record(
        self, engine: TheEngine, principal: ThePrincipal, kind: FromPath[str], external_id: FromPath[str]
    ) -> None:
        """Take a record away; the events about it stay."""
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        await engine.database.transact(records.delete, workspace, actor, kind, external_id, now)


def show_record(record: Record) -> dict[str, Any]:
    """A record as it is shown: its fields, and what the engine knows of it."""
    return {
        "contact": None,
        "status": None,
        **record.attributes,
        "id": record.id,
        "type": record.type,
        "external_id": record.external_id,
        "created_at": moment(record.created_at),
        "updated_at": moment(record.updated_at),
    }
