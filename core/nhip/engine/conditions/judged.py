"""Condition trees judged: whether they hold, and which tests decided it."""

from datetime import datetime
from typing import Final

from nhip.domain.conditions import All, AnyOf, Custom, Node, Not, Test
from nhip.domain.verdict import Reason, Verdict
from nhip.engine.conditions.compiled import NO_CUSTOMS, OPEN, CustomConditions, ask, compile_test
from nhip.engine.conditions.operators import OPERATORS, reference
from nhip.engine.conditions.probes import DIFFERS
from nhip.engine.facts.fields import ABSENT, previous_reader, reader
from nhip.plugin_api import Facts

HOLDS: Final = "holds"
"""The code of a test that holds."""


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
    probe = compile_test(test)
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
    verdict = ask(node, facts, now, customs)
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
