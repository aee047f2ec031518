"""Days that come back, and minutes: when what a field holds is met, and by what it is found. Pure.

A month that has no such day meets it on its last: the 31st on 30 April, 29 February on 28 February. So nobody waits for
a day that does not come, and nobody is a day late. A time is met at the first full minute that is not before it, so
that nothing is over before its time.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from nhip.domain.scans import DateScan, MomentScan, Repetition
from nhip.domain.struct import Struct
from nhip.engine.facts.moments import day_of, moment_of, zone
from nhip.engine.times.schedule import clock_of
from nhip.engine.times.waits import instant

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTES: Final = range(-(2**31), 2**31)
"""What a column of 32 bits holds: until the year 6053."""
_MOMENT: Final = "moment"
MINUTE_MICROS: Final = 60_000_000
_MONTHS: Final = {Repetition.MONTHLY: 1, Repetition.QUARTERLY: 3, Repetition.YEARLY: 12}


class Watch(Struct):
    """A field whose days or minutes are kept so that they can be found: what all scans of it share that read it
    alike.
    """

    field: str
    every: Repetition | None
    """How often its day comes back; ``None`` where its minute is kept, which does not."""
    timezone: str
    """An IANA name, or ``contact``."""

    @property
    def key(self) -> str:
        """Its name in the database."""
        return f"{self.field}|{self.every or _MOMENT}|{self.timezone}"

    @property
    def root(self) -> str:
        """Whose field it is: ``contact``, or a record type."""
        return self.field.partition(".")[0]

    @property
    def path(self) -> str:
        """The field inside its owner: ``birthday``, ``custom.renewal``."""
        return self.field.partition(".")[2]


def watch_of(scan: DateScan | MomentScan) -> Watch:
    """The watch that a scan needs."""
    every = scan.every if isinstance(scan, DateScan) else None
    return Watch(field=scan.field, every=every, timezone=scan.timezone)


def watch_named(key: str) -> Watch:
    """The watch of that key."""
    field, every, timezone = key.rsplit("|", 2)
    return Watch(field=field, every=None if every == _MOMENT else Repetition(every), timezone=timezone)


class Meeting(Struct):
    """A moment at which a scan looks for a day."""

    moment: datetime
    zone: str
    day: date
    """The day that is met, or that lies so many days from the moment's as the scan says."""


def day_in(value: Any, timezone: str) -> date | None:
    """The day that a value holds: a date as it stands, a time as the day it falls on in that time zone."""
    return day_of(value, {"contact": {"timezone": timezone}})


def minute_in(value: Any, timezone: str) -> int | None:
    """The first full minute since 1970 that is not before the time that a value holds; a date is its first moment in
    that time zone.
    """
    try:
        moment = moment_of(value, {"contact": {"timezone": timezone}})
        minute = -((_EPOCH - moment) // _MINUTE) if moment is not None else None
    except OverflowError:
        return None
    return minute if minute is not None and minute in _MINUTES else None


def place_in(watch: Watch, value: Any, timezone: str) -> tuple[int, int] | None:
    """The slot and the day by which a watch finds a value; ``None`` where it holds no date and no time."""
    if watch.every is None:
        minute = minute_in(value, timezone)
        return (minute, _EPOCH.toordinal() + minute * _MINUTE // _DAY) if minute is not None else None
    day = day_in(value, timezone)
    return (slot_of(day, watch.every), day.toordinal()) if day is not None else None


def minutes_met(scan: MomentScan, since: int, until: int) -> tuple[int, int]:
    """The minutes for which a scan looks that has looked up to ``since``, and looks up to ``until``, in microseconds:
    those after the first and up to the second. What it is too late for is not among them.
    """
    late = scan.within if scan.minutes >= 0 else min(scan.within, -scan.minutes)
    last = until // MINUTE_MICROS
    first = max(since // MINUTE_MICROS, last - max(late, 1))
    return min(first, last) - scan.minutes, last - scan.minutes


def slot_of(day: date, every: Repetition) -> int:
    """What of a day comes back."""
    match every:
        case Repetition.NEVER:
            return day.toordinal()
        case Repetition.WEEKLY:
            return day.weekday()
        case _:
            return (day.month - 1) % _MONTHS[every] * 100 + day.day


def slots_on(day: date, every: Repetition) -> list[int]:
    """Every slot that is met on a day: on the last of a month, those that the month lacks, too."""
    slot = slot_of(day, every)
    if every in _MONTHS and (day + _DAY).day == 1:
        return list(range(slot, slot - day.day + 32))
    return [slot]


def meetings(scan: DateScan, zones: Iterable[str], since: datetime, until: datetime) -> list[Meeting]:
    """When a scan looks, after ``since`` and up to ``until``, for the contacts of each zone; in their order."""
    found = []
    for name in zones:
        for meeting in _meetings_after(scan, name, since):
            if meeting.moment > until:
                break
            found.append(meeting)
    return sorted(found, key=lambda one: (one.moment, one.zone))


def next_meeting(scan: DateScan, zones: Iterable[str], after: datetime) -> datetime | None:
    """When a scan looks next."""
    return min((next(_meetings_after(scan, name, after)).moment for name in zones), default=None)


def looked_at(scan: DateScan, before: DateScan, name: str, looked: datetime, now: datetime) -> datetime:
    """Up to when a scan has nothing to look for in a zone, where it goes on for one at another time of the day that
    ``looked`` up to a moment.

    Days at which that one had yet to look are met, late where their moment is over. Days that are done are not, unless
    their moment is yet to come: whoever was told on such a day has to be known by the runs.
    """
    place, clock, was = zone(name), clock_of(scan.at), clock_of(before.at)
    day = looked.astimezone(place).date() + _DAY
    while instant(day, was, place) > looked or instant(day, clock, place) > now:
        day -= _DAY
    return instant(day, clock, place)


def _meetings_after(scan: DateScan, name: str, after: datetime) -> Iterator[Meeting]:
    place, clock = zone(name), clock_of(scan.at)
    day = after.astimezone(place).date() - _DAY
    while True:
        moment = instant(day, clock, place)
        if moment > after:
            yield Meeting(moment=moment, zone=name, day=day - timedelta(days=scan.days))
        day += _DAY
