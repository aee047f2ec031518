"""Signatures of what other systems send: verified over the exact bytes, in constant time.

Sources: Standard Webhooks 1.0.0 (https://www.standardwebhooks.com); Meta, "Webhooks, validating payloads"; Zalo,
"Webhook". Zalo's is a plain SHA-256 of a concatenation, and its time is that of the event, which is as old as a retry
makes it; so only Standard Webhooks' time is held against the clock.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from nhip.domain.errors import SignatureMismatch
from nhip.domain.sources import Verification

TOLERANCE_SECONDS: Final = 300
"""How far a sender's clock may be away."""
_PREFIX: Final = "whsec_"


def signing_keys(secret: str) -> list[bytes]:
    """The keys of a secret of Standard Webhooks: one, or during a rotation several, separated by spaces.

    Raises:
        ValueError: none, or one that is not base64.
    """
    keys = []
    for part in secret.split():
        try:
            keys.append(base64.b64decode(part.removeprefix(_PREFIX), validate=True))
        except binascii.Error:
            raise ValueError("a secret of Standard Webhooks is whsec_ and base64") from None
    if not all(keys) or not keys:
        raise ValueError("a secret of Standard Webhooks is whsec_ and base64")
    return keys


def verify(
    verification: Verification,
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    fields: Mapping[str, Any],
    now: float,
) -> str | None:
    """Verify a request; answers the sender's id of it, where the signature covers one.

    ``headers`` have lower-case names. ``fields`` is the body as Zalo's signature reads it; nobody else's does. ``now``
    is in seconds.

    Raises:
        SignatureMismatch: it is missing, wrong, or too old.
    """
    match verification.type:
        case "none":
            return None
        case "standard_webhooks":
            return _standard(secret, headers, body, now)
        case "hmac":
            given = headers.get(verification.header.lower(), "").strip()
            wanted = verification.prefix + hmac_of(verification, secret, body)
            if verification.encoding == "hex":
                given = given[: len(verification.prefix)] + given[len(verification.prefix) :].lower()
            holds = bool(secret) and _same(wanted, given)
        case _:
            given = headers.get("x-zevent-signature", "").rpartition("=")[2].strip().lower()
            holds = bool(secret) and _same(zalo_mac(fields, secret, body), given)
    if not holds:
        raise SignatureMismatch("the signature does not verify")
    return None


def hmac_of(verification: Verification, secret: str, body: bytes) -> str:
    """The HMAC of a body, as the header has it without its prefix."""
    digest = hmac.digest(secret.encode(), body, verification.algorithm)
    return digest.hex() if verification.encoding == "hex" else base64.b64encode(digest).decode()


def zalo_mac(fields: Mapping[str, Any], secret: str, body: bytes) -> str:
    """``sha256(app_id + body + timestamp + OA secret)`` in hex."""
    identity, timestamp = (str(fields.get(name, "")) for name in ("app_id", "timestamp"))
    return hashlib.sha256(identity.encode() + body + timestamp.encode() + secret.encode()).hexdigest()


def _standard(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str:
    identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = [part[3:] for part in headers.get("webhook-signature", "").split() if part.startswith("v1,")]
    try:
        keys = signing_keys(secret)
    except ValueError:
        keys = []
    signed = f"{identity}.{timestamp}.".encode("utf-8", "surrogateescape") + body
    holds = False
    for key in keys:
        wanted = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        for one in given[:10]:
            holds |= _same(wanted, one)
    if not (holds and identity):
        raise SignatureMismatch("the signature does not verify")
    is_number = timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12
    if not is_number or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise SignatureMismatch(f"webhook-timestamp is more than {TOLERANCE_SECONDS // 60} minutes away from now")
    return identity


def _same(wanted: str, given: str) -> bool:
    return hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogateescape"))
