"""Starts a workflow when a ticket is raised, changes, is resolved, or is rated by the customer.

Example, asking how content the customer is after a complaint was resolved::

    {"id": "solved", "type": "ticket", "config": {"on": "resolved", "type": ["complaint"]}}
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from nhip import Config, Lowered, Trigger, all_of, any_of, hookimpl, test

Names = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=50)]

WORDS = ("type", "sub_type", "source")
SAID = tuple(f"event.data.{place}{name}" for place in ("", "ticket.") for name in ("rating", "feedback"))
"""Where a rating says something: one without any of it is none."""


class TicketConfig(Config):
    """Which happenings to a ticket start the workflow."""

    on: Annotated[
        Literal["created", "status_changed", "resolved", "rated", "updated"] | None,
        Meta(
            description="What happens to the ticket: it is raised, its status changes, it is resolved, the customer "
            "rates it, or something else of it changes. Without it: status_changed where `to` is given, else created."
        ),
    ] = None
    to: Annotated[
        Names,
        Meta(
            description="The statuses that it then has; any where the list is empty. For resolved, the statuses that "
            "mean resolved: where the list is empty, those by which a ticket is over in this workspace."
        ),
    ] = ()
    type: Annotated[Names, Meta(description="The ticket's types; any where the list is empty.")] = ()
    sub_type: Annotated[Names, Meta(description="The ticket's sub-types; any where the list is empty.")] = ()
    source: Annotated[Names, Meta(description="Where it was raised; anywhere where the list is empty.")] = ()


class Ticket(Trigger):
    """Starts when a ticket is raised, changes, is resolved, or is rated by the customer."""

    kind = "ticket"
    config_type = TicketConfig

    def references(self, config: TicketConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The words that the workspace may choose."""
        lists = {"status": ("to", config.to), **{name: (name, getattr(config, name)) for name in WORDS}}
        return {
            f"ticket.{word}": [(f"{field}[{number}]", name) for number, name in enumerate(names)]
            for word, (field, names) in lists.items()
        }

    def lower(self, config: TicketConfig) -> Lowered:
        """Resolved is no event of its own: it is entering one of the last statuses from one that is not."""
        on, to = config.on or ("status_changed" if config.to else "created"), config.to
        types = ["ticket.status_changed" if on == "resolved" else f"ticket.{on}"]
        if on == "resolved" or (to and on == "status_changed"):
            types.append("ticket.created")
        ends = any_of(test("ticket.closed_at", "changed"), test("event.type", "equals", "ticket.created"))
        return Lowered(
            event_types=tuple(types),
            condition=all_of(
                test("ticket.status", "in", list(to)) if to else None,
                test("previous.ticket.status", "not_in", list(to)) if to and on == "resolved" else None,
                all_of(test("ticket.closed_at", "is_not_empty"), ends) if not to and on == "resolved" else None,
                any_of(*(test(field, "is_not_empty") for field in SAID)) if on == "rated" else None,
                test("ticket.type", "in", list(config.type)) if config.type else None,
                test("ticket.sub_type", "in", list(config.sub_type)) if config.sub_type else None,
                test("ticket.source", "in", list(config.source)) if config.source else None,
            ),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [Ticket]
