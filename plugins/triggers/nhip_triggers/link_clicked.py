"""Starts a workflow when somebody clicks a link in a message: ``link.clicked`` with the link in ``data``.

Example, calling who wanted to know more about an offer::

    {"id": "curious", "type": "link_clicked", "config": {"link": ["offer"], "workflow": ["summer-offer"]}}

for the event::

    {"type": "link.clicked", "subject": "KH-001", "data": {
        "link": "offer", "url": "https://shop.example/offer", "workflow": "summer-offer", "template": "offer-mail",
        "channel": "email-main"}}

Every click is an event; ``settings.reentry`` says how often one contact may enter.
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, all_of, any_of, hookimpl, test

Names = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=50)]
Urls = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=2000)], ...], Meta(max_length=50)]


class LinkClickedConfig(Config):
    """Which clicks start the workflow."""

    link: Annotated[Names, Meta(description="The names of the links; any where the list is empty.")] = ()
    url: Annotated[
        Urls, Meta(description="The addresses that the links lead to, each one whole; any where the list is empty.")
    ] = ()
    workflow: Annotated[
        Names, Meta(description="The workflows that sent the message; any where the list is empty.")
    ] = ()
    template: Annotated[Names, Meta(description="The message's templates; any where the list is empty.")] = ()
    channel: Annotated[
        Names, Meta(description="The channel accounts that the message went through; any where the list is empty.")
    ] = ()


class LinkClicked(Trigger):
    """Starts when somebody clicks one of the chosen links in a message."""

    kind = "link_clicked"
    config_type = LinkClickedConfig

    def lower(self, config: LinkClickedConfig) -> Lowered:
        """One type of event, told apart by what it says of the link; a channel's own event has it as its source."""
        channel = test("event.data.channel", "in", list(config.channel))
        reported = test("event.source", "in", [f"channel:{name}" for name in config.channel])
        return Lowered(
            event_types=("link.clicked",),
            condition=all_of(
                test("event.data.link", "in", list(config.link)) if config.link else None,
                test("event.data.url", "in", list(config.url)) if config.url else None,
                test("event.data.workflow", "in", list(config.workflow)) if config.workflow else None,
                test("event.data.template", "in", list(config.template)) if config.template else None,
                any_of(channel, reported) if config.channel else None,
            ),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [LinkClicked]
