"""Who changed what."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, insert, select

from nhip.adapters.db import tables
from nhip.domain.access import AuditEntry
from nhip.domain.ids import new_id

_COLUMNS: Final[list[Column[Any]]] = [tables.audit_log.c[name] for name in AuditEntry.__struct_fields__]
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class SqlAudit:
    """Implements :class:`nhip.ports.AuditStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(
        self, workspace_id: int, actor: str, action: str, target: str, now: int, detail: Mapping[str, Any] | None = None
    ) -> None:
        self._connection.execute(
            insert(tables.audit_log).values(
                id=new_id(),
                workspace_id=workspace_id,
                actor=actor,
                action=action,
                target=target,
                detail=msgspec.json.encode(dict(detail or {})).decode(),
                created_at=now,
            )
        )

    def entries(
        self, workspace_id: int, *, after: str | None, limit: int, action: str | None, target: str | None
    ) -> list[AuditEntry]:
        columns = tables.audit_log.c
        statement = select(*_COLUMNS).where(columns.workspace_id == workspace_id)
        if after is not None:
            statement = statement.where(columns.id < after)
        if action is not None:
            statement = statement.where(columns.action == action)
        if target is not None:
            statement = statement.where(columns.target == target)
        rows: Iterable[Sequence[Any]] = self._connection.execute(statement.order_by(columns.id.desc()).limit(limit))
        return [
            AuditEntry(id=row[0], actor=row[1], action=row[2], target=row[3], detail=_decode(row[4]), created_at=row[5])
            for row in rows
        ]
