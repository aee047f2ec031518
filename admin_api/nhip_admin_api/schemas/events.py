"""Events, as they come in and as they are shown."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nhip.domain.events import EventReceipt


class EventBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A CloudEvents 1.0 event in its structured form. Extension attributes are allowed and dropped."""

    id: Annotated[
        str,
        Meta(min_length=1, max_length=200, description="Unique within `source`: the same pair again is a duplicate"),
    ]
    source: Annotated[str, Meta(min_length=1, max_length=300, description="Where it happened")]
    type: Annotated[
        str, Meta(min_length=1, max_length=200, description="Lower-case words joined by dots: order.updated")
    ]
    specversion: Annotated[str, Meta(description="1.0")] = "1.0"
    subject: Annotated[str, Meta(max_length=200, description="The contact's external id")] | None = None
    time: Annotated[str, Meta(description="RFC 3339 with offset; now, where it is left out")] | None = None
    data: (
        Annotated[
            dict[str, Any],
            Meta(description="`contact` and any record type (`order`, `ticket`, …) are snapshots, and stored as such"),
        ]
        | None
    ) = None
    datacontenttype: str | None = None
    dataschema: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events of one request: they are committed, with the runs they started."""

    accepted: int
    duplicates: int
    events: list[EventReceipt]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event."""

    id: str
    source: str
    source_id: str
    type: str
    subject: str | None
    contact: str | None
    """The contact's external id."""
    time: datetime
    received_at: datetime
    data: dict[str, Any]
    derived_from: str | None
    """The event that this one follows from, where the engine derived it."""


class EventDetail(Event, frozen=True, kw_only=True):
    """A stored event with what it led to."""

    facts: dict[str, Any] | None
    """What its decisions read; kept for as long as the event itself."""
    derived: list[Event]
    runs: list[str]
