"""The events of telephone calls: what each says, and how the end of a call that we placed is told."""

from collections.abc import Sequence
from typing import Any

from nhip.domain.calls import Call
from nhip.domain.deliveries import Delivery
from nhip.domain.events import Cause, IncomingEvent
from nhip.ports import Unit
from nhip.services.events.ingest import Ingest


def call_event(call: Call, event_type: str, source_id: str, **said: Any) -> IncomingEvent:
    """An event of a call, with what is known of it; what is ``None`` in ``said`` is left out."""
    data: dict[str, Any] = {
        "channel": call.channel, "call_id": call.call_id, "direction": call.direction,
        "from": call.caller, "to": call.called, "hidden": call.caller is None,
    }  # fmt: skip
    return IncomingEvent(
        source=f"voice:{call.channel}", source_id=source_id, type=event_type, subject=call.contact, time=None,
        data=data | {name: value for name, value in said.items() if value is not None},
    )  # fmt: skip


def tell_ends(
    unit: Unit, ingest: Ingest, workspace_id: int, ends: Sequence[tuple[Call, Delivery, str | None]], now: int
) -> None:
    """Let ``call.ended`` happen to those whom we called: tuples of the call, its delivery, and the provider's words.

    The run that called is its cause, so that a workflow that calls because a call ended is cut like any chain.
    """
    contact_ids = list({delivery.contact_id for _, delivery, _ in ends if delivery.contact_id})
    run_ids = list({delivery.run_id for _, delivery, _ in ends if delivery.run_id})
    contacts = {one.id: one.external_id for one in unit.customers.contacts(workspace_id, contact_ids)}
    runs = unit.runs.contexts(workspace_id, run_ids)
    events = []
    for call, delivery, detail in ends:
        if delivery.contact_id is None:
            continue
        event = call_event(
            call, "call.ended", f"{call.call_id}.ended", outcome=call.outcome, duration=call.duration,
            recording=call.recording, detail=detail, delivery=delivery.id, workflow=delivery.workflow,
        )  # fmt: skip
        event.subject = contacts.get(delivery.contact_id)
        run = runs.get(delivery.run_id or "")
        event.cause = Cause(run_id=run.id, root_event_id=run.root_event_id, depth=run.depth + 1) if run else None
        events.append(event)
    if events:
        ingest.ingest(unit, workspace_id, events, now)
