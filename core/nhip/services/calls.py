"""Telephone calls: what a provider asks is answered by the workflow, in the very request that asks.

One unit takes the request in as an event, lets the run that it starts or wakes go on as far as it can, takes the plan
that ``route_call`` left, and keeps it: a provider that asks the same once more hears the same, and nothing happens
twice. Whatever goes wrong, the caller hears something.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from nhip.domain.calls import (
    Call,
    CallAnswer,
    CallOutcome,
    CallPlan,
    CallRequest,
    CallState,
    read_plan,
    spoken_plan,
    write_plan,
)
from nhip.domain.configured import ChannelAccount
from nhip.domain.errors import MalformedInput, NhipError, NotFound
from nhip.domain.events import Cause, IncomingEvent
from nhip.domain.messages import Content, Inbound, InboundRequest, Receipt, ReceiptStatus
from nhip.domain.times import format_micros
from nhip.ports import Clock, Doorbell, Storage, Unit
from nhip.services.channel_pool import ChannelPool
from nhip.services.execute import Execution
from nhip.services.ingest import Ingest
from nhip.services.phones import normalise_phone
from nhip.services.progress import plain
from nhip.services.receipts import Arrival, Receipts

log = logging.getLogger("nhip.calls")

_content: Final = msgspec.json.Decoder(Content).decode
_RANK: Final = {CallState.RINGING: 0, CallState.ANSWERED: 1, CallState.ENDED: 2}
_EVENTS: Final = {
    CallState.KEYPRESS: "call.keypress",
    CallState.TRANSFERRED: "call.transferred",
    CallState.RECORDING: "call.recorded",
}
Spare = Mapping[Literal["unrouted", "trouble"], CallPlan]
"""What a caller hears where no workflow says anything."""


def anonymous(channel: str) -> str:
    """The external id of the one contact that everybody is who calls an account without showing a number."""
    return f"anonymous:{channel}"


class Calls:
    """Answers what providers ask about calls, and takes what they report. One in each process."""

    def __init__(
        self,
        storage: Storage,
        ingest: Ingest,
        execution: Execution,
        receipts: Receipts,
        channels: ChannelPool,
        doorbell: Doorbell,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._ingest = ingest
        self._execution = execution
        self._receipts = receipts
        self._channels = channels
        self._doorbell = doorbell
        self._clock = clock

    async def take(self, account: ChannelAccount, request: InboundRequest) -> CallAnswer:
        """Verify a request, let happen what it says, and answer in the provider's words.

        Raises:
            NotFound: the account is none that takes calls.
            SignatureMismatch: it is not the provider's.
            MalformedInput: it cannot be read.
            StorageUnavailable: what is only reported cannot be stored now; the provider tries again.
        """
        with self._channels.use(account) as living:
            channel = living.channel
            if not channel.capabilities.voice:
                raise NotFound("call control", account.name)
            try:
                call = await channel.read_call(request)
                spare: Spare = {"unrouted": channel.spare_plan("unrouted"), "trouble": channel.spare_plan("trouble")}
                plan = await self._planned(account, _plain(call), spare)
                return channel.answer_call(call, plan)
            except NhipError:
                raise
            except Exception as error:
                log.error("plugin raised", exc_info=error, extra={"channel": account.name, "type": account.type})
                raise MalformedInput(f"the channel {account.type!r} could not take this request") from error

    async def _planned(self, account: ChannelAccount, call: CallRequest, spare: Spare) -> CallPlan:
        if not call.asks:
            await self._storage.transact(self.happen, account, call, spare)
            self._doorbell.ring()
            return CallPlan()
        try:
            plan = await self._storage.transact(self.happen, account, call, spare)
        except Exception:
            log.exception("a call could not be answered", extra={"channel": account.name, "call": call.call_id})
            return spare["trouble"]
        self._doorbell.ring()
        return plan

    def happen(self, unit: Unit, account: ChannelAccount, call: CallRequest, spare: Spare) -> CallPlan:
        """Take a request in, inside its unit; answers what the call does next."""
        return _Turn(self, unit, account, call, spare, self._clock.micros()).take()

    # --- what a turn needs of the others ------------------------------------------------------------------------------

    def ingest(self, unit: Unit, workspace_id: int, event: IncomingEvent, now: int) -> tuple[str, ...]:
        """Let an event happen; answers the runs that it starts."""
        return self._ingest.ingest(unit, workspace_id, [event], now)[0].runs

    def perform(self, unit: Unit, workspace_id: int, run_ids: tuple[str, ...]) -> None:
        """Let these runs go on."""
        if run_ids:
            self._execution.perform_now(unit, workspace_id, run_ids)

    def report(self, unit: Unit, account: ChannelAccount, receipt: Receipt) -> None:
        """Tell what became of a call that a message placed."""
        self._receipts.receive(unit, [Arrival(account, Inbound(receipts=(receipt,)))])


class _Turn:
    """One request about a call, in its unit."""

    def __init__(
        self, service: Calls, unit: Unit, account: ChannelAccount, call: CallRequest, spare: Spare, now: int
    ) -> None:
        self.service = service
        self.unit = unit
        self.account = account
        self.workspace_id = account.workspace_id
        self.call = call
        self.spare = spare
        self.now = now
        self.stored, _ = unit.calls.hold(_begun(account, call, now))
        self.key = (account.workspace_id, account.name, call.call_id)

    def take(self) -> CallPlan:
        """Answer what was answered before, or what follows now."""
        call, calls = self.call, self.unit.calls
        if call.asks:
            kept = calls.answered(*self.key, call.turn)
            if kept is not None:
                return read_plan(kept)
        over = self.stored.state == CallState.ENDED
        if self.stored.plan is not None:
            calls.clear_plan(*self.key)
        plan = CallPlan() if over and call.asks else self.follow()
        self.learn()
        if call.asks:
            calls.keep_answer(*self.key, call.turn, write_plan(plan), self.now)
            self.stored.turns = max(self.stored.turns, call.turn + 1)
        calls.update(self.stored)
        return plan

    def learn(self) -> None:
        """Lay what the request says over what is known of the call."""
        call, stored = self.call, self.stored
        stored.direction = _direction(call, stored.direction)
        if call.state in _RANK and _RANK[call.state] > _RANK[CallState(stored.state)]:
            stored.state = call.state
        stored.caller = stored.caller or call.caller
        stored.called = stored.called or call.called
        stored.reference = stored.reference or call.reference
        stored.recording = call.recording or stored.recording
        if call.state is CallState.ENDED:
            stored.outcome = call.outcome or stored.outcome
            stored.duration = call.duration if call.duration is not None else stored.duration
        stored.updated_at = self.now

    def follow(self) -> CallPlan:
        """Let happen what the request says."""
        call, stored = self.call, self.stored
        if _direction(call, stored.direction) == "outbound":
            return self.follow_outbound()
        if call.state is CallState.ENDED:
            self.tell("call.ended", f"{call.call_id}.ended")
            return CallPlan()
        if call.state in _EVENTS:
            source_id = f"{call.call_id}.{call.turn}.{call.state}"
            if call.state is CallState.KEYPRESS:
                source_id = f"{call.call_id}.{call.turn}"
            self.tell(_EVENTS[call.state], source_id)
            self.service.perform(self.unit, self.workspace_id, (stored.run_id,) if stored.run_id else ())
            left = self.left()
            if left is not None:
                return left
            return self.spare["trouble"] if call.state is CallState.KEYPRESS else CallPlan()
        if not call.asks:
            return CallPlan()
        runs = self.tell("call.inbound", call.call_id, **self.last_store())
        self.service.perform(self.unit, self.workspace_id, runs)
        return self.left() or self.spare["unrouted"]

    def left(self) -> CallPlan | None:
        """The plan that the call's run left for this answer."""
        found = self.unit.calls.find(*self.key)
        return read_plan(found.plan) if found is not None and found.plan is not None else None

    # --- whom it concerns ---------------------------------------------------------------------------------------------

    def tell(self, event_type: str, source_id: str, **more: Any) -> tuple[str, ...]:
        """Let an event happen to the caller; answers the runs that it starts."""
        stored = self.stored
        snapshot: dict[str, Any] | None = None
        if stored.contact is None:
            phone = normalise_phone(stored.caller) if stored.caller else None
            if phone is None:
                stored.contact = anonymous(self.account.name)
                snapshot = {"external_id": stored.contact}
            else:
                stored.contact = self.contact_by_phone(phone)
                snapshot = {"phone": phone} if stored.contact is None else None
        runs = self.service.ingest(
            self.unit,
            self.workspace_id,
            IncomingEvent(
                source=f"voice:{self.account.name}",
                source_id=source_id,
                type=event_type,
                subject=stored.contact,
                time=None,
                data=self.data(**more),
                contact=snapshot,
            ),
            self.now,
        )
        if stored.contact is None and snapshot is not None:
            stored.contact = self.contact_by_phone(snapshot["phone"])
        return runs

    def contact_by_phone(self, phone: str) -> str | None:
        """The external id of the contact with that number."""
        found = self.unit.customers.contacts_by_address(self.workspace_id, "phone", [phone])
        return found[0].external_id if found else None

    def last_store(self) -> dict[str, Any]:
        """The store that the caller was in contact with last, by the youngest record that names one, or by the contact
        itself.
        """
        phone = normalise_phone(self.stored.caller) if self.stored.caller else None
        found = self.unit.customers.contacts_by_address(self.workspace_id, "phone", [phone]) if phone else []
        if not found:
            return {}
        youngest = self.unit.calls.last_store(self.workspace_id, found[0].id)
        if youngest is not None:
            return {"last_store": youngest[0], "last_store_at": format_micros(youngest[1])}
        store = found[0].attributes.get("store")
        return {"last_store": store} if store else {}

    def data(self, **more: Any) -> dict[str, Any]:
        """What an event of this call says."""
        call, stored = self.call, self.stored
        said: dict[str, Any] = {
            "channel": self.account.name, "call_id": call.call_id,
            "direction": _direction(call, stored.direction),
            "from": stored.caller, "to": stored.called, "hidden": stored.caller is None,
        }  # fmt: skip
        if call.state is CallState.KEYPRESS:
            said |= {"digits": call.digits, "turn": call.turn}
        if call.outcome is not None:
            said["outcome"] = call.outcome
        optional = {"duration": call.duration, "recording": call.recording, "detail": call.detail}
        return said | {name: value for name, value in optional.items() if value is not None} | more

    # --- calls that we place ------------------------------------------------------------------------------------------

    def follow_outbound(self) -> CallPlan:
        """What became of a call is its message's receipt; who picks up hears the message."""
        call, stored = self.call, self.stored
        reference = call.reference or stored.reference
        talked = stored.state != CallState.RINGING
        if call.state is CallState.ANSWERED:
            self.receipt(ReceiptStatus.DELIVERED, CallOutcome.ANSWERED, reference)
            return self.words(reference) if call.asks else CallPlan()
        if call.state is CallState.ENDED:
            outcome = CallOutcome.ANSWERED if talked else call.outcome or CallOutcome.FAILED
            call = self.call = msgspec.structs.replace(call, outcome=outcome)
            status = ReceiptStatus.DELIVERED if outcome is CallOutcome.ANSWERED else ReceiptStatus.FAILED
            self.receipt(status, outcome, reference)
            self.tell_end(reference)
        return CallPlan()

    def receipt(self, status: ReceiptStatus, outcome: CallOutcome, reference: str | None) -> None:
        """Tell the delivery."""
        call = self.call
        self.service.report(
            self.unit,
            self.account,
            Receipt(
                receipt_id=f"{call.call_id}:{outcome}", status=status, provider_id=call.call_id,
                idempotency_key=reference, code=outcome, detail=call.detail,
            ),
        )  # fmt: skip

    def words(self, reference: str | None) -> CallPlan:
        """What the message says."""
        found = self.unit.deliveries.by_keys(self.workspace_id, self.account.name, [reference]) if reference else []
        text = _content(found[0].content).text if found else None
        return spoken_plan(text) if text else self.spare["trouble"]

    def tell_end(self, reference: str | None) -> None:
        """Let ``call.ended`` happen to whom we called, with the run that called as its cause."""
        deliveries = self.unit.deliveries
        found = deliveries.by_keys(self.workspace_id, self.account.name, [reference]) if reference else []
        found = found or deliveries.by_provider_ids(self.workspace_id, self.account.name, [self.call.call_id])
        if not found or found[0].contact_id is None:
            return
        contacts = self.unit.customers.contacts(self.workspace_id, [found[0].contact_id])
        run_id = found[0].run_id or ""
        run = self.unit.runs.contexts(self.workspace_id, [run_id]).get(run_id)
        event = IncomingEvent(
            source=f"voice:{self.account.name}",
            source_id=f"{self.call.call_id}.ended",
            type="call.ended",
            subject=contacts[0].external_id if contacts else None,
            time=None,
            data=self.data(delivery=found[0].id, workflow=found[0].workflow),
            cause=Cause(run_id=run.id, root_event_id=run.root_event_id, depth=run.depth + 1) if run else None,
        )
        self.service.ingest(self.unit, self.workspace_id, event, self.now)


