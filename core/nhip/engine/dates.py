"""Days that come back: when the day that a field holds is met, and by what it is found. Pure.

A month that has no such day meets it on its last: the 31st on 30 April, 29 February on 28 February. So nobody waits for
a day that does not come, and nobody is a day late.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from nhip.domain.scans import DateScan, Repetition
from nhip.domain.struct import Struct
from nhip.engine.moments import day_of, zone
from nhip.engine.schedule import clock_of
from nhip.engine.waits import instant

_DAY: Final = timedelta(days=1)
_MONTHS: Final = {Repetition.MONTHLY: 1, Repetition.QUARTERLY: 3, Repetition.YEARLY: 12}


class Watch(Struct):
    """A field whose days are kept so that they can be found: what all date scans of it share that read it alike."""

    field: str
    every: Repetition
    timezone: str
    """An IANA name, or ``contact``."""

    @property
    def key(self) -> str:
        """Its name in the database."""
        return f"{self.field}|{self.every}|{self.timezone}"

    @property
    def root(self) -> str:
        """Whose field it is: ``contact``, or a record type."""
        return self.field.partition(".")[0]

    @property
    def path(self) -> str:
        """The field inside its owner: ``birthday``, ``custom.renewal``."""
        return self.field.partition(".")[2]


def watch_of(scan: DateScan) -> Watch:
    """The watch that a date scan needs."""
    return Watch(field=scan.field, every=scan.every, timezone=scan.timezone)


def watch_named(key: str) -> Watch:
    """The watch of that key."""
    field, every, timezone = key.rsplit("|", 2)
    return Watch(field=field, every=Repetition(every), timezone=timezone)


class Meeting(Struct):
    """A moment at which a scan looks for a day."""

    moment: datetime
    zone: str
    day: date
    """The day that is met, or that lies so many days from the moment's as the scan says."""


def day_in(value: Any, timezone: str) -> date | None:
    """The day that a value holds: a date as it stands, a time as the day it falls on in that time zone."""
    return day_of(value, {"contact": {"timezone": timezone}})


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


def _meetings_after(scan: DateScan, name: str, after: datetime) -> Iterator[Meeting]:
    place, clock = zone(name), clock_of(scan.at)
    day = after.astimezone(place).date() - _DAY
    while True:
        moment = instant(day, clock, place)
        if moment > after:
            yield Meeting(moment=moment, zone=name, day=day - timedelta(days=scan.days))
        day += _DAY
