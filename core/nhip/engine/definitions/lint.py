"""What is allowed in a workflow and probably not meant. Pure; a warning never stops a publish."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from nhip.domain.conditions import Node
from nhip.domain.errors import Problem
from nhip.domain.scans import DateScan, MomentScan
from nhip.domain.workflow import WaitEvent, WaitFor, WaitUntil
from nhip.engine.conditions.decide import fields_of
from nhip.engine.definitions.definition import Compiled
from nhip.engine.definitions.program import NodeKind, Program
from nhip.engine.definitions.reading_waits import LONGEST_WAIT


def lint(compiled: Compiled, fields: Mapping[str, frozenset[str]]) -> list[Problem]:
    """Every warning about a workflow, each with its place.

    Args:
        compiled: the workflow.
        fields: per root of the facts, the fields that it can have; a root that is not in it can have any.
    """
    return [
        *_silent_triggers(compiled),
        *_unknown_fields(compiled, fields),
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
