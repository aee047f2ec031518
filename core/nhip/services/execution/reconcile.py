"""What nobody rang for: expired leases, due waits, unknowns. Every worker runs it every second or two.

All of it is guarded, so any number of copies do no harm, and none of it needs Redis.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from nhip.catalog import Catalog
from nhip.crashpoints import crashpoint
from nhip.domain.configured import ChannelAccount
from nhip.domain.deliveries import Delivery
from nhip.domain.messages import (
    Accepted,
    DeliveryState,
    Intent,
    Message,
    MessageClass,
    NotSent,
    Outcome,
    Rejected,
)
from nhip.domain.runs import ClaimedStep, StepKind, StepState
from nhip.engine.journeys.retry import MAX_LEASES_LOST
from nhip.engine.journeys.settle import is_deduped
from nhip.ports import Clock, Unit
from nhip.services.channels.receipts import Receipts
from nhip.services.runs.progress import Progress, StepChange, plain

_LIMIT: Final = 500
_RUNNING: Final = frozenset({StepState.RUNNING})
_UNKNOWN: Final = frozenset({StepState.UNKNOWN})
_PARKED_FOR: Final = 3_600_000_000
"""Microseconds for which a parked receipt is compared with the deliveries that became known since."""

_BETWEEN_QUEUES: Final = 10_000_000
_PUBLISHED_WITHIN: Final = 300_000_000
"""Microseconds after a publish in which it is looked for runs that it left queued: no unit takes longer."""
_AT_FIRST: Final = 86_400_000_000
"""The same when a process starts, for whoever stopped just then."""


class Reconciled(msgspec.Struct):
    """What one pass did."""

    expired: int = 0
    woken: int = 0
    settled: int = 0
    suspects: bool = False
    """Whether steps are due that lost a worker before: they have to be performed alone."""
    more: bool = False
    """Whether one pass was not enough."""


class Question(msgspec.Struct, kw_only=True):
    """An unknown delivery that its provider may be asked about."""

    step: ClaimedStep
    delivery: Delivery
    account: ChannelAccount
    message: Message


class Reconcile:
    """The service. Its methods run inside units."""

    def __init__(
        self, catalog: Catalog, progress: Progress, receipts: Receipts, clock: Clock, *, settle_after: timedelta
    ) -> None:
        self._catalog = catalog
        self._receipts = receipts
        self._progress = progress
        self._clock = clock
        self._next_queues = 0
        self._settle_after = int(settle_after.total_seconds() * 1_000_000)

    def run(self, unit: Unit) -> Reconciled:
        """One pass."""
        now = self._clock.micros()
        expired = unit.runs.expired(now, _LIMIT)
        waits = unit.runs.due_waits(now, _LIMIT)
        overdue = unit.runs.overdue_unknown(now, _LIMIT)
        crashpoint("reconcile.before_write")
        if expired:
            self._free(unit, expired, now)
        if waits:
            self._progress.wake(unit, waits, now)
        if overdue:
            given_up = [
                StepChange(step=step, state=StepState.DONE, outcome="unknown", reason="nobody said what became of it")
                for step in overdue
            ]
            self._progress.record(unit, given_up, now, expected=_UNKNOWN)
        self._adopt_left(unit, now)
        self._free_queued(unit, now)
        if expired or waits or overdue:
            crashpoint("reconcile.after_write")
        suspects = unit.runs.has_suspects(now)
        more = _LIMIT in (len(expired), len(waits), len(overdue))
        return Reconciled(expired=len(expired), woken=len(waits), settled=len(overdue), suspects=suspects, more=more)

    def _free(self, unit: Unit, steps: Sequence[ClaimedStep], now: int) -> None:
        """Decide about steps whose worker is gone.

        What may have gone out is not sent again, unless the provider drops a repeated key and the run is not over; what
        a receipt has told the end of meanwhile is done.
        """
        messages = [step.id for step in steps if step.kind == StepKind.MESSAGE]
        left = self._progress.left(unit, steps)
        deliveries = {(d.step_id, d.generation): d for d in unit.deliveries.of_steps(messages, lock=True)}
        changes: list[StepChange] = []
        unknown: list[Delivery] = []
        for step in steps:
            lost = step.leases_lost + 1
            delivery = deliveries.get((step.id, step.generation))
            if delivery is not None and delivery.state not in (DeliveryState.SENDING, DeliveryState.DEFERRED):
                output = {"delivery": delivery.id, "channel": delivery.channel, "state": delivery.state}
                changes.append(
                    StepChange(
                        step=step, state=StepState.DONE, outcome=delivery.state, output=output, reason=delivery.reason,
                        leases_lost=lost,
                    )
                )  # fmt: skip
            elif (
                step.kind == StepKind.LOCAL
                or (step.kind == StepKind.MESSAGE and delivery is None)
                or (delivery is not None and step.run_id not in left and self._dedupes(delivery, now))
            ):
                change = self._again(step, lost, now)
                changes.append(change)
                if delivery is not None and change.state is StepState.DEAD:
                    delivery.state, delivery.reason, delivery.updated_at = DeliveryState.UNKNOWN, change.reason, now
                    unknown.append(delivery)
            else:
                changes.append(
                    StepChange(
                        step=step, state=StepState.UNKNOWN, due_at=now + self._settle_after, reason="lease_expired",
                        leases_lost=lost,
                    )
                )  # fmt: skip
                if delivery is not None:
                    delivery.state, delivery.reason, delivery.updated_at = DeliveryState.UNKNOWN, "lease_expired", now
                    unknown.append(delivery)
        mine = self._progress.record(unit, changes, now, expected=_RUNNING)
        freed = {change.step.id for change, owned in zip(changes, mine, strict=True) if owned}
        unit.deliveries.update([delivery for delivery in unknown if delivery.step_id in freed])

    def _adopt_left(self, unit: Unit, now: int) -> None:
        """Receipts that were parked in the very moment in which their delivery became known, so that neither saw the
        other.
        """
        left = unit.deliveries.left_parked(now - _PARKED_FOR, _LIMIT)
        by_workspace: dict[int, list[str]] = {}
        for delivery in left:
            by_workspace.setdefault(delivery.workspace_id, []).append(delivery.id)
        for workspace_id, ids in by_workspace.items():
            deliveries = unit.deliveries.by_ids(workspace_id, ids)
            self._receipts.adopt_parked(unit, deliveries)
            unit.deliveries.update(deliveries)

    def _free_queued(self, unit: Unit, now: int) -> None:
        """Runs that were queued behind one that was just ending, while their workflow began to queue."""
        if now >= self._next_queues:
            self._progress.free_queued(unit, now - (_PUBLISHED_WITHIN if self._next_queues else _AT_FIRST), now)
            self._next_queues = now + _BETWEEN_QUEUES

    def _again(self, step: ClaimedStep, lost: int, now: int) -> StepChange:
        if lost >= MAX_LEASES_LOST:
            return StepChange(step=step, state=StepState.DEAD, outcome="failed", reason="poison", leases_lost=lost)
        return StepChange(step=step, state=StepState.READY, due_at=now, reason="lease_expired", leases_lost=lost)

    def _dedupes(self, delivery: Delivery, now: int) -> bool:
        channel = self._catalog.channels.get(delivery.channel_type)
        if channel is None:
            return False
        age = timedelta(microseconds=now - (delivery.maybe_sent_at or now))
        return is_deduped(channel.delivery_class, timedelta(seconds=channel.dedupe_seconds), age)

    # --- asking providers -------------------------------------------------------------------------------------------

    def questions(self, unit: Unit) -> list[Question]:
        """Unknown deliveries whose provider might know."""
        steps = {step.id: step for step in unit.runs.unknown_messages(_LIMIT)}
        found: list[Question] = []
        deliveries = unit.deliveries.of_steps(list(steps)) if steps else []
        by_workspace: dict[int, list[Delivery]] = {}
        for delivery in deliveries:
            if delivery.state == DeliveryState.UNKNOWN and delivery.generation == steps[delivery.step_id].generation:
                by_workspace.setdefault(delivery.workspace_id, []).append(delivery)
        for workspace_id, mine in by_workspace.items():
            accounts = unit.published.channels(workspace_id, list({delivery.channel for delivery in mine}))
            for delivery in mine:
                account = accounts.get(delivery.channel)
                if account is not None:
                    message = Message(
                        delivery_id=delivery.id, idempotency_key=delivery.idempotency_key, to=delivery.address or "",
                        content=msgspec.json.decode(delivery.content, type=Intent).content,
                        message_class=MessageClass(delivery.message_class),
                    )  # fmt: skip
                    found.append(
                        Question(step=steps[delivery.step_id], delivery=delivery, account=account, message=message)
                    )
        return found

    def answer(self, unit: Unit, answers: Sequence[tuple[Question, Outcome | None]]) -> int:
        """Write down what providers said of unknown deliveries.

        Accepted or refused ends the step; the word that it never arrived lets it be tried again under the same key.
        """
        now = self._clock.micros()
        by_workspace: dict[int, list[str]] = {}
        for question, _ in answers:
            by_workspace.setdefault(question.delivery.workspace_id, []).append(question.delivery.id)
        stored: dict[str, Delivery] = {}
        for workspace_id, ids in by_workspace.items():
            stored |= {delivery.id: delivery for delivery in unit.deliveries.by_ids(workspace_id, ids)}
        changes: list[StepChange] = []
        deliveries: list[Delivery] = []
        for question, outcome in answers:
            step, delivery = question.step, stored.get(question.delivery.id)
            if delivery is None or delivery.state != DeliveryState.UNKNOWN:
                continue  # somebody else was faster
            match outcome:
                case Accepted():
                    delivery.state, delivery.reason = DeliveryState.ACCEPTED, None
                    delivery.provider_id = plain(outcome.provider_id) or delivery.provider_id
                    delivery.accepted_at = delivery.accepted_at or now
                    output = {"delivery": delivery.id, "channel": delivery.channel, "state": delivery.state}
                    changes.append(StepChange(step=step, state=StepState.DONE, outcome=delivery.state, output=output))
                case NotSent():
                    delivery.state, delivery.reason = DeliveryState.DEFERRED, "never_arrived"
                    delivery.maybe_sent_at = None
                    changes.append(StepChange(step=step, state=StepState.READY, due_at=now, reason="never_arrived"))
                case Rejected():
                    delivery.state, delivery.reason = DeliveryState.REJECTED, outcome.reason
                    delivery.detail = plain(f"{outcome.code} {outcome.detail}".strip())
                    changes.append(
                        StepChange(step=step, state=StepState.DONE, outcome=delivery.state, reason=outcome.reason)
                    )
                case _:
                    continue
            delivery.updated_at = now
            deliveries.append(delivery)
        if changes:
            mine = self._progress.record(unit, changes, now, expected=_UNKNOWN)
            unit.deliveries.update([d for d, owned in zip(deliveries, mine, strict=True) if owned])
        return len(changes)
