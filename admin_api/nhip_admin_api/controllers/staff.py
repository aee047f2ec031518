"""``/v1/staff`` and ``/v1/accounts``: employees, and the companies that contacts belong to."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, put
from litestar.params import FromPath, JSONBody, QueryParameter

from nhip.domain import directory
from nhip.domain.customers import Staff
from nhip.services.customers import contacts
from nhip.services.desk import staff
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.presenting import moment
from nhip_admin_api.schemas.customers import Account, AccountBody, StaffBody


class StaffController(Controller):
    """Employees."""

    path = "/v1/staff"
    tags = ("Customers",)

    @get(guards=[requires("contacts:read")], summary="List staff")
    async def list_staff(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        paging: ThePaging,
        department: Annotated[str | None, QueryParameter(max_length=200)] = None,
    ) -> Response[Page[Staff]]:
        """Employees by external id."""
        rows = await engine.database.read(
            staff.page, principal.workspace_id, department, after=paging.after, limit=paging.fetch
        )
        return paging.page(rows, lambda row: row.external_id, lambda row: row)

    @get("/{external_id:str}", guards=[requires("contacts:read")], summary="Show an employee")
    async def get_staff(self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]) -> Staff:
        """One employee."""
        return await engine.database.read(staff.one, principal.workspace_id, external_id)

    @put("/{external_id:str}", guards=[requires("contacts:write")], summary="Make or change an employee")
    async def put_staff(
        self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str], data: JSONBody[StaffBody]
    ) -> Staff:
        """Say what an employee is from now on; what is left out is taken away."""
        person = staff.change(engine.intake, msgspec.convert(_named(external_id, data), Staff))
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        return await engine.database.transact(staff.put, workspace, actor, person, now)

    @delete("/{external_id:str}", guards=[requires("contacts:write")], summary="Delete an employee")
    async def delete_staff(self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]) -> None:
        """Take an employee away."""
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        await engine.database.transact(staff.delete, workspace, actor, external_id, now)


class AccountsController(Controller):
    """Companies."""

    path = "/v1/accounts"
    tags = ("Customers",)

    @get(guards=[requires("contacts:read")], summary="List accounts")
    async def list_accounts(
        self, engine: TheEngine, principal: ThePrincipal, paging: ThePaging
    ) -> Response[Page[Account]]:
        """Companies by external id."""
        rows = await engine.database.read(
            staff.accounts, principal.workspace_id, after=paging.after, limit=paging.fetch
        )
        return paging.page(rows, lambda row: row.external_id, show_account)

    @get("/{external_id:str}", guards=[requires("contacts:read")], summary="Show an account")
    async def get_account(self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]) -> Account:
        """One company."""
        return show_account(await engine.database.read(staff.account, principal.workspace_id, external_id))

    @put("/{external_id:str}", guards=[requires("contacts:write")], summary="Make or change an account")
    async def put_account(
        self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str], data: JSONBody[AccountBody]
    ) -> Account:
        """Say what a company is from now on; what is left out is taken away."""
        said = _named(external_id, data)
        del said["external_id"]
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        return show_account(await engine.database.transact(staff.put_account, workspace, actor, external_id, said, now))

    @delete("/{external_id:str}", guards=[requires("contacts:write")], summary="Delete an account")
    async def delete_account(self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]) -> None:
        """Take a company away; its contacts stay."""
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        await engine.database.transact(staff.delete_account, workspace, actor, external_id, now)


def show_account(account: directory.Account) -> Account:
    """A company as it is shown."""
    return Account(
        **{name: value for name, value in account.attributes.items() if name in AccountBody.__struct_fields__},
        external_id=account.external_id,
        created_at=moment(account.created_at),
        updated_at=moment(account.updated_at),
    )


def _named(external_id: str, data: StaffBody | AccountBody) -> dict[str, object]:
    said = msgspec.to_builtins(data)
    if said.get("external_id") is None:
        said.pop("external_id", None)
    return contacts.named(external_id, said)
