"""When time sets a workflow off next: what an admin wants to know before publishing it. Pure."""

from datetime import datetime, tzinfo
from typing import Final

from nhip.domain.scans import Cron, DateScan, SegmentScan, SilenceScan, TickScan
from nhip.domain.struct import Struct
from nhip.engine.definitions.definition import Compiled
from nhip.engine.facts.moments import DEFAULT_ZONE, zone
from nhip.engine.times.dates import next_meeting
from nhip.engine.times.schedule import CONTACT, upcoming

_MOST: Final = 5
_ByTheClock = SilenceScan | DateScan | TickScan | SegmentScan


class NextTimes(Struct):
    """When a time trigger ticks, or looks whom it concerns, the next times."""

    trigger: str
    """Its id."""
    timezone: str
    """An IANA name, or ``contact``: the times are then those for contacts that have no time zone of their own."""
    times: tuple[str, ...]
    """RFC 3339, with the offset that holds in that zone then. None where no more comes within fifty years."""


def next_times(compiled: Compiled, now: datetime) -> tuple[NextTimes, ...]:
    """The next five times of each time trigger, by its zones. A trigger that looks every minute has none to tell."""
    found = []
    for trigger, scans in compiled.asked.items():
        zones: dict[str, set[datetime]] = {}
        for clock in dict.fromkeys(_clock(scan) for scan in scans if isinstance(scan, _ByTheClock)):
            zones.setdefault(clock.timezone, set()).update(_upcoming(clock, now))
        for name, moments in zones.items():
            times = tuple(one.astimezone(_place(name)).isoformat() for one in sorted(moments)[:_MOST])
            found.append(NextTimes(trigger=trigger, timezone=name, times=times))
    return tuple(found)


def _clock(scan: _ByTheClock) -> Cron | DateScan:
    """What of a scan says when it looks, alike for all that look at the same times."""
    if isinstance(scan, DateScan):
        return DateScan(field="", days=0, at=scan.at, timezone=scan.timezone)
    return scan.when


def _upcoming(clock: Cron | DateScan, now: datetime) -> list[datetime]:
    if isinstance(clock, Cron):
        return upcoming(clock, now, _MOST)
    name = DEFAULT_ZONE if clock.timezone == CONTACT else clock.timezone
    found: list[datetime] = []
    while len(found) < _MOST and (moment := next_meeting(clock, [name], found[-1] if found else now)) is not None:
        found.append(moment)
    return found


def _place(name: str) -> tzinfo:
    return zone(DEFAULT_ZONE if name == CONTACT else name)
