"""Execute steps: claim a batch and prepare it in one unit, call outside of any, record in another.

Claiming, running local steps, rendering messages and writing the intent of each call are one transaction, so a step
that was claimed has either done nothing outside, or has its intent stored. The calls themselves happen outside, at once
for the whole batch; their outcomes are recorded in groups as they come.
"""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.crashpoints import crashpoint
from nhip.domain.deliveries import Delivery
from nhip.domain.messages import Accepted, DeliveryState, NotSent, Outcome
from nhip.domain.runs import ClaimedStep, StepState
from nhip.engine.incoming.intake import Intake
from nhip.engine.journeys.retry import DEFAULT, RetryPolicy, retry_delay
from nhip.engine.journeys.settle import Attempt, Move, settle
from nhip.ports import Clock, Renderer, Unit
from nhip.services.channels.receipts import Receipts
from nhip.services.events.ingest import Ingest
from nhip.services.execution.claimed import Claimed, Parts, Sending, fall_back
from nhip.services.execution.outgoing import OPEN
from nhip.services.execution.preparation import Preparation
from nhip.services.runs.matching import Versions
from nhip.services.runs.progress import Progress, StepChange, plain
from nhip.services.workspace.taxonomies import Taxonomies

_MOST_AT_ONCE: Final = 50
"""How many local steps of a run are done while somebody waits for the answer."""
_ARRIVED: Final = frozenset({DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.READ})


class Sent(msgspec.Struct, kw_only=True):
    """A message's outcome, to be recorded."""

    sending: Sending
    outcome: Outcome


class Called(msgspec.Struct, kw_only=True):
    """A remote action's outcome, to be recorded."""

    step: ClaimedStep
    state: StepState
    output: Any = None
    reason: str | None = None
    retry_after: float | None = None
    """Set, with the state ``ready``, where the action shall be tried again."""


