"""Execute steps: claim a batch and prepare it in one unit, call outside of any, record in another.

Claiming, running local steps, rendering messages and writing the intent of each call are one transaction, so a step
that was claimed has either done nothing outside, or has its intent stored. The calls themselves happen outside, at once
for the whole batch; their outcomes are recorded in groups as they come.
"""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.crashpoints import crashpoint
from nhip.domain.configured import ChannelAccount, Template
from nhip.domain.customers import Staff
from nhip.domain.deliveries import Delivery
from nhip.domain.errors import ActionFailed, InvalidInput, TemplateError
from nhip.domain.ids import idempotency_key, new_id
from nhip.domain.messages import (
    Accepted,
    Content,
    DeliveryClass,
    DeliveryState,
    Message,
    MessageClass,
    NotSent,
    Outcome,
)
from nhip.domain.runs import ClaimedStep, StepKind, StepState
from nhip.engine.decoding import convert
from nhip.engine.program import ProgramNode
from nhip.engine.retry import DEFAULT, RetryPolicy, retry_delay
from nhip.engine.settle import Attempt, Move, is_deduped, settle
from nhip.plugin_api import AddressKind, LocalAction, MessageAction, MessageRequest
from nhip.ports import Clock, Renderer, Unit
from nhip.services.ingest import Ingest
from nhip.services.intake import Intake
from nhip.services.local_context import UnitLocalContext
from nhip.services.matching import Versions
from nhip.services.progress import NOT_COMPILED, Progress, StepChange, encode_output, plain
from nhip.services.receipts import Receipts
from nhip.services.run_facts import RunFacts, load_run_facts

if TYPE_CHECKING:
    from nhip.domain.events import IncomingEvent

log = logging.getLogger("nhip.execute")
_encode: Final = msgspec.json.Encoder().encode
_content: Final = msgspec.json.Decoder(Content).decode
_OPEN: Final = frozenset({DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING, DeliveryState.UNKNOWN})
"""The states of a delivery that nobody has said the end of."""
_ARRIVED: Final = frozenset({DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.READ})
PARKED_UNTIL: Final = 2**62
"""The due time of a step that a pause holds back: it is freed by the resume, not by the clock."""
_ADDRESS_FIELDS: Final = {
    AddressKind.PHONE: "phone",
    AddressKind.EMAIL: "email",
    AddressKind.ZALO_USER: "zalo_user_id",
}


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
        self.catalog = catalog
        self.versions = versions
        self.ingest = ingest
        self.intake = intake
        self.progress = progress
        self.receipts = receipts
        self.renderer = renderer
        self.clock = clock
        self.settle_after = int(settle_after.total_seconds() * 1_000_000)
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
            _Preparation(self, unit, workspace_id, now, claimed).run(mine)
        if steps:
            crashpoint("step.claimed")
        return claimed

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
        if delivery.state in _OPEN:
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

    def is_deduped(self, account: ChannelAccount, micros: int) -> bool:
        """Whether this account's provider surely drops a key that it may have seen so long ago."""
        channel = self.catalog.channels[account.type]
        dedupe_for = timedelta(seconds=channel.dedupe_seconds)
        return is_deduped(channel.delivery_class, dedupe_for, timedelta(microseconds=micros))

    def delivery_class(self, account: ChannelAccount) -> DeliveryClass:
        """What this account's provider lets us know after an ambiguous outcome."""
        return self.catalog.channels[account.type].delivery_class


def bug(step: ClaimedStep, node: ProgramNode, error: Exception) -> StepChange:
    """A plugin raised what it may not raise: loud in the log, final for the step."""
    log.error("plugin raised", exc_info=error, extra={"action": node.action, "step": step.id})
    return StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=f"bug: {type(error).__name__}: {error}")


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


