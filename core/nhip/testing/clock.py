"""A clock that a story moves: time passes only when somebody says so."""

from datetime import datetime, timedelta, timezone
from typing import Final

from nhip.domain.times import from_micros, to_micros

START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=7)))
"""When stories begin that do not say: Monday, 2 March 2026, nine in the morning in Vietnam."""


class VirtualClock:
    """Implements :class:`nhip.ports.Clock`. It stands still until it is moved, and is never moved back."""

    def __init__(self, start: datetime = START) -> None:
        """Raises ``ValueError`` for a time without a zone."""
        if start.tzinfo is None:
            raise ValueError("a story begins at a time with a zone: 2026-03-02T09:00:00+07:00")
        self.zone = start.tzinfo
        """The zone of the start, in which times are shown."""
        self._micros = to_micros(start)

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        return from_micros(self._micros)

    def micros(self) -> int:
        """Microseconds since 1970, in UTC."""
        return self._micros

    def shown(self, micros: int | None = None) -> datetime:
        """A stored time, or the present, in the zone of the start."""
        return from_micros(self._micros if micros is None else micros).astimezone(self.zone)

    def move_to(self, micros: int) -> None:
        """Let time pass until a moment; one that has passed changes nothing."""
        self._micros = max(self._micros, micros)
