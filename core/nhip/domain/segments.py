"""Segments and enrolments, as they are stored and as admins may say them."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from nhip.domain.customers import ExternalId
from nhip.domain.struct import Struct

MOST_ENROLLED: Final = 10_000
"""How many contacts one request may name."""
MOST_UNKNOWN: Final = 100
"""How many of the contacts that there are not are named in an answer."""


class StoredSegment(msgspec.Struct, kw_only=True):
    """One row of ``segments``."""

    workspace_id: int
    name: str
    id: str
    title: str
    condition: dict[str, Any]
    revision: int
    walks_left: int
    walked_to: str
    walk_at: int
    looked_at: int
    due_at: int | None
    created_at: int
    updated_at: int

    @property
    def is_complete(self) -> bool:
        """Whether everybody has been judged by the condition."""
        return self.walks_left < 2


class Member(Struct):
    """A contact in a segment."""

    contact_id: str
    entered_at: int
    by_definition: bool
    """Found when the condition was made or changed: nothing happened to it."""


class SegmentCount(Struct):
    """How many contacts are in a segment."""

    count: int
    as_of: int
    """Microseconds."""
    complete: bool
    """Whether everybody has been judged, and all that changed with the time until ``as_of`` is in the count."""


class StoredEnrolment(msgspec.Struct, kw_only=True):
    """One row of ``enrolments``: many contacts on their way into a workflow."""

    id: str
    workspace_id: int
    workflow: str
    segment: str | None
    state: str
    reason: str | None
    total: int | None
    seen: int
    entered: int
    refused: dict[str, int]
    unknown: int
    unknown_contacts: list[str]
    cursor: str
    due_at: int | None
    created_by: str | None
    created_at: int
    updated_at: int
    ended_at: int | None


# --- what admins may say ----------------------------------------------------------------------------------------------


class SegmentDraft(Struct):
    """A segment as it shall be."""

    condition: Annotated[dict[str, Any], Meta(description="A condition tree over `contact.…`")]
    title: Annotated[str, Meta(max_length=200)] = ""


class EnrolmentDraft(Struct):
    """Who shall enter a workflow: either contacts or a segment."""

    contacts: (
        Annotated[list[ExternalId], Meta(min_length=1, max_length=MOST_ENROLLED, description="External ids")] | None
    ) = None
    segment: Annotated[str | None, Meta(description="The name of a segment; its members enter")] = None
