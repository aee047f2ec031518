"""What a claim brings: steps that go on outside their unit, and what is recorded of those that do not."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.configured import ChannelAccount
from nhip.domain.deliveries import Delivery
from nhip.domain.messages import Message
from nhip.domain.runs import ClaimedStep, StepState
from nhip.engine.definitions.program import ProgramNode
from nhip.engine.incoming.intake import Intake
from nhip.ports import Renderer
from nhip.services.events.ingest import Ingest
from nhip.services.runs.matching import Versions
from nhip.services.runs.progress import Progress, StepChange
from nhip.services.workspace.taxonomies import Taxonomies

log = logging.getLogger("nhip.execute")
EXPIRED: Final = "expired"
"""The outcome of a step that came too late to be done at all."""


class Sending(msgspec.Struct, kw_only=True):
    """A message whose intent is stored and which goes out now."""

    step: ClaimedStep
    delivery: Delivery
    message: Message
    account: ChannelAccount
    alternatives_left: int
    began_at: int
    """When this attempt was claimed."""


class Calling(msgspec.Struct, kw_only=True):
    """A remote action whose intent is stored and which runs now."""

    step: ClaimedStep
    node: ProgramNode
    facts: Mapping[str, Any]


class Claimed(msgspec.Struct, kw_only=True):
    """What one claim brought: how many steps were taken, and those that go on outside the unit."""

    count: int
    sendings: list[Sending]
    callings: list[Calling]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What preparing and recording share."""

    catalog: Catalog
    versions: Versions
    ingest: Ingest
    intake: Intake
    progress: Progress
    taxonomies: Taxonomies
    renderer: Renderer
    settle_after: int
    """Microseconds for which an unknown message waits for word."""
    chance: Callable[[], float]


def bug(step: ClaimedStep, node: ProgramNode, error: Exception) -> StepChange:
    """A plugin raised what it may not raise: loud in the log, final for the step."""
    log.error("plugin raised", exc_info=error, extra={"action": node.action, "step": step.id})
    return StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=f"bug: {type(error).__name__}: {error}")


def expired(step: ClaimedStep, output: Any = None) -> StepChange:
    """Passed over: it came later than it may begin."""
    return StepChange(step=step, state=StepState.DONE, outcome=EXPIRED, output=output, reason=EXPIRED)


def done_before(step: ClaimedStep, delivery: Delivery) -> StepChange:
    """How an earlier message of the same key ended is how this step ends."""
    output = {"delivery": delivery.id, "channel": delivery.channel, "state": delivery.state}
    return StepChange(step=step, state=StepState.DONE, outcome=delivery.state, output=output, reason=delivery.reason)


def fall_back(step: ClaimedStep, reason: str | None) -> StepChange:
    """The next alternative, as a new generation: only after a definite no, so the new key cannot repeat a message."""
    return StepChange(
        step=step,
        state=StepState.READY,
        attempt=0,
        generation=step.generation + 1,
        alternative=step.alternative + 1,
        first_attempt_at=0,
        reason=reason,
    )


def untried(step: ClaimedStep, now: int, state: StepState, due_at: int, reason: str) -> StepChange:
    """Put a step back: this claim was no attempt, and where it was the first, none has begun."""
    return StepChange(
        step=step,
        state=state,
        due_at=due_at,
        reason=reason,
        attempt=max(step.attempt - 1, 0),
        first_attempt_at=0 if step.first_attempt_at == now else None,
    )
