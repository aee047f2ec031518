"""The days on which a workspace is closed."""

from datetime import date
from typing import Final

from nhip.domain.calendars import Calendar, StoredCalendar
from nhip.domain.errors import InvalidInput, StorageUnavailable
from nhip.domain.ids import new_id
from nhip.engine.facts.calendars import ClosedDays, always_open, closed_days as days_of, faults
from nhip.ports import Unit
from nhip.services.workspace.revisions import check_match

NONE_YET: Final = "no-calendar"
"""In place of the id of a calendar that a workspace has not said yet."""


def find(unit: Unit, workspace_id: int, *, lock: bool = False) -> StoredCalendar:
    """The calendar of a workspace; an empty one where it has said none."""
    return unit.calendars.find(workspace_id, lock=lock) or StoredCalendar(
        workspace_id=workspace_id, id=NONE_YET, content=Calendar(), revision=0, created_at=0, updated_at=0
    )


def save(
    unit: Unit, workspace_id: int, calendar: Calendar, *, if_match: str | None, actor: str, now: int
) -> StoredCalendar:
    """Let a workspace be closed on these days, and on no others. What was reckoned before stays as it is.

    Raises:
        InvalidInput: with the place of each problem: ``holidays[3].to``.
        StaleRevision: ``if_match`` does not hold.
    """
    problems = list(faults(calendar))
    if problems:
        raise InvalidInput(problems)
    before = find(unit, workspace_id, lock=True)
    check_match(before, if_match)
    if before.content == calendar:
        return before
    stored = StoredCalendar(
        workspace_id=workspace_id, id=before.id if before.revision else new_id(), content=calendar,
        revision=before.revision + 1, created_at=before.created_at or now, updated_at=now,
    )  # fmt: skip
    if before.revision:
        unit.calendars.update(stored)
    else:
        unit.calendars.insert(stored)
    unit.audit.write(workspace_id, actor, "calendar.change", "calendar", now, {"revision": stored.revision})
    return stored


def closed_days(unit: Unit, workspace_id: int) -> ClosedDays:
    """A workspace's calendar for whoever decides in this unit. It is read when a day is first asked about, and once.

    The answer raises ``StorageUnavailable`` where the calendar cannot be read: nobody may take that for an open day.
    """
    known: ClosedDays | None = None

    def holiday(day: date) -> str | None:
        nonlocal known
        if known is None:
            try:
                stored = unit.calendars.find(workspace_id)
            except Exception as error:
                raise StorageUnavailable(f"the calendar cannot be read: {type(error).__name__}") from error
            known = days_of(stored.content) if stored is not None else always_open
        return known(day)

    return holiday
