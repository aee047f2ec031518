"""The words that a workspace has for its records: statuses, types, sub-types, sources."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from nhip.domain.struct import Struct

MOST_TERMS: Final = 500
"""How many words of one sort there may be."""
Code = Annotated[str, Meta(min_length=1, max_length=100, description="What records, workflows and systems say")]


class Term(Struct):
    """One word."""

    code: Code
    name: Annotated[str, Meta(min_length=1, max_length=200, description="What people read")]


class StatusTerm(Term, omit_defaults=True):
    """A status."""

    resolved: Annotated[bool, Meta(description="Whether a record in it is over")] = False


class SubTypeTerm(Term):
    """A type more closely."""

    type: Annotated[str, Meta(description="The code of its type")]


class Taxonomy(Struct):
    """The words for the records of one type."""

    statuses: Annotated[tuple[StatusTerm, ...], Meta(min_length=1, max_length=MOST_TERMS)]
    types: Annotated[tuple[Term, ...], Meta(max_length=MOST_TERMS)] = ()
    sub_types: Annotated[tuple[SubTypeTerm, ...], Meta(max_length=MOST_TERMS)] = ()
    sources: Annotated[tuple[Term, ...], Meta(max_length=MOST_TERMS)] = ()


class StoredTaxonomy(msgspec.Struct, kw_only=True):
    """The taxonomy of a workspace for the records of a type."""

    workspace_id: int
    type: str
    id: str
    content: Taxonomy
    revision: int
    """0 while it is the one that the type comes with."""
    created_at: int
    updated_at: int
