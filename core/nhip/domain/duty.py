"""When an employee works, and when not."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nhip.domain.struct import Struct

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
"""A day of the week."""
ClockTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]
"""A time of day, as HH:MM."""


class Hours(Struct):
    """Hours that come back every week. Where they do not end after they begin, they end on the next day."""

    days: Annotated[tuple[Day, ...], Meta(description="The days on which they begin", min_length=1, max_length=7)] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
    )
    from_: Annotated[ClockTime, Meta(description="When they begin, as in 08:00; this minute is in")] = msgspec.field(
        default="08:00", name="from"
    )
    to: Annotated[ClockTime, Meta(description="When they end, as in 17:30; this minute is out")] = "17:30"
    timezone: Annotated[str, Meta(description="An IANA time zone", max_length=64)] = "Asia/Ho_Chi_Minh"
    holidays: Annotated[bool, Meta(description="Whether they also begin on holidays of the workspace's calendar")] = (
        False
    )


Moment = Annotated[datetime, Meta(tz=True)]


class Absence(Struct):
    """A time in which somebody is not there: a leave, an illness."""

    from_: Annotated[Moment, Meta(description="When it begins")] = msgspec.field(name="from")
    until: Annotated[Moment, Meta(description="When it is over; at this moment they are back")]
