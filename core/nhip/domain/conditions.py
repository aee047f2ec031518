"""Condition trees: tests over facts, joined by ``all``, ``any`` and ``not``."""

from typing import Any

import msgspec

from nhip.domain.struct import Struct


class Test(Struct):
    """One comparison of a field of the facts with a value."""

    __test__ = False  # not a test case, whatever a test collector may think

    field: str
    """A dotted path: ``order.total.amount``."""
    op: str
    """An operator's name: ``greater_or_equal``."""
    value: Any = None


class All(Struct):
    """Holds when every item holds; an empty one holds."""

    items: tuple["Node", ...]


class AnyOf(Struct):
    """Holds when at least one item holds; an empty one does not hold."""

    items: tuple["Node", ...]


class Not(Struct):
    """Holds when its item does not."""

    item: "Node"


class Custom(Struct):
    """A test of a kind that a condition plugin adds."""

    condition: str
    """The plugin's kind."""
    config: dict[str, Any] = msgspec.field(default_factory=dict)


Node = Test | All | AnyOf | Not | Custom


def test(field: str, op: str, value: Any = None) -> Test:
    """Write one test: ``test("order.status", "in", ["delivered"])``."""
    return Test(field=field, op=op, value=value)


test.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it by its name


def all_of(*items: Node | None) -> Node:
    """Join trees that must all hold; ``None`` is left out."""
    present = tuple(item for item in items if item is not None)
    return present[0] if len(present) == 1 else All(items=present)


def any_of(*items: Node) -> Node:
    """Join trees of which one must hold."""
    return items[0] if len(items) == 1 else AnyOf(items=items)
