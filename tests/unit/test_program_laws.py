"""Laws of every program whatever its steps: it says what its definition says, it ends, and it knows what it reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from math import prod, sqrt
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from nhip.domain.workflow import ActionStep, ExitWhen, SplitStep, Step, WaitFor, WaitStep, Way
from nhip.engine.definitions.program import END, NodeKind, Program, compile_steps, decompile, walk
from nhip.engine.journeys.advance import Finish, Perform, Position, Wait, advance
from tests.support import definitions as some
from tests.support.definitions import Reader, Tale

WORKFLOW = "nurture"


@dataclass
class Walk:
    """What a flat program went through, and all places that it came to, in order."""

    program: Program
    tale: Tale
    places: list[Position] = field(default_factory=list)
    ways: dict[str, str] = field(default_factory=dict)
    """Per split, the way that was taken first."""
    needless: list[int] = field(default_factory=list)
    """The nodes after which it said that it needs no facts, although they changed where it went."""


def walked(steps: Sequence[Step], exit_when: Sequence[ExitWhen], contact: Any, flags: Any) -> Walk:
    """Do every action at once and let every wait last its time."""
    program = compile_steps(steps, exit_when)
    walk = Walk(program, Tale(contact, flags))
    tale = walk.tale
    position: Position | None = None
    for _ in range(most_visits(program) + 1):
        way = advance(program, position, tale.facts, tale.now, {}, WORKFLOW)
        number = END if position is None else position.node
        if not program.reads_facts_after(number) and advance(program, position, {}, tale.now, {}, WORKFLOW) != way:
            walk.needless.append(number)
        for passed in way.passed:
            walk.places.append(Position(node=passed.node.number, iteration=passed.iteration))
            tale.passed(passed.node.id, passed.outcome)
            if passed.node.kind is NodeKind.SPLIT:
                walk.ways.setdefault(passed.node.id, passed.outcome)
        match way.then:
            case Finish() as finish:
                if finish.node is not None:
                    tale.trace.append((finish.node.id, "exit"))
                tale.end = (finish.state, finish.reason)
                return walk
            case Perform() | Wait() as stop:
                position = Position(node=stop.node.number, iteration=stop.iteration)
                walk.places.append(position)
                until = stop.until if isinstance(stop, Wait) else tale.now + timedelta(minutes=1)
                tale.stopped(stop.node.id, stop.node.wait, until)
    raise AssertionError("the program does not end")


def most_visits(program: Program) -> int:
    """How often all nodes together can be come to: each once in every pass of the loops around it, a head once more."""
    return sum(
        prod(program.nodes[head].times for head in node.loops if head != node.number) * (node.times + 1)
        for node in program.nodes
    )


journeys = st.tuples(some.definitions(), some.exits, some.contacts, some.flags)


@settings(max_examples=30, deadline=None)
@given(some.definitions(), some.exits)
def test_a_program_decompiles_to_what_it_was_compiled_from(steps: tuple[Step, ...], exit_when: Any) -> None:
    program = compile_steps(steps, exit_when)
    assert decompile(program) == steps
    assert compile_steps(decompile(program), exit_when) == program
    assert [(node.path, node.id) for node in program.nodes] == [(path, step.id) for path, step in walk(steps)]


@settings(max_examples=80, deadline=None)
@given(journeys)
def test_a_program_does_what_a_reader_of_its_definition_expects(journey: Any) -> None:
    steps, exit_when, contact, flags = journey
    walk = walked(steps, exit_when, contact, flags)
    read = Reader(Tale(contact, flags), walk.ways, exit_when).read(steps)
    assert walk.tale.trace == read.trace
    assert walk.tale.end == read.end
    assert walk.tale.now == read.now
    assert walk.needless == []


@settings(max_examples=40, deadline=None)
@given(journeys)
def test_a_run_only_goes_on_never_comes_to_a_place_twice_and_always_takes_the_same_way(journey: Any) -> None:
    walk = walked(*journey)
    places = [walk.program.place(one.node, one.iteration) for one in walk.places]
    assert all(before < after for before, after in pairwise(places))
    assert len(set(walk.places)) == len(walk.places) <= most_visits(walk.program)
    for one in walk.places:
        node = walk.program.nodes[one.node]
        passes = walk.program.passes(one.node, one.iteration)
        assert len(passes) == len(node.loops)
        bounds = [walk.program.nodes[head].times - (head != one.node) for head in node.loops]
        assert all(0 <= done <= most for done, most in zip(passes, bounds, strict=True))
    weights = {step.id: {way.name: way.weight for way in step.ways} for _, step in _splits(journey[0])}
    assert all(outcome == walk.ways[name] for name, outcome in walk.tale.trace if name in walk.ways)
    assert all(weights[name][way] > 0 for name, way in walk.ways.items())


@settings(max_examples=40, deadline=None)
@given(journeys)
def test_what_a_program_reads_at_entry_is_all_that_changes_how_a_run_begins(journey: Any) -> None:
    steps, exit_when, contact, flags = journey
    walk = walked(steps, exit_when, contact, flags)
    unread = {name: not value for name, value in flags.items() if f"event.{name}" not in walk.program.reads_at_entry}
    assert _beginning(walked(steps, exit_when, contact, {**flags, **unread})) == _beginning(walk)


def _beginning(walk: Any) -> list[Any]:
    """What is decided before a run first stands still, and where it does."""
    found: list[Any] = []
    for name, outcome in walk.tale.trace:
        node = walk.program.node_of(name)
        if node is None or node.kind not in (NodeKind.BRANCH, NodeKind.SPLIT, NodeKind.REPEAT):
            return [*found, name]
        found.append((name, outcome))
    return found


def _splits(steps: Sequence[Step]) -> list[tuple[str, SplitStep]]:
    return [(path, step) for path, step in walk(steps) if isinstance(step, SplitStep)]


extra = tuple(
    step
    for number in range(8)
    for step in (
        ActionStep(id=f"new{number}", action="x"),
        WaitStep(id=f"pause{number}", wait=WaitFor(duration=timedelta(days=1))),
    )
)


@settings(max_examples=40, deadline=None)
@given(journeys, st.lists(st.integers(0, 1), max_size=14))
def test_a_run_that_moves_to_a_version_with_more_steps_stands_in_the_same_pass_and_order(
    journey: Any, chosen: list[int]
) -> None:
    steps, exit_when, contact, flags = journey
    old = walked(steps, exit_when, contact, flags)
    new = compile_steps(some.renamed(steps, extra, chosen), exit_when)
    moved = []
    for one in old.places:
        node = new.node_of(old.program.nodes[one.node].id)
        assert node is not None
        assert new.passes(node.number, one.iteration) == old.program.passes(one.node, one.iteration)
        moved.append(new.place(node.number, one.iteration))
    assert all(before < after for before, after in pairwise(moved))


# --- shares -----------------------------------------------------------------------------------------------------------

MANY = 20_000


def ways_of(split: SplitStep, workflow: str = WORKFLOW) -> list[str]:
    program = compile_steps([split])
    return [
        advance(program, None, {"contact": {"external_id": f"KH-{number}"}}, some.NOW, {}, workflow).passed[0].outcome
        for number in range(MANY)
    ]


def split(name: str, *weights: int) -> SplitStep:
    return SplitStep(id=name, ways=tuple(Way(weight=weight, name=str(n)) for n, weight in enumerate(weights)))


def assert_share(found: int, share: float) -> None:
    """Within four standard deviations of what is expected."""
    assert abs(found - MANY * share) <= 4 * sqrt(MANY * share * (1 - share))


@pytest.mark.parametrize("weights", [(50, 50), (1, 99), (10, 20, 70), (0, 100), (5,) * 20])
def test_shares_follow_the_weights(weights: tuple[int, ...]) -> None:
    found = ways_of(split("ab", *weights))
    for number, weight in enumerate(weights):
        assert_share(found.count(str(number)), weight / 100)
    assert ways_of(split("ab", *weights)) == found


@pytest.mark.parametrize(("name", "workflow"), [("cd", WORKFLOW), ("ab", "another")])
def test_two_splits_do_not_choose_the_same_people(name: str, workflow: str) -> None:
    one, other = ways_of(split("ab", 50, 50)), ways_of(split(name, 50, 50), workflow)
    assert_share(sum(a == b for a, b in zip(one, other, strict=True)), 0.5)
