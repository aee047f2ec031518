"""Requests about telephone calls, inside their unit: which events they are, and what each call does next."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nhip.domain.calls import Call, CallOutcome, CallPlan, CallRequest, CallState, read_plan, spoken_plan, write_plan
from nhip.domain.configured import ChannelAccount
from nhip.domain.events import IncomingEvent
from nhip.domain.messages import Content, Inbound, Receipt, ReceiptStatus
from nhip.domain.times import format_micros
from nhip.engine.incoming.phones import normalise_phone
from nhip.plugin_api import Occasion
from nhip.ports import Clock, Unit
from nhip.services.channels.call_events import call_event, tell_ends
from nhip.services.channels.receipts import Arrival, Receipts
from nhip.services.events.ingest import Ingest
from nhip.services.execution.execute import Execution

if TYPE_CHECKING:
    from nhip.domain.customers import Contact

_content: Final = msgspec.json.Decoder(Content).decode
_RANK: Final = {CallState.RINGING: 0, CallState.ANSWERED: 1, CallState.ENDED: 2}
_EVENTS: Final = {
    CallState.TRANSFERRED: "call.transferred",
    CallState.RECORDING: "call.recorded",
}
EVENT_TYPES: Final = frozenset({"call.inbound", "call.keypress", "call.ended", *_EVENTS.values()})
"""Everything that a call lets happen."""
Spare = Mapping[Occasion, CallPlan]
"""What a caller hears where no workflow says anything."""


def anonymous(channel: str) -> str:
    """The external id of the one contact that everybody is who calls an account without showing a number."""
    return f"anonymous:{channel}"


class Asked(msgspec.Struct):
    """One request about a call, read."""

    account: ChannelAccount
    call: CallRequest
    spare: Spare


class CallRequests:
    """The service; its method runs inside a unit."""

    def __init__(self, ingest: Ingest, execution: Execution, receipts: Receipts, clock: Clock) -> None:
        self._clock = clock
        self.ingest = ingest
        self.execution = execution
        self.receipts = receipts

    def take(self, unit: Unit, asked: Sequence[Asked]) -> list[CallPlan]:
        """Take requests in, inside their unit; answers what each call does next."""
        now = self._clock.micros()
        plans: list[CallPlan] = [CallPlan()] * len(asked)
        waiting = list(range(len(asked)))
        while waiting:
            # What is asked about one call is taken one after the other.
            groups: dict[tuple[int, str], dict[str, int]] = {}
            later: list[int] = []
            for place in waiting:
                account, call_id = asked[place].account, asked[place].call.call_id
                group = groups.setdefault((account.workspace_id, account.name), {})
                if group.setdefault(call_id, place) != place:
                    later.append(place)
            for group in groups.values():
                places = list(group.values())
                taken = _Group(self, unit, [asked[place] for place in places], now).take()
                for place, plan in zip(places, taken, strict=True):
                    plans[place] = plan
            waiting = later
        return plans


class _Turn:
    """One request, what is stored of its call, and what comes of it."""

    __slots__ = ("call", "contact", "event", "plan", "spare", "stored")

    def __init__(self, asked: Asked, stored: Call) -> None:
        self.call = asked.call
        self.spare = asked.spare
        self.stored = stored
        self.event: IncomingEvent | None = None
        self.contact: Contact | None = None
        """The caller, where one is known by the number."""
        self.plan: CallPlan | None = None
        """What is answered, as far as it is known already."""


class _Group:
    """Requests about different calls of one account, in their unit."""

    def __init__(self, service: CallRequests, unit: Unit, asked: Sequence[Asked], now: int) -> None:
        self.service = service
        self.unit = unit
        self.account = asked[0].account
        self.workspace_id = self.account.workspace_id
        self.now = now
        begun = [_begun(self.account, one.call, now) for one in asked]
        self.turns = [_Turn(one, stored) for one, stored in zip(asked, unit.calls.hold(begun), strict=True)]
        self.key = (self.workspace_id, self.account.name)

    def take(self) -> list[CallPlan]:
        """Answer what was answered before, or what follows now."""
        calls = self.unit.calls
        known = [turn.call.call_id for turn in self.turns if turn.call.turn or turn.stored.turns]
        answered = calls.answered(*self.key, known) if known else {}
        fresh: list[_Turn] = []
        for turn in self.turns:
            kept = answered.get((turn.call.call_id, turn.call.turn)) if turn.call.asks else None
            if kept is not None:
                turn.plan = read_plan(kept)
            else:
                fresh.append(turn)
        for turn in fresh:
            turn.stored.plan = None  # what was left for an answer before counts no more
            if turn.stored.state == CallState.ENDED and turn.call.asks:
                turn.plan = CallPlan()
            elif _direction(turn.call, turn.stored.direction) == "outbound":
                turn.plan = self.follow_outbound(turn)
            else:
                self.follow(turn)
        self.let_happen([turn for turn in fresh if turn.event is not None])
        for turn in fresh:
            turn.plan = turn.plan or CallPlan()
            self.learn(turn)
        kept_now = [(turn.call.call_id, turn.call.turn, write_plan(_plan(turn))) for turn in fresh if turn.call.asks]
        if kept_now:
            calls.keep_answers(*self.key, kept_now, self.now)
        calls.update([turn.stored for turn in fresh])
        return [_plan(turn) for turn in self.turns]

    def learn(self, turn: _Turn) -> None:
        """Lay what the request says over what is known of the call."""
        call, stored = turn.call, turn.stored
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
        if call.asks:
            stored.turns = max(stored.turns, call.turn + 1)
        stored.updated_at = self.now

    # --- calls that come in -------------------------------------------------------------------------------------------

    def follow(self, turn: _Turn) -> None:
        """Say which event the request is."""
        call = turn.call
        if call.state is CallState.ENDED:
            turn.event = self.event(turn, "call.ended", f"{call.call_id}.ended")
        elif call.state is CallState.KEYPRESS:
            turn.event = self.event(turn, "call.keypress", f"{call.call_id}.{call.turn}")
        elif call.state in _EVENTS:
            turn.event = self.event(turn, _EVENTS[call.state], f"{call.call_id}.{call.turn}.{call.state}")
        elif call.asks:
            turn.event = self.event(turn, "call.inbound", call.call_id)

    def event(self, turn: _Turn, event_type: str, source_id: str) -> IncomingEvent:
        """The event that a request is."""
        call = turn.call
        keys: dict[str, Any] = {"digits": call.digits, "turn": call.turn} if call.state is CallState.KEYPRESS else {}
        known = msgspec.structs.replace(turn.stored, direction=_direction(call, turn.stored.direction))
        return call_event(
            known, event_type, source_id, **keys, outcome=call.outcome, duration=call.duration,
            recording=call.recording, detail=call.detail,
        )  # fmt: skip

    def let_happen(self, turns: Sequence[_Turn]) -> None:
        """Let the events happen, the runs that they concern go on, and take the plans that those leave."""
        self.identify(turns)
        receipts = self.service.ingest.ingest(
            self.unit, self.workspace_id, [turn.event for turn in turns if turn.event is not None], self.now
        )
        runs: list[str] = []
        for turn, receipt in zip(turns, receipts, strict=True):
            runs += receipt.runs
            if turn.call.state is not CallState.ENDED and turn.stored.run_id is not None:
                runs.append(turn.stored.run_id)
        if runs:
            self.service.execution.perform_now(self.unit, self.workspace_id, runs)
        for turn in turns:
            if turn.stored.plan is not None and turn.call.asks:
                turn.plan, turn.stored.plan = read_plan(turn.stored.plan), None
            elif turn.call.state is CallState.RINGING:
                turn.plan = turn.spare["unrouted"]
            elif turn.call.state is CallState.KEYPRESS:
                turn.plan = turn.spare["trouble"]

    def identify(self, turns: Sequence[_Turn]) -> None:
        """Say whom the events concern: the contact of the caller's number, or the one of everybody who hides theirs."""
        phones: dict[str, list[_Turn]] = {}
        for turn in turns:
            event, stored = turn.event, turn.stored
            if event is None or stored.contact is not None:
                continue
            phone = normalise_phone(stored.caller) if stored.caller else None
            if phone is None:
                event.subject = stored.contact = anonymous(self.account.name)
                event.contact = {"external_id": event.subject}
            else:
                event.contact = {"phone": phone}
                phones.setdefault(phone, []).append(turn)
        if not phones:
            return
        for contact in self.unit.customers.contacts_by_address(self.workspace_id, "phone", list(phones)):
            _is_call_of(contact, phones.pop(contact.attributes["phone"], ()))
        if phones:  # a number that gave way when two contacts became one
            former = self.unit.merging.found(self.workspace_id, [("phone", phone) for phone in phones])
            for (_, phone), contact in former.items():
                _is_call_of(contact, phones[phone])
        self.tell_last_stores([turn for turn in turns if turn.contact and turn.call.state is CallState.RINGING])

    def tell_last_stores(self, turns: Sequence[_Turn]) -> None:
        """Say which store callers were in contact with last: by the youngest record that names one, or their own."""
        contacts = {turn.contact.id for turn in turns if turn.contact is not None}
        stores = self.unit.calls.last_stores(self.workspace_id, list(contacts)) if contacts else {}
        for turn in turns:
            assert turn.contact is not None
            assert turn.event is not None
            found = stores.get(turn.contact.id)
            if found is not None:
                turn.event.data |= {"last_store": found[0], "last_store_at": format_micros(found[1])}
            elif store := turn.contact.attributes.get("store"):
                turn.event.data["last_store"] = store

    # --- calls that we place ------------------------------------------------------------------------------------------

    def follow_outbound(self, turn: _Turn) -> CallPlan:
        """What became of a call is its message's receipt; who picks up hears the message."""
        call, stored = turn.call, turn.stored
        reference = call.reference or stored.reference
        if call.state is CallState.ANSWERED:
            self.report(turn, CallOutcome.ANSWERED, reference)
            return self.words(turn, reference) if call.asks else CallPlan()
        if call.state is CallState.ENDED:
            talked = stored.state != CallState.RINGING
            outcome = CallOutcome.ANSWERED if talked else call.outcome or CallOutcome.FAILED
            turn.call = msgspec.structs.replace(call, outcome=outcome)
            self.report(turn, outcome, reference)
            self.tell_end(turn, reference)
        return CallPlan()

    def report(self, turn: _Turn, outcome: CallOutcome, reference: str | None) -> None:
        """Tell the delivery what became of its call."""
        call = turn.call
        status = ReceiptStatus.DELIVERED if outcome is CallOutcome.ANSWERED else ReceiptStatus.FAILED
        receipt = Receipt(
            receipt_id=f"{call.call_id}:{outcome}", status=status, provider_id=call.call_id, idempotency_key=reference,
            code=outcome, detail=call.detail,
        )  # fmt: skip
        self.service.receipts.receive(self.unit, [Arrival(self.account, Inbound(receipts=(receipt,)))])

    def words(self, turn: _Turn, reference: str | None) -> CallPlan:
        """What the message says."""
        found = self.unit.deliveries.by_keys(*self.key, [reference]) if reference else []
        if not found:  # nobody keeps what is sent to try an account out
            return turn.spare["test"]
        text = _content(found[0].content).text
        return spoken_plan(text) if text else turn.spare["trouble"]

    def tell_end(self, turn: _Turn, reference: str | None) -> None:
        """Let ``call.ended`` happen to whom we called.

        Where it is not known yet whose call it is, because it was over before the provider answered which one it is,
        the end is told with the delivery's parked receipt.
        """
        deliveries = self.unit.deliveries
        found = deliveries.by_keys(*self.key, [reference]) if reference else []
        found = found or deliveries.by_provider_ids(*self.key, [turn.call.call_id])
        self.learn(turn)
        ends = [(turn.stored, delivery, turn.call.detail) for delivery in found[:1]]
        tell_ends(self.unit, self.service.ingest, self.workspace_id, ends, self.now)


def _is_call_of(contact: "Contact", turns: Sequence[_Turn]) -> None:
    """Say of requests that their caller is this contact."""
    for turn in turns:
        assert turn.event is not None
        turn.event.subject, turn.event.contact = contact.external_id, None
        turn.stored.contact, turn.contact = contact.external_id, contact


def _plan(turn: _Turn) -> CallPlan:
    assert turn.plan is not None
    return turn.plan


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
