"""Whose turn it is, and who has how much to do."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from nhip.adapters.db.statements import Statement

_TURN: Final = "workspace_id = :workspace_id AND pool = :pool AND how = :how"
_LOCK: Final = Statement(f"SELECT last FROM assignment_turns WHERE {_TURN}", lock=True)  # noqa: S608
_BEGIN: Final = Statement(
    "INSERT INTO assignment_turns (workspace_id, pool, how) VALUES (:workspace_id, :pool, :how) ON CONFLICT DO NOTHING"
)
_TAKE: Final = Statement(f"UPDATE assignment_turns SET last = :last WHERE {_TURN}")  # noqa: S608
_LOADS: Final = Statement(
    "SELECT assignee, COUNT(*) FROM records WHERE workspace_id = :workspace_id AND {assignee in staff}"
    " AND {type in types} AND closed_at IS NULL GROUP BY assignee"
)


class SqlAssignments:
    """Implements :class:`nhip.ports.AssignmentStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock_turn(self, workspace_id: int, pool: str, how: str) -> str | None:
        place = {"workspace_id": workspace_id, "pool": pool, "how": how}
        rows = _LOCK.run(self._connection, **place)
        if not rows:
            _BEGIN.execute(self._connection, **place)
            rows = _LOCK.run(self._connection, **place)
        last: str | None = rows[0][0]
        return last

    def take_turn(self, workspace_id: int, pool: str, how: str, last: str) -> None:
        _TAKE.execute(self._connection, workspace_id=workspace_id, pool=pool, how=how, last=last)

    def loads(self, workspace_id: int, types: Sequence[str], staff: Sequence[str]) -> dict[str, int]:
        rows = _LOADS.run(self._connection, workspace_id=workspace_id, types=list(types), staff=list(staff))
        return {row[0]: row[1] for row in rows}
