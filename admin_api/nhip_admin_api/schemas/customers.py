"""Contacts, records, staff and accounts as they are shown, and what may be said of staff and accounts."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nhip.domain.customers import DateText, Short, Tag
from nhip.domain.duty import Absence, Hours


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """How often and when a contact did one kind of thing."""

    count: int
    first_at: datetime
    last_at: datetime
    total: Annotated[int, Meta(description="The amounts together, in the currency's minor unit")]


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact."""

    id: str
    external_id: str
    lifecycle: str
    name: str | None = None
    phone: Annotated[str | None, Meta(description="E.164")] = None
    email: str | None = None
    zalo_user_id: str | None = None
    status: str | None = None
    owner: str | None = None
    source: str | None = None
    industry: str | None = None
    segment: str | None = None
    tags: list[str] = []
    birthday: str | None = None
    language: str | None = None
    timezone: str | None = None
    store: str | None = None
    account: str | None = None
    company_name: str | None = None
    custom: dict[str, Any] = {}
    score: int
    activity: Annotated[dict[str, Activity], Meta(description="By kind: `order`, `site`, `message`, …")]
    created_at: datetime
    updated_at: datetime


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a contact."""

    kind: Annotated[str, Meta(description="`event`, `run`, `delivery`, `telesales` or `record`")]
    id: str
    at: datetime
    name: Annotated[
        str, Meta(description="The event's type, the run's workflow, the delivery's template, the record's type")
    ]
    detail: dict[str, Any]


class FormerName(msgspec.Struct, frozen=True, kw_only=True):
    """What a contact was known by that was merged into another."""

    kind: Annotated[str, Meta(description="`external_id`, `phone`, `email` or `zalo_user_id`")]
    value: str
    merged_at: datetime


class ContactExport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is kept about a contact."""

    contact: Contact
    records: list[dict[str, Any]]
    timeline: list[TimelineEntry]
    merged: Annotated[list[FormerName], Meta(description="What the contacts were known by that were merged into it")]


class StaffBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An employee as it shall be."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    external_id: Annotated[str, Meta(description="As in the path, if at all")] | None = None
    phone: Short | None = None
    email: Short | None = None
    department: Short | None = None
    store: Short | None = None
    active: bool = True
    hours: Annotated[
        Hours | Annotated[list[Hours], Meta(min_length=1, max_length=20)] | None,
        Meta(description="When they work, as one object or a list of several; always, where it is null"),
    ] = None
    absences: Annotated[list[Absence], Meta(max_length=100, description="When they are away")] = []


class AccountBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A company as it shall be."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    external_id: Annotated[str, Meta(description="As in the path, if at all")] | None = None
    tax_code: Short | None = None
    industry: Short | None = None
    segment: Short | None = None
    phone: Short | None = None
    email: Short | None = None
    website: Short | None = None
    address: Annotated[str, Meta(max_length=1000)] | None = None
    owner: Short | None = None
    founded_on: DateText | None = None
    tags: Annotated[list[Tag], Meta(max_length=200)] = []
    custom: dict[Short, Any] = {}


class Account(AccountBody, frozen=True, kw_only=True):
    """A company."""

    created_at: datetime
    updated_at: datetime
