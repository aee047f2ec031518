"""What calendars need to be stored."""

from typing import Protocol

from nhip.domain.calendars import StoredCalendar


class CalendarStore(Protocol):
    """The days on which workspaces are closed."""

    def find(self, workspace_id: int, *, lock: bool = False) -> StoredCalendar | None:
        """``lock`` holds the row until the unit ends; without it, a unit reads each calendar once."""
        ...

    def insert(self, calendar: StoredCalendar) -> None:
        """Store a workspace's first calendar."""
        ...

    def update(self, calendar: StoredCalendar) -> None:
        """The caller holds the row."""
        ...
