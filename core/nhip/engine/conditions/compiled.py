"""Condition trees compiled into functions of facts and time."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from nhip.domain.conditions import All, AnyOf, Custom, Node, Not, Test
from nhip.domain.errors import StorageUnavailable
from nhip.domain.verdict import Verdict
from nhip.engine.conditions.operators import OPERATORS, probe_of
from nhip.engine.conditions.probes import DIFFERS, Fault, Probe
from nhip.plugin_api import Facts

CustomCheck = Callable[[dict[str, Any], Facts, datetime], Verdict]
"""A plugin's condition: ``check(config, facts, now)``."""

CustomConditions = Mapping[str, CustomCheck]
"""The conditions that plugins add, by kind."""

Compiled = Callable[[Facts, datetime], bool]

NO_CUSTOMS: Final[CustomConditions] = {}

OPEN: Final[Fault] = "condition_error"
"""Neither true nor false: the code of a custom condition that broke."""


def compile_node(node: Node, customs: CustomConditions = NO_CUSTOMS) -> Compiled:
    """Make the function that says whether a tree holds. Neither this nor what it makes ever raises."""
    probe = compile_probe(node, customs)
    return lambda facts, now: probe(facts, now) is None


def compile_probe(node: Node, customs: CustomConditions = NO_CUSTOMS) -> Probe:
    """As :func:`compile_node`, one call cheaper: the function answers ``None`` when the tree holds."""
    return _compile(node, customs).probe


def compile_conjunction(node: Node, customs: CustomConditions = NO_CUSTOMS) -> tuple[Probe, ...]:
    """The probes that all have to hold for a tree to hold, the cheap ones first."""
    parts = [_compile(item, customs) for item in _conjuncts(node)]
    return tuple(part.probe for part in sorted(parts, key=attrgetter("cost")))


def _conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, All):
        for item in node.items:
            yield from _conjuncts(item)
    else:
        yield node


class _Part(NamedTuple):
    """A compiled part of a tree."""

    probe: Probe
    decides: bool
    """Whether it never stays open: what may needs the slower ways of joining."""
    cost: int


def _compile(node: Node, customs: CustomConditions) -> _Part:
    match node:
        case Test():
            probe = compile_test(node)
            return _Part(_always_open, False, 0) if probe is None else _Part(probe, True, OPERATORS[node.op].cost)
        case Custom():
            return _Part(_compile_custom(node, customs), False, 100)
        case Not(item=item):
            part = _compile(item, customs)
            return _Part(_negate(part.probe), part.decides, part.cost)
        case All(items=items) | AnyOf(items=items):
            parts = sorted((_compile(item, customs) for item in items), key=attrgetter("cost"))
            join = _join_all if isinstance(node, All) else _join_any
            decides = all(part.decides for part in parts)
            probe = join(tuple(part.probe for part in parts), decides=decides)
            return _Part(probe, decides, 1 + sum(part.cost for part in parts))


def compile_test(test: Test) -> Probe | None:
    """The probe of one test, or ``None`` if it means nothing."""
    if type(test.value) in (str, int, float, bool):
        return _shared_probe(test.field, test.op, test.value)
    return _probe_of(test.field, test.op, test.value)


def _probe_of(field: str, op: str, value: Any) -> Probe | None:
    operator = OPERATORS.get(op)
    if operator is None:
        return None
    try:
        return probe_of(operator, field, value)
    except ValueError:  # a tree that was never parsed: a plugin's own
        return None


_shared_probe: Final = lru_cache(maxsize=8192, typed=True)(_probe_of)
"""Workflows ask the same simple things (a status, a segment, a store); they ask them by the same probe."""


def _always_open(facts: Facts, now: datetime) -> Fault | None:
    return OPEN


def _compile_custom(node: Custom, customs: CustomConditions) -> Probe:
    def probe(facts: Facts, now: datetime) -> Fault | None:
        verdict = ask(node, facts, now, customs)
        if verdict is None:
            return OPEN
        return None if verdict.holds else DIFFERS

    return probe


def ask(node: Custom, facts: Facts, now: datetime, customs: CustomConditions) -> Verdict | None:
    """What a plugin's condition says, or ``None`` if it broke.

    Raises:
        StorageUnavailable: what it asked about could not be read; that is no fault of the plugin.
    """
    try:
        verdict: object = customs[node.condition](node.config, facts, now)
    except StorageUnavailable:
        raise
    except Exception:  # noqa: BLE001  # a broken plugin never stops the others
        return None
    return verdict if isinstance(verdict, Verdict) else None


def _negate(probe: Probe) -> Probe:
    def probe_not(facts: Facts, now: datetime) -> Fault | None:
        fault = probe(facts, now)
        if fault is None:
            return DIFFERS
        return OPEN if fault is OPEN else None

    return probe_not


def _join_all(probes: tuple[Probe, ...], *, decides: bool) -> Probe:
    if decides and len(probes) == 1:
        return probes[0]
    if decides and len(probes) == 2:
        first, second = probes
        return lambda facts, now: first(facts, now) or second(facts, now)
    if decides and len(probes) == 3:
        first, second, third = probes
        return lambda facts, now: first(facts, now) or second(facts, now) or third(facts, now)

    def probe_all(facts: Facts, now: datetime) -> Fault | None:
        left_open = None
        for probe in probes:
            fault = probe(facts, now)
            if fault is not None:
                if fault is not OPEN:
                    return fault
                left_open = OPEN
        return left_open

    return probe_all


def _join_any(probes: tuple[Probe, ...], *, decides: bool) -> Probe:
    if decides and len(probes) == 2:
        first, second = probes
        return lambda facts, now: first(facts, now) and second(facts, now)

    def probe_any(facts: Facts, now: datetime) -> Fault | None:
        answer = DIFFERS
        for probe in probes:
            fault = probe(facts, now)
            if fault is None:
                return None
            if fault is OPEN:
                answer = OPEN
        return answer

    return probe_any
