"""Starts a workflow when somebody writes back: ``message.replied`` with the words in ``data.text``.

Example, raising a ticket when a customer wants the money back::

    {"id": "refund", "type": "message_replied", "config": {
        "channel": ["zns-main"], "contains": ["hoàn tiền", "trả hàng"]}}

for the event, which the channel ``zns-main`` makes of what Zalo reports::

    {"type": "message.replied", "source": "channel:zns-main", "data": {"text": "Cho mình hoàn tiền nhé"}}
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, all_of, any_of, hookimpl, invalid, test

Names = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=50)]


class MessageRepliedConfig(Config):
    """Which replies start the workflow."""

    channel: Annotated[
        Names, Meta(description="The channel accounts that the reply came through; any where the list is empty.")
    ] = ()
    contains: Annotated[
        Names,
        Meta(
            description="Phrases of whole words, one of which must be in the reply; upper and lower case are alike. "
            "Any reply where the list is empty."
        ),
    ] = ()


class MessageReplied(Trigger):
    """Starts when somebody writes back, with one of the chosen phrases in it."""

    kind = "message_replied"
    config_type = MessageRepliedConfig

    def lower(self, config: MessageRepliedConfig) -> Lowered:
        """One type of event, told apart by its words; a channel's own event has the channel as its source."""
        for position, phrase in enumerate(config.contains):
            if not any(letter.isalnum() for letter in phrase):
                raise invalid(f"contains[{position}]", "bad_value", "a phrase has at least one word")
        channel = test("event.data.channel", "in", list(config.channel))
        reported = test("event.source", "in", [f"channel:{name}" for name in config.channel])
        phrases = [test("event.data.text", "contains_phrase", phrase) for phrase in config.contains]
        return Lowered(
            event_types=("message.replied",),
            condition=all_of(
                any_of(channel, reported) if config.channel else None,
                any_of(*phrases) if phrases else None,
            ),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [MessageReplied]
