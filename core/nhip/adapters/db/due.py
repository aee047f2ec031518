"""When something is due next, for whoever moves the clock from one moment with work to the next."""

from typing import Final

from sqlalchemy import Connection

from nhip.adapters.db.statements import Statement
from nhip.domain.runs import PARKED_UNTIL

_OPEN_STEPS: Final = tuple(
    f"SELECT MIN(due_at) FROM steps WHERE workspace_id = :workspace_id AND state = '{state}'"  # noqa: S608
    f" AND due_at < {PARKED_UNTIL}"
    for state in ("ready", "waiting", "unknown")
)
"""Steps to be done, waits that end, and the unknown whose patience ends; not what a pause holds back."""
_HELD_STEPS: Final = "SELECT MIN(lease_until) + 1 FROM steps WHERE workspace_id = :workspace_id AND state = 'running'"
"""Steps whose outcome was not recorded: they are free when their lease is over."""
_SCANS: Final = (
    "SELECT MIN(CASE WHEN s.key LIKE 'moment:%' AND s.until_at IS NULL THEN"
    " (SELECT (MIN(d.slot) + {minutes}) * 60000000 FROM dates d WHERE d.workspace_id = s.workspace_id"
    " AND d.watch = s.watch AND d.timezone = 'UTC' AND d.slot > s.since_at / 60000000 - {minutes})"
    " ELSE s.due_at END) FROM scans s WHERE s.workspace_id = :workspace_id AND s.due_at IS NOT NULL"
)
"""The next look of a scan; of one that looks every minute, the next that finds something."""
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
)
"""The next look at a score that falls by itself."""
_RECOUNTS: Final = "SELECT MIN(0) FROM score_rules WHERE workspace_id = :workspace_id AND recount_after IS NOT NULL"
"""Scores that changed rules have not reached are to be found now."""
_TELESALES: Final = (
    "SELECT MIN(back_at) FROM telesales_entries WHERE workspace_id = :workspace_id AND closed_at IS NULL"
    " AND back_at IS NOT NULL"
)
"""The next entry whose agent has it no more."""

SCANS: Final = "scans"
"""The sort of work that the scheduler does by itself."""
SOURCES: Final = (
    *(("steps", query) for query in (*_OPEN_STEPS, _HELD_STEPS)),
    (SCANS, _SCANS),
    (SCANS, _WATCHES),
    ("segments", _SEGMENTS),
    ("enrolments", _ENROLMENTS),
    ("scores", _SCORES),
    ("scores", _RECOUNTS),
    ("telesales", _TELESALES),
)
"""Everything that time alone sets off: sorts of work, each with queries for a moment in microseconds, or for 0 where
something is due already. What else waits for a moment belongs here."""

_TEXT: Final = " UNION ALL ".join(f"SELECT '{sort}', ({query})" for sort, query in SOURCES)
_SQLITE: Final = Statement(_TEXT.replace("{minutes}", "json_extract(s.spec, '$.minutes')"))
_POSTGRES: Final = Statement(_TEXT.replace("{minutes}", "CAST(CAST(s.spec AS json) ->> 'minutes' AS bigint)"))


def next_moments(connection: Connection, workspace_id: int) -> dict[str, int]:
    """The earliest moment, in microseconds, at which each sort of work of a workspace is due, which may have passed."""
    moments: dict[str, int] = {}
    statement = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES
    for sort, moment in statement.run(connection, workspace_id=workspace_id):
        if moment is not None:
            moments[sort] = min(moment, moments.get(sort, moment))
    return moments


def next_due(connection: Connection, workspace_id: int) -> int | None:
    """The earliest of these moments."""
    return min(next_moments(connection, workspace_id).values(), default=None)
