"""The flat program does what the nested definition means, and always ends."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, strategies as st

from nhip.domain.conditions import Node
from nhip.domain.times import parse_time
from nhip.domain.workflow import ActionStep, ExitStep, IfStep, Step, WaitFor, WaitStep
from nhip.engine.conditions.decide import parse
from nhip.engine.definitions.program import END, NodeKind, compile_steps, walk
from nhip.engine.journeys.advance import Finish, Perform, Position, Wait, advance

NOW = parse_time("2026-11-21T08:00:00+07:00")


def flag(name: str) -> Node:
    return parse({"field": f"event.{name}", "op": "equals", "value": True}, "", roots=frozenset({"event"}), customs={})


@st.composite
def definitions(draw: st.DrawFn) -> tuple[Step, ...]:
    """Any steps whatever, nested up to four deep, each with an id of its own; the branch `n` reads `event.n`."""
    count = 0

    def steps(depth: int) -> tuple[Step, ...]:
        return tuple(step(depth) for _ in range(draw(st.integers(0, 4))))

    def step(depth: int) -> Step:
        nonlocal count
        count += 1
        name = f"s{count}"
        kinds = ["action", "action", "wait", "exit"] + (["if", "if", "if"] if depth < 4 else [])
        match draw(st.sampled_from(kinds)):
            case "action":
                return ActionStep(id=name, action="x")
            case "wait":
                return WaitStep(id=name, wait=WaitFor(duration=timedelta(days=1)))
            case "exit":
                return ExitStep(id=name, reason="r")
            case _:
                return IfStep(id=name, condition=flag(name), then=steps(depth + 1), otherwise=steps(depth + 1))

    return steps(0)


class Exited(Exception):
    """An exit step ends everything around it."""


def meaning(steps: Sequence[Step], flags: dict[str, bool]) -> Iterator[str]:
    """What a reader of the nested form expects to be visited, in order."""
    for step in steps:
        yield step.id
        match step:
            case ExitStep():
                raise Exited
            case IfStep():
                yield from meaning(step.then if flags[step.id] else step.otherwise, flags)
            case _:
                pass


def expected(steps: Sequence[Step], flags: dict[str, bool]) -> tuple[list[str], str]:
    visited: list[str] = []
    try:
        visited.extend(meaning(steps, flags))
    except Exited:
        return visited, "exited"
    return visited, "completed"


def walked(steps: Sequence[Step], flags: dict[str, bool]) -> tuple[list[str], str]:
    """What the flat program visits when every action and wait is done at once."""
    program = compile_steps(steps)
    visited: list[str] = []
    position: Position | None = None
    for _ in range(len(program.nodes) + 1):
        way = advance(program, position, {"event": flags}, NOW, {})
        visited += [passed.node.id for passed in way.passed]
        match way.then:
            case Finish() as finish:
                return visited + ([finish.node.id] if finish.node else []), finish.state
            case Perform(node=node) | Wait(node=node):
                visited.append(node.id)
                position = Position(node=node.number)
    raise AssertionError("the program does not end")


@given(definitions(), st.data())
def test_walking_the_program_visits_what_the_definition_means(steps: tuple[Step, ...], data: st.DataObject) -> None:
    branches = [step.id for _, step in walk(steps) if isinstance(step, IfStep)]
    flags = {name: data.draw(st.booleans()) for name in branches}
    assert walked(steps, flags) == expected(steps, flags)


@given(definitions())
def test_every_node_leads_forwards(steps: tuple[Step, ...]) -> None:
    for node in compile_steps(steps).nodes:
        for following in (node.next, node.otherwise):
            assert following == END or following > node.number
        assert node.otherwise == END or node.kind is NodeKind.BRANCH


@given(definitions())
def test_numbers_follow_the_reader_and_paths_name_the_places(steps: tuple[Step, ...]) -> None:
    program = compile_steps(steps)
    assert [(node.path, node.id) for node in program.nodes] == [(path, step.id) for path, step in walk(steps)]
    assert [node.number for node in program.nodes] == list(range(len(program.nodes)))
    assert compile_steps(steps) == program


@given(definitions())
def test_facts_are_asked_for_exactly_where_a_branch_follows(steps: tuple[Step, ...]) -> None:
    program = compile_steps(steps)
    for number in [END, *(node.number for node in program.nodes)]:
        position = None if number == END else Position(node=number)
        flags = {node.id: True for node in program.nodes}
        way = advance(program, position, {"event": flags}, NOW, {})
        assert program.reads_facts_after(number) == bool(way.passed)


def test_a_wait_ends_that_long_after_it_is_reached() -> None:
    program = compile_steps([WaitStep(id="w", wait=WaitFor(duration=timedelta(days=90)))])
    way = advance(program, None, {}, NOW, {})
    assert isinstance(way.then, Wait)
    assert way.then.until == NOW + timedelta(days=90)


def test_the_verdict_of_a_branch_names_its_place() -> None:
    program = compile_steps([IfStep(id="b", condition=flag("b"), then=(ActionStep(id="a", action="x"),))])
    facts: dict[str, Any] = {"event": {"b": False}}
    (passed,) = advance(program, None, facts, NOW, {}).passed
    assert passed.verdict is not None
    assert not passed.verdict.holds
    assert any(reason.path.startswith("steps[0].if") for reason in passed.verdict.reasons)


def test_an_alternative_lays_its_changes_over_the_steps_own_configuration() -> None:
    step = ActionStep(id="a", action="x", config={"channel": "zns", "to": "contact"}, fallback=({"channel": "sms"},))
    (node,) = compile_steps([step]).nodes
    assert node.alternative(0) == {"channel": "zns", "to": "contact"}
    assert node.alternative(1) == {"channel": "sms", "to": "contact"}
