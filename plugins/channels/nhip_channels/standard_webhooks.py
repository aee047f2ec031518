"""The signature of Standard Webhooks 1.0.0 (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence


def sign(keys: Sequence[bytes], identity: str, timestamp: str, body: bytes) -> str:
    """The ``webhook-signature`` header: one ``v1`` entry per key, base64 of HMAC-SHA256 over ``id.timestamp.body``."""
    text = f"{identity}.{timestamp}.".encode() + body
    digests = (hmac.new(key, text, hashlib.sha256).digest() for key in keys)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def signing_keys(secret: str) -> list[bytes]:
    """The keys inside a secret.

    Raises:
        ValueError: it is empty or not base64.
    """
    keys = [base64.b64decode(part.removeprefix("whsec_"), validate=True) for part in secret.split()]
    if not keys or not all(keys):
        raise ValueError("the signing secret is empty")
    return keys
