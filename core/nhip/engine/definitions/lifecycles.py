"""Which steps only leads come to, and which only customers, so that an action for the others is found out in time.

What the triggers and conditions say holds until time passes, or a step may change the contact: a wait, or any local
action. Where it cannot be known nothing is said.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from nhip.catalog import Catalog
from nhip.domain.conditions import All, AnyOf, Node, Not, Test
from nhip.domain.workflow import ActionStep, IfStep, RepeatStep, SplitStep, Step, WaitStep
from nhip.engine.definitions.definition import Compiled
from nhip.engine.definitions.program import inside

_FIELD: Final = "contact.lifecycle"
_OTHER: Final = {"lead": "customer", "customer": "lead"}


def certain_lifecycles(compiled: Compiled, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """The actions of a workflow that one lifecycle alone comes to: place, action, lifecycle."""
    said = {_said(entry.condition) for entry in compiled.entries}
    lifecycle = said.pop() if len(said) == 1 else None
    yield from _through(compiled.definition.steps, "steps", lifecycle, catalog)


def _through(
    steps: Sequence[Step], path: str, lifecycle: str | None, catalog: Catalog
) -> Iterator[tuple[str, str, str]]:
    for position, step in enumerate(steps):
        place = f"{path}[{position}]"
        match step:
            case ActionStep():
                if lifecycle is not None:
                    yield place, step.action, lifecycle
            case IfStep():
                ways = dict(inside(step, place))
                held = _said(step.condition)
                for below, inner in ways.items():
                    mine = held if below.endswith(".then") else _OTHER.get(held or "") if _is_plain(step) else None
                    yield from _through(inner, below, mine or lifecycle, catalog)
            case RepeatStep():
                for below, inner in inside(step, place):
                    first = None if _may_change(inner, catalog) else lifecycle
                    yield from _through(inner, below, first, catalog)
            case SplitStep():
                for below, inner in inside(step, place):
                    yield from _through(inner, below, lifecycle, catalog)
            case _:
                pass
        if _may_change([step], catalog):
            lifecycle = None


def _may_change(steps: Sequence[Step], catalog: Catalog) -> bool:
    for step in steps:
        if isinstance(step, WaitStep) or (isinstance(step, ActionStep) and _is_local(step, catalog)):
            return True
        if any(_may_change(inner, catalog) for _, inner in inside(step, "")):
            return True
    return False


def _is_local(step: ActionStep, catalog: Catalog) -> bool:
    return catalog.actions[step.action].effect == "local"


def _is_plain(step: IfStep) -> bool:
    """Whether the other way is that of the other lifecycle: the condition tests nothing else."""
    return isinstance(step.condition, Test) and step.condition.op in ("equals", "not_equals")


def _said(node: Node | None) -> str | None:
    """The lifecycle without which a condition cannot hold."""
    match node:
        case Test(field=field, op=op, value=value) if field == _FIELD:
            return _of_test(op, value)
        case All(items=items):
            return next((one for item in items if (one := _said(item)) is not None), None)
        case AnyOf(items=items) if items:
            ways = {_said(item) for item in items}
            return ways.pop() if len(ways) == 1 else None
        case Not(item=Test(field=field, op=op, value=value)) if field == _FIELD and op in ("equals", "not_equals"):
            return _of_test("not_equals" if op == "equals" else "equals", value)
        case _:
            return None


def _of_test(op: str, value: object) -> str | None:
    if op == "in" and isinstance(value, list) and len(value) == 1:
        op, value = "equals", value[0]
    named = value.lower() if isinstance(value, str) else ""
    if named not in _OTHER:
        return None
    match op:
        case "equals" | "changed_to":
            return named
        case "not_equals" | "changed_from":
            return _OTHER[named]
        case _:
            return None
