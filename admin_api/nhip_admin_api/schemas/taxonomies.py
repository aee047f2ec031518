"""Taxonomies, as they are shown."""

from datetime import datetime
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from nhip.domain.taxonomies import StatusTerm, StoredTaxonomy, SubTypeTerm, Term
from nhip_admin_api.presenting import moment


class ShownTaxonomy(msgspec.Struct, frozen=True, kw_only=True):
    """The words for the records of one type."""

    type: str
    statuses: list[StatusTerm]
    types: list[Term]
    sub_types: list[SubTypeTerm]
    sources: list[Term]
    revision: Annotated[int, Meta(description="0 while they are those that the type comes with")]
    updated_at: datetime | None

    @classmethod
    def of(cls, stored: StoredTaxonomy) -> Self:
        """Show what is stored."""
        said = stored.content
        return cls(
            type=stored.type,
            statuses=list(said.statuses),
            types=list(said.types),
            sub_types=list(said.sub_types),
            sources=list(said.sources),
            revision=stored.revision,
            updated_at=moment(stored.updated_at) if stored.revision else None,
        )
