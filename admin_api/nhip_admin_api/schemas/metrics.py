"""The numbers, as they are shown."""

from datetime import datetime
from typing import Final, Self

import msgspec

from nhip.domain.history import ChannelCount, Latency
from nhip.services.history.measures import Measures, SavedTime
from nhip_admin_api.presenting import moment

_SERIES: Final[tuple[str, ...]] = ("enrolled", "accepted", "delivered", "read")


class ChannelNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of one channel account.

    ``accepted``, ``delivered`` and ``read`` count how far they came (a read one is in all three), the others where they
    stand now; ``total`` are all that were begun.
    """

    total: int
    accepted: int
    delivered: int
    read: int
    pending: int
    unknown: int
    failed: int
    rejected: int
    suppressed: int
    expired: int

    @classmethod
    def of(cls, count: ChannelCount) -> Self:
        """Show what was counted."""
        return cls(**{name: getattr(count, name) for name in cls.__struct_fields__})


class LatencyNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from an event's arrival until a provider accepted the message."""

    count: int
    p50_s: float | None
    p99_s: float | None

    @classmethod
    def of(cls, latency: Latency) -> Self:
        """Show what was measured."""
        return cls(count=latency.count, p50_s=_seconds(latency.p50), p99_s=_seconds(latency.p99))


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one interval."""

    start: datetime
    enrolled: int
    accepted: int
    delivered: int
    read: int


class TimeSavedNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """What people would have needed for the runs that came to their end, by the workflow's `time_saved`."""

    runs: int
    human_minutes: float
    machine_seconds: float
    """From the first attempt of each action to its end; waits do not count."""
    saved_minutes: float

    @classmethod
    def of(cls, saved: SavedTime) -> Self:
        """Show what was reckoned."""
        return cls(
            runs=saved.runs,
            human_minutes=round(saved.human_minutes, 2),
            machine_seconds=round(saved.machine_seconds, 3),
            saved_minutes=round(saved.saved_minutes, 2),
        )


class Numbers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a workflow, or all of them, did in a span."""

    since: datetime
    until: datetime
    triggered: int
    """Events that matched: those that started a run, and those that were refused."""
    enrolled: int
    """Runs that started."""
    running: int
    completed: int
    exited: int
    failed: int
    cancelled: int
    refused: dict[str, int]
    """Matches that started no run, by reason."""
    deliveries: dict[str, ChannelNumbers]
    """By channel account."""
    latency: LatencyNumbers
    series: list[Interval] | None = None
    time_saved: TimeSavedNumbers | None = None
    """Of one workflow, where its settings say what a person would have needed."""

    @classmethod
    def of(cls, measures: Measures, step: int | None) -> Self:
        """Show what was counted; ``step`` in microseconds."""
        return cls(
            since=moment(measures.span.since),
            until=moment(measures.span.until),
            triggered=measures.triggered,
            enrolled=measures.enrolled,
            **{
                state: measures.runs.get(state, 0)
                for state in ("running", "completed", "exited", "failed", "cancelled")
            },
            refused=dict(measures.refusals),
            deliveries={count.channel: ChannelNumbers.of(count) for count in measures.deliveries},
            latency=LatencyNumbers.of(measures.latency),
            series=_series(measures, step) if step is not None else None,
            time_saved=TimeSavedNumbers.of(measures.time_saved) if measures.time_saved is not None else None,
        )


def _series(measures: Measures, step: int) -> list[Interval]:
    """Every interval of the span, also those in which nothing happened."""
    span = measures.span
    slots: list[dict[str, int]] = [
        dict.fromkeys(_SERIES, 0) for _ in range((span.until - span.since + step - 1) // step)
    ]
    for one in measures.series:
        slots[one.slot][one.name] = one.count
    return [Interval(start=moment(span.since + n * step), **counts) for n, counts in enumerate(slots)]


def _seconds(micros: float | None) -> float | None:
    return round(micros / 1_000_000, 6) if micros is not None else None
