"""When the agents of a campaign may call."""

from typing import NamedTuple

from nhip.domain.errors import Conflict
from nhip.domain.telesales import Campaign
from nhip.domain.times import format_micros, from_micros, to_micros
from nhip.engine.desk.assignment import HOLIDAY
from nhip.engine.desk.telesales import calling_time, holiday_now
from nhip.ports import Unit
from nhip.services.workspace.calendars import closed_days


class Opening(NamedTuple):
    """When agents may call."""

    at: int
    """Now, or else when they may next."""
    holiday: str | None
    """The title of the holiday that alone keeps them from it now."""

    def refusal(self) -> Conflict:
        """The answer to an agent who would call now."""
        at = format_micros(self.at)
        if self.holiday is None:
            return Conflict(f"nobody may call before {at}", opens_at=at)
        said = f"nobody may call before {at}: it is a holiday, {self.holiday}"
        return Conflict(said, opens_at=at, reason=HOLIDAY, holiday=self.holiday)


def opening_of(unit: Unit, campaign: Campaign, now: int) -> Opening:
    """When the agents of a campaign may call, from now on (microseconds)."""
    closed, moment = closed_days(unit, campaign.workspace_id), from_micros(now)
    at = calling_time(campaign.hours, moment, closed)
    return Opening(to_micros(at), holiday_now(campaign.hours, moment, closed) if at > moment else None)