def _begun(account: ChannelAccount, call: CallRequest, now: int) -> Call:
    """The row of a call that is heard of for the first time."""
    return Call(
        workspace_id=account.workspace_id, channel=account.name, call_id=call.call_id,
        direction=_direction(call, "inbound"), caller=call.caller, called=call.called,
        contact=None, run_id=None, plan=None, turns=0, state=CallState.RINGING, outcome=None, duration=None,
        reference=call.reference, recording=None, started_at=now, updated_at=now,
    )  # fmt: skip


def _direction(call: CallRequest, known: str) -> str:
    """Which way a call goes: that we placed it may be told by a later request only."""
    return "outbound" if call.reference or call.direction == "outbound" else known


def _plain(call: CallRequest) -> CallRequest:
    """What a provider says, as every database stores it.

    Raises:
        MalformedInput: it does not say which call it is about.
    """
    call_id = plain(call.call_id, 200)
    if not call_id:
        raise MalformedInput("the request does not say which call it is about")
    return msgspec.structs.replace(
        call,
        call_id=call_id,
        caller=plain(call.caller, 64),
        called=plain(call.called, 64) or "",
        digits=plain(call.digits, 64) or "",
        recording=plain(call.recording),
        reference=plain(call.reference, 64),
        detail=plain(call.detail, 200),
        turn=min(max(call.turn, 0), 10_000),
    )
