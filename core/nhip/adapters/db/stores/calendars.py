"""The days on which workspaces are closed."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from nhip.adapters.db.calendar_tables import calendars
from nhip.domain.calendars import Calendar, StoredCalendar

_COLUMNS: Final = [calendars.c[name] for name in StoredCalendar.__struct_fields__]
_decode: Final = msgspec.json.Decoder(Calendar).decode


def _values(calendar: StoredCalendar) -> dict[str, Any]:
    return {**msgspec.structs.asdict(calendar), "content": msgspec.json.encode(calendar.content).decode()}


class SqlCalendars:
    """Implements :class:`nhip.ports.CalendarStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, StoredCalendar | None] = {}

    def find(self, workspace_id: int, *, lock: bool = False) -> StoredCalendar | None:
        if lock or workspace_id not in self._known:
            query = select(*_COLUMNS).where(calendars.c.workspace_id == workspace_id)
            row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
            self._known[workspace_id] = (
                None if row is None else StoredCalendar(**{**row._mapping, "content": _decode(row._mapping["content"])})
            )
        return self._known[workspace_id]

    def insert(self, calendar: StoredCalendar) -> None:
        self._connection.execute(insert(calendars).values(**_values(calendar)))
        self._known[calendar.workspace_id] = calendar

    def update(self, calendar: StoredCalendar) -> None:
        query = update(calendars).where(calendars.c.workspace_id == calendar.workspace_id)
        self._connection.execute(query.values(**_values(calendar)))
        self._known[calendar.workspace_id] = calendar
