"""Segments and enrolments, as they are shown."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from nhip.domain.customers import Contact
from nhip.domain.segments import Member, SegmentCount, StoredEnrolment, StoredSegment
from nhip_admin_api.presenting import moment, moment_or_none


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A named condition over contacts."""

    name: str
    title: str
    condition: dict[str, Any]
    revision: int
    complete: Annotated[bool, Meta(description="Whether everybody has been judged by the condition")]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredSegment) -> Self:
        """Show what is stored."""
        return cls(
            name=stored.name,
            title=stored.title,
            condition=stored.condition,
            revision=stored.revision,
            complete=stored.is_complete,
            created_at=moment(stored.created_at),
            updated_at=moment(stored.updated_at),
        )


class SegmentMember(msgspec.Struct, frozen=True, kw_only=True):
    """A contact in a segment."""

    contact: Annotated[str, Meta(description="The external id")]
    name: str | None
    entered_at: datetime
    by_definition: Annotated[
        bool, Meta(description="Found when the condition was made or changed: nothing happened to the contact")
    ]

    @classmethod
    def of(cls, row: tuple[Member, Contact]) -> Self:
        """Show a member with what is known of it."""
        member, contact = row
        return cls(
            contact=contact.external_id,
            name=contact.attributes.get("name"),
            entered_at=moment(member.entered_at),
            by_definition=member.by_definition,
        )


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many contacts are in a segment."""

    count: int
    as_of: datetime
    complete: Annotated[
        bool, Meta(description="Whether everybody has been judged, and what time has changed until `as_of` is counted")
    ]

    @classmethod
    def of(cls, counted: SegmentCount) -> Self:
        """Show a count."""
        return cls(count=counted.count, as_of=moment(counted.as_of), complete=counted.complete)


class Enrollment(msgspec.Struct, frozen=True, kw_only=True):
    """Many contacts on their way into a workflow."""

    id: str
    workflow: str
    segment: str | None
    state: Annotated[str, Meta(description="`running`, `done` or `cancelled`")]
    reason: Annotated[str | None, Meta(description="Why it was cancelled, or what it waits for")]
    total: Annotated[int | None, Meta(description="How many contacts there are to enter, once that is known")]
    seen: Annotated[
        int, Meta(description="How many it has come to; the sum of those that entered, were refused or unknown")
    ]
    entered: int
    refused: Annotated[dict[str, int], Meta(description="How many did not enter, by reason")]
    unknown: Annotated[int, Meta(description="How many external ids are nobody's")]
    unknown_contacts: Annotated[list[str], Meta(description="The first hundred of them")]
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, stored: StoredEnrolment) -> Self:
        """Show what is stored."""
        return cls(
            id=stored.id,
            workflow=stored.workflow,
            segment=stored.segment,
            state=stored.state,
            reason=stored.reason,
            total=stored.total,
            seen=stored.seen,
            entered=stored.entered,
            refused=stored.refused,
            unknown=stored.unknown,
            unknown_contacts=stored.unknown_contacts,
            created_at=moment(stored.created_at),
            ended_at=moment_or_none(stored.ended_at),
        )
