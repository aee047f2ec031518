"""``/v1/api-keys``, ``/v1/workspaces`` and ``/v1/audit``: who may do what, and who did."""

from typing import Annotated, Any

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from nhip.domain import access
from nhip.domain.times import to_micros
from nhip.services.workspace import audit, keys
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheAuthenticator, TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.presenting import moment, moment_or_none
from nhip_admin_api.schemas.access import (
    ApiKey,
    ApiKeyBody,
    Change,
    NewApiKey,
    NewWorkspace,
    Workspace,
    WorkspaceBody,
)

Text = Annotated[str | None, QueryParameter(max_length=200)]


class ApiKeysController(Controller):
    """Keys to the workspace of whoever asks."""

    path = "/v1/api-keys"
    tags = ("Access",)

    @get(guards=[requires("admin")], summary="List API keys")
    async def list_keys(self, engine: TheEngine, principal: ThePrincipal, paging: ThePaging) -> Response[Page[ApiKey]]:
        """Every key of the workspace, the revoked ones too. Secrets are kept nowhere."""
        rows = await engine.database.read(keys.keys, principal.workspace_id, after=paging.after, limit=paging.fetch)
        return paging.page(rows, lambda row: row.id, show_key)

    @post(guards=[requires("admin")], summary="Make an API key")
    async def create_key(self, engine: TheEngine, principal: ThePrincipal, data: JSONBody[ApiKeyBody]) -> NewApiKey:
        """Make a key that can do at most what its maker can. The answer holds the only copy of the whole key."""
        expires_at = None if data.expires_at is None else to_micros(data.expires_at)
        made = await engine.database.transact(
            keys.create_key, principal, name=data.name, scopes=data.scopes, expires_at=expires_at,
            now=engine.clock.micros(),
        )  # fmt: skip
        return show_new_key(made)

    @delete("/{key_id:str}", guards=[requires("admin")], summary="Revoke an API key")
    async def revoke_key(
        self, engine: TheEngine, principal: ThePrincipal, authenticator: TheAuthenticator, key_id: FromPath[str]
    ) -> None:
        """End a key: here at once, in every process within a second."""
        workspace, actor, now = principal.workspace_id, principal.key_id, engine.clock.micros()
        await engine.database.transact(keys.revoke_key, workspace, actor, key_id, now)
        authenticator.forget(key_id)


class WorkspacesController(Controller):
    """Tenants."""

    path = "/v1/workspaces"
    tags = ("Access",)

    @get(guards=[requires("root")], summary="List workspaces")
    async def list_workspaces(self, engine: TheEngine, paging: ThePaging) -> Response[Page[Workspace]]:
        """Every workspace, in the order of their making."""
        rows = await engine.database.read(keys.workspaces, after=_number(paging.after), limit=paging.fetch)
        return paging.page(rows, lambda row: str(row.id), show_workspace)

    @post(guards=[requires("root")], summary="Make a workspace")
    async def create_workspace(
        self, engine: TheEngine, principal: ThePrincipal, data: JSONBody[WorkspaceBody]
    ) -> NewWorkspace:
        """Make a workspace and its first key, which may do everything in it."""
        workspace, made = await engine.database.transact(
            keys.create_workspace, principal.key_id, name=data.name, title=data.title, now=engine.clock.micros()
        )
        return NewWorkspace(
            name=workspace.name,
            title=workspace.title,
            created_at=moment(workspace.created_at),
            api_key=show_new_key(made),
        )


class AuditController(Controller):
    """The log of changes."""

    path = "/v1/audit"
    tags = ("Access",)

    @get(guards=[requires("admin")], summary="List changes, the newest first")
    async def list_changes(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        paging: ThePaging,
        action: Text = None,
        target: Text = None,
    ) -> Response[Page[Change]]:
        """Who changed which part of the configuration, and when."""
        rows = await engine.database.read(
            audit.entries, principal.workspace_id, after=paging.after, limit=paging.fetch, action=action, target=target
        )
        return paging.page(rows, lambda row: row.id, show_change)


def show_key(key: access.ApiKey) -> ApiKey:
    """A key as it is shown."""
    return ApiKey(**_shown(key))


def show_new_key(made: keys.NewKey) -> NewApiKey:
    """A key that was just made, with its secret."""
    return NewApiKey(**_shown(made.key), key=made.token)


def show_workspace(workspace: access.Workspace) -> Workspace:
    """A workspace as it is shown."""
    return Workspace(name=workspace.name, title=workspace.title, created_at=moment(workspace.created_at))


def show_change(entry: access.AuditEntry) -> Change:
    """A change as it is shown."""
    return Change(
        id=entry.id,
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        detail=entry.detail,
        at=moment(entry.created_at),
    )


def _shown(key: access.ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": moment(key.created_at),
        "expires_at": moment_or_none(key.expires_at),
        "revoked_at": moment_or_none(key.revoked_at),
        "last_used_at": moment_or_none(key.last_used_at),
    }


def _number(after: str | None) -> int | None:
    return None if after is None else int(after)
