"""Raises a ticket for the contact, and gives it to somebody.

Example, when an order arrives late::

    {"id": "late", "action": "create_ticket", "config": {
        "title": "Late: order {{ order.external_id }}", "type": "complaint", "sub_type": "late_delivery",
        "source": "automation", "priority": "high", "due_at": "PT4H", "assign": "owner"}}
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from nhip import Action, Config, LocalAction, LocalContext, Problem, hookimpl
from nhip_actions.assignment import assignee_of, due_at, due_problems, given

Line = Annotated[str, Meta(min_length=1, max_length=500)]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]


class CreateTicketConfig(Config):
    """The new ticket; every text may have {{ … }}."""

    title: Annotated[Line, Meta(description="What it is about, in one line.")]
    description: Annotated[Text | None, Meta(description="The details.")] = None
    status: Annotated[Line, Meta(description="The status that it begins in.")] = "new"
    type: Annotated[Line | None, Meta(description="Its type: complaint, return, payment, delivery.")] = None
    sub_type: Annotated[Line | None, Meta(description="The type more closely: late_delivery, wrong_item.")] = None
    source: Annotated[Line | None, Meta(description="Where it was raised.")] = "automation"
    priority: Annotated[Line | None, Meta(description="How urgent it is: low, normal, high, urgent.")] = None
    department: Annotated[Line | None, Meta(description="The department that must solve it.")] = None
    order: Annotated[
        Line | None, Meta(description="External id of the order it is about. Without it: the order of the event.")
    ] = None
    store: Annotated[Line | None, Meta(description="The store or branch concerned.")] = None
    due_at: Annotated[
        Line | None, Meta(description="When it must be solved: an RFC 3339 time, or how long from now, as in PT4H.")
    ] = None
    note: Annotated[Text | None, Meta(description="A remark for colleagues.")] = None
    custom: Annotated[dict[str, Any], Meta(description="Custom fields.", max_length=50)] = field(default_factory=dict)
    assign: Annotated[
        Line | None, Meta(description="Who gets it: owner (of the contact), or an employee's external id.")
    ] = None


class CreateTicket(LocalAction):
    """Raises a ticket for the contact, and gives it to somebody."""

    kind = "create_ticket"
    config_type = CreateTicketConfig

    def check(self, config: CreateTicketConfig) -> Sequence[Problem]:
        """The time must be one, unless it is filled in later."""
        return due_problems(config.due_at)

    def run(self, context: LocalContext, config: CreateTicketConfig) -> Mapping[str, Any]:
        """Make it; the output is the ticket. It has no assignee where the contact has no owner."""
        texts = given(
            title=config.title,
            description=config.description,
            status=config.status,
            type=config.type,
            sub_type=config.sub_type,
            source=config.source,
            priority=config.priority,
            department=config.department,
            order=config.order,
            store=config.store,
            note=config.note,
            custom=config.custom,
        )
        fields = {
            **given(order=(context.facts.get("order") or {}).get("external_id")),
            **context.render(texts),
            **given(assignee=assignee_of(context, config.assign), due_at=due_at(context, config.due_at)),
        }
        return dict(context.save_record("ticket", None, fields, create=True))


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [CreateTicket]
