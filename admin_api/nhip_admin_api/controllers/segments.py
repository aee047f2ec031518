"""``/v1/segments``: named conditions over contacts, and who is in them."""

from typing import Final

from litestar import Controller, Response, delete, get, put
from litestar.params import FromPath, JSONBody

from nhip.bootstrap import Engine
from nhip.domain.segments import SegmentDraft
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.segments import Count, Segment, SegmentMember

JUDGED_IN_A_REQUEST: Final = 200
"""How many contacts a request may judge before it answers; the workers do the rest."""


async def bring_up(engine: Engine, workspace_id: int, name: str) -> None:
    """Bring a segment nearer to now, where it is behind."""
    now = engine.clock.micros()
    if await engine.database.read(engine.segments.is_behind, workspace_id, name, now):
        await engine.database.transact(engine.segments.refresh, workspace_id, name, now, JUDGED_IN_A_REQUEST)


class SegmentsController(Controller):
    """Segments."""

    path = "/v1/segments"
    tags = ("Customers",)

    @get(guards=[requires("contacts:read")], summary="List segments")
    async def list_segments(
        self, engine: TheEngine, principal: ThePrincipal, paging: ThePaging
    ) -> Response[Page[Segment]]:
        """By name."""
        rows = await engine.database.read(engine.segments.page, principal.workspace_id, paging.after, paging.fetch)
        return paging.page(rows, lambda row: row.name, Segment.of)

    @get("/{name:str}", guards=[requires("contacts:read")], summary="Show a segment")
    async def get_segment(self, engine: TheEngine, principal: ThePrincipal, name: FromPath[str]) -> Response[Segment]:
        """Its condition, and whether everybody has been judged by it."""
        stored = await engine.database.read(engine.segments.find, principal.workspace_id, name)
        return tagged(Segment.of(stored), stored)

    @put("/{name:str}", guards=[requires("contacts:write")], summary="Make or replace a segment")
    async def put_segment(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        data: JSONBody[SegmentDraft],
        if_match: IfMatch = None,
    ) -> Response[Segment]:
        """The condition reads `contact.…` alone. Everybody is judged by it in the background; until that is done,
        `complete` is false.
        """
        stored, created = await engine.database.transact(
            engine.segments.save,
            principal.workspace_id,
            name,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        return tagged(Segment.of(stored), stored, created=f"/v1/segments/{name}" if created else None)

    @delete("/{name:str}", guards=[requires("contacts:write")], summary="Take a segment away")
    async def delete_segment(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        if_match: IfMatch = None,
    ) -> None:
        """Refused while a workflow that is published, or that runs stand on, names it."""
        now = engine.clock.micros()
        await engine.database.transact(
            engine.segments.delete, principal.workspace_id, name, if_match=if_match, actor=principal.key_id, now=now
        )

    @get("/{name:str}/members", guards=[requires("contacts:read")], summary="List who is in a segment")
    async def list_members(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        paging: ThePaging,
    ) -> Response[Page[SegmentMember]]:
        """In the order in which the contacts were made. `count` says whether anybody may be missing."""
        await bring_up(engine, principal.workspace_id, name)
        rows = await engine.database.read(
            engine.segments.members, principal.workspace_id, name, paging.after, paging.fetch
        )
        return paging.page(rows, lambda row: row[0].contact_id, SegmentMember.of)

    @get("/{name:str}/count", guards=[requires("contacts:read")], summary="Count who is in a segment")
    async def count_members(self, engine: TheEngine, principal: ThePrincipal, name: FromPath[str]) -> Count:
        """How many there are, as of when, and whether everybody has been judged."""
        await bring_up(engine, principal.workspace_id, name)
        return Count.of(
            await engine.database.read(engine.segments.count, principal.workspace_id, name, engine.clock.micros())
        )
