"""The numbers of a workflow or of all: what came in, what was started, what was sent, and how fast."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from nhip.domain.errors import NotFound, invalid
from nhip.domain.history import ChannelCount, Latency, SlotCount, Span
from nhip.domain.struct import Struct
from nhip.domain.workflow import TimeSaved
from nhip.ports import Unit

MOST_SLOTS: Final = 2_000
"""Intervals that one series may have."""


class SavedTime(Struct):
    """What people would have needed for the runs that came to their end, and what the machine did."""

    runs: int
    human_minutes: float
    machine_seconds: float

    @property
    def saved_minutes(self) -> float:
        """The difference."""
        return self.human_minutes - self.machine_seconds / 60


class Measures(Struct):
    """What was counted in one span."""

    span: Span
    triggered: int
    """Matches: those that started a run, and those that were refused."""
    enrolled: int
    runs: Mapping[str, int]
    """The enrolled, by where they stand now."""
    refusals: Mapping[str, int]
    deliveries: Sequence[ChannelCount]
    latency: Latency
    series: Sequence[SlotCount]
    time_saved: SavedTime | None = None
    """Of one workflow, where a version of it says what a person would have needed."""


def measure(unit: Unit, workspace_id: int, span: Span, step: int | None) -> Measures:
    """Count; ``step`` in microseconds asks for a series as well.

    Raises:
        NotFound: there is no such workflow.
        InvalidInput: the span is empty, or too long for its step.
    """
    if span.until <= span.since:
        raise invalid("until", "bad_value", "until has to be after since")
    if step is not None and (span.until - span.since + step - 1) // step > MOST_SLOTS:
        raise invalid("step", "too_small", f"a series has at most {MOST_SLOTS:,} intervals")
    if span.workflow is not None and unit.workflows.find(workspace_id, span.workflow) is None:
        raise NotFound("workflow", span.workflow)
    runs = unit.measures.runs_by_state(workspace_id, span)
    refusals = unit.measures.refusals_by_reason(workspace_id, span)
    enrolled = sum(runs.values())
    return Measures(
        span=span,
        triggered=enrolled + sum(refusals.values()),
        enrolled=enrolled,
        runs=runs,
        refusals=refusals,
        deliveries=unit.measures.deliveries_by_channel(workspace_id, span),
        latency=unit.measures.latency(workspace_id, span),
        series=unit.measures.series(workspace_id, span, step) if step is not None else (),
        time_saved=_time_saved(unit, workspace_id, span) if span.workflow is not None else None,
    )


def _time_saved(unit: Unit, workspace_id: int, span: Span) -> SavedTime | None:
    """Each run counts by what its own version says; those of versions that say nothing do not count."""
    times = unit.measures.times_of_versions(workspace_id, span)
    stored = unit.workflows.find(workspace_id, span.workflow or "")
    current = stored.published_version_id if stored is not None else None
    ids = {one.version_id for one in times} | ({current} if current is not None else set())
    said = {
        version.id: msgspec.convert(found, TimeSaved)
        for version in (unit.published.versions(workspace_id, sorted(ids)) if ids else ())
        if (found := (version.definition.get("settings") or {}).get("time_saved"))
    }
    if not said:
        return None
    counted = [one for one in times if one.version_id in said]
    return SavedTime(
        runs=sum(one.runs for one in counted),
        human_minutes=sum(one.runs * said[one.version_id].human_minutes for one in counted),
        machine_seconds=sum(one.machine_micros for one in counted) / 1_000_000,
    )
