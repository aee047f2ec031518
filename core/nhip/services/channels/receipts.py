"""What comes back: provider receipts, inbound messages, and a person's word on an unknown delivery."""

from collections.abc import Sequence

import msgspec

from nhip.crashpoints import crashpoint
from nhip.domain.configured import ChannelAccount
from nhip.domain.deliveries import RANK, Delivery, ReceiptRow
from nhip.domain.errors import Conflict, NotFound
from nhip.domain.events import Cause, IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.messages import DeliveryState, Inbound, InboundEvent, Receipt, ReceiptStatus
from nhip.domain.runs import ClaimedStep, StepState
from nhip.engine.incoming.intake import Intake
from nhip.ports import Clock, Unit
from nhip.services.channels.call_events import tell_ends
from nhip.services.channels.reactions import incoming
from nhip.services.events.ingest import Ingest
from nhip.services.runs.progress import Progress, StepChange, plain

_STATE = {
    ReceiptStatus.ACCEPTED: DeliveryState.ACCEPTED,
    ReceiptStatus.DELIVERED: DeliveryState.DELIVERED,
    ReceiptStatus.READ: DeliveryState.READ,
    ReceiptStatus.FAILED: DeliveryState.FAILED,
}
_EVENT = {DeliveryState.DELIVERED: "message.delivered", DeliveryState.FAILED: "message.failed"}


class Arrival(msgspec.Struct):
    """What one request to a channel account's hook brought."""

    account: ChannelAccount
    inbound: Inbound


