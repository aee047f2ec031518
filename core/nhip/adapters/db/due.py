"""When something is due next, for whoever moves the clock from one moment with work to the next."""

from typing import Final

from sqlalchemy import Connection

from nhip.adapters.db.statements import Statement
from nhip.domain.runs import PARKED_UNTIL

_OPEN_STEPS: Final = " UNION ALL ".join(
    f"SELECT MIN(due_at) FROM steps WHERE workspace_id = :workspace_id AND state = '{state}'"  # noqa: S608
    f" AND due_at < {PARKED_UNTIL}"
    for state in ("ready", "waiting", "unknown")
)
"""Steps to be done, waits that end, and the unknown whose patience ends; not what a pause holds back."""
_HELD_STEPS: Final = "SELECT MIN(lease_until) + 1 FROM steps WHERE workspace_id = :workspace_id AND state = 'running'"
"""Steps whose outcome was not recorded: they are free when their lease is over."""
_SCANS: Final = "SELECT MIN(due_at) FROM scans WHERE workspace_id = :workspace_id"
"""The next look of a scan."""
_WATCHES: Final = "SELECT MIN(0) FROM date_watches WHERE workspace_id = :workspace_id AND state <> 'kept'"
"""Days that are not kept yet are to be found now."""
_SEGMENTS: Final = (
    "SELECT MIN(CASE WHEN walks_left = 2 OR changes_at < due_at THEN due_at ELSE changes_at END) FROM"
    " (SELECT s.walks_left, s.due_at, (SELECT MIN(m.due_at) FROM segment_moments m"
    " WHERE m.workspace_id = s.workspace_id AND m.segment = s.name) AS changes_at"
    " FROM segments s WHERE s.workspace_id = :workspace_id AND s.due_at IS NOT NULL) AS looked_at"
)
"""Segments that are not built yet, and those of which somebody may enter or leave because time passes."""
_ENROLMENTS: Final = "SELECT MIN(due_at) FROM enrolments WHERE workspace_id = :workspace_id"
"""The next contacts of an enrolment."""
_SCORES: Final = (
    "SELECT MIN(score_due_at) FROM contacts WHERE workspace_id = :workspace_id AND score_due_at IS NOT NULL"
    " UNION ALL SELECT MIN(0) FROM score_rules WHERE workspace_id = :workspace_id AND recount_after IS NOT NULL"
)
"""The next look at a score that falls by itself; scores that changed rules have not reached are to be found now."""

SOURCES: Final = (_OPEN_STEPS, _HELD_STEPS, _SCANS, _WATCHES, _SEGMENTS, _ENROLMENTS, _SCORES)
"""Everything that time alone sets off, each as a query for moments in microseconds, or for 0 where something is due
already. What else waits for a moment belongs here."""

_NEXT: Final = Statement(" UNION ALL ".join(SOURCES))


def next_due(connection: Connection, workspace_id: int) -> int | None:
    """The earliest moment, in microseconds, at which anything of a workspace is due, which may have passed."""
    rows = _NEXT.run(connection, workspace_id=workspace_id)
    return min((row[0] for row in rows if row[0] is not None), default=None)
