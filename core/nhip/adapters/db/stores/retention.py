"""What is old: found by the order of its ids, and deleted by them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db.statements import Statement
from nhip.adapters.db.stores.moments import first_id_of
from nhip.domain.past_events import OldEvent, OldRun

_decode_ids = msgspec.json.Decoder(list[str]).decode
_RUNS: Final = Statement(
    "SELECT id, workspace_id, state, ended_at FROM runs WHERE id > :after AND id < :until ORDER BY id LIMIT :limit"
)
_EVENTS: Final = Statement(
    "SELECT id, workspace_id, root_id, derived FROM events WHERE id > :after AND id < :until ORDER BY id LIMIT :limit"
)
_MINE: Final = "+workspace_id = :workspace_id"
_LOCK_RUNS: Final = Statement(
    f"SELECT id FROM runs WHERE {{id in ids}} AND {_MINE} AND state <> 'running' ORDER BY id",  # noqa: S608
    lock=True,
)
_STEPS: Final = Statement(f"SELECT id FROM steps WHERE {{run_id in ids}} AND {_MINE}")  # noqa: S608
_LOCK_DELIVERIES: Final = Statement(
    f"SELECT id FROM deliveries WHERE {{step_id in ids}} AND {_MINE} ORDER BY id",  # noqa: S608
    lock=True,
)
_LOCK_STEPS: Final = Statement(
    f"SELECT run_id, state FROM steps WHERE {{id in ids}} AND {_MINE} ORDER BY id",  # noqa: S608
    lock=True,
)
_DELETE_RECEIPTS: Final = Statement(
    "DELETE FROM receipts WHERE delivery_id IS NOT NULL AND delivery_id IN"  # noqa: S608
    f" (SELECT d.id FROM deliveries d JOIN steps s ON s.id = d.step_id WHERE {{s.run_id in ids}}) AND {_MINE}"
)
_DELETE_DELIVERIES: Final = Statement(
    f"DELETE FROM deliveries WHERE step_id IN (SELECT id FROM steps WHERE {{run_id in ids}}) AND {_MINE}"  # noqa: S608
)
_DELETE_STEPS: Final = Statement(f"DELETE FROM steps WHERE {{run_id in ids}} AND {_MINE}")  # noqa: S608
_DELETE_RUNS: Final = Statement(f"DELETE FROM runs WHERE {{id in ids}} AND {_MINE}")  # noqa: S608
_DELETE_EVENTS: Final = Statement(f"DELETE FROM events WHERE {{id in ids}} AND {_MINE}")  # noqa: S608
_DELETE_REFUSALS: Final = Statement(
    "DELETE FROM refusals WHERE id IN (SELECT id FROM refusals WHERE id < :until ORDER BY id LIMIT :limit)"
)
_DELETE_PARKED: Final = Statement(
    "DELETE FROM receipts WHERE delivery_id IS NULL AND id IN"
    " (SELECT id FROM receipts WHERE delivery_id IS NULL AND id < :until ORDER BY id LIMIT :limit)"
)
_DELETE_TELESALES: Final = Statement(
    "DELETE FROM telesales_entries WHERE id IN"
    " (SELECT id FROM telesales_entries WHERE id < :until AND closed_at < :before ORDER BY id LIMIT :limit)"
)
_OPEN: Final = frozenset({"ready", "running", "waiting", "unknown"})


class SqlRetention:
    """Implements :class:`nhip.ports.RetentionStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs(self, after: str, before: int, limit: int) -> list[OldRun]:
        rows: Sequence[Any] = _RUNS.run(self._connection, after=after, until=first_id_of(before), limit=limit)
        return [
            OldRun(id=row[0], workspace_id=row[1], ended_at=row[3] if row[2] != "running" else None) for row in rows
        ]

    def delete_runs(self, workspace_id: int, ids: Sequence[str]) -> int:
        # In the order in which everybody takes these locks: runs, deliveries, steps.
        over = [row[0] for row in _LOCK_RUNS.run(self._connection, workspace_id=workspace_id, ids=list(ids))]
        steps = [row[0] for row in _STEPS.run(self._connection, workspace_id=workspace_id, ids=over)]
        _LOCK_DELIVERIES.run(self._connection, workspace_id=workspace_id, ids=steps)
        held: Sequence[Any] = _LOCK_STEPS.run(self._connection, workspace_id=workspace_id, ids=steps)
        again = {row[0] for row in held if row[1] in _OPEN}
        gone = [one for one in over if one not in again]
        for statement in (_DELETE_RECEIPTS, _DELETE_DELIVERIES, _DELETE_STEPS, _DELETE_RUNS):
            statement.execute(self._connection, workspace_id=workspace_id, ids=gone)
        return len(gone)

    def events(self, after: str, before: int, limit: int) -> list[OldEvent]:
        rows: Sequence[Any] = _EVENTS.run(self._connection, after=after, until=first_id_of(before), limit=limit)
        return [
            OldEvent(id=row[0], workspace_id=row[1], root_id=row[2], derived=_decode_ids(row[3]) if row[3] else [])
            for row in rows
        ]

    def delete_events(self, workspace_id: int, ids: Sequence[str]) -> int:
        return _DELETE_EVENTS.execute(self._connection, workspace_id=workspace_id, ids=list(ids))

    def delete_refusals(self, before: int, limit: int) -> int:
        return _DELETE_REFUSALS.execute(self._connection, until=first_id_of(before), limit=limit)

    def delete_telesales(self, before: int, limit: int) -> int:
        return _DELETE_TELESALES.execute(self._connection, until=first_id_of(before), before=before, limit=limit)

    def delete_parked_receipts(self, before: int, limit: int) -> int:
        return _DELETE_PARKED.execute(self._connection, until=first_id_of(before), limit=limit)
