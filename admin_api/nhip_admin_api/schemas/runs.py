"""Runs with their traces, as they are shown."""

from datetime import datetime
from typing import Any, Self

import msgspec

from nhip.domain.deliveries import Delivery
from nhip.domain.history import PastRun, PastStep
from nhip.domain.runs import StepKind, StepState
from nhip.services.history.runs import Trace
from nhip_admin_api.presenting import moment, moment_or_none


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One contact's pass through one version of a workflow."""

    id: str
    workflow: str
    version: int
    trigger: str
    contact: str | None
    """The contact's external id."""
    event: str
    """The event that came in."""
    state: str
    reason: str | None
    started_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, past: PastRun) -> Self:
        """Show a run."""
        return cls(**_fields(past))


class TracedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a step wanted delivered."""

    id: str
    channel: str
    state: str
    reason: str | None
    generation: int


class TracedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step that a run came to."""

    path: str | None
    """Its place in the definition: ``steps[2].then[0]``."""
    step: str
    """Its id in the definition."""
    id: str
    kind: str
    action: str | None
    iteration: int
    state: str
    outcome: str | None
    reason: str | None
    verdict: Any
    """Of a branch: whether its condition held, and the tests that decided it."""
    output: Any
    attempts: int
    generation: int
    alternative: int
    """Which fallback was tried; 0 is the step's own configuration."""
    due_at: datetime | None
    """When it goes on, where it is not finished."""
    created_at: datetime
    first_attempt_at: datetime | None
    finished_at: datetime | None
    deliveries: list[TracedDelivery]


class RunDetail(Run, frozen=True, kw_only=True):
    """A run with all that it went through."""

    trace: list[TracedStep]

    @classmethod
    def of_trace(cls, trace: Trace) -> Self:
        """Show a run with its steps."""
        return cls(**_fields(trace.run), trace=[_traced(step, trace) for step in trace.steps])


def _fields(past: PastRun) -> dict[str, Any]:
    return {
        "id": past.id,
        "workflow": past.workflow,
        "version": past.version,
        "trigger": past.trigger_id,
        "contact": past.contact,
        "event": past.root_event_id,
        "state": past.state,
        "reason": past.reason,
        "started_at": moment(past.started_at),
        "ended_at": moment_or_none(past.ended_at),
    }


def _traced(step: PastStep, trace: Trace) -> TracedStep:
    node = trace.nodes.get(step.node)
    output = msgspec.json.decode(step.output) if step.output else None
    branch = step.kind == StepKind.BRANCH
    is_open = step.state in (StepState.READY, StepState.RUNNING, StepState.WAITING, StepState.UNKNOWN)
    held = step.state == StepState.WAITING and step.reason == "paused"
    return TracedStep(
        path=node.path if node is not None else None,
        step=step.path,
        id=step.id,
        kind=step.kind,
        action=(node.action or None) if node is not None else None,
        iteration=step.iteration,
        state=step.state,
        outcome=step.outcome,
        reason=step.reason,
        verdict=output if branch else None,
        output=None if branch else output,
        attempts=step.attempt,
        generation=step.generation,
        alternative=step.alternative,
        due_at=moment(step.due_at) if is_open and not held else None,
        created_at=moment(step.created_at),
        first_attempt_at=moment_or_none(step.first_attempt_at),
        finished_at=moment_or_none(step.finished_at),
        deliveries=[_delivery(one) for one in trace.deliveries.get(step.id, ())],
    )


def _delivery(delivery: Delivery) -> TracedDelivery:
    return TracedDelivery(
        id=delivery.id,
        channel=delivery.channel,
        state=delivery.state,
        reason=delivery.reason,
        generation=delivery.generation,
    )
