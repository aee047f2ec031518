"""When something is due: a time, how long from now, or the next working morning."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

from nhip import ActionFailed, ClockTime, Config, Day, LocalContext, Problem, format_time, parse_duration, parse_time

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOME = "Asia/Ho_Chi_Minh"
MOST_DAYS = 370


class NextWorking(Config):
    """The next time that the clocks show an hour on a working day: today, if it is still to come.

    A holiday of the workspace's calendar is no working day.
    """

    next_working: Annotated[ClockTime, Meta(description="The hour, as in 09:00.")]
    days: Annotated[
        tuple[Day, ...],
        Meta(description="The working days.", min_length=1, max_length=7),
    ] = ("mon", "tue", "wed", "thu", "fri")
    timezone: Annotated[
        str, Meta(description="The IANA time zone, or contact for the contact's own where it is known.", max_length=64)
    ] = HOME


Due = str | NextWorking | None


def due_problems(due: Due) -> list[Problem]:
    """What is wrong with a ``due_at`` that needs no filling in."""
    if isinstance(due, NextWorking):
        if due.timezone == "contact" or _zone(due.timezone) is not None:
            return []
        message = f"there is no time zone {due.timezone!r}"
        return [Problem(path="due_at.timezone", code="unknown_timezone", message=message)]
    if due is None or "{{" in due:
        return []
    try:
        _ = parse_duration(due) if due.startswith("P") else parse_time(due)
    except ValueError as error:
        return [Problem(path="due_at", code="bad_value", message=str(error))]
    return []


def due_at(context: LocalContext, due: Due) -> str | None:
    """When something is due, from now.

    Raises:
        ActionFailed: the text is neither an RFC 3339 time nor an ISO 8601 duration.
    """
    if due is None:
        return None
    if isinstance(due, NextWorking):
        contact = context.facts.get("contact") or {}
        name = (contact.get("timezone") or HOME) if due.timezone == "contact" else due.timezone
        return format_time(next_working(due, context.now, _zone(name) or ZoneInfo(HOME), context.holiday))
    text = str(context.render(due))
    try:
        moment = context.now + parse_duration(text) if text.startswith("P") else parse_time(text)
    except ValueError as error:
        raise ActionFailed(f"due_at: {error}") from None
    return format_time(moment)


def next_working(due: NextWorking, now: datetime, place: ZoneInfo, holiday: Callable[[date], str | None]) -> datetime:
    """The moment, in UTC, at which the clocks of a place show the hour next on a working day.

    ``holiday`` tells which days are none; where they leave no day for a year, it is the first of those days after it.
    """
    clock, today = time.fromisoformat(due.next_working), now.astimezone(place).date()
    for ahead in range(MOST_DAYS + 9):
        day = today + timedelta(days=ahead)
        moment = datetime.combine(day, clock, place).astimezone(UTC)
        if DAYS[day.weekday()] not in due.days or moment <= now:
            continue
        if ahead >= MOST_DAYS or holiday(day) is None:
            return moment
    raise AssertionError("every day of the week comes within a week")


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
