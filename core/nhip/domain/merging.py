"""Two contacts that turn out to be one person."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from nhip.domain.customers import ExternalId
from nhip.domain.struct import Struct

MERGED: Final = "contact.merged"
"""The type of the event that a merge is, of the contact that stays."""
MERGED_REASON: Final = "contact_merged"
"""Why a run or an entry ended that the contact which stays had already."""
NAME: Final = "external_id"
"""The kind of alias that an external id is; the others are fields: ``phone``, ``email``, ``zalo_user_id``."""

Owner = Annotated[ExternalId, Meta(description="Whose value is kept: the external id of one of the two")] | None


class Keep(Struct):
    """Of fields in which two contacts differ, whose value is kept."""

    name: Owner = None
    phone: Owner = None
    email: Owner = None
    zalo_user_id: Owner = None
    status: Owner = None
    owner: Owner = None
    source: Owner = None
    industry: Owner = None
    segment: Owner = None
    birthday: Owner = None
    language: Owner = None
    timezone: Owner = None
    store: Owner = None
    account: Owner = None
    company_name: Owner = None


class MergeDraft(Struct):
    """Which contact is merged into another, and what is kept where both say something else."""

    source: Annotated[ExternalId, Meta(description="The contact that is the same person, and is gone afterwards")] = (
        msgspec.field(name="from")
    )
    keep: Keep = Keep()


class Alias(Struct):
    """What a merged contact was known by."""

    kind: str
    value: str
    created_at: int
    """When it was merged, in microseconds."""


class GivenUp(Struct):
    """A value that gave way to another."""

    of: str
    """The external id of the contact that said so."""
    value: Any


class United(Struct):
    """What two contacts say as one."""

    fields: dict[str, Any]
    """The snapshot to lay over the contact that stays: only what is new to it."""
    filled: tuple[str, ...]
    """The fields, and keys of ``custom``, that come from the merged contact."""
    tags: tuple[str, ...]
    """The tags that come from it."""
    given_up: dict[str, GivenUp]
    """By field, or key of ``custom``: what neither of them says any more."""