class _Preparation:
    """The work on the claimed steps of one workspace in one unit."""

    def __init__(self, service: Execution, unit: Unit, workspace_id: int, now: int, claimed: Claimed) -> None:
        self.service = service
        self.unit = unit
        self.workspace_id = workspace_id
        self.now = now
        self.claimed = claimed
        self.changes: list[StepChange] = []
        self.new: list[Delivery] = []
        self.repeated: list[Delivery] = []
        self.rates: dict[str, int] = {}
        self.queued: dict[str, int] = {}
        self.paused: dict[str, bool] = {}
        self.effects: list[IncomingEvent] = []

    def run(self, steps: Sequence[ClaimedStep]) -> None:
        service = self.service
        compiled = service.versions.get(self.unit, self.workspace_id, [step.version_id for step in steps])
        local = [step.contact_id for step in steps if step.kind == StepKind.LOCAL]
        if local:
            # What a local action lays over a contact builds on what is read here.
            self.unit.customers.lock_contacts(self.workspace_id, local)
        runs = load_run_facts(
            self.unit, service.catalog, service.versions, self.workspace_id, [step.run_id for step in steps]
        )
        messages: list[tuple[ClaimedStep, ProgramNode, RunFacts, MessageRequest]] = []
        for step in steps:
            if step.run_id not in runs or step.version_id not in compiled:
                reason = "the run's event is gone" if step.run_id not in runs else NOT_COMPILED
                self.changes.append(StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=reason))
                continue
            run = runs[step.run_id]
            node = compiled[step.version_id].program.nodes[step.node]
            if run.context.workflow_state == "paused" and self.is_paused(run.context.workflow):
                self.changes.append(self.untried(step, StepState.WAITING, PARKED_UNTIL, "paused"))
                continue
            match step.kind:
                case StepKind.LOCAL:
                    self.changes.append(self.do_local(step, node, run))
                case StepKind.REMOTE:
                    self.claimed.callings.append(Calling(step=step, node=node, facts=run.facts))
                case _:
                    request = self.request(step, node, run)
                    if request is not None:
                        messages.append((step, node, run, request))
        if messages:
            self.prepare(messages)
        self.unit.deliveries.insert(self.new)
        self.unit.deliveries.update(self.repeated)
        if self.effects:
            service.ingest.ingest(self.unit, self.workspace_id, self.effects, self.now)
        if self.changes:
            service.progress.record(self.unit, self.changes, self.now)

    def is_paused(self, workflow: str) -> bool:
        """Whether a workflow is paused still. A resume that comes meanwhile waits, and then finds the parked step."""
        if workflow not in self.paused:
            self.paused[workflow] = self.unit.published.lock_workflow(self.workspace_id, workflow) == "paused"
        return self.paused[workflow]

    def untried(self, step: ClaimedStep, state: StepState, due_at: int, reason: str) -> StepChange:
        """Put a step back: this claim was no attempt, and where it was the first, none has begun."""
        return StepChange(
            step=step,
            state=state,
            due_at=due_at,
            reason=reason,
            attempt=max(step.attempt - 1, 0),
            first_attempt_at=0 if step.first_attempt_at == self.now else None,
        )

    # --- local ------------------------------------------------------------------------------------------------------

    def do_local(self, step: ClaimedStep, node: ProgramNode, run: RunFacts) -> StepChange:
        """Run a local action. What it wants to happen is kept when it succeeds, and forgotten when it raises."""
        service = self.service
        action = service.catalog.actions[node.action]()
        assert isinstance(action, LocalAction)
        context = UnitLocalContext(self.unit, step, run, self.now, service.intake, service.renderer)
        try:
            output = dict(action.run(context, convert(node.config, action.config_type, "config")))
            encode_output(output)
        except (ActionFailed, TemplateError, InvalidInput) as error:
            return StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=str(error))
        except Exception as error:  # a plugin's bug stops its own step, and nobody else's
            if error is context.interruption:
                raise
            return bug(step, node, error)
        self.effects += context.effects
        return StepChange(step=step, state=StepState.DONE, outcome="done", output=output)

    # --- messages ---------------------------------------------------------------------------------------------------

    def request(self, step: ClaimedStep, node: ProgramNode, run: RunFacts) -> MessageRequest | None:
        action = self.service.catalog.actions[node.action]()
        assert isinstance(action, MessageAction)
        try:
            return action.message(convert(node.alternative(step.alternative), action.config_type, "config"), run.facts)
        except (ActionFailed, InvalidInput) as error:
            self.changes.append(StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=str(error)))
        except Exception as error:  # noqa: BLE001  (a plugin's bug stops its own step, and nobody else's)
            self.changes.append(bug(step, node, error))
        return None

    def prepare(self, messages: Sequence[tuple[ClaimedStep, ProgramNode, RunFacts, MessageRequest]]) -> None:
        published = self.unit.published
        channels = published.channels(self.workspace_id, list({request.channel for *_, request in messages}))
        templates = published.templates(self.workspace_id, list({request.template for *_, request in messages}))
        staff = self.staff([(run, request) for _, _, run, request in messages])
        earlier: dict[str, Delivery] = {}
        # Only a step that was claimed before has a delivery of this generation.
        again = [step.id for step, *_ in messages if step.epoch > 1]
        if again:
            earlier = {one.idempotency_key: one for one in self.unit.deliveries.of_steps(again, lock=True)}
        for step, node, run, request in messages:
            account, template = channels.get(request.channel), templates.get(request.template)
            left = len(node.fallback) - step.alternative
            if account is None or template is None:
                missing = f"no channel {request.channel!r}" if account is None else f"no template {request.template!r}"
                self.changes.append(StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=missing))
                continue
            self.prepare_one(step, run, request, account, template, left, staff, earlier)
        for name, next_free_at in self.rates.items():
            published.set_rate(self.workspace_id, name, next_free_at)

    def prepare_one(
        self,
        step: ClaimedStep,
        run: RunFacts,
        request: MessageRequest,
        account: ChannelAccount,
        template: Template,
        left: int,
        staff: Mapping[str, Staff],
        earlier: Mapping[str, Delivery],
    ) -> None:
        service = self.service
        channel = service.catalog.channels.get(account.type)
        if channel is None:
            reason = f"no channel plugin of the kind {account.type!r}"
            self.changes.append(StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=reason))
            return
        key = idempotency_key(self.workspace_id, step.run_id, step.path, step.iteration, step.generation)
        facts = {**run.facts, "data": request.data} if request.data else run.facts
        before = earlier.get(key)
        if before is not None:
            self.send_again(step, before, request, account, left)
            return
        address = self.address(channel.capabilities.address, request.to, run, staff)
        delivery = Delivery(
            id=new_id(), workspace_id=self.workspace_id, step_id=step.id, run_id=step.run_id,
            workflow=run.context.workflow, contact_id=step.contact_id, channel=account.name, channel_type=account.type,
            template=template.name, message_class=(request.message_class or template.message_class),
            address=address, content="{}", state=DeliveryState.SENDING, reason=None, detail=None, idempotency_key=key,
            generation=step.generation, attempts=0, provider_id=None, price_amount=None, price_currency=None,
            event_received_at=run.context.event_received_at, created_at=self.now, accepted_at=None, delivered_at=None,
            read_at=None, updated_at=self.now,
        )  # fmt: skip
        if address is None:
            self.not_sent(step, delivery, DeliveryState.SUPPRESSED, "no_address", left)
            return
        try:
            content = service.renderer.render(template.content, facts)
        except TemplateError as error:
            delivery.detail = plain(str(error))
            self.not_sent(step, delivery, DeliveryState.FAILED, "template_error", left, dead=True)
            return
        if self.is_rate_limited(step, account):
            return
        delivery.content = _encode(content).decode()
        self.new.append(delivery)
        self.send(step, delivery, content, request, account, left)

    def send_again(
        self, step: ClaimedStep, delivery: Delivery, request: MessageRequest, account: ChannelAccount, left: int
    ) -> None:
        """The stored intent once more: the same words to the same address, as the key is the same.

        A receipt may have said meanwhile what became of an earlier attempt: then that is how it ended.
        """
        if delivery.state not in _OPEN:
            output = {"delivery": delivery.id, "channel": delivery.channel, "state": delivery.state}
            self.changes.append(
                StepChange(
                    step=step, state=StepState.DONE, outcome=delivery.state, output=output, reason=delivery.reason
                )
            )
            return
        doubt = delivery.maybe_sent_at
        if doubt is not None and not self.service.is_deduped(account, self.now - doubt):
            # It was to go out within the time in which the provider drops a repeated key, and nobody worked then.
            delivery.state, delivery.reason, delivery.updated_at = DeliveryState.UNKNOWN, "too_late", self.now
            self.repeated.append(delivery)
            self.changes.append(
                StepChange(
                    step=step, state=StepState.UNKNOWN, due_at=self.now + self.service.settle_after, reason="too_late"
                )
            )
            return
        if self.is_rate_limited(step, account):
            return
        delivery.state, delivery.updated_at = DeliveryState.SENDING, self.now
        self.repeated.append(delivery)
        self.send(step, delivery, _content(delivery.content), request, account, left)

    def send(
        self,
        step: ClaimedStep,
        delivery: Delivery,
        content: Content,
        request: MessageRequest,
        account: ChannelAccount,
        left: int,
    ) -> None:
        delivery.maybe_sent_at = delivery.maybe_sent_at or self.now
        message = Message(
            delivery_id=delivery.id, idempotency_key=delivery.idempotency_key, to=delivery.address or "",
            content=content, message_class=MessageClass(delivery.message_class), data=request.data,
        )  # fmt: skip
        self.claimed.sendings.append(
            Sending(
                step=step,
                delivery=delivery,
                message=message,
                account=account,
                alternatives_left=left,
                began_at=self.now,
            )
        )

    def is_rate_limited(self, step: ClaimedStep, account: ChannelAccount) -> bool:
        """Whether the account's rate limit holds this message back; it queues, and nothing counts as an attempt."""
        wait = self.wait_for_rate(account)
        if wait:
            self.changes.append(self.untried(step, StepState.READY, self.now + wait, "rate_limited"))
        return wait > 0

    def not_sent(
        self, step: ClaimedStep, delivery: Delivery, state: DeliveryState, reason: str, left: int, *, dead: bool = False
    ) -> None:
        """Nothing goes out: write the delivery down with its reason, and fall back where there is something left."""
        delivery.state, delivery.reason = state, reason
        self.new.append(delivery)
        output = {"delivery": delivery.id, "channel": delivery.channel, "state": state}
        if left > 0:
            self.changes.append(fall_back(step, reason))
        elif dead:
            said = f"{reason}: {delivery.detail}"
            self.changes.append(
                StepChange(step=step, state=StepState.DEAD, outcome="failed", output=output, reason=said)
            )
        else:
            self.changes.append(
                StepChange(step=step, state=StepState.DONE, outcome=state, output=output, reason=reason)
            )

    def staff(self, messages: Sequence[tuple[RunFacts, MessageRequest]]) -> Mapping[str, Staff]:
        wanted = set()
        for run, request in messages:
            if request.to == "owner" and run.contact is not None:
                wanted.add(run.contact.attributes.get("owner") or "")
            elif request.to.startswith("staff:"):
                wanted.add(request.to.removeprefix("staff:"))
        wanted.discard("")
        return self.unit.staff.find(self.workspace_id, list(wanted)) if wanted else {}

    def address(self, kind: AddressKind, to: str, run: RunFacts, staff: Mapping[str, Staff]) -> str | None:
        """Where a message goes, or ``None`` when the recipient has no such address."""
        if kind is AddressKind.NONE:
            return run.contact.external_id if run.contact is not None else ""
        field = _ADDRESS_FIELDS.get(kind, "")
        if to == "contact":
            return run.contact.attributes.get(field) if run.contact is not None else None
        if to == "owner" or to.startswith("staff:"):
            owner = run.contact.attributes.get("owner", "") if run.contact is not None else ""
            person = staff.get(owner if to == "owner" else to.removeprefix("staff:"))
            return getattr(person, field, None) if person is not None and person.active else None
        return to

    def wait_for_rate(self, account: ChannelAccount) -> int:
        """Microseconds until this account's rate limit lets one more message go; 0 takes the place."""
        if not account.rate_per_second:
            return 0
        if account.name not in self.rates:
            self.rates[account.name] = self.unit.published.lock_rate(self.workspace_id, account.name)
        interval = 1_000_000 // account.rate_per_second
        slot = max(self.rates[account.name], self.now - interval)
        if slot > self.now:
            # Those who wait come back one after the other, not all at the next free place.
            place = self.queued[account.name] = self.queued.get(account.name, -1) + 1
            return slot - self.now + place * interval + int(interval * self.service.chance())
        self.rates[account.name] = slot + interval
        return 0
