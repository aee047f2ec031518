"""The laws of the engagement score: decay, caps, order, when to look again, and crossings over the whole path."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nhip.domain.scores import ScoreRule, ScoreState
from nhip.engine.customers import scoring
from nhip.engine.customers.scoring import DAY, MOST_TURNS
from nhip_conditions.score_crossing import ScoreCrossing, ScoreCrossingConfig

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


def rule(name: str = "opened", points: int = 10, *, cap: int | None = None, half_life: int = 0) -> ScoreRule:
    return ScoreRule(
        id=name, title="", events=("email.opened",), where=None, points=points, cap=cap, half_life=half_life
    )


def state_of(rules: list[ScoreRule], hits: list[tuple[ScoreRule, int]], now: int = NOW) -> ScoreState:
    return scoring.count(scoring.read_state(None), rules, 1, hits, now).state


half_lives = st.sampled_from([0, HOUR, DAY, 30 * DAY])
points = st.integers(-100, 100).filter(bool)
ages = st.integers(0, 90 * DAY)


@pytest.mark.parametrize(("age", "expected"), [(0, 100), (15, 71), (30, 50), (60, 25), (90, 13), (300, 0)])
def test_half_is_gone_after_each_half_life(age: int, expected: int) -> None:
    one = rule(points=100, half_life=30 * DAY)
    assert scoring.score_of(state_of([one], [(one, NOW)]), NOW + age * DAY) == expected


@given(points, half_lives.filter(bool), ages, ages)
def test_decay_does_not_care_how_often_it_is_looked_at(amount: int, half_life: int, first: int, second: int) -> None:
    at_once = scoring.decayed(amount, half_life, first + second)
    in_steps = scoring.decayed(scoring.decayed(amount, half_life, first), half_life, second)

    assert math.isclose(at_once, in_steps, rel_tol=1e-9)
    assert at_once == amount * 2.0 ** (-(first + second) / half_life)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), ages), max_size=12), points, points, half_lives, st.data())
def test_the_order_of_arrival_does_not_matter_where_no_cap_binds(
    said: list[tuple[str, int]], first: int, second: int, half_life: int, data: st.DataObject
) -> None:
    rules = {"a": rule("a", first, half_life=half_life), "b": rule("b", second)}
    hits = [(rules[name], NOW - age) for name, age in said]
    one = state_of([*rules.values()], hits)
    state = scoring.read_state(None)
    for hit in data.draw(st.permutations(hits)):
        state = scoring.count(state, [*rules.values()], 1, [hit], NOW).state

    for name, mine in one.rules.items():
        other = state.rules[name]
        assert (mine.count, mine.last_at, mine.as_of) == (other.count, other.last_at, other.as_of)
        assert math.isclose(scoring.held(mine, NOW), scoring.held(other, NOW), rel_tol=1e-9, abs_tol=1e-6)
    brute = sum(scoring.decayed(one.points, one.half_life, NOW - time) for one, time in hits)
    assert abs(scoring.score_of(one, NOW) - brute) <= 0.5 + 1e-6


@given(st.lists(ages, min_size=1, max_size=20), points, st.integers(1, 300), half_lives)
def test_a_rule_never_holds_more_than_its_cap(at: list[int], amount: int, cap: int, half_life: int) -> None:
    one = rule(points=amount, cap=cap, half_life=half_life)
    state = scoring.read_state(None)
    for age in sorted(at, reverse=True):
        state = scoring.count(state, [one], 1, [(one, NOW - age)], NOW).state
        assert abs(scoring.held(state.rules["opened"], NOW - age)) <= cap

    [line] = scoring.explain(state, [one], NOW).rules
    assert line.count == len(at)
    assert line.last_at == NOW - min(at)
    assert abs(line.points) <= min(cap, abs(line.uncapped)) + 0.01
    assert line.capped or math.isclose(line.points, line.uncapped)


def test_the_lines_of_an_explanation_add_up() -> None:
    opened, clicked, left = rule("opened", 5, cap=30), rule("clicked", 20), rule("left", -50)
    rules = [opened, clicked, left, rule("never", 7)]
    state = state_of(rules, [(opened, NOW)] * 9 + [(clicked, NOW)] * 4 + [(left, NOW)])

    found = scoring.explain(state, rules, NOW)

    assert found.score == 60
    assert [(line.id, line.points, line.count, line.capped) for line in found.rules] == [
        ("opened", 30, 9, True),
        ("clicked", 80, 4, False),
        ("left", -50, 1, False),
        ("never", 0, 0, False),
    ]
    assert found.rules[0].uncapped == 45


# --- other rules ------------------------------------------------------------------------------------------------------


def test_a_change_of_the_rules_is_no_move() -> None:
    opened, clicked = rule("opened", 100), rule("clicked", 50)
    state = state_of([opened, clicked], [(opened, NOW), (clicked, NOW)])

    scored = scoring.count(state, [clicked], 2, [(clicked, NOW)], NOW)

    assert [(move.previous, move.score) for move in scored.moves] == [(50, 100)]
    assert "opened" not in scored.state.rules
    assert scored.state.revision == 2


def test_another_half_life_holds_from_now_on() -> None:
    state = state_of([rule(points=100)], [(rule(points=100), NOW - 10 * DAY)])

    changed = scoring.carried_over(state, [rule(points=100, half_life=DAY)], 2, NOW)

    assert [scoring.score_of(changed, NOW + days * DAY) for days in (0, 1, 2)] == [100, 50, 25]


@given(st.integers(1, 200), st.integers(1, 200))
def test_a_cap_that_is_lowered_cuts_what_is_held(held: int, cap: int) -> None:
    state = state_of([rule(points=held)], [(rule(points=held), NOW)])
    assert scoring.score_of(scoring.carried_over(state, [rule(points=held, cap=cap)], 2, NOW), NOW) == min(held, cap)


# --- when to look again -----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(points, half_lives, ages), min_size=1, max_size=5), st.data())
def test_nothing_changes_before_the_next_look(parts: list[tuple[int, int, int]], data: st.DataObject) -> None:
    rules = [rule(f"r{n}", amount, half_life=half_life) for n, (amount, half_life, _) in enumerate(parts)]
    hits = [(one, NOW - age) for one, (_, _, age) in zip(rules, parts, strict=True)]
    state = state_of(rules, hits)
    score = scoring.score_of(state, NOW)

    due = scoring.next_look(state, NOW)

    assert due is None or due >= NOW + DAY
    if due is None:
        later = NOW + data.draw(st.integers(0, 4000 * DAY))
    elif due > NOW + DAY:
        later = data.draw(st.integers(NOW, due - 1_100_000))
    else:
        return
    assert scoring.score_of(state, later) == score


@given(st.lists(st.tuples(st.integers(1, 100), ages), min_size=1, max_size=5), half_lives.filter(bool))
def test_a_score_that_only_falls_is_another_at_each_look_and_ends_at_zero(
    parts: list[tuple[int, int]], half_life: int
) -> None:
    rules = [rule(f"r{n}", amount, half_life=half_life * (n + 1)) for n, (amount, _) in enumerate(parts)]
    state = state_of(rules, [(one, NOW - age) for one, (_, age) in zip(rules, parts, strict=True)])
    score, looks, now = scoring.score_of(state, NOW), 0, NOW
    while (due := scoring.next_look(state, now)) is not None:
        now, looks = due, looks + 1
        before, score = score, scoring.score_of(state, now)
        assert score < before
    assert score == 0
    assert looks <= sum(amount for amount, _ in parts)


# --- turns and crossings ----------------------------------------------------------------------------------------------

paths = st.lists(st.integers(-30, 60), min_size=1, max_size=40)
SCORE_CROSSING = ScoreCrossing()
MOMENT = datetime(2026, 11, 21, 1, tzinfo=UTC)


def holds(operator: Any, value: int, hysteresis: int, data: dict[str, Any]) -> bool:
    config = ScoreCrossingConfig(operator=operator, value=value, hysteresis=hysteresis)
    return SCORE_CROSSING.check(config, {"event": {"data": data}}, MOMENT).holds


def rises(path: list[int], value: int, hysteresis: int) -> bool:
    """By the words of the definition, over everything that ever was."""
    *before, score = path
    if not before[-1] < value <= score:
        return False
    at_or_above = [n for n, one in enumerate(before) if one >= value]
    return not at_or_above or min(before[at_or_above[-1] + 1 :]) < value - hysteresis


def falls(path: list[int], value: int, hysteresis: int) -> bool:
    *before, score = path
    if not score < value <= before[-1]:
        return False
    below = [n for n, one in enumerate(before) if one < value]
    return not below or max(before[below[-1] + 1 :]) >= value + hysteresis


def run(path: list[int]) -> list[int]:
    """The last moves of a path that go in one direction, from where it turned."""
    start = len(path) - 2
    while start > 0 and (path[start] > path[start - 1]) == (path[-1] > path[-2]):
        start -= 1
    return path[start:]


@given(paths, st.integers(-35, 65), st.integers(0, 40), st.integers(1, 30))
def test_what_is_kept_of_a_path_decides_crossings_as_the_whole_path_does(
    scores: list[int], value: int, hysteresis: int, step: int
) -> None:
    state, path = scoring.read_state(None), [0]
    for score in scores:
        if score == path[-1]:
            continue
        counted = scoring.count(state, [], 0, [(rule(points=score - path[-1]), NOW)], NOW)
        state, [move] = counted.state, counted.moves
        path.append(score)
        data = {"score": move.score, "turns": list(move.turns), "turn": move.turn}

        assert (move.previous, move.score) == (path[-2], path[-1])
        assert holds("rises_above", value, hysteresis, data) is rises(path, value, hysteresis)
        assert holds("falls_below", value, hysteresis, data) is falls(path, value, hysteresis)
        lately = run(path)
        passed = abs(lately[-1] - lately[0]) // step > abs(lately[-2] - lately[0]) // step
        assert holds("changes_by", step, 0, data) is passed


@given(st.lists(st.integers(-(10**6), 10**6), max_size=200))
def test_few_turns_are_kept(scores: list[int]) -> None:
    turns: tuple[int, ...] = (0,)
    for score in scores:
        if score != turns[-1]:
            turns = scoring.with_turn(turns, score)
        assert len(turns) <= MOST_TURNS
        assert turns[-1] == score


def test_many_turns_inside_each_other_forget_the_smallest() -> None:
    turns: tuple[int, ...] = (0,)
    for width in range(200, 0, -1):
        turns = scoring.with_turn(turns, width if width % 2 else -width)
    assert len(turns) <= MOST_TURNS
    assert turns[:2] == (-200, 199)
    assert turns[-1] == 1


def test_from_199_to_201_reaches_200() -> None:
    assert holds("rises_above", 200, 0, {"score": 201, "turns": [0, 199], "turn": 0})
    assert holds("rises_above", 200, 50, {"score": 201, "turns": [0, 199], "turn": 0})
    assert not holds("rises_above", 200, 50, {"score": 201, "turns": [0, 210, 199], "turn": 199})


@pytest.mark.parametrize("data", [{}, {"score": 5}, {"score": "5", "turns": [0], "turn": 0}, {"turns": "x"}])
def test_other_events_cross_nothing(data: dict[str, Any]) -> None:
    assert not holds("rises_above", 1, 0, data)


def test_a_state_survives_being_stored() -> None:
    one = rule(points=7, half_life=DAY)
    state = state_of([one], [(one, NOW - HOUR), (one, NOW)])
    assert scoring.read_state(scoring.write_state(state)) == state
