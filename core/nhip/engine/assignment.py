"""Who gets something: the next in turn, or whoever has least to do, of those who are there. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from nhip.domain.assignment import How, Passed
from nhip.domain.customers import Staff
from nhip.domain.duty import Hours
from nhip.domain.struct import Struct
from nhip.engine.moments import zone

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

LEFT: Final = "left"
"""They do not work here any more."""
ABSENT: Final = "absent"
"""They are away."""
OUT_OF_HOURS: Final = "out_of_hours"
"""It is none of their hours."""
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
    candidates: Iterable[Candidate], how: How, last: str | None, now: datetime, *, hours: bool, absences: bool = True
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
    """
    free: list[Candidate] = []
    passed: list[Passed] = []
    for one in sorted(candidates, key=_name):
        reason = one.obstacle or obstacle(one.person, now, hours=hours, absences=absences)
        if reason is None:
            free.append(one)
        else:
            passed.append(Passed(staff=_name(one), reason=reason))
    if not free:
        return Choice(staff=None, passed=tuple(passed))
    in_turn = _turned(free, last)
    chosen = min(in_turn, key=lambda one: one.load) if how == "least_busy" else in_turn[0]
    return Choice(staff=_name(chosen), passed=tuple(passed))


def obstacle(person: Staff, now: datetime, *, hours: bool, absences: bool = True) -> str | None:
    """Why somebody may not get anything now, if so."""
    if not person.active:
        return LEFT
    if absences and any(one.from_ <= now < one.until for one in person.absences):
        return ABSENT
    if hours and person.hours is not None and not any(is_within(one, now) for one in shifts(person)):
        return OUT_OF_HOURS
    return None


def shifts(person: Staff) -> tuple[Hours, ...]:
    """Somebody's hours; nobody said any where it is empty."""
    if person.hours is None:
        return ()
    return (person.hours,) if isinstance(person.hours, Hours) else person.hours


def is_within(hours: Hours, now: datetime) -> bool:
    """Whether it is within these hours where they are meant."""
    local = now.astimezone(zone(hours.timezone))
    clock, today = f"{local:%H:%M}", DAYS[local.weekday()]
    if hours.from_ < hours.to:
        return today in hours.days and hours.from_ <= clock < hours.to
    yesterday = DAYS[(local - timedelta(days=1)).weekday()]
    return (today in hours.days and clock >= hours.from_) or (yesterday in hours.days and clock < hours.to)


def _name(one: Candidate) -> str:
    return one.person.external_id


def _turned(free: Sequence[Candidate], last: str | None) -> list[Candidate]:
    """In the order of their turns, the next one first."""
    return sorted(free, key=lambda one: (last is not None and _name(one) <= last, _name(one)))
