"""What a message's outcome means for its delivery and its step."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

from nhip.domain.messages import (
    Accepted,
    Ambiguous,
    DeliveryClass,
    DeliveryState,
    NotSent,
    Outcome,
    Rejected,
    RejectionReason,
)
from nhip.domain.struct import Struct
from nhip.engine.journeys.retry import RetryPolicy, retry_delay

_DEDUPE_MARGIN: Final = timedelta(minutes=5)


class Move(StrEnum):
    """What the step does next."""

    DONE = "done"
    AGAIN = "again"
    """The same delivery once more, with the same key."""
    FALL_BACK = "fall_back"
    """The next alternative, a new generation: the answer was a definite no."""
    UNKNOWN = "unknown"
    DEAD = "dead"


class Settlement(Struct):
    """The decision; the service only writes it down."""

    move: Move
    delivery: DeliveryState
    reason: str | None = None
    detail: str | None = None
    delay: timedelta = timedelta()
    counts: bool = True
    """Whether the attempt counts against the limit."""


class Attempt(Struct):
    """What is known about the attempt that just ended."""

    delivery_class: DeliveryClass
    dedupe_for: timedelta
    number: int
    age: timedelta
    """Since the first attempt, without the time for which the step was held back by what does not count."""
    alternatives_left: int
    begun: timedelta = timedelta()
    """Since the message was made, all in all."""
    in_doubt: timedelta = timedelta()
    """Since the first attempt that may have gone out, this one or an earlier one."""
    doubted: bool = False
    """Whether an earlier attempt may have gone out."""


def is_deduped(delivery_class: DeliveryClass, dedupe_for: timedelta, age: timedelta) -> bool:
    """Whether the provider would surely drop a repeated key now, ``age`` after the first time it may have seen it."""
    return delivery_class is DeliveryClass.DEDUPES and age < dedupe_for - _DEDUPE_MARGIN


def settle(outcome: Outcome, attempt: Attempt, policy: RetryPolicy, chance: float) -> Settlement:
    """Decide.

    What may have gone out is repeated only where the provider drops a repeated key, and only as long as it remembers
    it; everywhere else it becomes ``unknown`` and is never blindly sent again. What does not count ages no step.
    """
    match outcome:
        case Accepted():
            return Settlement(move=Move.DONE, delivery=DeliveryState.ACCEPTED)
        case Rejected():
            return _rejected(outcome, attempt)
        case NotSent():
            delay = _delay(outcome, attempt, policy, chance)
            if attempt.doubted and (delay is None or not _is_deduped(attempt, delay)):
                return Settlement(
                    move=Move.UNKNOWN, delivery=DeliveryState.UNKNOWN, reason=outcome.code, detail=outcome.detail
                )
            if delay is not None:
                return Settlement(
                    move=Move.AGAIN, delivery=DeliveryState.DEFERRED, reason=outcome.code, detail=outcome.detail,
                    delay=delay, counts=outcome.counts,
                )  # fmt: skip
            move = Move.FALL_BACK if attempt.alternatives_left else Move.DEAD
            return Settlement(
                move=move,
                delivery=DeliveryState.FAILED,
                reason="attempts_exhausted",
                detail=f"{outcome.code} {outcome.detail}".strip(),
            )
        case Ambiguous():
            if _is_deduped(attempt):
                delay = retry_delay(policy, attempt.number, attempt.age, chance)
                if delay is not None:
                    return Settlement(
                        move=Move.AGAIN,
                        delivery=DeliveryState.DEFERRED,
                        reason=outcome.code,
                        detail=outcome.detail,
                        delay=delay,
                    )
            return Settlement(
                move=Move.UNKNOWN, delivery=DeliveryState.UNKNOWN, reason=outcome.code, detail=outcome.detail
            )


def _delay(outcome: NotSent, attempt: Attempt, policy: RetryPolicy, chance: float) -> timedelta | None:
    if outcome.counts:
        return retry_delay(policy, attempt.number, attempt.age, chance, outcome.retry_after)
    if attempt.begun >= policy.held:
        return None
    return retry_delay(policy, 0, timedelta(), chance, outcome.retry_after)


def _is_deduped(attempt: Attempt, after: timedelta = timedelta()) -> bool:
    return is_deduped(attempt.delivery_class, attempt.dedupe_for, attempt.in_doubt + after)


def _rejected(outcome: Rejected, attempt: Attempt) -> Settlement:
    state = DeliveryState.REJECTED
    detail = f"{outcome.code} {outcome.detail}".strip()
    if outcome.reason is RejectionReason.INVALID:
        return Settlement(move=Move.DEAD, delivery=state, reason=outcome.reason, detail=detail)
    if attempt.alternatives_left:
        return Settlement(move=Move.FALL_BACK, delivery=state, reason=outcome.reason, detail=detail)
    if outcome.reason is RejectionReason.CONFIGURATION:
        return Settlement(move=Move.DEAD, delivery=state, reason=outcome.reason, detail=detail)
    return Settlement(move=Move.DONE, delivery=state, reason=outcome.reason, detail=detail)
