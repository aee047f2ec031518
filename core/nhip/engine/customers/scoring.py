"""What a contact's engagement score is: points that events are worth, that decay, and that a cap holds down. Pure.

Each rule's points are kept as of the youngest event that counted and decay from there, so that a score can be read at
any later moment. An event that comes late counts from its own time: as long as no cap binds, the order in which events
arrive changes nothing. Half of what a rule holds is gone after each half-life, exactly.

Where the score turned is kept as far as any later crossing can depend on it, so that a crossing with hysteresis is a
function of what an event says: see :func:`with_turn`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from nhip.domain.customers import Contact
from nhip.domain.scores import RuleState, ScoreExplanation, ScoreLine, ScoreMove, ScoreRule, ScoreState
from nhip.domain.struct import Struct

DAY: Final = 86_400_000_000
MOST_TURNS: Final = 32
"""So many turns are kept; each lies inside the one before, so that more would differ by a few points."""
_HAIR: Final = 1e-6
"""Points by which a score is past the middle between two numbers when it is looked at again."""

Hit = tuple[ScoreRule, int]
"""A rule, and the time of an event that it counts."""

_decode = msgspec.json.Decoder(ScoreState).decode
_encode = msgspec.json.Encoder().encode


class Scored(Struct):
    """A state after something was counted, and how the score moved."""

    state: ScoreState
    moves: tuple[ScoreMove, ...]
    """What time did since it was last looked at, and then what the events did, where the score is another by it."""


# --- points -----------------------------------------------------------------------------------------------------------


def decayed(points: float, half_life: int, age: int) -> float:
    """What is left of points after a time; nothing is gained where the time lies ahead."""
    return points * 2.0 ** (-age / half_life) if half_life and age > 0 else points


def add(state: RuleState | None, rule: ScoreRule, time: int) -> RuleState:
    """Count an event of a time."""
    if state is None:
        state = RuleState(value=0.0, uncapped=0.0, as_of=time, count=0, last_at=time, half_life=rule.half_life)
    as_of = max(state.as_of, time)
    points = decayed(rule.points, rule.half_life, as_of - time)
    age = as_of - state.as_of
    return RuleState(
        value=_capped(decayed(state.value, rule.half_life, age) + points, rule),
        uncapped=decayed(state.uncapped, rule.half_life, age) + points,
        as_of=as_of,
        count=state.count + 1,
        last_at=max(state.last_at, time),
        half_life=rule.half_life,
    )


def held(state: RuleState, now: int) -> float:
    """The points that a rule holds now."""
    return decayed(state.value, state.half_life, now - state.as_of)


def score_of(state: ScoreState, now: int) -> int:
    """The score now: the sum of all rules, halves rounded up."""
    return math.floor(math.fsum(held(one, now) for one in state.rules.values()) + 0.5)


def _capped(points: float, rule: ScoreRule) -> float:
    return max(-rule.most, min(rule.most, points))


# --- one contact's score ----------------------------------------------------------------------------------------------


def read_state(stored: str | None) -> ScoreState:
    """The state as it is stored; that of somebody who never did anything where nothing is."""
    return ScoreState(revision=0, turn=0, turns=(0,), rules={}) if stored is None else _decode(stored)


def score_at(contact: Contact, now: int) -> int:
    """A contact's score at a moment after it was stored."""
    if contact.score_due_at is None:
        return contact.score
    return score_of(read_state(contact.score_state), now)


def write_state(state: ScoreState) -> str:
    """The state as it is stored."""
    return _encode(state).decode()


def count(state: ScoreState, rules: Sequence[ScoreRule], revision: int, hits: Sequence[Hit], now: int) -> Scored:
    """The state after these events, and the moves.

    A state that follows an older revision of the rules is first carried over to this one, which is no move: nobody is
    told that a score changed because its rules did.
    """
    if state.revision != revision:
        state = carried_over(state, rules, revision, now)
    moves: list[ScoreMove] = []
    state = _moved(state, score_of(state, now), (), moves)
    if hits:
        held_now = dict(state.rules)
        for rule, time in hits:
            held_now[rule.id] = add(held_now.get(rule.id), rule, time)
        state = msgspec.structs.replace(state, rules=held_now)
        state = _moved(state, score_of(state, now), tuple(dict.fromkeys(rule.id for rule, _ in hits)), moves)
    return Scored(state=state, moves=tuple(moves))


def carried_over(state: ScoreState, rules: Sequence[ScoreRule], revision: int, now: int) -> ScoreState:
    """The state under other rules.

    What a rule holds that is gone goes with it. A lower cap cuts what is held; a higher one gives nothing back. Another
    half-life holds from now on.
    """
    kept: dict[str, RuleState] = {}
    for rule in rules:
        one = state.rules.get(rule.id)
        if one is None:
            continue
        if one.half_life != rule.half_life:
            age = now - one.as_of
            one = msgspec.structs.replace(
                one,
                value=decayed(one.value, one.half_life, age),
                uncapped=decayed(one.uncapped, one.half_life, age),
                as_of=max(one.as_of, now),
                half_life=rule.half_life,
            )
        kept[rule.id] = msgspec.structs.replace(one, value=_capped(one.value, rule))
    changed = ScoreState(revision=revision, turn=state.turn, turns=state.turns, rules=kept)
    score = score_of(changed, now)
    if score == state.turns[-1]:
        return changed
    return msgspec.structs.replace(changed, turn=score, turns=with_turn(state.turns, score))


