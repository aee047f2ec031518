"""Times and durations: aware datetimes in UTC inside, RFC 3339 and ISO 8601 outside, integer microseconds at rest."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:(?P<weeks>[0-9]{1,4})W)?(?:(?P<days>[0-9]{1,5})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,6})H)?(?:(?P<minutes>[0-9]{1,7})M)?(?:(?P<seconds>[0-9]{1,9})S)?)?"
)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z, the form in which the database keeps a time."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of a stored time."""
    return EPOCH + timedelta(microseconds=micros)


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC, as the API answers it: ``2026-11-21T01:00:00Z``, with microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=4096)
def format_micros(micros: int) -> str:
    """``format_time`` of a stored time."""
    return format_time(from_micros(micros))


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time with offset; answers in UTC.

    Raises:
        ValueError: the text is not a time, has no offset, or lies outside the years 1970 to 9998.
    """
    moment = datetime.fromisoformat(text)
    if len(text) < 17 or moment.tzinfo is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time with an offset")
    if not 1970 <= moment.year <= 9998:
        raise ValueError(f"{text!r} lies outside the years 1970 to 9998")
    return moment.astimezone(UTC)


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration of weeks, days, hours, minutes and seconds (``P1D``, ``PT30M``, ``P1DT12H``).

    Months and years are refused, because their length depends on the calendar.

    Raises:
        ValueError: the text is not such a duration, or is longer than 10,000 days.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an ISO 8601 duration of weeks, days, hours, minutes and seconds")
    duration = timedelta(**{unit: int(amount) for unit, amount in match.groupdict(default="0").items()})
    if duration > timedelta(days=10_000):
        raise ValueError(f"{text!r} is longer than 10,000 days")
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration as ISO 8601, the inverse of :func:`parse_duration` up to spelling."""
    seconds = int(duration.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    clock = "".join(f"{amount}{unit}" for amount, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if amount)
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "") if days or clock else "PT0S"
