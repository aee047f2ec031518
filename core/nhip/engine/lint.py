"""What is allowed in a workflow and probably not meant. Pure; a warning never stops a publish."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from nhip.domain.conditions import Node
from nhip.domain.errors import Problem
from nhip.engine.conditions import fields_of
from nhip.engine.definition import Compiled
from nhip.engine.program import END, NodeKind, Program


def lint(compiled: Compiled, fields: Mapping[str, frozenset[str]]) -> list[Problem]:
    """Every warning about a workflow, each with its place.

    Args:
        compiled: the workflow.
        fields: per root of the facts, the fields that it can have; a root that is not in it can have any.
    """
    return [
        *_silent_triggers(compiled),
        *_unreachable(compiled.program),
        *_unknown_fields(compiled, fields),
        *_late_messages(compiled),
    ]


def _silent_triggers(compiled: Compiled) -> Iterator[Problem]:
    for position, use in enumerate(compiled.definition.triggers):
        entry = next((entry for entry in compiled.entries if entry.trigger_id == use.id), None)
        if entry is None or not entry.event_types:
            message = "no type of event concerns this trigger, so it never starts a run"
            yield Problem(path=f"triggers[{position}]", code="no_event_type", message=message)


def _unreachable(program: Program) -> Iterator[Problem]:
    reached: set[int] = set()
    open_ends = [program.entry]
    while open_ends:
        number = open_ends.pop()
        if number == END or number in reached:
            continue
        reached.add(number)
        node = program.nodes[number]
        open_ends += [node.next, node.otherwise]
    for node in program.nodes:
        if node.number not in reached:
            message = "no run can come here: every way to it ends before"
            yield Problem(path=node.path, code="unreachable", message=message)


def _unknown_fields(compiled: Compiled, fields: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    ids = {node.id for node in compiled.program.nodes}
    for path, condition in _conditions(compiled):
        for field in sorted(fields_of(condition)):
            root, _, rest = field.partition(".")
            name = rest.partition(".")[0]
            known = ids if root == "steps" else fields.get(root)
            if name and known is not None and name not in known:
                said = f"{field!r}: there is no step {name!r}" if root == "steps" else f"{root} has no field {name!r}"
                yield Problem(path=path, code="unknown_field", message=said)


def _conditions(compiled: Compiled) -> Iterator[tuple[str, Node]]:
    if compiled.definition.conditions is not None:
        yield "conditions", compiled.definition.conditions
    for node in compiled.program.nodes:
        if node.condition is not None:
            yield f"{node.path}.if", node.condition


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
        after = since + (node.duration or timedelta())
        for following in (node.next, node.otherwise):
            if following != END:
                soonest[following] = min(soonest.get(following, after), after)
