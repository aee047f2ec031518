"""Workspaces, API keys and the answers of repeated requests."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, delete, insert, select, tuple_, update

from nhip.adapters.db.tables import api_keys, idempotent_requests, workspaces
from nhip.domain.access import ApiKey, StoredAnswer, Workspace

_encode = msgspec.json.Encoder().encode
_decode_scopes = msgspec.json.Decoder(tuple[str, ...]).decode

_WORKSPACE: Final[list[Column[Any]]] = [workspaces.c[name] for name in Workspace.__struct_fields__]
_KEY: Final[list[Column[Any]]] = [api_keys.c[name] for name in ApiKey.__struct_fields__]
_ANSWER: Final[list[Column[Any]]] = [idempotent_requests.c[name] for name in StoredAnswer.__struct_fields__]


def _workspace(row: Sequence[Any]) -> Workspace:
    return Workspace(id=row[0], name=row[1], title=row[2], created_at=row[3])


def _key(row: Sequence[Any]) -> ApiKey:
    values: dict[str, Any] = dict(zip(ApiKey.__struct_fields__, row, strict=True))
    values["scopes"] = _decode_scopes(values["scopes"])
    return ApiKey(**values)


class SqlWorkspaces:
    """Implements :class:`nhip.ports.WorkspaceStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_name(self, name: str) -> Workspace | None:
        row = self._connection.execute(select(*_WORKSPACE).where(workspaces.c.name == name)).first()
        return _workspace(row) if row else None

    def all(self, *, after: int | None, limit: int) -> list[Workspace]:
        statement = select(*_WORKSPACE).order_by(workspaces.c.id).limit(limit)
        if after is not None:
            statement = statement.where(workspaces.c.id > after)
        return [_workspace(row) for row in self._connection.execute(statement)]

    def insert(self, name: str, title: str, now: int) -> Workspace:
        statement = insert(workspaces).values(name=name, title=title, created_at=now).returning(*_WORKSPACE)
        return _workspace(self._connection.execute(statement).one())


class SqlKeys:
    """Implements :class:`nhip.ports.KeyStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_id(self, identifier: str) -> ApiKey | None:
        row = self._connection.execute(select(*_KEY).where(api_keys.c.id == identifier)).first()
        return _key(row) if row else None

    def all(self, workspace_id: int, *, after: str | None, limit: int) -> list[ApiKey]:
        statement = select(*_KEY).where(api_keys.c.workspace_id == workspace_id).order_by(api_keys.c.id).limit(limit)
        if after is not None:
            statement = statement.where(api_keys.c.id > after)
        return [_key(row) for row in self._connection.execute(statement)]

    def insert(self, key: ApiKey) -> None:
        values = {name: getattr(key, name) for name in ApiKey.__struct_fields__}
        values["scopes"] = _encode(key.scopes).decode()
        self._connection.execute(insert(api_keys).values(**values))

    def revoke(self, workspace_id: int, identifier: str, now: int) -> None:
        self._set(workspace_id, identifier, revoked_at=now)

    def touch(self, workspace_id: int, identifier: str, now: int) -> None:
        self._set(workspace_id, identifier, last_used_at=now)

    def _set(self, workspace_id: int, identifier: str, **values: int) -> None:
        place = (api_keys.c.workspace_id == workspace_id, api_keys.c.id == identifier)
        self._connection.execute(update(api_keys).where(*place).values(**values))


class SqlIdempotency:
    """Implements :class:`nhip.ports.IdempotencyStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, workspace_id: int, route: str, key: str) -> StoredAnswer | None:
        row = self._connection.execute(select(*_ANSWER).where(*_place(workspace_id, route, key))).first()
        return StoredAnswer(**dict(zip(StoredAnswer.__struct_fields__, row, strict=True))) if row else None

    def insert(self, workspace_id: int, route: str, key: str, fingerprint: str, now: int) -> None:
        self._connection.execute(
            insert(idempotent_requests).values(
                workspace_id=workspace_id, route=route, key=key, fingerprint=fingerprint, created_at=now
            )
        )

    def finish(self, workspace_id: int, route: str, key: str, status: int, headers: str, body: str) -> None:
        statement = update(idempotent_requests).where(*_place(workspace_id, route, key))
        self._connection.execute(statement.values(status=status, headers=headers, body=body))

    def forget(self, workspace_id: int, route: str, key: str) -> None:
        self._connection.execute(delete(idempotent_requests).where(*_place(workspace_id, route, key)))

    def prune(self, before: int, limit: int) -> int:
        columns = idempotent_requests.c
        key = (columns.workspace_id, columns.route, columns.key)
        old = select(*key).where(columns.created_at < before).order_by(columns.created_at).limit(limit)
        return self._connection.execute(delete(idempotent_requests).where(tuple_(*key).in_(old))).rowcount


def _place(workspace_id: int, route: str, key: str) -> tuple[Any, Any, Any]:
    columns = idempotent_requests.c
    return columns.workspace_id == workspace_id, columns.route == route, columns.key == key
