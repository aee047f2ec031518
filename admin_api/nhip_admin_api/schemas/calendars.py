"""The calendar of a workspace, as it is shown."""

from datetime import datetime
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from nhip.domain.calendars import Holiday, StoredCalendar
from nhip_admin_api.presenting import moment


class ShownCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """The days on which the workspace is closed."""

    holidays: list[Holiday]
    revision: Annotated[int, Meta(description="0 while the workspace has said none")]
    updated_at: datetime | None

    @classmethod
    def of(cls, stored: StoredCalendar) -> Self:
        """Show what is stored."""
        return cls(
            holidays=list(stored.content.holidays),
            revision=stored.revision,
            updated_at=moment(stored.updated_at) if stored.revision else None,
        )


class HolidayProposal(msgspec.Struct, frozen=True, kw_only=True):
    """The public holidays of a country in one year, to be looked over and put into the calendar."""

    country: str
    year: int
    holidays: list[Holiday]