def joined(state: ScoreState, other: ScoreState, rules: Sequence[ScoreRule], revision: int, now: int) -> ScoreState:
    """What two contacts' scores are made of, as one contact's: each rule holds what both have, up to its cap.

    The turns stay those of the first: its score has yet to move to what it is made of now.
    """
    state, other = (
        one if one.revision == revision else carried_over(one, rules, revision, now) for one in (state, other)
    )
    by_id = {rule.id: rule for rule in rules}
    both = {**other.rules, **state.rules}
    for name in state.rules.keys() & other.rules.keys():
        mine, theirs = state.rules[name], other.rules[name]
        as_of = max(mine.as_of, theirs.as_of)
        parts = [(one, as_of - one.as_of) for one in (mine, theirs)]
        value = math.fsum(decayed(one.value, one.half_life, age) for one, age in parts)
        both[name] = RuleState(
            value=_capped(value, by_id[name]) if name in by_id else value,
            uncapped=math.fsum(decayed(one.uncapped, one.half_life, age) for one, age in parts),
            as_of=as_of,
            count=mine.count + theirs.count,
            last_at=max(mine.last_at, theirs.last_at),
            half_life=mine.half_life,
        )
    return msgspec.structs.replace(state, rules=both)


def next_look(state: ScoreState, now: int) -> int | None:
    """When the score may next be another by itself: not before, and at least a day ahead. ``None`` for never.

    Points and those taken away may both decay, and one hides the other; it is the earliest moment that either alone
    could bring about.
    """
    parts = [(held(one, now), one.half_life) for one in state.rules.values()]
    total = math.fsum(points for points, _ in parts)
    middle = math.floor(total + 0.5)
    falling = [(points, half_life) for points, half_life in parts if half_life and points > 0]
    rising = [(-points, half_life) for points, half_life in parts if half_life and points < 0]
    ages = [
        age
        for lost, way in ((falling, total - middle + 0.5), (rising, middle + 0.5 - total))
        if (age := _age_of_loss(lost, way + _HAIR)) is not None
    ]
    return now + max(min(ages), DAY) if ages else None


def _age_of_loss(parts: Sequence[tuple[float, int]], wanted: float) -> int | None:
    """After which time these parts, all of them positive, will have lost so much; at least a day."""

    def lost(age: int) -> float:
        return math.fsum(points * -math.expm1(-math.log(2) * age / half_life) for points, half_life in parts)

    if math.fsum(points for points, _ in parts) <= wanted:
        return None
    if lost(DAY) >= wanted:
        return DAY
    early, late = DAY, 2 * DAY
    while lost(late) < wanted:
        early, late = late, 2 * late
        if late > 1 << 62:
            return None
    while late - early > 1_000_000:
        between = (early + late) // 2
        early, late = (between, late) if lost(between) < wanted else (early, between)
    return late


# --- turns ------------------------------------------------------------------------------------------------------------


def _moved(state: ScoreState, score: int, rules: tuple[str, ...], moves: list[ScoreMove]) -> ScoreState:
    """The state with a score that may be another; notes the move where it is."""
    previous = state.turns[-1]
    if score == previous:
        return state
    goes_on = (score > previous) == (previous > state.turn)
    turn = state.turn if goes_on and previous != state.turn else previous
    moves.append(ScoreMove(previous=previous, score=score, turn=turn, turns=state.turns, rules=rules))
    return msgspec.structs.replace(state, turn=turn, turns=with_turn(state.turns, score))


def with_turn(turns: Sequence[int], score: int) -> tuple[int, ...]:
    """The turns with one more value at the end of the path that they stand for.

    Only those stay that a later crossing can depend on: a rise that reaches an earlier peak makes that peak, and the
    dip after it, forgotten. What is left lies ever closer together, and tells of the whole path, for any mark and any
    hysteresis, when it was last at the mark and how far it has been from it since.
    """
    kept = list(turns)
    if len(kept) > 1 and (kept[-1] > kept[-2]) == (score > kept[-1]):
        kept.pop()  # it goes on in the same direction, so this was no turn
    while len(kept) > 1 and (score >= kept[-2] if score > kept[-1] else score <= kept[-2]):
        if len(kept) == 2:
            del kept[0]  # the beginning is no turn of its own; the dip after it still is
        else:
            del kept[-2:]
    kept.append(score)
    if len(kept) > MOST_TURNS:
        del kept[-3:-1]
    return tuple(kept)


# --- why --------------------------------------------------------------------------------------------------------------


def explain(state: ScoreState, rules: Sequence[ScoreRule], now: int) -> ScoreExplanation:
    """The score now, and of each rule what it holds, how often and when last it counted, whether its cap binds."""
    follows: Mapping[str, RuleState] = carried_over(state, rules, -1, now).rules
    lines: list[ScoreLine] = []
    for rule in rules:
        one = follows.get(rule.id)
        points = held(one, now) if one else 0.0
        uncapped = decayed(one.uncapped, one.half_life, now - one.as_of) if one else 0.0
        lines.append(
            ScoreLine(
                id=rule.id,
                title=rule.title,
                points=round(points, 2),
                count=one.count if one else 0,
                last_at=one.last_at if one else None,
                capped=round(uncapped, 2) != round(points, 2),
                uncapped=round(uncapped, 2),
                cap=rule.cap,
                half_life=rule.half_life,
            )
        )
    total = math.fsum(held(one, now) for one in follows.values())
    return ScoreExplanation(score=math.floor(total + 0.5), as_of=now, rules=tuple(lines))
