"""Identifiers: UUIDv7 for rows, and the idempotency key that a provider sees."""

import hashlib
import os
import threading
import time
from typing import Final

_lock = threading.Lock()
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


_POOL_IDS: Final = 128
_pool = b""
_taken = _POOL_IDS
_pool_process = 0


def new_id() -> str:
    """A UUIDv7 (RFC 9562) in its canonical text form: sortable by the millisecond it was made in.

    Random bits come from the system in pools of 128 ids, because asking for each costs more than all the rest.
    """
    global _pool, _taken, _pool_process
    with _lock:
        if _taken == _POOL_IDS or _pool_process != os.getpid():
            _pool, _taken, _pool_process = os.urandom(10 * _POOL_IDS), 0, os.getpid()
        start = _taken * 10
        _taken += 1
        raw = _pool[start : start + 10].hex()
    stamp = f"{time.time_ns() // 1_000_000:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{raw[:3]}-{_VARIANT[raw[3]]}{raw[4:7]}-{raw[8:]}"


def idempotency_key(workspace_id: int, run_id: str, path: str, iteration: int, generation: int) -> str:
    """The key that stays the same over every retry of one effect: 26 lower-case hexadecimal digits.

    The attempt number is not in it: an attempt after a time-out must reuse the key, or it *is* a duplicate.
    ``generation`` rises only after a definite rejection or an audited replay.
    """
    text = f"{workspace_id}\x1f{run_id}\x1f{path}\x1f{iteration}\x1f{generation}"
    return hashlib.blake2b(text.encode(), digest_size=13).hexdigest()
