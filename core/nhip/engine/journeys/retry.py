"""When to try again: full jitter, a bound on attempts and one on age."""

from datetime import timedelta
from typing import Final

from nhip.domain.struct import Struct


class RetryPolicy(Struct):
    """How often and how long a step that did not get through is tried again."""

    attempts: int = 8
    age: timedelta = timedelta(hours=24)
    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=15)
    held: timedelta = timedelta(days=35)
    """How long a step may be held back by what does not count: a monthly quota, a night rule, a rate limit."""


DEFAULT: Final = RetryPolicy()
MAX_LEASES_LOST: Final = 4
"""A step that lost this many workers is poison, and not tried again. After the first loss, which it may have shared
with innocent steps, it is only performed alone; so three workers died over nothing else."""


def retry_delay(
    policy: RetryPolicy, attempt: int, age: timedelta, chance: float, retry_after: float | None = None
) -> timedelta | None:
    """How long to wait before the next attempt, or ``None`` when there shall be none.

    ``attempt`` counts those made (1 after the first), ``age`` is the time since the first, ``chance`` is uniform in
    [0, 1) and comes from the caller. A ``retry_after`` in seconds, said by the other side, is a lower bound.
    """
    if attempt >= policy.attempts or age >= policy.age:
        return None
    ceiling = min(policy.cap, policy.base * (1 << min(max(attempt - 1, 0), 32)))
    delay = max(ceiling * chance, timedelta(milliseconds=50))
    if retry_after is not None:
        delay = max(delay, timedelta(seconds=min(retry_after, 86_400)))
    return delay
