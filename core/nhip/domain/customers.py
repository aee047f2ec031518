"""Contacts, records and what a snapshot of one may say."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nhip.domain.duty import Absence, Hours
from nhip.domain.struct import Struct

Short = Annotated[str, Meta(max_length=200)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=200)]
Tag = Annotated[str, Meta(min_length=1, max_length=100)]
DateText = Annotated[str, Meta(pattern=r"^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))$(?!\n)")]

Optional = Short | UnsetType | None
OptionalDate = DateText | UnsetType | None


class ContactSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client says is true of a contact now. Left out means unchanged, null means none."""

    external_id: ExternalId | UnsetType = UNSET
    lifecycle: Literal["lead", "customer"] | UnsetType = UNSET
    name: Optional = UNSET
    phone: Optional = UNSET
    email: Optional = UNSET
    zalo_user_id: Optional = UNSET
    status: Optional = UNSET
    owner: Optional = UNSET
    source: Optional = UNSET
    industry: Optional = UNSET
    segment: Optional = UNSET
    tags: Annotated[list[Tag], Meta(max_length=200)] | UnsetType = UNSET
    birthday: OptionalDate = UNSET
    language: Optional = UNSET
    timezone: Optional = UNSET
    store: Optional = UNSET
    account: Optional = UNSET
    company_name: Optional = UNSET
    custom: dict[Short, Any] | UnsetType = UNSET


CONTACT_FIELDS = frozenset(ContactSnapshot.__struct_fields__)
"""Every field that a client may set."""
CONTACT_READ_ONLY = frozenset({"id", "score", "created_at", "updated_at", "activity"})
"""Fields of the facts that only the engine sets."""


class Contact(msgspec.Struct, kw_only=True):
    """A contact as it is stored; ``attributes`` are the client's fields."""

    id: str
    external_id: str
    attributes: dict[str, Any]
    score: int
    """As it was when it was last looked at."""
    revision: int
    created_at: int
    updated_at: int
    score_state: str | None = None
    """What the score is made of: :mod:`nhip.engine.customers.scoring` reads it. ``None`` where nothing ever counted."""
    score_due_at: int | None = None
    """When the score may next be another by itself; ``None`` for never."""


class Record(msgspec.Struct, kw_only=True):
    """A business object as it is stored; ``attributes`` are its fields, with ``external_id`` and ``status``."""

    id: str
    type: str
    external_id: str
    contact_id: str | None
    attributes: dict[str, Any]
    as_of: int
    revision: int
    created_at: int
    updated_at: int
    closed_at: int | None = None
    """When its status became one of those that end it; ``None`` while it is open, or has no such statuses."""


class ActivityCount(Struct):
    """How often and when a contact did one kind of thing."""

    contact_id: str
    kind: str
    count: int
    first_at: int
    last_at: int
    total: int


class Staff(Struct):
    """An employee who can own, be assigned and be notified."""

    external_id: str
    name: str
    phone: str | None = None
    email: str | None = None
    department: str | None = None
    store: str | None = None
    active: bool = True
    hours: Hours | tuple[Hours, ...] | None = None
    """When they work; nobody said so where there are none."""
    absences: tuple[Absence, ...] = ()
    """When they are away."""
