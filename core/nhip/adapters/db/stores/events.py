"""Events, and the refusals beside them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from nhip.adapters.db import tables
from nhip.adapters.db.statements import BulkInsert, Statement

EVENT_COLUMNS = (
    "id", "workspace_id", "source", "source_id", "type", "subject", "contact_id", "time_at", "received_at", "data",
    "facts", "derived", "root_id", "cause_run_id", "depth",
)  # fmt: skip
REFUSAL_COLUMNS = (
    "id", "workspace_id", "workflow", "version_id", "trigger_id", "contact_id", "event_id", "reason", "created_at",
)  # fmt: skip

_FIND = Statement(
    "SELECT id, source, source_id FROM events WHERE {source_id in source_ids} AND source = :source"
    " AND +workspace_id = :workspace_id"
)
_RUNS_OF = Statement(
    "SELECT root_event_id, id FROM runs WHERE workspace_id = :workspace_id AND {root_event_id in event_ids} ORDER BY id"
)
_INSERT = BulkInsert(tables.events, EVENT_COLUMNS)
_INSERT_REFUSALS = BulkInsert(tables.refusals, REFUSAL_COLUMNS)


class SqlEvents:
    """Implements :class:`nhip.ports.EventStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, workspace_id: int, source: str, source_ids: Sequence[str]) -> dict[str, str]:
        rows: Sequence[Any] = _FIND.run(
            self._connection, workspace_id=workspace_id, source=source, source_ids=list(source_ids)
        )
        return {row[2]: row[0] for row in rows}

    def runs_of(self, workspace_id: int, event_ids: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for root_id, run_id in _RUNS_OF.run(self._connection, workspace_id=workspace_id, event_ids=list(event_ids)):
            found.setdefault(root_id, []).append(run_id)
        return found

    def insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        _INSERT.run(self._connection, rows)

    def refuse(self, rows: Sequence[tuple[Any, ...]]) -> None:
        _INSERT_REFUSALS.run(self._connection, rows)
