"""When a store is open."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta, field

from nhip import ClockTime, Config, Day, Problem

DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class OpeningHours(Config):
    """Hours that come back every week. Where they do not end after they begin, they end on the next day."""

    days: Annotated[tuple[Day, ...], Meta(description="The days on which they begin.", min_length=1, max_length=7)] = (
        DAYS
    )
    from_: Annotated[ClockTime, Meta(description="When they begin, as in 08:00; this minute is in.")] = field(
        default="08:00", name="from"
    )
    to: Annotated[ClockTime, Meta(description="When they end, as in 21:30; this minute is out.")] = "21:30"
    timezone: Annotated[str, Meta(description="An IANA time zone.", max_length=64)] = "Asia/Ho_Chi_Minh"
    holidays: Annotated[bool, Meta(description="Whether they also begin on holidays of the workspace's calendar.")] = (
        False
    )


def is_open(hours: OpeningHours | None, now: datetime, holiday: Callable[[date], str | None]) -> bool:
    """Whether a store is open at a moment; one without hours always is, on holidays too.

    ``now`` is aware; ``holiday`` tells which days are closed. Hours belong to the day on which they begin.
    """
    if hours is None:
        return True
    local = now.astimezone(ZoneInfo(hours.timezone))
    clock, today = f"{local:%H:%M}", local.date()

    def begin_on(day: date) -> bool:
        return DAYS[day.weekday()] in hours.days and (hours.holidays or holiday(day) is None)

    if hours.from_ < hours.to:
        return hours.from_ <= clock < hours.to and begin_on(today)
    return (clock >= hours.from_ and begin_on(today)) or (clock < hours.to and begin_on(today - timedelta(days=1)))


def hours_problems(hours: OpeningHours | None, path: str) -> Sequence[Problem]:
    """The time zone must be one."""
    if hours is None:
        return ()
    try:
        ZoneInfo(hours.timezone)
    except (KeyError, ValueError, OSError):
        message = f"there is no time zone {hours.timezone!r}"
        return [Problem(path=f"{path}.timezone", code="unknown_timezone", message=message)]
    return ()
