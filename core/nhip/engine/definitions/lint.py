"""What is allowed in a workflow and probably not meant. Pure; a warning never stops a publish."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from nhip.domain.conditions import Node
from nhip.domain.errors import Problem
from nhip.domain.scans import DateScan, MomentScan
from nhip.domain.workflow import WaitEvent, WaitFor, WaitUntil
from nhip.engine.conditions.decide import fields_of
from nhip.engine.definitions.definition import Compiled
from nhip.engine.definitions.program import END, NodeKind, Program, ProgramNode
from nhip.engine.definitions.reading import is_event_type
from nhip.engine.definitions.reading_waits import LONGEST_WAIT

_STEP: Final = re.compile(r"\{\{-?\s*steps\.([a-z][a-z0-9_]*)")
"""What a text with {{ … }} names first, where it is a step."""
_STATEMENTS: Final = ("{%", "{#")
"""What may keep {{ … }} from being read."""


def lint(compiled: Compiled, fields: Mapping[str, frozenset[str]]) -> list[Problem]:
    """Every warning about a workflow, each with its place.

    Args:
        compiled: the workflow.
        fields: per root of the facts, the fields that it can have; a root that is not in it can have any.
    """
    return [
        *_silent_triggers(compiled),
        *_unknown_fields(compiled, fields),
        *_early_reads(compiled),
        *_impossible_conversion(compiled),
        *_late_messages(compiled),
        *_hasty_loops(compiled.program),
        *_endless_waits(compiled.program),
    ]


def _silent_triggers(compiled: Compiled) -> Iterator[Problem]:
    for position, use in enumerate(compiled.definition.triggers):
        entry = next((entry for entry in compiled.entries if entry.trigger_id == use.id), None)
        if entry is None or not entry.event_types:
            message = "no type of event concerns this trigger, so it never starts a run"
            yield Problem(path=f"triggers[{position}]", code="no_event_type", message=message)


def _unknown_fields(compiled: Compiled, fields: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    ids = {node.id for node in compiled.program.nodes}
    for path, field in _fields(compiled):
        root, _, rest = field.partition(".")
        name = rest.partition(".")[0]
        known = ids if root == "steps" else fields.get(root)
        if name and known is not None and name not in known:
            said = f"{field!r}: there is no step {name!r}" if root == "steps" else f"{root} has no field {name!r}"
            yield Problem(path=path, code="unknown_field", message=said)


def _fields(compiled: Compiled) -> Iterator[tuple[str, str]]:
    """Every field that is read, with the place that names it."""
    for position, use in enumerate(compiled.definition.triggers):
        dated = {scan.field for scan in compiled.asked.get(use.id, ()) if isinstance(scan, DateScan | MomentScan)}
        yield from ((f"triggers[{position}].config", field) for field in sorted(dated))
    for node in compiled.program.nodes:
        if isinstance(node.wait, WaitUntil) and node.wait.field is not None:
            yield f"{node.path}.wait.until", node.wait.field
    for path, condition in _conditions(compiled):
        yield from ((path, field) for field in sorted(fields_of(condition)))


def _conditions(compiled: Compiled) -> Iterator[tuple[str, Node]]:
    if compiled.definition.conditions is not None:
        yield "conditions", compiled.definition.conditions
    for node in compiled.program.nodes:
        if node.condition is not None:
            yield f"{node.path}.{'if' if node.kind is NodeKind.BRANCH else 'repeat.until'}", node.condition
        if isinstance(node.wait, WaitEvent) and node.wait.where is not None:
            yield f"{node.path}.wait.where", node.wait.where
    for position, one in enumerate(compiled.definition.settings.exit_when):
        if one.where is not None:
            yield f"settings.exit_when[{position}].where", one.where


def _early_reads(compiled: Compiled) -> Iterator[Problem]:
    """Where a step is read that no way leads through before."""
    program = compiled.program
    for path, here, step in _steps_read(compiled):
        read = program.node_of(step)
        if read is not None and (here is None or not _leads_to(program, read, here)):
            message = f"no way leads through the step {step!r} before, so nothing is known of it here"
            yield Problem(path=path, code="read_too_early", message=message)


def _steps_read(compiled: Compiled) -> Iterator[tuple[str, ProgramNode | None, str]]:
    """Every step that is read while a run is on its way: the place, the node there, and the step's id. There is no node
    where the run has not begun.
    """
    for path, field in _fields(compiled):
        root, _, rest = field.partition(".")
        is_entry = path == "conditions"
        if root == "steps" and (is_entry or path.startswith("steps[")):
            here = None if is_entry else _node_at(compiled.program, path)
            yield path, here, rest.partition(".")[0]
    for node in compiled.program.nodes:
        places = [(f"{node.path}.config", node.config)]
        places += [(f"{node.path}.fallback[{number}]", change) for number, change in enumerate(node.fallback)]
        for place, said in places:
            for path, text in _texts(said, place):
                if not any(mark in text for mark in _STATEMENTS):
                    yield from ((path, node, step) for step in dict.fromkeys(_STEP.findall(text)))


def _node_at(program: Program, path: str) -> ProgramNode:
    """The innermost node at whose place a path lies."""
    return max((node for node in program.nodes if path.startswith(f"{node.path}.")), key=lambda node: len(node.path))


def _texts(said: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a configuration, with its place."""
    if isinstance(said, str):
        yield path, said
    elif isinstance(said, Mapping):
        for name, value in said.items():
            yield from _texts(value, f"{path}.{name}")
    elif isinstance(said, list | tuple):
        for position, value in enumerate(said):
            yield from _texts(value, f"{path}[{position}]")


