"""Tags that tell one state of a resource from another, so that nobody overwrites what he has not seen."""

from typing import Protocol

from nhip.domain.errors import StaleRevision


class Revised(Protocol):
    """A stored resource whose ``revision`` rises with every change."""

    id: str
    revision: int


def tag_of(stored: Revised) -> str:
    """The entity tag of a stored resource. One that was deleted and made again has another."""
    return f'"{stored.id[-12:]}.{stored.revision}"'


def check_match(stored: Revised | None, if_match: str | None) -> None:
    """Compare with an ``If-Match`` header: tags separated by commas, or ``*`` for anything that exists.

    Raises:
        StaleRevision: none of the tags is that of the stored resource.
    """
    if if_match is None:
        return
    tags = {tag.strip() for tag in if_match.split(",")}
    if stored is None:
        raise StaleRevision("there is nothing yet that If-Match could mean")
    if "*" not in tags and tag_of(stored) not in tags:
        raise StaleRevision("it was changed since it was read", current=tag_of(stored))