class Execution:
    """The service. Its methods run inside units and have no effect outside them."""

    def __init__(  # noqa: PLR0913  (one for each part that it needs)
        self,
        catalog: Catalog,
        versions: Versions,
        ingest: Ingest,
        intake: Intake,
        progress: Progress,
        receipts: Receipts,
        renderer: Renderer,
        clock: Clock,
        *,
        settle_after: timedelta,
        policy: RetryPolicy = DEFAULT,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._parts = Parts(
            catalog=catalog, versions=versions, ingest=ingest, intake=intake, progress=progress,
            taxonomies=Taxonomies(catalog), renderer=renderer,
            settle_after=int(settle_after.total_seconds() * 1_000_000), chance=chance,
        )  # fmt: skip
        self.catalog = catalog
        self.progress = progress
        self.receipts = receipts
        self.clock = clock
        self.settle_after = self._parts.settle_after
        self.policy = policy
        self.chance = chance

    def claim(self, unit: Unit, owner: str, limit: int, lease: int, *, suspects: bool = False) -> Claimed:
        """Take due steps: run the local ones, prepare the others and store their intents. ``lease`` in microseconds.

        Steps that lost a worker before are only taken when ``suspects`` are asked for, one at a time.
        """
        now = self.clock.micros()
        steps = unit.runs.claim(owner, 1 if suspects else limit, now, now + lease, suspects=suspects)
        claimed = Claimed(count=len(steps), sendings=[], callings=[])
        by_workspace: dict[int, list[ClaimedStep]] = {}
        for step in steps:
            by_workspace.setdefault(step.workspace_id, []).append(step)
        for workspace_id, mine in by_workspace.items():
            Preparation(self._parts, unit, workspace_id, now, claimed).run(mine)
        if steps:
            crashpoint("step.claimed")
        return claimed

    def perform_now(self, unit: Unit, workspace_id: int, run_ids: Sequence[str]) -> None:
        """Do the local steps of these runs inside this unit, one after the other, until one waits or sends.

        For whoever has to answer with what they come to; nobody else has seen them, or they are held.
        """
        now = self.clock.micros()
        for _ in range(_MOST_AT_ONCE):
            steps = unit.runs.ready_locals(workspace_id, run_ids, now)
            if not steps:
                return
            Preparation(self._parts, unit, workspace_id, now, Claimed(count=0, sendings=[], callings=[])).run(steps)

    def record_sent(self, unit: Unit, results: Sequence[Sent]) -> list[bool]:
        """Record outcomes of messages; answers which were still this process's to write."""
        now = self.clock.micros()
        by_workspace: dict[int, list[str]] = {}
        for result in results:
            by_workspace.setdefault(result.sending.step.workspace_id, []).append(result.sending.delivery.id)
        stored: dict[str, Delivery] = {}
        for workspace_id, ids in by_workspace.items():
            stored |= {delivery.id: delivery for delivery in unit.deliveries.by_ids(workspace_id, ids)}
        changes: list[StepChange] = []
        deliveries: list[Delivery] = []
        for result in results:
            change, delivery = self._settled(result, stored[result.sending.delivery.id], now)
            changes.append(change)
            deliveries.append(delivery)
        mine = self.progress.record(unit, changes, now)
        for change, delivery in zip(changes, deliveries, strict=True):
            if change.state is StepState.CANCELLED:
                delivery.state, delivery.reason = DeliveryState.SUPPRESSED, change.reason
        kept = [delivery for delivery, owned in zip(deliveries, mine, strict=True) if owned]
        self.receipts.adopt_parked(unit, kept)
        unit.deliveries.update(kept)
        crashpoint("step.before_record_commit")
        return mine

    def _settled(self, result: Sent, delivery: Delivery, now: int) -> tuple[StepChange, Delivery]:
        sending, outcome = result.sending, result.outcome
        step = sending.step
        channel = self.catalog.channels[sending.account.type]
        age = timedelta(microseconds=now - step.first_attempt_at)
        attempt = Attempt(
            delivery_class=channel.delivery_class,
            dedupe_for=timedelta(seconds=channel.dedupe_seconds),
            number=step.attempt,
            age=age,
            alternatives_left=sending.alternatives_left,
            begun=timedelta(microseconds=now - delivery.created_at),
            in_doubt=timedelta(microseconds=now - (delivery.maybe_sent_at or now)),
            doubted=delivery.maybe_sent_at is not None and delivery.maybe_sent_at < sending.began_at,
        )
        settlement = settle(outcome, attempt, self.policy, self.chance())
        if isinstance(outcome, NotSent) and not attempt.doubted:
            delivery.maybe_sent_at = None
        delivery.updated_at = now
        delivery.attempts += 1
        # A receipt may have come before the answer: what it said of the message's end stands.
        if delivery.state in OPEN:
            delivery.state = settlement.delivery
            delivery.reason = plain(settlement.reason)
            delivery.detail = plain(settlement.detail)
        elif delivery.state in _ARRIVED or settlement.move in (Move.UNKNOWN, Move.AGAIN):
            settlement = msgspec.structs.replace(settlement, move=Move.DONE)
        if isinstance(outcome, Accepted):
            delivery.provider_id = plain(outcome.provider_id) or delivery.provider_id
            delivery.accepted_at = delivery.accepted_at or now
            price = outcome.price or sending.account.price
            if price is not None:
                delivery.price_amount, delivery.price_currency = price.amount, price.currency
        output = {"delivery": delivery.id, "channel": delivery.channel, "state": delivery.state}
        match settlement.move:
            case Move.DONE:
                state = StepState.DONE
                reason = delivery.reason
                return StepChange(
                    step=step, state=state, outcome=delivery.state, output=output, reason=reason
                ), delivery
            case Move.AGAIN:
                delay = int(settlement.delay.total_seconds() * 1_000_000)
                change = StepChange(step=step, state=StepState.READY, due_at=now + delay, reason=settlement.reason)
                if not settlement.counts:
                    # Neither this attempt nor the wait after it makes the step older.
                    change.attempt = max(step.attempt - 1, 0)
                    held = now + delay - sending.began_at
                    change.first_attempt_at = step.first_attempt_at + held if change.attempt else 0
                return change, delivery
            case Move.FALL_BACK:
                return fall_back(step, settlement.reason), delivery
            case Move.UNKNOWN:
                return (
                    StepChange(
                        step=step, state=StepState.UNKNOWN, due_at=now + self.settle_after, output=output,
                        reason=settlement.reason,
                    ),
                    delivery,
                )  # fmt: skip
            case Move.DEAD:
                reason = f"{settlement.reason}: {settlement.detail}" if settlement.detail else settlement.reason
                state = StepState.DEAD
                return StepChange(step=step, state=state, outcome="failed", output=output, reason=reason), delivery

    def record_called(self, unit: Unit, results: Sequence[Called]) -> list[bool]:
        """Record outcomes of remote actions."""
        now = self.clock.micros()
        changes = []
        for result in results:
            step = result.step
            if result.state is StepState.READY:
                age = timedelta(microseconds=now - step.first_attempt_at)
                delay = retry_delay(self.policy, step.attempt, age, self.chance(), result.retry_after)
                if delay is None:
                    reason = f"attempts_exhausted: {result.reason}"
                    changes.append(StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=reason))
                    continue
                due_at = now + int(delay.total_seconds() * 1_000_000)
                changes.append(StepChange(step=step, state=StepState.READY, due_at=due_at, reason=result.reason))
            else:
                outcome = {StepState.DONE: "done", StepState.DEAD: "failed"}.get(result.state)
                due_at = now + self.settle_after if result.state is StepState.UNKNOWN else now
                changes.append(
                    StepChange(
                        step=step, state=result.state, outcome=outcome, output=result.output, reason=result.reason,
                        due_at=due_at,
                    )
                )  # fmt: skip
        mine = self.progress.record(unit, changes, now)
        crashpoint("step.before_record_commit")
        return mine
