"""What comes next in a run."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nhip.domain.struct import Struct
from nhip.domain.verdict import Verdict
from nhip.engine.conditions.decide import CustomConditions, judge
from nhip.engine.definitions.program import END, NodeKind, Program, ProgramNode, ProgramWay
from nhip.engine.facts.calendars import ClosedDays, always_open
from nhip.engine.times.waits import wait_ending
from nhip.plugin_api import CALENDAR, Facts


class Position(Struct):
    """Where a run stands: a node, and the passes of the loops around it."""

    node: int
    iteration: int = 0


class Passed(Struct):
    """Something that the run went through without stopping."""

    node: ProgramNode
    iteration: int
    outcome: str
    verdict: Verdict | None = None
    """What chose the way, where a condition did."""


class Perform(Struct):
    """Do this action now."""

    node: ProgramNode
    iteration: int = 0


class Wait(Struct):
    """Do nothing until then, or until one of these events."""

    node: ProgramNode
    until: datetime
    iteration: int = 0
    awaits: tuple[str, ...] = ()


class Finish(Struct):
    """The run is over: ``completed`` at the end of the program, ``exited`` by an exit step or by ``exit_when``."""

    state: str
    reason: str | None = None
    node: ProgramNode | None = None


class Advance(Struct):
    """The way taken and what to do at its end."""

    passed: tuple[Passed, ...]
    then: Perform | Wait | Finish


def advance(
    program: Program,
    position: Position | None,
    facts: Mapping[str, Any],
    now: datetime,
    customs: CustomConditions,
    workflow: str = "",
    closed: ClosedDays = always_open,
) -> Advance:
    """Go on from ``position`` (``None`` at the start of a run) until something has to be done or waited for.

    ``workflow`` is its name: with the contact's external id it decides the way at a split. ``closed`` is the
    workspace's calendar, for windows and conditions that keep it. It always ends: every step leads to a later pair of
    node and iteration (:meth:`Program.place`), and every loop is bounded.
    """
    facts = {**facts, CALENDAR: closed}
    left = leaving(program, facts, now, customs)
    if left is not None:
        return Advance(passed=(), then=Finish(state="exited", reason=left))
    who = f"{workflow}\x1f{(facts.get('contact') or {}).get('external_id', '')}"
    number, iteration = (END, 0) if position is None else (position.node, position.iteration)
    following = program.entry if position is None else program.nodes[number].next
    passed: list[Passed] = []
    outcomes: dict[str, Any] = dict(facts.get("steps") or {})

    def passes(node: ProgramNode, outcome: str, verdict: Verdict | None = None) -> None:
        nonlocal facts
        passed.append(Passed(node=node, iteration=iteration, outcome=outcome, verdict=verdict))
        outcomes[node.id] = {"outcome": outcome, "output": None}
        facts = {**facts, "steps": outcomes}

    while following != END:
        iteration = program.iteration(number, iteration, following)
        number = following
        node = program.nodes[number]
        match node.kind:
            case NodeKind.ACTION:
                return Advance(passed=tuple(passed), then=Perform(node=node, iteration=iteration))
            case NodeKind.EXIT:
                return Advance(passed=tuple(passed), then=Finish(state="exited", reason=node.reason, node=node))
            case NodeKind.WAIT:
                assert node.wait is not None
                ending = wait_ending(node.wait, facts, now, closed)
                if ending.until is not None:
                    awaits = getattr(node.wait, "events", ())
                    stop = Wait(node=node, until=ending.until, iteration=iteration, awaits=awaits)
                    return Advance(passed=tuple(passed), then=stop)
                passes(node, ending.outcome or "")
                following = node.next
            case NodeKind.BRANCH:
                assert node.condition is not None
                verdict = judge(node.condition, facts, now, f"{node.path}.if", customs)
                passes(node, "then" if verdict.holds else "else", verdict)
                following = node.next if verdict.holds else node.otherwise
            case NodeKind.SPLIT:
                way = way_of(node, who)
                passes(node, way.name)
                following = way.next
            case NodeKind.REPEAT:
                enough = None
                if node.condition is not None:
                    enough = judge(node.condition, facts, now, f"{node.path}.repeat.until", customs)
                over = program.passes(number, iteration)[-1] >= node.times
                outcome = "until" if enough is not None and enough.holds else "times" if over else "again"
                passes(node, outcome, enough)
                following = node.next if outcome == "again" else node.otherwise
    return Advance(passed=tuple(passed), then=Finish(state="completed"))


def leaving(program: Program, facts: Facts, now: datetime, customs: CustomConditions) -> str | None:
    """Which of the conditions that end a run before its next step holds: ``exit_when[0]``."""
    for position, one in enumerate(program.exit_when):
        if not one.events and one.where is not None and judge(one.where, facts, now, "", customs).holds:
            return f"exit_when[{position}]"
    return None


def leaving_at(program: Program, event_type: str, facts: Facts, now: datetime, customs: CustomConditions) -> str | None:
    """Which of the events that end a run this one is: ``exit_when[0]: ticket.created``."""
    for position, one in enumerate(program.exit_when):
        if event_type in one.events and (one.where is None or judge(one.where, facts, now, "", customs).holds):
            return f"exit_when[{position}]: {event_type}"
    return None


def way_of(node: ProgramNode, who: str) -> ProgramWay:
    """The way of a split that somebody goes: by a hash, so that it is always the same and shares follow the weights."""
    digest = hashlib.blake2b(f"{node.id}\x1f{who}".encode(), digest_size=8).digest()
    return _at(node.ways, int.from_bytes(digest, "big") % sum(way.weight for way in node.ways))


def _at(ways: Sequence[ProgramWay], place: int) -> ProgramWay:
    for way in ways:
        if place < way.weight:
            return way
        place -= way.weight
    raise AssertionError("the place lies within the sum of the weights")
