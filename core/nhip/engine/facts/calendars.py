"""Whether a day is closed. Pure; a day is one of the place where the hours in question are meant."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from nhip.domain.calendars import Calendar, Holiday
from nhip.domain.errors import Problem

ClosedDays = Callable[[date], str | None]
"""The title of the holiday that a day is, or nothing."""
LONGEST: Final = timedelta(days=92)
"""How long one holiday may last."""
_REMEMBERED: Final = 4096


def always_open(day: date) -> str | None:
    """The calendar of whoever has none."""
    return None


def closed_days(calendar: Calendar) -> ClosedDays:
    """A calendar as a question. Of several holidays on one day, the first that is listed gives the title."""

    @lru_cache(maxsize=_REMEMBERED)
    def holiday(day: date) -> str | None:
        return next((one.title for one in calendar.holidays if _is_on(one, day)), None)

    return holiday if calendar.holidays else always_open


def faults(calendar: Calendar) -> Iterator[Problem]:
    """What types cannot say of a calendar, each with its place: ``holidays[3].to``."""
    for number, one in enumerate(calendar.holidays):
        path = f"holidays[{number}]"
        if not one.title.strip():
            yield Problem(path=f"{path}.title", code="bad_value", message="a holiday has a title")
        if one.to is None:
            continue
        if one.to < one.date:
            yield Problem(path=f"{path}.to", code="bad_value", message="the last day is not before the first")
        elif one.to - one.date >= LONGEST:
            message = f"a holiday lasts at most {LONGEST.days} days"
            yield Problem(path=f"{path}.to", code="bad_value", message=message)


def _is_on(holiday: Holiday, day: date) -> bool:
    last = holiday.to or holiday.date
    if not holiday.yearly:
        return holiday.date <= day <= last
    length = last - holiday.date
    # What began the year before may reach into this one.
    begun = [first for year in (day.year, day.year - 1) if (first := _in_year(holiday.date, year)) is not None]
    return any(timedelta() <= day - first <= length for first in begun)


def _in_year(day: date, year: int) -> date | None:
    """The same day of another year; none for 29 February in a year that has no such day."""
    try:
        return day.replace(year=year)
    except ValueError:
        return None
