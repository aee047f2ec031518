"""Events on their way in, and what is answered."""

from typing import Any, Final

import msgspec

from nhip.domain.struct import Struct

MAX_DEPTH: Final = 20
"""A chain of causes longer than this is cut: no workflow starts from its last event."""
SILENT_DAYS: Final = "silent_days"
"""What an event's facts say of the silence before it. A stored event keeps it beside its other facts, by the id of each
that came with it, because later nobody can tell."""


class RecordSnapshot(Struct):
    """What an event says is true of one business object."""

    type: str
    external_id: str
    fields: dict[str, Any]
    mentioned: bool = False
    """Named by its external id alone: where there is no such object, none is made."""


class Cause(Struct):
    """Which run made an event happen, and how long the chain before it is."""

    run_id: str
    root_event_id: str
    depth: int


class IncomingEvent(msgspec.Struct, kw_only=True):
    """One event, checked and normalised, ready to be stored."""

    source: str
    source_id: str
    type: str
    """Empty for a snapshot that is no event by itself (``PUT /v1/contacts``): only what it changes becomes events."""
    subject: str | None
    time: int | None
    """Microseconds in UTC, or ``None`` for now."""
    data: dict[str, Any]
    contact: dict[str, Any] | None = None
    """The contact's snapshot, normalised."""
    records: list[RecordSnapshot] = []
    cause: Cause | None = None
    id: str | None = None
    """The id to store it under; made when it is stored where there is none."""
    enter: str | None = None
    """The one workflow that its contact shall enter, whatever triggers say: an enrolment, or a workflow's step."""


class EventReceipt(Struct):
    """What became of one incoming event."""

    id: str
    source_id: str
    duplicate: bool
    runs: tuple[str, ...]
