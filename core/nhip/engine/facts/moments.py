"""Times and days in facts: RFC 3339 times and plain dates, the latter in the contact's time zone."""

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from nhip.domain.times import parse_duration
from nhip.engine.facts.fields import reader
from nhip.plugin_api import Facts

DEFAULT_ZONE: Final = "Asia/Ho_Chi_Minh"
ZONE_FIELD: Final = "contact.timezone"

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_read_zone: Final = reader(ZONE_FIELD)
_LONGEST_OFFSET: Final = timedelta(days=366)


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """The time zone of that IANA name; Vietnam's for a name that nobody knows."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return timezone(timedelta(hours=7), "+07") if name == DEFAULT_ZONE else zone(DEFAULT_ZONE)


@cache
def zone_names() -> frozenset[str]:
    """The names of all time zones. They are found in some hundred files, so a process looks once."""
    return frozenset(available_timezones())


def zone_of(facts: Facts) -> tzinfo:
    """The contact's time zone; Vietnam's where the contact has none."""
    name = _read_zone(facts)
    return zone(name) if isinstance(name, str) else zone(DEFAULT_ZONE)


def moment_of(value: Any, facts: Facts) -> datetime | None:
    """The instant that a fact tells: an RFC 3339 time, or the first moment of a date in the contact's time zone.

    ``None`` for anything else, a time without offset included.
    """
    if not isinstance(value, str):
        return None
    try:
        if _TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper())
        if _DATE.fullmatch(value):
            return datetime.combine(date.fromisoformat(value), time(), zone_of(facts))
    except ValueError:
        pass
    return None


def date_of(value: Any) -> date | None:
    """The date that a fact is, where it is one and no time."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else None
    except ValueError:
        return None


def day_of(value: Any, facts: Facts) -> date | None:
    """The day that a fact tells: a date as it stands, a time as the day it falls on in the contact's time zone."""
    if not isinstance(value, str):
        return None
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
        if _TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(zone_of(facts)).date()
    except (ValueError, OverflowError):
        pass
    return None


def falls_on(day: date, today: date, offset: timedelta) -> bool:
    """Whether ``today`` is ``offset`` away from an anniversary of ``day``.

    Somebody born on 29 February has the anniversary on 28 February in a year that has no 29th: never a day late.
    """
    try:
        anniversary = today - offset
    except OverflowError:
        return False
    if (day.month, day.day) == (anniversary.month, anniversary.day):
        return True
    next_day = anniversary + timedelta(days=1) if anniversary < date.max else anniversary
    return (day.month, day.day, anniversary.month, anniversary.day) == (2, 29, 2, 28) and next_day.month == 3


def day_offset(value: Any) -> timedelta:
    """Read a signed offset in days: ``None`` is none, ``-3`` and ``"-P3D"`` are three days before.

    Raises:
        ValueError: it is neither, is not of whole days, or is longer than a year.
    """
    if value is None:
        return timedelta()
    text = f"{'-' if value < 0 else ''}P{abs(value)}D" if type(value) is int else str(value)
    offset = parse_duration(text[1:] if text.startswith(("+", "-")) else text)
    if offset.seconds or offset > _LONGEST_OFFSET:
        raise ValueError(f'{value!r} is not an offset of whole days such as -3 or "-P3D", at most 366')
    return -offset if text.startswith("-") else offset
