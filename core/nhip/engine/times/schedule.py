"""When schedules tick. Pure; a schedule is five cron fields, read by the clocks of a place.

Where clocks are changed it is as with Debian's cron: what a place's clocks skip in spring happens when they go on, and
what they show twice in autumn happens the first time. A schedule whose minute or hour begins with ``*`` goes by the
time that passes instead: one for every hour ticks 23 times on the one day and 25 times on the other.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from cronsim import CronSim, CronSimError

from nhip.domain.errors import Problem
from nhip.domain.scans import Cron, DateScan, Missed, MomentScan, Scan, SilenceScan
from nhip.engine.facts.moments import zone, zone_names

GRACE: Final = timedelta(minutes=1)
"""A tick that is later than this was missed."""
CONTACT: Final = "contact"
"""In place of a zone's name: each contact's own."""
_SPANS: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=367))
_MOST_DAYS: Final = 10_000


def ticks_after(cron: Cron, after: datetime) -> Iterator[datetime]:
    """The ticks after a moment, in UTC and rising. They end where no more comes within fifty years."""
    told = after
    for local in CronSim(cron.expression, after.astimezone(zone(cron.timezone))):
        tick = local.astimezone(UTC)
        if tick > told:  # within the hour that clocks show twice, its first pass comes once more
            told = tick
            yield tick


@lru_cache(maxsize=1024)
def next_tick(cron: Cron, after: datetime) -> datetime | None:
    """The first tick after a moment."""
    return next(ticks_after(cron, after), None)


def ticks_between(cron: Cron, since: datetime, until: datetime) -> Iterator[datetime]:
    """The ticks after ``since`` and up to ``until``."""
    for tick in ticks_after(cron, since):
        if tick > until:
            return
        yield tick


def last_tick(cron: Cron, since: datetime, until: datetime) -> datetime | None:
    """The last tick after ``since`` and up to ``until``. Looks back in growing spans, since ticks may be many."""
    for span in _SPANS:
        start = max(since, until - span)
        found = None
        for tick in ticks_between(cron, start, until):
            found = tick
        if found is not None or start == since:
            return found
    found = None
    for tick in ticks_between(cron, since, until):
        found = tick
    return found


def tick_to_run(cron: Cron, missed: Missed, since: datetime, now: datetime) -> datetime | None:
    """The tick to run now, where everything up to ``since`` is done; ``None`` where nothing is due.

    Of the ticks that nobody was there to run: ``all`` runs them one after the other, ``last`` the last of them, and
    ``skip`` none that is later than :data:`GRACE`.
    """
    if missed is Missed.LAST:
        return last_tick(cron, since, now)
    start = since if missed is Missed.ALL else max(since, now - GRACE - timedelta(microseconds=1))
    return next(ticks_between(cron, start, now), None)


def upcoming(cron: Cron, after: datetime, count: int) -> list[datetime]:
    """The next few ticks, for whoever wants to see what a schedule means."""
    return [tick for tick, _ in zip(ticks_after(cron, after), range(count), strict=False)]


def clock_of(text: str) -> time:
    """A time of day as ``HH:MM``.

    Raises:
        ValueError: it is none.
    """
    if len(text) != 5 or text[2] != ":":
        raise ValueError(f"{text!r} is not a time of day such as 08:00")
    return time.fromisoformat(text)


def scan_problems(scan: Scan) -> list[Problem]:
    """What makes a scan impossible, with the usual names of a trigger's fields as paths."""
    problems: list[Problem] = []
    if isinstance(scan, DateScan):
        try:
            clock_of(scan.at)
        except ValueError:
            problems.append(_problem("at", f"{scan.at!r} is not a time of day such as 08:00"))
        return problems + _reminder_problems(scan, timedelta(days=scan.days))
    if isinstance(scan, MomentScan):
        if scan.within < 1:
            problems.append(_problem("within", "a reminder may come a minute late, or more"))
        return problems + _reminder_problems(scan, timedelta(minutes=scan.minutes))
    if isinstance(scan, SilenceScan) and not 1 <= scan.days <= _MOST_DAYS:
        problems.append(_problem("days", f"a silence is of 1 to {_MOST_DAYS} days"))
    unknown = _zone_problems(scan.when.timezone)
    return problems + (unknown or _cron_problems(scan.when))


def _reminder_problems(scan: DateScan | MomentScan, offset: timedelta) -> list[Problem]:
    problems = _zone_problems(scan.timezone) if scan.timezone != CONTACT else []
    if abs(offset) > timedelta(days=_MOST_DAYS):
        problems.append(_problem("days", f"at most {_MOST_DAYS} days lie between a day and its reminder"))
    root, _, name = scan.field.partition(".")
    if not root or not name:
        problems.append(_problem("field", f"{scan.field!r} names no field, such as contact.birthday does"))
    return problems


def _cron_problems(cron: Cron) -> list[Problem]:
    fault = f"{cron.expression!r} is not a cron expression of five fields: minute, hour, day, month, day of the week"
    if len(cron.expression.split()) != 5 or len(cron.expression) > 200 or not _is_one_line(cron.expression):
        return [_problem("cron", fault)]
    try:
        found = next_tick(cron, datetime(2024, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError, AssertionError) as error:
        return [_problem("cron", f"{fault} ({error})" if str(error) else fault)]
    return [] if found is not None else [_problem("cron", f"{cron.expression!r} never comes")]


def _is_one_line(text: str) -> bool:
    return text.replace("\t", " ").isprintable()


def _zone_problems(name: str) -> list[Problem]:
    if name in zone_names():
        return []
    return [Problem(path="timezone", code="unknown_timezone", message=f"there is no time zone {name!r}")]


def _problem(path: str, message: str) -> Problem:
    return Problem(path=path, code="bad_value", message=message)
