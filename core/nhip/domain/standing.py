"""Scans as they stand: what has been looked at, and what is due."""

from typing import Any

import msgspec

from nhip.domain.scans import Scan
from nhip.domain.struct import Struct


class StandingScan(msgspec.Struct, kw_only=True):
    """One scan of a workspace, which several workflows may ask."""

    workspace_id: int
    key: str
    scan: Scan
    watch: str | None
    """The key of the watch that a date scan needs."""
    due_at: int | None
    """When to look next; ``None`` while nothing can be looked at yet."""
    since_at: int
    """Everything up to here has been looked at."""
    until_at: int | None
    """How far the look goes that is under way."""
    cursor: str | None
    """Where that look has come to."""
    created_at: int


class AskedScan(Struct):
    """A scan as it was written down, be it by another version of Nhịp."""

    key: str
    said: dict[str, Any]
    since_at: int
    until_at: int | None
    cursor: str | None
    created_at: int


class Owner(Struct):
    """Whoever has a watched field: a contact, or a record of one."""

    id: str
    external_id: str
    contact_id: str | None
    attributes: dict[str, object]
    timezone: str | None
    """The contact's."""


class KeptDate(Struct):
    """The day or the minute that a watched field of an owner holds."""

    owner_id: str
    watch: str
    contact_id: str
    timezone: str
    slot: int
    """What of the day comes back, or the minute since 1970."""
    day: int
    """Its ordinal."""


class MetDate(Struct):
    """An owner whose day or minute is met, with the names by which clients know it and its contact."""

    owner_id: str
    owner: str
    contact_id: str
    contact: str
    slot: int
    day: int
