"""Sends a message: a template, through a channel account, to the customer or a colleague.

Example, thanking on Zalo, and by SMS where Zalo does not reach the customer::

    {"id": "thank", "action": "send_message",
     "config": {"channel": "zns-main", "template": "order-delivered", "to": "contact"},
     "fallback": [{"channel": "sms-main", "template": "order-delivered-sms"}]}

and telling the employee who looks after the customer::

    {"id": "tell", "action": "send_message",
     "config": {"channel": "email-main", "template": "unhappy-customer", "to": "owner",
                "data": {"link": "https://crm.example/{{ contact.external_id | urlencode }}"}}}

``department:<name>`` is one of that department: the next in turn of those who are at work and whom the channel reaches,
or where nobody is at work, of those who are not away.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from nhip import Action, Config, Facts, MessageAction, MessageClass, MessageRequest, Problem, hookimpl
from nhip_actions.recipients import COLLEAGUES, recipient, recipient_problems, recipient_references

Name = Annotated[str, Meta(min_length=1, max_length=100)]

ROLES = ("contact", *COLLEAGUES)


class SendMessageConfig(Config):
    """Which message goes to whom."""

    channel: Annotated[Name, Meta(description="The channel account's name.")]
    template: Annotated[Name, Meta(description="The template's name.")]
    to: Annotated[
        str,
        Meta(
            description="Who gets it: contact, owner (of the contact), assignee or department (of the ticket, task or "
            "deal that the event is about), department:<name>, staff:<external id>, or an address; may have {{ … }}.",
            min_length=1,
            max_length=320,
        ),
    ] = "contact"
    data: Annotated[
        dict[str, Any],
        Meta(description="More values for the template, which finds them under data; texts may have {{ … }}."),
    ] = field(default_factory=dict)
    message_class: Annotated[
        MessageClass | None, Meta(description="What the message is for, where it differs from the template's class.")
    ] = None


class SendMessage(MessageAction):
    """Sends a message to the customer or a colleague."""

    kind = "send_message"
    config_type = SendMessageConfig

    def check(self, config: SendMessageConfig) -> Sequence[Problem]:
        """A recipient must be a role, an employee, a department or an address."""
        return recipient_problems(config.to, ROLES, addresses=True)

    def references(self, config: SendMessageConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The channel account, the template and the recipient."""
        named = {"channel": [("channel", config.channel)], "template": [("template", config.template)]}
        return {**named, **recipient_references(config.to)}

    def message(self, config: SendMessageConfig, facts: Facts) -> MessageRequest:
        """The message as it is configured; an assignee is an employee by then, and a department one that is named."""
        return MessageRequest(
            channel=config.channel,
            template=config.template,
            to=recipient(config.to, facts),
            data=config.data,
            message_class=config.message_class,
        )


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [SendMessage]
