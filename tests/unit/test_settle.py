"""What an outcome means: every delivery class, with and without alternatives, young and old."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, strategies as st

from nhip import Accepted, Ambiguous, DeliveryClass, NotSent, Outcome, Rejected, RejectionReason
from nhip.domain.messages import DeliveryState
from nhip.engine.journeys.retry import RetryPolicy
from nhip.engine.journeys.settle import Attempt, Move, is_deduped, settle

HOUR = timedelta(hours=1)
POLICY = RetryPolicy(attempts=3, age=timedelta(hours=24))
ACCEPTED = Accepted(provider_id="p")
BUSY = NotSent(code="busy", detail="come back")
NIGHT = NotSent(code="night", counts=False, retry_after=600)
SILENCE = Ambiguous(code="timeout")


def refused(reason: RejectionReason) -> Rejected:
    return Rejected(reason=reason, code="-1", detail="no")


def attempt(
    kind: DeliveryClass = DeliveryClass.TRACEABLE,
    *,
    number: int = 1,
    age: timedelta = timedelta(),
    left: int = 0,
    begun: timedelta = timedelta(),
    doubt: timedelta | None = None,
) -> Attempt:
    return Attempt(
        delivery_class=kind, dedupe_for=HOUR, number=number, age=age, alternatives_left=left, begun=begun,
        in_doubt=doubt or timedelta(), doubted=doubt is not None,
    )  # fmt: skip


TABLE: dict[str, tuple[Outcome, Attempt, Move, DeliveryState]] = {
    "accepted": (ACCEPTED, attempt(), Move.DONE, DeliveryState.ACCEPTED),
    "accepted, with alternatives": (ACCEPTED, attempt(left=2), Move.DONE, DeliveryState.ACCEPTED),
    "not sent": (BUSY, attempt(), Move.AGAIN, DeliveryState.DEFERRED),
    "not sent, with alternatives": (BUSY, attempt(left=1), Move.AGAIN, DeliveryState.DEFERRED),
    "not sent for the last time": (BUSY, attempt(number=3), Move.DEAD, DeliveryState.FAILED),
    "not sent for too long": (BUSY, attempt(age=timedelta(hours=24)), Move.DEAD, DeliveryState.FAILED),
    "not sent for the last time, with alternatives": (
        BUSY, attempt(number=3, left=1), Move.FALL_BACK, DeliveryState.FAILED,
    ),
    "not counted": (NIGHT, attempt(number=99), Move.AGAIN, DeliveryState.DEFERRED),
    "not counted for a day": (
        NIGHT, attempt(age=timedelta(hours=24), begun=timedelta(hours=24)), Move.AGAIN, DeliveryState.DEFERRED,
    ),
    "not counted for weeks": (NIGHT, attempt(begun=timedelta(days=34)), Move.AGAIN, DeliveryState.DEFERRED),
    "not counted for too long": (NIGHT, attempt(begun=timedelta(days=35)), Move.DEAD, DeliveryState.FAILED),
    "not counted for too long, with alternatives": (
        NIGHT, attempt(begun=timedelta(days=35), left=1), Move.FALL_BACK, DeliveryState.FAILED,
    ),
    "not sent after silence": (
        BUSY, attempt(DeliveryClass.DEDUPES, number=2, doubt=timedelta(minutes=1)), Move.AGAIN, DeliveryState.DEFERRED,
    ),
    "not sent for the last time after silence": (
        BUSY, attempt(DeliveryClass.DEDUPES, number=3, doubt=timedelta(minutes=1), left=1), Move.UNKNOWN,
        DeliveryState.UNKNOWN,
    ),
    "not counted after silence": (
        NIGHT, attempt(DeliveryClass.DEDUPES, number=2, doubt=timedelta(minutes=40)), Move.AGAIN,
        DeliveryState.DEFERRED,
    ),
    "not counted after silence, for longer than the provider remembers": (
        NIGHT, attempt(DeliveryClass.DEDUPES, number=2, doubt=timedelta(minutes=50)), Move.UNKNOWN,
        DeliveryState.UNKNOWN,
    ),
    "silence, deduped": (SILENCE, attempt(DeliveryClass.DEDUPES), Move.AGAIN, DeliveryState.DEFERRED),
    "silence, deduped no more": (
        SILENCE, attempt(DeliveryClass.DEDUPES, doubt=HOUR), Move.UNKNOWN, DeliveryState.UNKNOWN,
    ),
    "silence, deduped hardly any more": (
        SILENCE, attempt(DeliveryClass.DEDUPES, doubt=timedelta(minutes=55)), Move.UNKNOWN, DeliveryState.UNKNOWN,
    ),
    "silence, deduped, for the last time": (
        SILENCE, attempt(DeliveryClass.DEDUPES, number=3), Move.UNKNOWN, DeliveryState.UNKNOWN,
    ),
    "silence, traceable": (SILENCE, attempt(), Move.UNKNOWN, DeliveryState.UNKNOWN),
    "silence, traceable, with alternatives": (SILENCE, attempt(left=3), Move.UNKNOWN, DeliveryState.UNKNOWN),
    "silence, blind": (SILENCE, attempt(DeliveryClass.BLIND), Move.UNKNOWN, DeliveryState.UNKNOWN),
}  # fmt: skip
TABLE |= {
    f"{reason}, {left} left": (
        refused(reason),
        attempt(left=left),
        Move.DEAD
        if reason is RejectionReason.INVALID or (reason is RejectionReason.CONFIGURATION and not left)
        else Move.FALL_BACK
        if left
        else Move.DONE,
        DeliveryState.REJECTED,
    )
    for reason, left in product(RejectionReason, (0, 1))
}


@pytest.mark.parametrize(("outcome", "made", "move", "state"), TABLE.values(), ids=TABLE.keys())
def test_the_table(outcome: Outcome, made: Attempt, move: Move, state: DeliveryState) -> None:
    settlement = settle(outcome, made, POLICY, 0.5)
    assert (settlement.move, settlement.delivery) == (move, state)
    assert (settlement.delay > timedelta()) == (move is Move.AGAIN)
    assert (settlement.reason is None) == (move is Move.DONE and state is DeliveryState.ACCEPTED)


OUTCOMES = st.sampled_from([ACCEPTED, BUSY, NIGHT, SILENCE, *(refused(reason) for reason in RejectionReason)])
ATTEMPTS = st.builds(
    Attempt,
    delivery_class=st.sampled_from(DeliveryClass),
    dedupe_for=st.timedeltas(timedelta(), timedelta(days=2)),
    number=st.integers(1, 10),
    age=st.timedeltas(timedelta(), timedelta(days=3)),
    alternatives_left=st.integers(0, 3),
    begun=st.timedeltas(timedelta(), timedelta(days=40)),
    in_doubt=st.timedeltas(timedelta(), timedelta(days=3)),
    doubted=st.booleans(),
)


@given(OUTCOMES, ATTEMPTS, st.floats(0, 1, exclude_max=True))
def test_what_may_have_gone_out_is_repeated_only_where_a_repeated_key_is_dropped(
    outcome: Outcome, made: Attempt, chance: float
) -> None:
    settlement = settle(outcome, made, POLICY, chance)
    doubt = isinstance(outcome, Ambiguous)
    if doubt or (made.doubted and isinstance(outcome, NotSent)):
        assert settlement.move in (Move.AGAIN, Move.UNKNOWN)
        if settlement.move is Move.AGAIN:
            wait = timedelta() if doubt else settlement.delay
            assert is_deduped(made.delivery_class, made.dedupe_for, made.in_doubt + wait)
    if settlement.move is Move.FALL_BACK:
        assert isinstance(outcome, Rejected | NotSent)
        assert made.alternatives_left


def test_what_does_not_count_says_so_and_keeps_the_other_sides_wait() -> None:
    settlement = settle(NIGHT, attempt(), POLICY, 0.5)
    assert not settlement.counts
    assert settlement.delay == timedelta(minutes=10)
