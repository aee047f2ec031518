"""The numbers of a workflow or of all: what came in, what was started, what was sent, and how fast."""

from collections.abc import Mapping, Sequence
from typing import Final

from nhip.domain.errors import NotFound, invalid
from nhip.domain.history import ChannelCount, Latency, SlotCount, Span
from nhip.domain.struct import Struct
from nhip.ports import Unit

MOST_SLOTS: Final = 2_000
"""Intervals that one series may have."""


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
    )
