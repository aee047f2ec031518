"""Decide condition trees: compiled for the many, judged with reasons for whoever asks why.

Both ways answer alike. A test holds or does not. A plugin's condition that breaks, and a test that cannot be compiled,
leave it open: a group is decided by a child that decides it (a false one in ``all``, a true one in ``any``), and one
that nothing else decides stays open. What stays open does not hold, under ``not`` as anywhere else.
"""

from collections.abc import Iterator

from nhip.domain.conditions import All, AnyOf, Custom, Node, Not, Test
from nhip.engine.conditions.compiled import (
    NO_CUSTOMS,
    OPEN,
    Compiled,
    CustomCheck,
    CustomConditions,
    compile_conjunction,
    compile_node,
    compile_probe,
)
from nhip.engine.conditions.judged import HOLDS, judge
from nhip.engine.conditions.operators import OPERATORS, fields_of_test
from nhip.engine.conditions.tree import dump, parse


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
