"""Holds within chosen hours of chosen days.

Example, handing a chat to colleagues while somebody is there, and answering by itself otherwise::

    {"id": "open", "if": {"condition": "working_hours", "config": {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat"], "from": "08:00", "to": "17:30"}},
     "then": […], "else": […]}

Hours that end before they begin reach into the next day: ``22:00`` to ``06:00`` on ``fri`` ends on Saturday morning.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, field

from nhip import Condition, Config, Facts, Reason, Verdict, hookimpl

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hour = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class WorkingHoursConfig(Config):
    """The hours."""

    days: Annotated[
        tuple[Day, ...], Meta(description="The days on which the hours begin.", min_length=1, max_length=7)
    ] = ("mon", "tue", "wed", "thu", "fri")
    from_: Annotated[Hour, Meta(description="When they begin, as in 08:00; this minute is in.")] = field(
        default="08:00", name="from"
    )
    to: Annotated[Hour, Meta(description="When they end, as in 17:30; this minute is out.")] = "17:30"
    timezone: Annotated[
        str, Meta(description="The IANA time zone, or contact for the contact's own where it is known.", max_length=64)
    ] = "Asia/Ho_Chi_Minh"


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
        clock, today, yesterday = f"{local:%H:%M}", DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
        if config.from_ <= config.to:
            holds = today in config.days and config.from_ <= clock < config.to
        else:
            evening = today in config.days and clock >= config.from_
            morning = yesterday in config.days and clock < config.to
            holds = evening or morning
        return _verdict(holds, "holds" if holds else "outside_hours", config, f"{today} {clock}")


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