class Receipts:
    """The service. Its methods run inside units."""

    def __init__(self, ingest: Ingest, intake: Intake, progress: Progress, clock: Clock) -> None:
        self._ingest = ingest
        self._intake = intake
        self._progress = progress
        self._clock = clock

    def receive(self, unit: Unit, arrivals: Sequence[Arrival]) -> list[int]:
        """Store what hooks brought; answers per arrival how many of its reports were new."""
        now = self._clock.micros()
        taken = [0] * len(arrivals)
        by_account: dict[tuple[int, str], list[int]] = {}
        for place, arrival in enumerate(arrivals):
            by_account.setdefault((arrival.account.workspace_id, arrival.account.name), []).append(place)
        for places in by_account.values():
            receipts = [(place, _plain(receipt)) for place in places for receipt in arrivals[place].inbound.receipts]
            for place in self._take_receipts(unit, arrivals[places[0]].account, receipts, now):
                taken[place] += 1
        for arrival in arrivals:
            self._take_events(unit, arrival.account, arrival.inbound.events, now)
        crashpoint("receipt.before_commit")
        return taken

    def settle(self, unit: Unit, workspace_id: int, delivery_id: str, *, sent: bool, actor: str) -> Delivery:
        """A person says what became of an ``unknown`` delivery.

        ``sent``: it is accepted, and the run goes on. Not sent: its step is tried again as a new generation, even when
        the run has long gone on without it.

        Raises:
            NotFound: no such delivery.
            Conflict: it is not unknown.
        """
        now = self._clock.micros()
        delivery = self._one(unit, workspace_id, delivery_id)
        if delivery.state != DeliveryState.UNKNOWN:
            raise Conflict(f"the delivery is {delivery.state}, not unknown", state=delivery.state)
        delivery.updated_at = now
        delivery.detail = f"resolved by {actor}"
        if sent:
            delivery.state, delivery.reason = DeliveryState.ACCEPTED, "resolved_sent"
            delivery.accepted_at = delivery.accepted_at or now
            self._finish_unknown(unit, [delivery], now)
        else:
            delivery.state, delivery.reason = DeliveryState.FAILED, "resolved_not_sent"
            self._reopen(unit, delivery, "resolved_not_sent", now)
        unit.deliveries.update([delivery])
        return delivery

    def replay(self, unit: Unit, workspace_id: int, delivery_id: str, *, actor: str) -> Delivery:
        """Send a finished delivery's message once more, as a new generation.

        Raises:
            NotFound: no such delivery.
            Conflict: it is still under way, or unknown (that has to be resolved first).
        """
        now = self._clock.micros()
        delivery = self._one(unit, workspace_id, delivery_id)
        if DeliveryState(delivery.state) in RANK and RANK[DeliveryState(delivery.state)] < RANK[DeliveryState.ACCEPTED]:
            raise Conflict(f"the delivery is {delivery.state}", state=delivery.state)
        self._reopen(unit, delivery, f"replayed by {actor}", now)
        crashpoint("replay.before_commit")
        return delivery

    def _one(self, unit: Unit, workspace_id: int, delivery_id: str) -> Delivery:
        found = unit.deliveries.by_ids(workspace_id, [delivery_id])
        if not found:
            raise NotFound("delivery", delivery_id)
        return found[0]

    def _reopen(self, unit: Unit, delivery: Delivery, reason: str, now: int) -> None:
        step = self._step(unit, delivery.step_id)
        if step is None:
            raise NotFound("step", delivery.step_id)
        state = unit.runs.lock_steps([step.id])[step.id].state
        if state not in (StepState.UNKNOWN, StepState.DONE, StepState.DEAD):
            raise Conflict(f"the step is {state}", state=state)
        unit.runs.reopen(step.workspace_id, step.id, step.generation + 1, reason, now)

    def _step(self, unit: Unit, step_id: str) -> ClaimedStep | None:
        found = unit.runs.steps([step_id])
        return found[0] if found else None

    # --- receipts ---------------------------------------------------------------------------------------------------

    def _take_receipts(
        self, unit: Unit, account: ChannelAccount, receipts: Sequence[tuple[int, Receipt]], now: int
    ) -> list[int]:
        """Store one account's receipts, each with the place of its arrival; answers with the places of the new ones."""
        if not receipts:
            return []
        workspace_id, channel = account.workspace_id, account.name
        known = unit.deliveries.known_receipts(workspace_id, channel, [receipt.receipt_id for _, receipt in receipts])
        first: dict[str, tuple[int, Receipt]] = {}
        for place, receipt in receipts:
            if receipt.receipt_id not in known:
                first.setdefault(receipt.receipt_id, (place, receipt))
        if not first:
            return []
        fresh = [receipt for _, receipt in first.values()]
        keys = [receipt.idempotency_key for receipt in fresh if receipt.idempotency_key]
        providers = [receipt.provider_id for receipt in fresh if receipt.provider_id]
        by_key = {d.idempotency_key: d for d in unit.deliveries.by_keys(workspace_id, channel, keys)} if keys else {}
        by_provider: dict[str | None, Delivery] = {}
        if any(not receipt.idempotency_key or receipt.idempotency_key not in by_key for receipt in fresh) and providers:
            by_provider = {d.provider_id: d for d in unit.deliveries.by_provider_ids(workspace_id, channel, providers)}
        rows: list[ReceiptRow] = []
        changed: dict[str, Delivery] = {}
        news: list[tuple[Delivery, str]] = []
        for receipt in fresh:
            delivery = by_key.get(receipt.idempotency_key or "") or by_provider.get(receipt.provider_id)
            rows.append(
                ReceiptRow(
                    id=new_id(), workspace_id=workspace_id, channel=channel, receipt_id=receipt.receipt_id,
                    delivery_id=delivery.id if delivery else None, provider_id=receipt.provider_id,
                    idempotency_key=receipt.idempotency_key, status=receipt.status, code=receipt.code,
                    detail=receipt.detail, received_at=now,
                )
            )  # fmt: skip
            if delivery is not None:
                changed[delivery.id] = delivery
                news += self._climb(delivery, receipt, now)
        unit.deliveries.insert_receipts(rows)
        self._tell(unit, workspace_id, news, now)
        self._finish_unknown(unit, list(changed.values()), now)
        unit.deliveries.update(list(changed.values()))
        return [place for place, _ in first.values()]

    def _climb(self, delivery: Delivery, receipt: Receipt, now: int) -> list[tuple[Delivery, str]]:
        """Let a delivery climb to what a receipt says; a lower or repeated word changes nothing.

        Answers with the type of the event that has to be told of it, where there is one.
        """
        state = _STATE[receipt.status]
        before = DeliveryState(delivery.state)
        if state is DeliveryState.FAILED:
            if before in (DeliveryState.READ, DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.REJECTED):
                return []
            delivery.reason = receipt.code or "receipt"
            delivery.detail = receipt.detail
        elif RANK[state] <= RANK.get(before, RANK[DeliveryState.ACCEPTED]):
            return []  # what failed by an earlier word may have arrived all the same; but not merely been accepted
        else:
            delivery.reason = None
        delivery.state = state
        delivery.updated_at = now
        delivery.provider_id = delivery.provider_id or receipt.provider_id
        if state is not DeliveryState.FAILED:
            delivery.accepted_at = delivery.accepted_at or now
        if state in (DeliveryState.DELIVERED, DeliveryState.READ):
            delivery.delivered_at = delivery.delivered_at or now
        if state is DeliveryState.READ:
            delivery.read_at = now
        return [(delivery, _EVENT[state])] if state in _EVENT else []

    def _tell(self, unit: Unit, workspace_id: int, news: Sequence[tuple[Delivery, str]], now: int) -> None:
        """Tell what became of deliveries, as events.

        Each has the run that sent it for a cause: a workflow that answers its own messages' receipts is cut like any
        chain of causes.
        """
        if not news:
            return
        contact_ids = list({delivery.contact_id for delivery, _ in news if delivery.contact_id})
        contacts = {one.id: one.external_id for one in unit.customers.contacts(workspace_id, contact_ids)}
        runs = unit.runs.contexts(workspace_id, list({delivery.run_id for delivery, _ in news if delivery.run_id}))
        events = []
        for delivery, event_type in news:
            run = runs.get(delivery.run_id or "")
            events.append(
                IncomingEvent(
                    source="nhip",
                    source_id=f"{delivery.id}.{event_type}",
                    type=event_type,
                    subject=contacts.get(delivery.contact_id or ""),
                    time=now,
                    data={
                        "delivery": delivery.id, "channel": delivery.channel, "workflow": delivery.workflow,
                        "template": delivery.template, "reason": delivery.reason,
                    },
                    cause=Cause(run_id=run.id, root_event_id=run.root_event_id, depth=run.depth + 1) if run else None,
                )
            )  # fmt: skip
        self._ingest.ingest(unit, workspace_id, events, now)

    def _finish_unknown(self, unit: Unit, deliveries: Sequence[Delivery], now: int) -> None:
        """Steps that waited as ``unknown`` for this word end now, and their runs go on."""
        held = unit.runs.lock_steps([delivery.step_id for delivery in deliveries])
        unknown = {d.step_id: d for d in deliveries if d.step_id in held and held[d.step_id].state == StepState.UNKNOWN}
        changes = []
        for step in unit.runs.steps(list(unknown)) if unknown else ():
            delivery = unknown[step.id]
            output = {"delivery": delivery.id, "channel": delivery.channel, "state": delivery.state}
            changes.append(StepChange(step=step, state=StepState.DONE, outcome=delivery.state, output=output))
        if changes:
            self._progress.record(unit, changes, now, expected=frozenset({StepState.UNKNOWN}))

    def adopt_parked(self, unit: Unit, deliveries: Sequence[Delivery]) -> None:
        """Let these deliveries climb by receipts that came before their provider's id was known."""
        now = self._clock.micros()
        by_account: dict[tuple[int, str], dict[str, Delivery]] = {}
        for delivery in deliveries:
            if delivery.provider_id:
                mine = by_account.setdefault((delivery.workspace_id, delivery.channel), {})
                mine[delivery.provider_id] = delivery
        for key, mine in by_account.items():
            news: list[tuple[Delivery, str]] = []
            parked = unit.deliveries.parked_receipts(*key, list(mine))
            for row in sorted(parked, key=lambda one: RANK.get(_STATE[ReceiptStatus(one.status)], 9)):
                receipt = Receipt(
                    receipt_id=row.receipt_id, status=ReceiptStatus(row.status), provider_id=row.provider_id,
                    code=row.code, detail=row.detail,
                )  # fmt: skip
                news += self._climb(mine[row.provider_id or ""], receipt, now)
            self._tell(unit, key[0], news, now)
            unit.deliveries.assign_receipts([(mine[row.provider_id or ""].id, row.id) for row in parked])
            details = {row.provider_id or "": row.detail for row in parked}
            ended = unit.calls.ended(*key, list(details)) if details else []
            ends = [(call, mine[call.call_id], details[call.call_id]) for call in ended]
            tell_ends(unit, self._ingest, key[0], ends, now)

    # --- inbound events ---------------------------------------------------------------------------------------------

    def _take_events(self, unit: Unit, account: ChannelAccount, events: Sequence[InboundEvent], now: int) -> None:
        found = list(incoming(unit, self._intake, account, events)) if events else []
        if found:
            self._ingest.ingest(unit, account.workspace_id, found, now)


def _plain(receipt: Receipt) -> Receipt:
    """What a provider says, as every database stores it."""
    return Receipt(
        receipt_id=plain(receipt.receipt_id) or "",
        status=receipt.status,
        provider_id=plain(receipt.provider_id),
        idempotency_key=plain(receipt.idempotency_key),
        code=plain(receipt.code),
        detail=plain(receipt.detail),
    )
