"""How many requests may pass now: the generic cell rate algorithm, with a second's worth at once."""

from typing import Final

_SECOND: Final = 1_000_000


def admit(free_at: int, per_second: int, asked: int, now: int) -> tuple[int, int, int]:
    """Let requests pass; all times are microseconds.

    ``free_at`` is what the last decision answered, 0 before the first. Answers how many of ``asked`` pass, the new
    ``free_at``, and when the next one passes where not all do.
    """
    interval = _SECOND // per_second
    base = min(max(free_at, now), now + 2 * _SECOND)  # a clock that was wrong shuts nobody out
    passed = min(asked, max(0, (now + _SECOND - base) // interval))
    base += passed * interval
    return passed, base, base + interval - _SECOND
