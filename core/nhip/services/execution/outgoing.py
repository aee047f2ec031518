"""Prepare messages inside their unit: whether they may go, their words, and the stored intent of each call."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from nhip.domain.configured import ChannelAccount, Template
from nhip.domain.customers import Staff
from nhip.domain.deliveries import Delivery
from nhip.domain.errors import ActionFailed, InvalidInput, TemplateError
from nhip.domain.ids import idempotency_key, new_id
from nhip.domain.messages import Content, DeliveryState, Intent, Message, MessageClass
from nhip.domain.runs import ClaimedStep, StepState
from nhip.engine.definitions.program import ProgramNode
from nhip.engine.facts.decoding import convert
from nhip.engine.journeys.settle import is_deduped
from nhip.plugin_api import AddressKind, MessageAction, MessageRequest
from nhip.ports import Unit
from nhip.services.customers.addressing import (
    ADDRESS_FIELDS,
    DEPARTMENT,
    STAFF,
    TURNS,
    filled_in,
    literal,
    of_person,
    on_duty,
)
from nhip.services.desk.assigning import Assigning
from nhip.services.execution.claimed import (
    EXPIRED,
    Claimed,
    Parts,
    Sending,
    bug,
    done_before,
    expired,
    fall_back,
    untried,
)
from nhip.services.runs.facts import RunFacts
from nhip.services.runs.progress import StepChange, plain

log = logging.getLogger("nhip.execute")
_encode: Final = msgspec.json.Encoder().encode
_intent: Final = msgspec.json.Decoder(Intent).decode
OPEN: Final = frozenset({DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING, DeliveryState.UNKNOWN})
"""The states of a delivery that nobody has said the end of."""


class Outgoing:
    """The messages of one workspace in one unit. What becomes of their steps is added to ``changes``."""

    def __init__(
        self,
        parts: Parts,
        unit: Unit,
        workspace_id: int,
        now: int,
        claimed: Claimed,
        changes: list[StepChange],
        assigning: Assigning,
    ) -> None:
        self.service = parts
        self.unit = unit
        self.workspace_id = workspace_id
        self.now = now
        self.claimed = claimed
        self.changes = changes
        self.assigning = assigning
        self.new: list[Delivery] = []
        self.repeated: list[Delivery] = []
        self.rates: dict[str, int] = {}
        self.queued: dict[str, int] = {}
        self.late: set[str] = set()
        """The steps that came too late for a first attempt."""

    def key(self, step: ClaimedStep) -> str:
        """The key of the message of a step's generation."""
        return idempotency_key(self.workspace_id, step.run_id, step.path, step.iteration, step.generation)

    def store(self) -> None:
        """Write the intents."""
        self.unit.deliveries.insert(self.new)
        self.unit.deliveries.update(self.repeated)

    def request(self, step: ClaimedStep, node: ProgramNode, run: RunFacts) -> MessageRequest | None:
        """Which message a step wants, or ``None`` after noting why not."""
        action = self.service.catalog.actions[node.action]()
        assert isinstance(action, MessageAction)
        try:
            config = convert(node.alternative(step.alternative), action.config_type, "config")
            return filled_in(action.message(config, run.facts), self.service.renderer, run.facts)
        except (ActionFailed, InvalidInput, TemplateError) as error:
            self.changes.append(StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=str(error)))
        except Exception as error:  # noqa: BLE001  (a plugin's bug stops its own step, and nobody else's)
            self.changes.append(bug(step, node, error))
        return None

    def prepare(self, messages: Sequence[tuple[ClaimedStep, ProgramNode, RunFacts, MessageRequest]]) -> None:
        """Render messages and store their intents."""
        published = self.unit.published
        channels = published.channels(self.workspace_id, list({request.channel for *_, request in messages}))
        named = {request.template for *_, request in messages if request.content is None}
        templates = published.templates(self.workspace_id, list(named)) if named else {}
        staff = self.staff([(run, request) for _, _, run, request in messages])
        earlier: dict[str, Delivery] = {}
        # Only a step that was claimed before has a delivery of this generation.
        again = [step.id for step, *_ in messages if step.epoch > 1]
        if again:
            earlier = {one.idempotency_key: one for one in self.unit.deliveries.of_steps(again, lock=True)}
        for step, _, run, request in messages:
            # Only a run that an admin moved may come to a step of an id that it has done already.
            if run.context.moved_from is not None:
                found = self.unit.deliveries.by_keys(self.workspace_id, request.channel, [self.key(step)])
                earlier |= {one.idempotency_key: one for one in found}
        for step, node, run, request in messages:
            account = channels.get(request.channel)
            template = templates.get(request.template) if request.content is None else _inline(node, request)
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
        """Render one message and store its intent."""
        service = self.service
        channel = service.catalog.channels.get(account.type)
        if channel is None:
            reason = f"no channel plugin of the kind {account.type!r}"
            self.changes.append(StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=reason))
            return
        key = self.key(step)
        facts = {**run.facts, "data": request.data} if request.data else run.facts
        before = earlier.get(key)
        if before is not None and before.step_id != step.id:
            self.changes.append(done_before(step, before))
            return
        if before is not None:
            self.send_again(step, before, account, left)
            return
        self.assigning.forget()
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
        if step.id in self.late:
            self.not_sent(step, delivery, DeliveryState.EXPIRED, EXPIRED, 0)
            return
        if address is None:
            self.not_sent(step, delivery, DeliveryState.SUPPRESSED, "no_address", left)
            return
        try:
            content = service.renderer.render(template.content, facts)
            if request.content is not None and (faults := channel.check_content(content)):
                raise TemplateError(faults[0].message)
        except TemplateError as error:
            delivery.detail = plain(str(error))
            self.not_sent(step, delivery, DeliveryState.FAILED, "template_error", left, dead=True)
            return
        if self.is_rate_limited(step, account):
            return
        intent = Intent(**msgspec.structs.asdict(content), data=request.data)
        delivery.content = _encode(intent).decode()
        self.new.append(delivery)
        self.assigning.keep()
        self.send(step, delivery, intent, account, left)

    def send_again(self, step: ClaimedStep, delivery: Delivery, account: ChannelAccount, left: int) -> None:
        """The stored intent once more: the same words to the same address, as the key is the same.

        A receipt may have said meanwhile what became of an earlier attempt: then that is how it ended.
        """
        if delivery.state not in OPEN:
            self.changes.append(done_before(step, delivery))
            return
        doubt = delivery.maybe_sent_at
        if step.id in self.late and doubt is None:
            # It surely never went out, and it is too late by now.
            delivery.state, delivery.reason, delivery.updated_at = DeliveryState.EXPIRED, EXPIRED, self.now
            self.repeated.append(delivery)
            output = {"delivery": delivery.id, "channel": delivery.channel, "state": delivery.state}
            self.changes.append(expired(step, output))
            return
        if doubt is not None and not self.is_deduped(account, self.now - doubt):
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
        self.send(step, delivery, _intent(delivery.content), account, left)

    def send(self, step: ClaimedStep, delivery: Delivery, intent: Intent, account: ChannelAccount, left: int) -> None:
        """Let a stored intent go out."""
        delivery.maybe_sent_at = delivery.maybe_sent_at or self.now
        message = Message(
            delivery_id=delivery.id, idempotency_key=delivery.idempotency_key, to=delivery.address or "",
            content=intent.content, message_class=MessageClass(delivery.message_class), data=intent.data,
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

    def is_deduped(self, account: ChannelAccount, micros: int) -> bool:
        """Whether this account's provider surely drops a key that it may have seen so long ago."""
        channel = self.service.catalog.channels[account.type]
        dedupe_for = timedelta(seconds=channel.dedupe_seconds)
        return is_deduped(channel.delivery_class, dedupe_for, timedelta(microseconds=micros))

    def is_rate_limited(self, step: ClaimedStep, account: ChannelAccount) -> bool:
        """Whether the account's rate limit holds this message back; it queues, and nothing counts as an attempt."""
        wait = self.wait_for_rate(account)
        if wait:
            self.changes.append(untried(step, self.now, StepState.READY, self.now + wait, "rate_limited"))
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
        """The employees that messages are for."""
        wanted = set()
        for run, request in messages:
            if request.to == "owner" and run.contact is not None:
                wanted.add(run.contact.attributes.get("owner") or "")
            elif request.to.startswith(STAFF):
                wanted.add(request.to.removeprefix(STAFF))
        wanted.discard("")
        return self.unit.staff.find(self.workspace_id, list(wanted)) if wanted else {}

    def address(self, kind: AddressKind, to: str, run: RunFacts, staff: Mapping[str, Staff]) -> str | None:
        """Where a message goes, or ``None`` when the recipient has no such address."""
        if kind is AddressKind.NONE:
            return run.contact.external_id if run.contact is not None else ""
        field = ADDRESS_FIELDS.get(kind, "")
        if to == "contact":
            return run.contact.attributes.get(field) if run.contact is not None else None
        if to == "owner" or to.startswith(STAFF):
            owner = run.contact.attributes.get("owner", "") if run.contact is not None else ""
            return of_person(staff.get(owner if to == "owner" else to.removeprefix(STAFF)), field)
        if to.startswith(DEPARTMENT):
            contact_id = run.contact.id if run.contact is not None else None
            chosen = self.assigning.assign(on_duty(to), run.facts, contact_id, reachable_by=field, turns=TURNS).staff
            found = self.unit.staff.find(self.workspace_id, [chosen]) if chosen is not None else {}
            return of_person(found.get(chosen or ""), field)
        return literal(kind, to)

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


def _inline(node: ProgramNode, request: MessageRequest) -> Template:
    """The words that a step brings itself, as the template they take the place of."""
    return Template(
        name=f"({node.action})", channel_type="", message_class=request.message_class or MessageClass.TRANSACTIONAL,
        content=request.content or Content(), revision=0,
    )  # fmt: skip
