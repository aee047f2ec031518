"""What a customer is asked, and says, on the page of a ticket."""

from nhip.domain.struct import Struct

LONGEST_WORDS = 2000
"""Characters of a remark."""


class RatingRequest(Struct):
    """What the page shows before anybody said something."""

    shop: str
    """The title of the workspace; empty where it has none."""
    language: str
    """``vi`` or ``en``."""
    rating: int | None
    """What the customer said last, 1 to 5."""


class RatingReply(Struct):
    """What a customer sends from the page."""

    rating: int
    """1 to 5."""
    words: str = ""
    """At most :data:`LONGEST_WORDS` characters."""
