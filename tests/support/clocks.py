"""A clock that stands still until a test moves it."""

from datetime import datetime, timedelta

from nhip.domain.times import from_micros, parse_time, to_micros

MORNING = parse_time("2026-11-21T08:00:00+07:00")


class StandingClock:
    """Implements `nhip.ports.Clock`. Time passes only by `advance`, which also moves backwards."""

    def __init__(self, moment: datetime = MORNING) -> None:
        self._micros = to_micros(moment)

    def now(self) -> datetime:
        return from_micros(self._micros)

    def micros(self) -> int:
        return self._micros

    def advance(self, **duration: float) -> None:
        """`advance(minutes=5)`."""
        self._micros += timedelta(**duration) // timedelta(microseconds=1)