def _leads_to(program: Program, start: ProgramNode, goal: ProgramNode) -> bool:
    """Whether a run that has done one node may come to another, or to the same once more."""
    seen, ahead = set[int](), list(start.exits)
    while ahead:
        number = ahead.pop()
        if number == goal.number:
            return True
        if number != END and number not in seen:
            seen.add(number)
            ahead += program.nodes[number].exits
    return False


def _impossible_conversion(compiled: Compiled) -> Iterator[Problem]:
    conversion = compiled.definition.settings.conversion
    if conversion is not None and not is_event_type(conversion.event):
        message = f"no event can have the type {conversion.event!r}, so there is never a conversion"
        yield Problem(path="settings.conversion.event", code="no_event_type", message=message)


def _late_messages(compiled: Compiled) -> Iterator[Problem]:
    """Steps that every run reaches only after the time in which a conversion still counts."""
    conversion = compiled.definition.settings.conversion
    if conversion is None:
        return
    program = compiled.program
    soonest: dict[int, timedelta] = {program.entry: timedelta()}
    for node in program.nodes:
        since = soonest.get(node.number)
        if since is None:
            continue
        if node.kind is NodeKind.ACTION and since > conversion.within:
            message = "runs come here only after the time within which a conversion counts"
            yield Problem(path=node.path, code="after_conversion", message=message)
            return
        after = since + (node.wait.duration if isinstance(node.wait, WaitFor) else timedelta())
        for following in node.exits:
            if following > node.number:
                soonest[following] = min(soonest.get(following, after), after)


def _hasty_loops(program: Program) -> Iterator[Problem]:
    """Loops that may do the same thing many times in a moment."""
    for head in program.nodes:
        if head.kind is NodeKind.REPEAT:
            held = [node for node in program.nodes if head.number in node.loops]
            acts = any(node.kind is NodeKind.ACTION for node in held)
            if acts and not any(node.kind is NodeKind.WAIT for node in held):
                message = f"nothing in this loop waits, so up to {head.times} passes follow each other at once"
                yield Problem(path=head.path, code="hasty_loop", message=message)


def _endless_waits(program: Program) -> Iterator[Problem]:
    for node in program.nodes:
        if isinstance(node.wait, WaitEvent) and node.wait.timeout >= LONGEST_WAIT:
            message = f"a run may wait here for {LONGEST_WAIT.days} days: say a timeout"
            yield Problem(path=f"{node.path}.wait", code="long_wait", message=message)
