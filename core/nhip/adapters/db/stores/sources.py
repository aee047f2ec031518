"""Sources, as admins keep them and as what comes in finds them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, Row, delete, insert, select, update

from nhip.adapters.db.source_tables import sources
from nhip.adapters.db.statements import Statement
from nhip.domain.sources import StoredSource, Verification

_NAMES: Final = StoredSource.__struct_fields__
_COLUMNS: Final[list[Column[Any]]] = [sources.c[name] for name in _NAMES]
_JSON: Final = {"mapping": Any, "verification": Verification, "allowed_origins": list[str]}
_MINE: Final = "workspace_id = :workspace_id AND name = :name"
_BY_TOKEN: Final = Statement(f"SELECT {', '.join(_NAMES)} FROM sources WHERE hook_token = :token")  # noqa: S608
_LOCK_RATE: Final = Statement(f"SELECT free_at FROM sources WHERE {_MINE}", lock=True)  # noqa: S608
_SET_RATE: Final = Statement(f"UPDATE sources SET free_at = :free_at WHERE {_MINE}")  # noqa: S608


def _stored(values: dict[str, Any]) -> StoredSource:
    for name, kind in _JSON.items():
        values[name] = msgspec.json.decode(values[name], type=kind)
    return StoredSource(**values)


def _row(row: Row[Any]) -> StoredSource:
    return _stored({**row._mapping})


def _values(source: StoredSource) -> dict[str, Any]:
    values = msgspec.structs.asdict(source)
    for name in _JSON:
        values[name] = msgspec.json.encode(values[name]).decode()
    return values


class SqlSources:
    """Implements :class:`nhip.ports.sources.SourceStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredSource | None:
        query = select(*_COLUMNS).where(sources.c.workspace_id == workspace_id, sources.c.name == name)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _row(row)

    def by_token(self, token: str) -> StoredSource | None:
        rows = _BY_TOKEN.run(self._connection, token=token)
        return _stored(dict(zip(_NAMES, rows[0], strict=True))) if rows else None

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredSource]:
        query = select(*_COLUMNS).where(sources.c.workspace_id == workspace_id)
        if after is not None:
            query = query.where(sources.c.name > after)
        return [_row(row) for row in self._connection.execute(query.order_by(sources.c.name).limit(limit))]

    def insert(self, source: StoredSource) -> None:
        self._connection.execute(insert(sources).values(**_values(source)))

    def update(self, source: StoredSource) -> None:
        self._connection.execute(
            update(sources)
            .where(sources.c.workspace_id == source.workspace_id, sources.c.name == source.name)
            .values(**_values(source))
        )

    def delete(self, workspace_id: int, name: str) -> None:
        self._connection.execute(delete(sources).where(sources.c.workspace_id == workspace_id, sources.c.name == name))

    def lock_rate(self, workspace_id: int, name: str) -> int | None:
        rows = _LOCK_RATE.run(self._connection, workspace_id=workspace_id, name=name)
        return rows[0][0] if rows else None

    def set_rate(self, workspace_id: int, name: str, free_at: int) -> None:
        _SET_RATE.execute(self._connection, workspace_id=workspace_id, name=name, free_at=free_at)
