"""When a wait ends. Pure; time zones are IANA names, or ``contact`` for the contact's own.

A time of day that a place's clocks skip in spring is reached when they go on, by as much later as they skip; one that
they show twice in autumn is reached the first time.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from nhip.domain.struct import Struct
from nhip.domain.workflow import WaitEvent, WaitFor, Waiting, WaitUntil, WaitWindow
from nhip.engine.facts.calendars import ClosedDays, always_open
from nhip.engine.facts.fields import reader
from nhip.engine.facts.moments import date_of, moment_of, zone, zone_of
from nhip.plugin_api import Facts

ELAPSED: Final = "elapsed"
"""The outcome of a wait whose time has come."""
TIMED_OUT: Final = "timeout"
"""The outcome of a wait for an event that did not come in time."""
CAME: Final = "event"
"""The outcome of a wait for an event that came."""
PAST: Final = "past"
"""The outcome of a wait until a time that was over already."""
MISSING: Final = "missing"
"""The outcome of a wait until the time that a field holds, where it holds none."""
OPEN: Final = "open"
"""The outcome of a wait for hours in which it is already."""

_HORIZON: Final = datetime(9000, 1, 1, tzinfo=UTC)
_LOOKED_AHEAD: Final = 370
"""For how many days hours are looked for that no holiday closes."""


class Ending(Struct):
    """When a wait ends, or with what outcome it does not even begin."""

    until: datetime | None = None
    outcome: str | None = None


def wait_ending(wait: Waiting, facts: Facts, now: datetime, closed: ClosedDays = always_open) -> Ending:
    """Decide when a wait that begins now ends. ``closed`` is the workspace's calendar."""
    match wait:
        case WaitFor():
            return Ending(until=_bounded(now, wait.duration))
        case WaitEvent():
            return Ending(until=_bounded(now, wait.timeout))
        case WaitWindow():
            opening = window_opening(wait, facts, now, closed)
            return Ending(outcome=OPEN) if opening <= now else Ending(until=opening)
        case WaitUntil():
            moment = _moment(wait, facts)
            if moment is None:
                return Ending(outcome=MISSING)
            return Ending(until=min(moment, _HORIZON)) if moment > now else Ending(outcome=PAST)


def outcome_at_end(wait: Waiting | None) -> str:
    """The outcome of a wait whose time has come."""
    return TIMED_OUT if isinstance(wait, WaitEvent) else ELAPSED


def place_of(name: str, facts: Facts) -> tzinfo:
    """The time zone of that name, or the contact's own."""
    return zone_of(facts) if name == "contact" else zone(name)


def instant(day: date, clock: time, place: tzinfo) -> datetime:
    """The instant, in UTC, at which the clocks of a place show a time on a day."""
    local = datetime.combine(day, clock, place)
    return datetime.fromtimestamp(local.timestamp(), UTC)


def window_opening(window: WaitWindow, facts: Facts, now: datetime, closed: ClosedDays = always_open) -> datetime:
    """``now`` where the hours are open, else the instant in UTC at which they open next.

    Hours that would begin after their end, because the clocks skip their beginning, are none on that day. Those that
    begin on an open day and reach into a holiday hold to their end. Where holidays leave no day open for a year, they
    open on the first day after it that they are meant for.
    """
    place = place_of(window.timezone, facts)
    today = now.astimezone(place).date()
    for ahead in range(-1, _LOOKED_AHEAD + 9):
        day = today + timedelta(days=ahead)
        if day.weekday() not in window.days:
            continue
        if not window.holidays and ahead < _LOOKED_AHEAD and closed(day) is not None:
            continue
        last = day + timedelta(days=1) if window.to <= window.from_ else day
        opens, closes = instant(day, window.from_, place), instant(last, window.to, place)
        if now < closes and opens < closes:
            return max(opens, now)
    raise AssertionError("every window opens within a week of the days that are looked at")


def _moment(wait: WaitUntil, facts: Facts) -> datetime | None:
    place = place_of(wait.timezone, facts)
    said: datetime | date | None = wait.moment
    if wait.field is not None or wait.day is not None:
        raw = wait.day if wait.day is not None else reader(wait.field or "")(facts)
        said = date_of(raw) or moment_of(raw, facts)
    if said is None:
        return None
    try:
        if isinstance(said, datetime):
            local = said.astimezone(place)
            day, clock = local.date(), local.time().replace(fold=0)
        else:
            day, clock = said, time()
        if wait.days or wait.at is not None or not isinstance(said, datetime):
            return instant(day + timedelta(days=wait.days), wait.at or clock, place) + wait.offset
        return said.astimezone(UTC) + wait.offset
    except (OverflowError, ValueError):
        return None


def _bounded(now: datetime, duration: timedelta) -> datetime:
    return min(now + duration, _HORIZON)
