"""Holds within chosen hours of chosen days.

Example, handing a chat to colleagues while somebody is there, and answering by itself otherwise::

    {"id": "open", "if": {"condition": "working_hours", "config": {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat"], "from": "08:00", "to": "17:30"}},
     "then": […], "else": […]}

Hours that end before they begin reach into the next day: ``22:00`` to ``06:00`` on ``fri`` ends on Saturday morning.
They do not begin on holidays of the workspace's calendar, unless ``holidays`` is true.
"""

from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta, field

from nhip import ClockTime, Condition, Config, Day, Facts, Reason, Verdict, holiday_of, hookimpl

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WorkingHoursConfig(Config):
    """The hours."""

    days: Annotated[
        tuple[Day, ...], Meta(description="The days on which the hours begin.", min_length=1, max_length=7)
    ] = ("mon", "tue", "wed", "thu", "fri")
    from_: Annotated[ClockTime, Meta(description="When they begin, as in 08:00; this minute is in.")] = field(
        default="08:00", name="from"
    )
    to: Annotated[ClockTime, Meta(description="When they end, as in 17:30; this minute is out.")] = "17:30"
    timezone: Annotated[
        str, Meta(description="The IANA time zone, or contact for the contact's own where it is known.", max_length=64)
    ] = "Asia/Ho_Chi_Minh"
    holidays: Annotated[bool, Meta(description="Whether they also begin on holidays of the workspace's calendar.")] = (
        False
    )


class WorkingHours(Condition):
    """Holds within chosen hours of chosen days."""

    kind = "working_hours"
    config_type = WorkingHoursConfig
    needs = ("contact",)

    def check(self, config: WorkingHoursConfig, facts: Facts, now: datetime) -> Verdict:
        """Compare the time of day where the hours are meant."""
        zone = _zone(config.timezone, facts)
        if zone is None:
            return _verdict(False, "unknown_timezone", config, config.timezone)
        local = now.astimezone(zone)
        clock, actual = f"{local:%H:%M}", f"{DAYS[local.weekday()]} {local:%H:%M}"
        begun = _begun(config, local.date(), clock)
        if not begun:
            return _verdict(False, "outside_hours", config, actual)
        holidays = [None if config.holidays else holiday_of(facts, day) for day in begun]
        if None in holidays:
            return _verdict(True, "holds", config, actual)
        return _verdict(False, "holiday", config, f"{actual}, {holidays[0]}")


def _begun(config: WorkingHoursConfig, today: date, clock: str) -> list[date]:
    """The days whose hours it is within: today, yesterday, or none."""
    yesterday = today - timedelta(days=1)
    if config.from_ <= config.to:
        days = [today] if config.from_ <= clock < config.to else []
    else:
        days = [day for day, within in ((today, clock >= config.from_), (yesterday, clock < config.to)) if within]
    return [day for day in days if DAYS[day.weekday()] in config.days]


def _zone(name: str, facts: Facts) -> ZoneInfo | None:
    if name == "contact":
        name = (facts.get("contact") or {}).get("timezone") or "Asia/Ho_Chi_Minh"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _verdict(holds: bool, code: str, config: WorkingHoursConfig, actual: str) -> Verdict:
    expected = f"{' '.join(config.days)} {config.from_}-{config.to}"
    return Verdict(holds=holds, reasons=(Reason(path="", code=code, expected=expected, actual=actual),))


@hookimpl
def nhip_register_conditions() -> list[type[Condition]]:
    """Add the condition."""
    return [WorkingHours]
