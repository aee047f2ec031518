"""Plugins as they are shown."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nhip.catalog import PluginStatus


class PluginList(msgspec.Struct, frozen=True, kw_only=True):
    """Every plugin that was found at the start, with what became of it."""

    items: list[PluginStatus]
    next_cursor: None = None


class PluginKind(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger, condition, action, channel, record type or bundle."""

    sort: str
    kind: str
    description: str | None
    config_schema: Annotated[dict[str, Any], Meta(description="JSON Schema of its configuration")]
    secrets_schema: Annotated[dict[str, Any] | None, Meta(description="Of a channel: JSON Schema of its secrets")]
