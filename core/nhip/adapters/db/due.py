"""When something is due next, for whoever moves the clock from one moment with work to the next."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, func, select

from nhip.adapters.db.scan_tables import date_watches, scans
from nhip.adapters.db.segment_tables import enrolments, segment_moments, segments
from nhip.adapters.db.tables import contacts, score_rules, steps
from nhip.domain.runs import PARKED_UNTIL

_NOT_BUILT: Final = 2

Source = Callable[[Connection, int], int | None]
"""Asks a workspace for the earliest moment, in microseconds, at which one sort of work is due."""


def _open_steps(connection: Connection, workspace_id: int) -> int | None:
    """Steps to be done, waits that end, and the unknown whose patience ends; not what a pause holds back."""
    due = select(func.min(steps.c.due_at)).where(
        steps.c.workspace_id == workspace_id,
        steps.c.state.in_(("ready", "waiting", "unknown")),
        steps.c.due_at < PARKED_UNTIL,
    )
    return connection.execute(due).scalar()


def _held_steps(connection: Connection, workspace_id: int) -> int | None:
    """Steps whose outcome was not recorded: they are free when their lease is over."""
    over = select(func.min(steps.c.lease_until)).where(steps.c.workspace_id == workspace_id, steps.c.state == "running")
    until = connection.execute(over).scalar()
    return None if until is None else until + 1


def _scans(connection: Connection, workspace_id: int) -> int | None:
    """The next look of a scan."""
    due = select(func.min(scans.c.due_at)).where(scans.c.workspace_id == workspace_id)
    return connection.execute(due).scalar()


def _watches(connection: Connection, workspace_id: int) -> int | None:
    """Days that are not kept yet are to be found now."""
    unsettled = select(date_watches.c.watch).where(
        date_watches.c.workspace_id == workspace_id, date_watches.c.state != "kept"
    )
    return 0 if connection.execute(unsettled.limit(1)).first() is not None else None


def _segments(connection: Connection, workspace_id: int) -> int | None:
    """Segments that are not built yet, and those of which somebody may enter or leave because time passes."""
    moment = (
        select(func.min(segment_moments.c.due_at))
        .where(segment_moments.c.workspace_id == workspace_id, segment_moments.c.segment == segments.c.name)
        .scalar_subquery()
    )
    mine = select(segments.c.walks_left, segments.c.due_at, moment).where(
        segments.c.workspace_id == workspace_id, segments.c.due_at.is_not(None)
    )
    due = [
        looked if walks == _NOT_BUILT else max(looked, changes)
        for walks, looked, changes in connection.execute(mine)
        if walks == _NOT_BUILT or changes is not None
    ]
    return min(due, default=None)


def _enrolments(connection: Connection, workspace_id: int) -> int | None:
    """The next contacts of an enrolment."""
    due = select(func.min(enrolments.c.due_at)).where(enrolments.c.workspace_id == workspace_id)
    return connection.execute(due).scalar()


def _scores(connection: Connection, workspace_id: int) -> int | None:
    """The next look at a score that falls by itself; scores that changed rules have not reached are to be found now."""
    unfinished = select(score_rules.c.revision).where(
        score_rules.c.workspace_id == workspace_id, score_rules.c.recount_after.is_not(None)
    )
    if connection.execute(unfinished).first() is not None:
        return 0
    due = select(func.min(contacts.c.score_due_at)).where(
        contacts.c.workspace_id == workspace_id, contacts.c.score_due_at.is_not(None)
    )
    return connection.execute(due).scalar()


SOURCES: Final[tuple[Source, ...]] = (_open_steps, _held_steps, _scans, _watches, _segments, _enrolments, _scores)
"""Everything that time alone sets off. What else waits for a moment belongs here."""


def next_due(connection: Connection, workspace_id: int) -> int | None:
    """The earliest moment, in microseconds, at which anything of a workspace is due, which may have passed."""
    moments = [moment for source in SOURCES if (moment := source(connection, workspace_id)) is not None]
    return min(moments, default=None)
