"""Starts a workflow when somebody opens an email: ``email.opened`` with what was opened in ``data``.

Example, asking a day later who opened the offer and did not buy::

    {"id": "opened", "type": "email_opened", "config": {"template": ["offer-mail"]}}

for the event::

    {"type": "email.opened", "subject": "KH-001", "data": {
        "template": "offer-mail", "workflow": "summer-offer", "channel": "email-main"}}

Every opening is an event, and some mail programs open by themselves; ``settings.reentry`` says how often one contact
may enter.
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, all_of, any_of, hookimpl, test

Names = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=50)]


class EmailOpenedConfig(Config):
    """Which openings start the workflow."""

    template: Annotated[Names, Meta(description="The email's templates; any where the list is empty.")] = ()
    workflow: Annotated[Names, Meta(description="The workflows that sent the email; any where the list is empty.")] = ()
    channel: Annotated[
        Names, Meta(description="The channel accounts that the email went through; any where the list is empty.")
    ] = ()


class EmailOpened(Trigger):
    """Starts when somebody opens one of the chosen emails."""

    kind = "email_opened"
    config_type = EmailOpenedConfig

    def lower(self, config: EmailOpenedConfig) -> Lowered:
        """One type of event, told apart by what it says of the email; a channel's own event has it as its source."""
        channel = test("event.data.channel", "in", list(config.channel))
        reported = test("event.source", "in", [f"channel:{name}" for name in config.channel])
        return Lowered(
            event_types=("email.opened",),
            condition=all_of(
                test("event.data.template", "in", list(config.template)) if config.template else None,
                test("event.data.workflow", "in", list(config.workflow)) if config.workflow else None,
                any_of(channel, reported) if config.channel else None,
            ),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [EmailOpened]
