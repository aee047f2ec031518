"""The addresses at which customers rate tickets."""

from typing import Protocol


class RatingTokens(Protocol):
    """Reads the tokens of such addresses."""

    def ticket_of(self, token: str) -> str | None:
        """The own id of the ticket that a token was made for; ``None`` where it was not made here."""
        ...
