"""Identifiers: UUIDv7 for rows, and the idempotency key that a provider sees."""

import hashlib
import os
import threading
import time
from typing import Final

_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_POOL_IDS: Final = 256
_COUNTERS: Final = tuple(f"-7{number:03x}-" for number in range(4096))


class _Source:
    """Where ids come from in one process: ids made within a millisecond are counted, so that order is kept."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """Forget everything: a forked child must not draw from its parent's pool."""
        self._lock = threading.Lock()
        self._millisecond = 0
        self._head = ""
        self._counter = 0
        self._random = ""
        self._taken = _POOL_IDS

    def next(self) -> str:
        """The next id."""
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._millisecond or self._counter == 4095:
                self._millisecond = max(now, self._millisecond + 1)
                stamp = f"{self._millisecond:012x}"
                self._head = f"{stamp[:8]}-{stamp[8:]}"
                self._counter = -1
            self._counter += 1
            if self._taken == _POOL_IDS:
                self._random, self._taken = os.urandom(8 * _POOL_IDS).hex(), 0
            start = self._taken * 16
            self._taken += 1
            tail = self._random[start : start + 16]
            return f"{self._head}{_COUNTERS[self._counter]}{_VARIANT[tail[0]]}{tail[1:4]}-{tail[4:]}"


_source = _Source()
os.register_at_fork(after_in_child=_source.start_anew)


def new_id() -> str:
    """A UUIDv7 (RFC 9562) in its canonical text form, greater than every one that this process made before.

    The twelve bits after the version count the ids of one millisecond; the random bits come from the system in pools,
    because asking for each costs more than all the rest.
    """
    return _source.next()


def earlier(identifier: str, milliseconds: int) -> str:
    """What is less than every id that was made in the time before this one, by clocks that are as far apart at most."""
    stamp = f"{max(int(identifier[:8] + identifier[9:13], 16) - milliseconds, 0):012x}"
    return f"{stamp[:8]}-{stamp[8:]}"


def idempotency_key(workspace_id: int, run_id: str, path: str, iteration: int, generation: int) -> str:
    """The key that stays the same over every retry of one effect: 26 lower-case hexadecimal digits.

    The attempt number is not in it: an attempt after a time-out must reuse the key, or it *is* a duplicate.
    ``generation`` rises only after a definite rejection or an audited replay.
    """
    text = f"{workspace_id}\x1f{run_id}\x1f{path}\x1f{iteration}\x1f{generation}"
    return hashlib.blake2b(text.encode(), digest_size=13).hexdigest()
