"""When a step is tried again."""

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from nhip.engine.journeys.retry import DEFAULT, RetryPolicy, retry_delay

POLICY = RetryPolicy(attempts=5, age=timedelta(hours=1), base=timedelta(seconds=1), cap=timedelta(seconds=10))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(1, 1), (2, 2), (3, 4), (4, 8)], ids=["first", "second", "third", "fourth"]
)
def test_the_delay_is_full_jitter_under_a_doubling_ceiling(attempt: int, ceiling: int) -> None:
    assert retry_delay(POLICY, attempt, SECOND, 0.5) == timedelta(seconds=ceiling / 2)
    assert retry_delay(POLICY, attempt, SECOND, 0.0) == timedelta(milliseconds=50)


@pytest.mark.parametrize(
    ("attempt", "age"), [(5, SECOND), (6, SECOND), (1, timedelta(hours=1)), (4, timedelta(days=1))]
)
def test_attempts_and_age_have_an_end(attempt: int, age: timedelta) -> None:
    assert retry_delay(POLICY, attempt, age, 0.5) is None


@pytest.mark.parametrize(
    ("said", "delay"), [(0.0, 0.5), (0.2, 0.5), (7.0, 7.0), (10.0**9, 86_400.0)], ids=["zero", "less", "more", "absurd"]
)
def test_what_the_other_side_says_is_a_lower_bound(said: float, delay: float) -> None:
    assert retry_delay(POLICY, 1, SECOND, 0.5, said) == timedelta(seconds=delay)


@given(
    st.integers(0, 10_000),
    st.floats(0, 10**6),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(0, 10**12),
)
def test_a_delay_is_always_within_its_bounds(attempt: int, age: float, chance: float, said: float | None) -> None:
    policy = RetryPolicy(attempts=10_001, age=timedelta(days=30))
    delay = retry_delay(policy, attempt, timedelta(seconds=age), chance, said)
    assert delay is not None
    assert timedelta(milliseconds=50) <= delay <= max(DEFAULT.cap, timedelta(days=1))
