"""Identifiers: UUIDv7 for rows, and the idempotency key that a provider sees."""

import base64
import hashlib
import os
import time


def new_id() -> str:
    """A UUIDv7 (RFC 9562) in its canonical text form: sortable by the millisecond it was made in."""
    stamp = time.time_ns() // 1_000_000
    raw = os.urandom(10).hex()
    head = f"{stamp:012x}"
    variant = "89ab"[int(raw[3], 16) & 3]
    return f"{head[:8]}-{head[8:]}-7{raw[:3]}-{variant}{raw[4:7]}-{raw[8:20]}"


def idempotency_key(workspace_id: int, run_id: str, path: str, iteration: int, generation: int) -> str:
    """The key that stays the same over every retry of one effect: 26 characters, lower-case base32.

    The attempt number is not in it: an attempt after a time-out must reuse the key, or it *is* a duplicate.
    ``generation`` rises only after a definite rejection or an audited replay.
    """
    text = f"{workspace_id}\x1f{run_id}\x1f{path}\x1f{iteration}\x1f{generation}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()
