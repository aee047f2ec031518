"""Decide condition trees: compiled for the many, judged with reasons for whoever asks why.

Both ways answer alike. A test holds or does not. A plugin's condition that breaks, and a test that cannot be compiled,
leave it open: a group is decided by a child that decides it (a false one in ``all``, a true one in ``any``), and one
that nothing else decides stays open. What stays open does not hold, under ``not`` as anywhere else.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from nhip.domain.conditions import All, AnyOf, Custom, Node, Not, Test
from nhip.domain.verdict import Reason, Verdict
from nhip.engine.condition_tree import dump, parse
from nhip.engine.facts import ABSENT, previous_reader, reader
from nhip.engine.operators import OPERATORS, fields_of_test, probe_of, reference
from nhip.engine.probes import DIFFERS, Fault, Probe
from nhip.plugin_api import Facts

CustomCheck = Callable[[dict[str, Any], Facts, datetime], Verdict]
"""A plugin's condition: ``check(config, facts, now)``."""

CustomConditions = Mapping[str, CustomCheck]
"""The conditions that plugins add, by kind."""

Compiled = Callable[[Facts, datetime], bool]

NO_CUSTOMS: Final[CustomConditions] = {}

HOLDS: Final = "holds"
OPEN: Final[Fault] = "condition_error"
"""Neither true nor false: the code of a custom condition that broke."""


# --- compiled ---------------------------------------------------------------------------------------------------------


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
            probe = _compile_test(node)
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


def _compile_test(test: Test) -> Probe | None:
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
        verdict = _ask(node, facts, now, customs)
        if verdict is None:
            return OPEN
        return None if verdict.holds else DIFFERS

    return probe


def _ask(node: Custom, facts: Facts, now: datetime, customs: CustomConditions) -> Verdict | None:
    try:
        verdict: object = customs[node.condition](node.config, facts, now)
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


# --- judged -----------------------------------------------------------------------------------------------------------


def judge(
    node: Node, facts: Facts, now: datetime, path: str = "conditions", customs: CustomConditions = NO_CUSTOMS
) -> Verdict:
    """Decide a tree and say why: the reasons are the tests that decided it, each with its place under ``path``.

    A child that decides its group alone is the group's only reason; else all of them are. It never raises.
    """
    holds, reasons = _judge(node, facts, now, path, customs)
    return Verdict(holds=holds is True, reasons=reasons)


_Judged = tuple[bool | None, tuple[Reason, ...]]
"""Whether it holds (``None``: open), and why."""


def _judge(node: Node, facts: Facts, now: datetime, path: str, customs: CustomConditions) -> _Judged:
    match node:
        case Test():
            return _judge_test(node, facts, now, path)
        case Custom():
            return _judge_custom(node, facts, now, path, customs)
        case Not(item=item):
            holds, reasons = _judge(item, facts, now, f"{path}.not", customs)
            return (None if holds is None else not holds), reasons
        case All(items=items):
            return _judge_group(items, False, facts, now, f"{path}.all", customs)
        case AnyOf(items=items):
            return _judge_group(items, True, facts, now, f"{path}.any", customs)


def _judge_group(
    items: tuple[Node, ...], deciding: bool, facts: Facts, now: datetime, path: str, customs: CustomConditions
) -> _Judged:
    if not items:
        return not deciding, (Reason(path=path, code="empty_group"),)
    gathered: list[_Judged] = []
    for number, item in enumerate(items):
        judged = _judge(item, facts, now, f"{path}[{number}]", customs)
        if judged[0] is deciding:
            return judged
        gathered.append(judged)
    left_open = [reasons for holds, reasons in gathered if holds is None]
    if left_open:
        return None, tuple(reason for reasons in left_open for reason in reasons)
    return not deciding, tuple(reason for _, reasons in gathered for reason in reasons)


def _judge_test(test: Test, facts: Facts, now: datetime, path: str) -> _Judged:
    operator = OPERATORS.get(test.op)
    probe = _compile_test(test)
    if operator is None or probe is None:
        code = "unknown_operator" if operator is None else "bad_value"
        return None, (Reason(path=path, code=code, field=test.field, op=test.op, expected=test.value),)
    fault = probe(facts, now)
    actual = reader(test.field)(facts)
    if operator.reads_previous:
        before = previous_reader(test.field)(facts)
        if before is not ABSENT:
            actual = {"from": before, "to": actual}
    other = reference(operator, test.value)
    expected = test.value if other is None else reader(other)(facts)
    code = HOLDS if fault is None else fault
    reason = Reason(path=path, code=code, field=test.field, op=test.op, expected=expected, actual=actual)
    return fault is None, (reason,)


def _judge_custom(node: Custom, facts: Facts, now: datetime, path: str, customs: CustomConditions) -> _Judged:
    if node.condition not in customs:
        return None, (Reason(path=path, code="unknown_condition", op=node.condition),)
    verdict = _ask(node, facts, now, customs)
    if verdict is None:
        return None, (Reason(path=path, code=OPEN, op=node.condition),)
    reasons = tuple(_placed(reason, path) for reason in verdict.reasons)
    return verdict.holds, reasons or (Reason(path=path, code=HOLDS if verdict.holds else DIFFERS, op=node.condition),)


def _placed(reason: Reason, path: str) -> Reason:
    inner = reason.path
    joint = "" if not inner or inner.startswith("[") else "."
    return Reason(
        path=f"{path}{joint}{inner}",
        code=reason.code,
        field=reason.field,
        op=reason.op,
        expected=reason.expected,
        actual=reason.actual,
    )


# --- what a tree reads ------------------------------------------------------------------------------------------------


def fields_of(node: Node) -> frozenset[str]:
    """Every field that a tree's tests read, those they compare with and ``previous.…`` included.

    What a plugin's condition reads only the plugin knows: see :func:`customs_of`.
    """
    fields: set[str] = set()
    for leaf in _leaves(node):
        if isinstance(leaf, Test):
            operator = OPERATORS.get(leaf.op)
            fields |= {leaf.field} if operator is None else fields_of_test(operator, leaf.field, leaf.value)
    return frozenset(fields)


def customs_of(node: Node) -> frozenset[str]:
    """The kinds of plugin conditions in a tree."""
    return frozenset(leaf.condition for leaf in _leaves(node) if isinstance(leaf, Custom))


def _leaves(node: Node) -> Iterator[Test | Custom]:
    match node:
        case Test() | Custom():
            yield node
        case Not(item=item):
            yield from _leaves(item)
        case All(items=items) | AnyOf(items=items):
            for item in items:
                yield from _leaves(item)


__all__ = [
    "HOLDS",
    "NO_CUSTOMS",
    "OPEN",
    "Compiled",
    "CustomCheck",
    "CustomConditions",
    "compile_conjunction",
    "compile_node",
    "compile_probe",
    "customs_of",
    "dump",
    "fields_of",
    "judge",
    "parse",
]
