"""What people do with messages, as channels report it: replies, clicks, ratings. Each becomes an event."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from nhip.domain.configured import ChannelAccount
from nhip.domain.deliveries import Delivery
from nhip.domain.errors import InvalidInput
from nhip.domain.events import IncomingEvent, RecordSnapshot
from nhip.domain.messages import InboundEvent
from nhip.engine.definitions.reading import ENGINE_ROOTS
from nhip.engine.incoming.intake import Intake
from nhip.ports import Unit
from nhip.services.runs.progress import plain

MESSAGE_RATED: Final = "message.rated"
TICKET_RATED: Final = "ticket.rated"
_LONGEST_WORDS: Final = 20_000


def incoming(
    unit: Unit, intake: Intake, account: ChannelAccount, events: Sequence[InboundEvent]
) -> Iterator[IncomingEvent]:
    """The events that one account's reports become.

    Where a report names one of our messages and no person, it is of whom that message went to, and about what the run
    that sent it is about. Stars for a message that asks about a ticket are the ticket's, too: ``ticket.rated`` follows.
    """
    workspace_id = account.workspace_id
    messages = _Messages(unit, account, events)
    found = [messages.of(event) for event in events]
    contact_ids = list({one.contact_id for one in found if one is not None and one.contact_id})
    names = {one.id: one.external_id for one in unit.customers.contacts(workspace_id, contact_ids)} if found else {}
    run_ids = list({one.run_id for one in found if one is not None and one.run_id})
    runs = unit.runs.contexts(workspace_id, run_ids) if run_ids else {}
    for event, delivery in zip(events, found, strict=True):
        try:
            contact = intake.contact(event.contact) if event.contact else None
        except InvalidInput:
            contact = None
        about: list[RecordSnapshot] = []
        data = event.data
        if delivery is not None:
            told = {"delivery": delivery.id, "channel": delivery.channel, "workflow": delivery.workflow}
            data = {**told, "template": delivery.template, **data}
            run = runs.get(delivery.run_id or "")
            about = [
                RecordSnapshot(type=kind, external_id=facts["external_id"], fields={}, mentioned=True)
                for kind, facts in (run.root_facts if run is not None else {}).items()
                if kind not in ENGINE_ROOTS
            ]
        subject = names.get(delivery.contact_id or "") if delivery is not None and contact is None else None
        source = f"channel:{account.name}"
        yield IncomingEvent(
            source=source, source_id=plain(f"{event.type}.{event.id}", 300) or "", type=event.type, subject=subject,
            time=None, data=data, contact=contact, records=about,
        )  # fmt: skip
        ticket = next((one.external_id for one in about if one.type == "ticket"), None)
        said = _stars(event.data) if event.type == MESSAGE_RATED else None
        if ticket is not None and said is not None:
            rated = {"ticket": ticket, **said}
            yield IncomingEvent(
                source=source, source_id=plain(f"{TICKET_RATED}.{event.id}", 300) or "", type=TICKET_RATED,
                subject=subject, time=None, data=rated, contact=contact, records=intake.records(TICKET_RATED, rated),
            )  # fmt: skip


def _stars(data: dict[str, Any]) -> dict[str, Any] | None:
    """The stars and the words of a rating that a channel reports; none where it has no stars."""
    rate = data.get("rate")
    if isinstance(rate, bool) or rate not in (1, 2, 3, 4, 5):
        return None
    chosen = data.get("feedbacks")
    words = data.get("note") or (", ".join(map(str, chosen)) if isinstance(chosen, list) else "")
    feedback = plain(str(words), _LONGEST_WORDS)
    return {"rating": int(rate), **({"feedback": feedback} if feedback else {})}


class _Messages:
    """Our messages that reports name."""

    def __init__(self, unit: Unit, account: ChannelAccount, events: Sequence[InboundEvent]) -> None:
        workspace_id, channel = account.workspace_id, account.name
        keys = [one.idempotency_key for one in events if one.idempotency_key]
        self._by_key = (
            {one.idempotency_key: one for one in unit.deliveries.by_keys(workspace_id, channel, keys)} if keys else {}
        )
        ids = [one.provider_id for one in events if one.provider_id and one.idempotency_key not in self._by_key]
        found = unit.deliveries.by_provider_ids(workspace_id, channel, ids) if ids else []
        self._by_provider: dict[str | None, Delivery] = {one.provider_id: one for one in found}

    def of(self, event: InboundEvent) -> Delivery | None:
        """The message that a report is about, where it is one of ours."""
        by_key = self._by_key.get(event.idempotency_key) if event.idempotency_key else None
        return by_key or (self._by_provider.get(event.provider_id) if event.provider_id else None)
