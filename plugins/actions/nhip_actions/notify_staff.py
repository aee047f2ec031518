"""Tells a colleague about something: by a template, or in words of its own.

Example, when a customer is not content::

    {"id": "alarm", "action": "notify_staff", "config": {
        "to": "department:care", "channel": "email-main", "subject": "{{ contact.name }}: {{ ticket.rating }} ★",
        "text": "{{ ticket.title }}: {{ ticket.feedback }}"}}

A department is one of it, as in ``send_message``: the next in turn of those who are at work. Whoever has no address for
the channel gets nothing, and the step's outcome is ``suppressed``; a ``fallback`` may name another channel.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from nhip import Action, Config, Content, Facts, MessageAction, MessageClass, MessageRequest, Problem, hookimpl
from nhip_actions.recipients import COLLEAGUES, recipient, recipient_problems, recipient_references

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class NotifyStaffConfig(Config):
    """Who is told what, and how."""

    channel: Annotated[Name, Meta(description="The channel account's name.")]
    to: Annotated[
        str,
        Meta(
            description="Who is told: owner (of the contact), assignee or department (of the ticket, task or deal that "
            "the event is about), department:<name> or staff:<external id>; may have {{ … }}.",
            min_length=1,
            max_length=320,
        ),
    ] = "assignee"
    template: Annotated[Name | None, Meta(description="The template's name.")] = None
    subject: Annotated[
        Annotated[str, Meta(min_length=1, max_length=500)] | None,
        Meta(description="In the place of a template: the subject, where the channel has one; may have {{ … }}."),
    ] = None
    text: Annotated[
        Annotated[str, Meta(min_length=1, max_length=10_000)] | None,
        Meta(description="In the place of a template: what is said; may have {{ … }}."),
    ] = None
    data: Annotated[
        dict[str, Any], Meta(description="More values, which the words find under data; texts may have {{ … }}.")
    ] = field(default_factory=dict)


class NotifyStaff(MessageAction):
    """Tells a colleague about something."""

    kind = "notify_staff"
    config_type = NotifyStaffConfig

    def check(self, config: NotifyStaffConfig) -> Sequence[Problem]:
        """A colleague must be named, and either a template or a text."""
        problems = [*recipient_problems(config.to, COLLEAGUES, addresses=False)]
        if (config.template is None) == (config.text is None):
            said = "either a template or a text says what the colleague is told"
            problems.append(Problem(path="text", code="ambiguous" if config.text else "missing", message=said))
        if config.template is not None and config.subject is not None:
            said = "a template has a subject of its own"
            problems.append(Problem(path="subject", code="ambiguous", message=said))
        return problems

    def references(self, config: NotifyStaffConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The channel account, the template and the colleague."""
        templates = [("template", config.template)] if config.template is not None else []
        return {"channel": [("channel", config.channel)], "template": templates, **recipient_references(config.to)}

    def message(self, config: NotifyStaffConfig, facts: Facts) -> MessageRequest:
        """What is told to whom; it is no advertisement, whatever the template is else for."""
        return MessageRequest(
            channel=config.channel,
            template=config.template or "",
            to=recipient(config.to, facts),
            data=config.data,
            message_class=MessageClass.TRANSACTIONAL,
            content=None if config.template else Content(subject=config.subject, text=config.text),
        )


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [NotifyStaff]
