"""Raises a ticket for the contact, and gives it to somebody.

Example, when an order arrives late::

    {"id": "late", "action": "create_ticket", "config": {
        "title": "Late: order {{ order.external_id }}", "type": "complaint", "sub_type": "late_delivery",
        "source": "automation", "priority": "high", "due_at": "PT4H",
        "assign": {"to": "department:care", "how": "least_busy", "working_hours": true, "fallback": "owner"}}}

Its status, type, sub-type and source are words of the workspace's taxonomy (``GET /v1/taxonomies/ticket``). A sub-type
alone says its type.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from nhip import Action, LocalContext, hookimpl
from nhip_actions.work import CreateWork, Line, WorkConfig, given


class CreateTicketConfig(WorkConfig):
    """The new ticket; every text may have {{ … }}."""

    status: Annotated[Line, Meta(description="The status that it begins in.")] = "new"
    type: Annotated[Line | None, Meta(description="Its type: complaint, request, question.")] = None
    sub_type: Annotated[Line | None, Meta(description="The type more closely: late_delivery, wrong_item.")] = None
    source: Annotated[Line | None, Meta(description="Where it was raised.")] = "automation"
    order: Annotated[
        Line | None, Meta(description="External id of the order it is about. Without it: the order of the event.")
    ] = None
    store: Annotated[Line | None, Meta(description="The store or branch concerned.")] = None


class CreateTicket(CreateWork):
    """Raises a ticket for the contact, and gives it to somebody."""

    kind = "create_ticket"
    config_type = CreateTicketConfig
    record_type = "ticket"

    def implied(self, context: LocalContext, config: CreateTicketConfig) -> dict[str, Any]:
        """It is about the order of the event."""
        return given(order=(context.facts.get("order") or {}).get("external_id"))

    def run(self, context: LocalContext, config: CreateTicketConfig) -> Mapping[str, Any]:
        """Make it; the output is the ticket, with ``assignment`` where it was to be given to somebody."""
        return self.make(context, config)


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [CreateTicket]
