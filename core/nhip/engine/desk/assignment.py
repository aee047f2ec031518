"""Who gets something: the next in turn, or whoever has least to do, of those who are there. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from nhip.domain.assignment import How, Passed
from nhip.domain.customers import Staff
from nhip.domain.duty import Hours
from nhip.domain.struct import Struct
from nhip.engine.facts.calendars import ClosedDays, always_open
from nhip.engine.facts.moments import DEFAULT_ZONE, zone

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

LEFT: Final = "left"
"""They do not work here any more."""
ABSENT: Final = "absent"
"""They are away."""
OUT_OF_HOURS: Final = "out_of_hours"
"""It is none of their hours."""
HOLIDAY: Final = "holiday"
"""It would be one of their hours, were the day no holiday."""
NO_ADDRESS: Final = "no_address"
"""The channel of the message does not reach them."""
UNKNOWN: Final = "unknown"
"""There is no such employee."""


class Candidate(Struct):
    """Somebody who may get it."""

    person: Staff
    load: int = 0
    """How many open tasks and tickets they have."""
    obstacle: str | None = None
    """Why they may not get it, where that is known beforehand."""


class Choice(Struct):
    """Who gets it, or nobody."""

    staff: str | None
    passed: tuple[Passed, ...] = ()


def choose(
    candidates: Iterable[Candidate],
    how: How,
    last: str | None,
    now: datetime,
    *,
    hours: bool,
    absences: bool = True,
    closed: ClosedDays = always_open,
) -> Choice:
    """Choose one of the candidates.

    In turn means: in the order of their external ids, whoever comes after ``last``, who had the turn before. So those
    who are always there get equally many, and whoever comes or goes changes nothing for the others. Of those who have
    equally little to do, the next in turn gets it.

    Args:
        candidates: in any order, each once.
        how: in turn, or whoever has least to do.
        last: who had the turn before, where anybody had.
        now: aware.
        hours: whether they must be within their hours.
        absences: whether they must not be away.
        closed: the workspace's calendar.
    """
    free: list[Candidate] = []
    passed: list[Passed] = []
    for one in sorted(candidates, key=_name):
        reason = one.obstacle or obstacle(one.person, now, hours=hours, absences=absences, closed=closed)
        if reason is None:
            free.append(one)
        else:
            passed.append(Passed(staff=_name(one), reason=reason))
    if not free:
        return Choice(staff=None, passed=tuple(passed))
    in_turn = _turned(free, last)
    chosen = min(in_turn, key=lambda one: one.load) if how == "least_busy" else in_turn[0]
    return Choice(staff=_name(chosen), passed=tuple(passed))


def obstacle(
    person: Staff, now: datetime, *, hours: bool, absences: bool = True, closed: ClosedDays = always_open
) -> str | None:
    """Why somebody may not get anything now, if so.

    Whoever has not said any hours works at all of them, on every day that is no holiday in Vietnam's time zone.
    """
    if not person.active:
        return LEFT
    if absences and any(one.from_ <= now < one.until for one in person.absences):
        return ABSENT
    if not hours:
        return None
    if person.hours is None:
        return HOLIDAY if closed(now.astimezone(zone(DEFAULT_ZONE)).date()) is not None else None
    begun = [(one, day) for one in shifts(person) if (day := day_begun(one, now)) is not None]
    if not begun:
        return OUT_OF_HOURS
    return None if any(one.holidays or closed(day) is None for one, day in begun) else HOLIDAY


def shifts(person: Staff) -> tuple[Hours, ...]:
    """Somebody's hours; nobody said any where it is empty."""
    if person.hours is None:
        return ()
    return (person.hours,) if isinstance(person.hours, Hours) else person.hours


def day_begun(hours: Hours, now: datetime) -> date | None:
    """The day on which these hours began, where they are meant; ``None`` outside of them."""
    local = now.astimezone(zone(hours.timezone))
    clock, today = f"{local:%H:%M}", local.date()
    yesterday = today - timedelta(days=1)
    if hours.from_ < hours.to:
        return today if DAYS[today.weekday()] in hours.days and hours.from_ <= clock < hours.to else None
    if DAYS[today.weekday()] in hours.days and clock >= hours.from_:
        return today
    return yesterday if DAYS[yesterday.weekday()] in hours.days and clock < hours.to else None


def _name(one: Candidate) -> str:
    return one.person.external_id


def _turned(free: Sequence[Candidate], last: str | None) -> list[Candidate]:
    """In the order of their turns, the next one first."""
    return sorted(free, key=lambda one: (last is not None and _name(one) <= last, _name(one)))
