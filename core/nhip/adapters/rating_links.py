"""Addresses of pages on which a customer rates a ticket. Nothing is stored for them: the address proves itself.

A token is the ticket's own id and what the secret key makes of it, 35 characters in all, so that an address fits into
an SMS. The first key makes tokens and every key verifies them, so an address that went out outlives a new key for as
long as the old one stays in the list.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from nhip.domain.errors import TemplateError, invalid

PATH: Final = "/rate"
PURPOSE: Final = "rating links"
"""What the keys of tokens are derived for."""
PROOF_BYTES: Final = 10
"""Of an HMAC: 80 bits, which nobody guesses over a network."""
_ID_BYTES: Final = 16
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{35}")


class RatingLinks:
    """Makes and reads them."""

    def __init__(self, keys: Sequence[bytes], public_url: str | None) -> None:
        """Take keys, the one that makes tokens first, and the address of this server, if customers can reach it.

        Raises:
            InvalidInput: no key.
        """
        if not keys:
            raise invalid("secret_key", "missing", "at least one key is needed")
        self._keys = tuple(keys)
        self._base = None if public_url is None else public_url.rstrip("/") + PATH

    @property
    def has_address(self) -> bool:
        """Whether customers can reach this server."""
        return self._base is not None

    def url(self, ticket_id: str, stars: int | None = None) -> str:
        """The address of a ticket's page; with ``stars`` (1 to 5) it opens with so many chosen.

        Raises:
            TemplateError: customers cannot reach this server, or this is the id of nothing that is stored.
        """
        if self._base is None:
            raise TemplateError("rating_url: customers cannot reach this server; set NHIP_PUBLIC_URL")
        return f"{self._base}/{self.token(ticket_id)}" + ("" if stars is None else f"?stars={stars}")

    def token(self, ticket_id: str) -> str:
        """The token of a ticket, by its own id (not by the one that clients know it by).

        Raises:
            TemplateError: this is the id of nothing that is stored.
        """
        try:
            identity = UUID(ticket_id).bytes
        except ValueError:
            raise TemplateError("rating_url: only a ticket that is stored has a page to be rated on") from None
        return _token(self._keys[0], identity)

    def ticket_of(self, token: str) -> str | None:
        """The id of the ticket that a token was made for; ``None`` where none of the keys made it."""
        if _TOKEN.fullmatch(token) is None:
            return None
        try:
            identity = base64.urlsafe_b64decode(token + "=")[:_ID_BYTES]
        except (binascii.Error, ValueError):
            return None
        # Every key is tried, and compared as a whole: the time it takes says nothing about any token.
        found = [hmac.compare_digest(_token(key, identity), token) for key in self._keys]
        return str(UUID(bytes=identity)) if any(found) else None


def _token(key: bytes, identity: bytes) -> str:
    proof = hmac.new(key, identity, hashlib.sha256).digest()[:PROOF_BYTES]
    return base64.urlsafe_b64encode(identity + proof).rstrip(b"=").decode()
