"""What comes next in a run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nhip.domain.struct import Struct
from nhip.domain.verdict import Verdict
from nhip.engine.conditions import CustomConditions, judge
from nhip.engine.program import END, NodeKind, Program, ProgramNode


class Passed(Struct):
    """A branch that the run went through, with the verdict that chose the way."""

    node: ProgramNode
    verdict: Verdict


class Perform(Struct):
    """Do this action now."""

    node: ProgramNode


class Wait(Struct):
    """Do nothing until then."""

    node: ProgramNode
    until: datetime


class Finish(Struct):
    """The run is over: ``completed`` at the end of the program, ``exited`` by an exit step."""

    state: str
    reason: str | None = None
    node: ProgramNode | None = None


class Advance(Struct):
    """The way taken and what to do at its end."""

    passed: tuple[Passed, ...]
    then: Perform | Wait | Finish


def advance(
    program: Program, position: int | None, facts: Mapping[str, Any], now: datetime, customs: CustomConditions
) -> Advance:
    """Go on from ``position`` (``None`` at the start of a run) until something has to be done or waited for.

    It always ends: every node leads to one with a higher number, or to the end.
    """
    number = program.entry if position is None else program.nodes[position].next
    passed: list[Passed] = []
    while number != END:
        node = program.nodes[number]
        match node.kind:
            case NodeKind.ACTION:
                return Advance(passed=tuple(passed), then=Perform(node=node))
            case NodeKind.WAIT:
                assert node.duration is not None
                return Advance(passed=tuple(passed), then=Wait(node=node, until=now + node.duration))
            case NodeKind.EXIT:
                return Advance(passed=tuple(passed), then=Finish(state="exited", reason=node.reason, node=node))
            case NodeKind.BRANCH:
                assert node.condition is not None
                verdict = judge(node.condition, facts, now, f"{node.path}.if", customs)
                passed.append(Passed(node=node, verdict=verdict))
                number = node.next if verdict.holds else node.otherwise
    return Advance(passed=tuple(passed), then=Finish(state="completed"))
