"""The days on which a workspace is closed."""

import datetime as dt
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from nhip.domain.struct import Struct

MOST_HOLIDAYS: Final = 1000


class Holiday(Struct, omit_defaults=True):
    """A closed day, or several in a row."""

    date: Annotated[dt.date, Meta(description="The day, as in 2027-02-05; the first one where there are several")]
    title: Annotated[str, Meta(min_length=1, max_length=200, description="What it is: `Tết Nguyên đán`")]
    to: Annotated[dt.date | None, Meta(description="The last of several days, which is closed too")] = None
    yearly: Annotated[
        bool, Meta(description="Whether it comes back every year on the same day of the solar calendar")
    ] = False


class Calendar(Struct):
    """When a workspace is closed, beside the days of the week that its hours leave out."""

    holidays: Annotated[tuple[Holiday, ...], Meta(max_length=MOST_HOLIDAYS)] = ()


class StoredCalendar(msgspec.Struct, kw_only=True):
    """One row of ``calendars``."""

    workspace_id: int
    id: str
    content: Calendar
    revision: int
    """0 while the workspace has said none."""
    created_at: int
    updated_at: int
