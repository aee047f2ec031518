"""Holds when a score that moved rose above a mark, fell below one, or went far enough in one direction.

Example, waiting for somebody who cooled down to warm up again::

    {"id": "warm", "wait": {"event": "contact.score_changed", "timeout": "P30D", "where": {
        "condition": "score_crossing", "config": {"operator": "rises_above", "value": 200, "hysteresis": 20}}}}

It reads what ``contact.score_changed`` says, and holds at no other event:

- ``rises_above``: the score was below ``value`` and is at it or above. With ``hysteresis`` only if, since it was last
  at ``value`` or above, it has been below ``value - hysteresis``; whoever never was there need not have been so low.
- ``falls_below``: the mirror image. It was at ``value`` or above and is below; with ``hysteresis`` only if, since it
  was last below, it has been at ``value + hysteresis`` or above.
- ``changes_by``: counted from where the score last turned, it passed another whole ``value``: by 50, it holds 50
  points after the turn, 100 after it, and so on, in one step or in many.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeGuard

from msgspec import Meta

from nhip import Condition, Config, Facts, Reason, Verdict, hookimpl


class ScoreCrossingConfig(Config):
    """Which movement is meant."""

    operator: Annotated[
        Literal["rises_above", "falls_below", "changes_by"], Meta(description="The direction, or any with changes_by.")
    ]
    value: Annotated[int, Meta(description="The mark; of changes_by, so many points.", ge=-100_000_000, le=100_000_000)]
    hysteresis: Annotated[
        int,
        Meta(
            description="How far the score must have been on the other side of the mark to cross it once more.",
            ge=0,
            le=100_000_000,
        ),
    ] = 0


class ScoreCrossing(Condition):
    """Holds when a score that moved crossed a mark."""

    kind = "score_crossing"
    config_type = ScoreCrossingConfig
    needs = ("event",)

    def check(self, config: ScoreCrossingConfig, facts: Facts, now: datetime) -> Verdict:
        """Look at the move, and for hysteresis at where the score turned before it."""
        move = (facts.get("event") or {}).get("data") or {}
        turns, score, turn = move.get("turns"), move.get("score"), move.get("turn")
        if not _is_path(turns) or type(score) is not int or type(turn) is not int:
            return _verdict("missing", config, None)
        path = [*turns, score]
        match config.operator:
            case "rises_above":
                code = _rise(path, config.value, config.hysteresis)
            case "falls_below":
                # Upside down, "below the mark" is "at the next number, or above".
                code = _rise([-one for one in path], 1 - config.value, config.hysteresis)
            case _:
                step = max(config.value, 1)
                passed = abs(score - turn) // step > abs(turns[-1] - turn) // step
                code = "holds" if passed else "not_far_enough"
        return _verdict(code, config, f"{turns[-1]} to {score}")


def _is_path(turns: Any) -> TypeGuard[Sequence[int]]:
    return isinstance(turns, Sequence) and len(turns) > 0 and all(type(one) is int for one in turns)


def _rise(path: Sequence[int], mark: int, hysteresis: int) -> str:
    *before, score = path
    if not before[-1] < mark <= score:
        return "not_crossed"
    lowest = mark
    for one in reversed(before):
        if one >= mark:
            return "holds" if lowest < mark - hysteresis else "within_hysteresis"
        lowest = min(lowest, one)
    return "holds"


def _verdict(code: str, config: ScoreCrossingConfig, actual: str | None) -> Verdict:
    expected = f"{config.operator} {config.value}" + (f" ± {config.hysteresis}" if config.hysteresis else "")
    reason = Reason(path="", code=code, expected=expected, actual=actual)
    return Verdict(holds=code == "holds", reasons=(reason,))


@hookimpl
def nhip_register_conditions() -> list[type[Condition]]:
    """Add the condition."""
    return [ScoreCrossing]
