"""Sends a message: a template, through a channel account, to the customer or a colleague.

Example, thanking on Zalo, and by SMS where Zalo does not reach the customer::

    {"id": "thank", "action": "send_message",
     "config": {"channel": "zns-main", "template": "order-delivered", "to": "contact"},
     "fallback": [{"channel": "sms-main", "template": "order-delivered-sms"}]}

and telling the employee who looks after the customer::

    {"id": "tell", "action": "send_message",
     "config": {"channel": "email-main", "template": "unhappy-customer", "to": "owner"}}
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from nhip import Action, ActionFailed, Config, Facts, MessageAction, MessageClass, MessageRequest, Problem, hookimpl

Name = Annotated[str, Meta(min_length=1, max_length=100)]

ROLES = ("contact", "owner", "assignee")
ADDRESS = re.compile(r"\+?[0-9][0-9 .()-]{5,}|[^\s@]+@[^\s@]+|https?://\S+")


class SendMessageConfig(Config):
    """Which message goes to whom."""

    channel: Annotated[Name, Meta(description="The channel account's name.")]
    template: Annotated[Name, Meta(description="The template's name.")]
    to: Annotated[
        str,
        Meta(
            description="Who gets it: contact, owner (of the contact), assignee (of the ticket or task that the event "
            "is about), staff:<external id>, or an address.",
            min_length=1,
            max_length=320,
        ),
    ] = "contact"
    data: Annotated[
        dict[str, Any], Meta(description="More values for the template, which finds them under data, just as they are.")
    ] = field(default_factory=dict)
    message_class: Annotated[
        MessageClass | None, Meta(description="What the message is for, where it differs from the template's class.")
    ] = None


class SendMessage(MessageAction):
    """Sends a message to the customer or a colleague."""

    kind = "send_message"
    config_type = SendMessageConfig

    def check(self, config: SendMessageConfig) -> Sequence[Problem]:
        """A recipient must be a role, an employee or an address."""
        staff = config.to.removeprefix("staff:")
        if config.to in ROLES or (staff and staff != config.to) or ADDRESS.fullmatch(config.to):
            return ()
        said = f"{config.to!r} is no recipient here: contact, owner, assignee, staff:<id> or an address"
        return [Problem(path="to", code="unknown_recipient", message=said)]

    def references(self, config: SendMessageConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The channel account and the template."""
        return {"channel": [("channel", config.channel)], "template": [("template", config.template)]}

    def message(self, config: SendMessageConfig, facts: Facts) -> MessageRequest:
        """The message as it is configured; an assignee is an employee by then."""
        return MessageRequest(
            channel=config.channel,
            template=config.template,
            to=_assignee(facts) if config.to == "assignee" else config.to,
            data=config.data,
            message_class=config.message_class,
        )


def _assignee(facts: Facts) -> str:
    for record in facts.values():
        if isinstance(record, Mapping) and (assignee := record.get("assignee")):
            return f"staff:{assignee}"
    raise ActionFailed("no record that the event is about has an assignee")


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [SendMessage]
