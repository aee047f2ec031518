"""Customer data as people look at it and look after it."""

from typing import Any

from nhip.domain.customers import ActivityCount, Contact, Record
from nhip.domain.merging import Alias
from nhip.domain.struct import Struct


class ContactFilter(Struct):
    """Which contacts a list shall show; addresses in the form the engine keeps."""

    lifecycle: str | None = None
    status: str | None = None
    owner: str | None = None
    phone: str | None = None
    email: str | None = None
    zalo_user_id: str | None = None


class RecordFilter(Struct):
    """Which records of a type a list shall show."""

    contact: str | None = None
    """An external id."""
    status: str | None = None


class ContactStory(Struct):
    """A contact and how often it did what."""

    contact: Contact
    activity: tuple[ActivityCount, ...]


class Account(Struct):
    """A company that contacts belong to; times in microseconds."""

    external_id: str
    attributes: dict[str, Any]
    created_at: int
    updated_at: int


class TimelineItem(Struct):
    """One thing that happened to a contact."""

    kind: str
    """``event``, ``run``, ``delivery``, ``telesales`` or ``record``."""
    id: str
    at: int
    """Microseconds."""
    name: str
    """The event's type, the run's workflow, the delivery's template, the telesales campaign, the record's type."""
    detail: dict[str, Any]


class ContactExport(Struct):
    """Everything that is kept about one contact."""

    story: ContactStory
    records: tuple[Record, ...]
    items: tuple[TimelineItem, ...]
    aliases: tuple[Alias, ...]
    """What the contacts were known by that were merged into it."""
