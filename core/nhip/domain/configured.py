"""What admins configure and the engine reads while it works: published versions, channel accounts, templates."""

from typing import Any

from nhip.domain.messages import Content, MessageClass, Money
from nhip.domain.struct import Struct


class PublishedVersion(Struct):
    """An immutable version of a workflow."""

    workflow: str
    id: str
    number: int
    definition: dict[str, Any]


class ChannelAccount(Struct):
    """A configured instance of a channel, without its secrets."""

    workspace_id: int
    name: str
    id: str
    type: str
    config: dict[str, Any]
    rate_per_second: int | None
    next_free_at: int
    """Microseconds: when the next message may go, by the rate limit."""
    price: Money | None
    revision: int
    hook_token: str


class Template(Struct):
    """Message content for a kind of channel."""

    name: str
    channel_type: str
    message_class: MessageClass
    content: Content
    revision: int
