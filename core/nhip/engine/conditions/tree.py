"""Condition trees as JSON: read with every fault located, and written back."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from nhip.domain.conditions import All, AnyOf, Custom, Node, Not, Test
from nhip.domain.errors import InvalidInput, Problem
from nhip.engine.conditions.operators import MOST_VALUES, OPERATORS, Operator, reference
from nhip.engine.facts.decoding import convert

DEEPEST: Final = 32
"""How deep a tree may be nested."""
MOST_NODES: Final = 500
"""How many groups and tests a tree may have."""
LONGEST_FIELD: Final = 200
"""How many characters a field's path may have."""

_SHAPES: Final = {
    "all": frozenset({"all"}),
    "any": frozenset({"any"}),
    "not": frozenset({"not"}),
    "condition": frozenset({"condition", "config"}),
    "field": frozenset({"field", "op", "value"}),
}
_EXPECTED: Final = (
    'expected {"all": […]}, {"any": […]}, {"not": {…}}, {"field", "op", "value"} or {"condition", "config"}'
)


def parse(
    raw: Any,
    path: str,
    *,
    roots: Collection[str] | None = None,
    customs: Collection[str] | Mapping[str, Any] | None = None,
) -> Node:
    """Read a condition tree; ``path`` is its place in the whole input.

    ``roots`` are the first names that field paths may have (``contact``, ``order``), ``customs`` the kinds of
    conditions that plugins add; ``None`` accepts any. Where ``customs`` maps a kind to something with a
    ``config_type``, the configuration is checked against it.

    Raises:
        InvalidInput: with every fault found, each at its place: ``conditions.all[1].op``.
    """
    reading = _Reading(roots, customs)
    node = reading.node(raw, path, 1)
    if reading.problems or node is None:
        raise InvalidInput(reading.problems)
    return node


def dump(node: Node) -> dict[str, Any]:
    """Write a tree as the JSON that :func:`parse` reads."""
    match node:
        case All(items=items):
            return {"all": [dump(item) for item in items]}
        case AnyOf(items=items):
            return {"any": [dump(item) for item in items]}
        case Not(item=item):
            return {"not": dump(item)}
        case Custom(condition=kind, config=config):
            return {"condition": kind, "config": config}
        case Test(field=field, op=op, value=None):
            return {"field": field, "op": op}
        case Test(field=field, op=op, value=value):
            return {"field": field, "op": op, "value": list(value) if isinstance(value, tuple) else value}


class _Reading:
    """One pass over a tree, gathering the problems."""

    def __init__(self, roots: Collection[str] | None, customs: Collection[str] | Mapping[str, Any] | None) -> None:
        self.roots = roots
        self.customs = customs
        self.problems: list[Problem] = []
        self.nodes = 0

    def note(self, path: str, code: str, message: str) -> None:
        self.problems.append(Problem(path=path, code=code, message=message))

    def node(self, raw: Any, path: str, depth: int) -> Node | None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            if self.nodes == MOST_NODES + 1:
                self.note(path, "too_large", f"a condition may have at most {MOST_NODES} groups and tests")
            return None
        if depth > DEEPEST:
            self.note(path, "too_deep", f"a condition may be nested at most {DEEPEST} deep")
            return None
        if not isinstance(raw, dict):
            self.note(path, "bad_value", _EXPECTED)
            return None
        shapes = [shape for shape in _SHAPES if shape in raw]
        if not shapes and "op" in raw:
            shapes = ["field"]
        if len(shapes) != 1:
            said = f", not {' and '.join(shapes)} together" if shapes else ""
            self.note(path, "ambiguous" if shapes else "missing", _EXPECTED + said)
            return None
        [shape] = shapes
        unknown = [name for name in raw if name not in _SHAPES[shape]]
        if unknown:
            names = ", ".join(repr(name) for name in unknown[:5])
            self.note(path, "unknown_fields", f"{names} is not part of a condition with {shape!r}")
        match shape:
            case "all" | "any":
                return self.group(raw[shape], shape, f"{path}.{shape}", depth)
            case "not":
                item = self.node(raw["not"], f"{path}.not", depth + 1)
                return None if item is None else Not(item=item)
            case "condition":
                return self.custom(raw, path)
            case _:
                return self.test(raw, path)

    def group(self, raw: Any, shape: str, path: str, depth: int) -> Node | None:
        if not isinstance(raw, list):
            self.note(path, "bad_value", "a group is a list of conditions")
            return None
        items: list[Node] = []
        for number, item in enumerate(raw):
            node = self.node(item, f"{path}[{number}]", depth + 1)
            if node is not None:
                items.append(node)
            if self.nodes > MOST_NODES:
                break
        return All(items=tuple(items)) if shape == "all" else AnyOf(items=tuple(items))

    def custom(self, raw: dict[str, Any], path: str) -> Node | None:
        kind, config = raw["condition"], raw.get("config", {})
        if not isinstance(config, dict):
            self.note(f"{path}.config", "bad_value", "a configuration is an object")
            return None
        if not isinstance(kind, str) or (self.customs is not None and kind not in self.customs):
            self.note(f"{path}.condition", "unknown_condition", f"no plugin adds a condition {kind!r}")
            return None
        plugin = self.customs[kind] if isinstance(self.customs, Mapping) else None
        config_type = getattr(plugin, "config_type", None)
        if config_type is not None:
            try:
                convert(config, config_type, f"{path}.config")
            except InvalidInput as error:
                self.problems.extend(error.problems)
        return Custom(condition=kind, config=config)

    def test(self, raw: dict[str, Any], path: str) -> Node | None:
        for name in ("field", "op"):
            if name not in raw:
                self.note(f"{path}.{name}", "missing", f"a test needs {name!r}")
        field, op, value = raw.get("field"), raw.get("op"), raw.get("value")
        if "field" in raw:
            self.field(field, f"{path}.field")
        operator = OPERATORS.get(op) if isinstance(op, str) else None
        if operator is not None:
            self.value(operator, raw, f"{path}.value")
        elif "op" in raw:
            self.note(f"{path}.op", "unknown_operator", f"{op!r} is not an operator; there are {', '.join(OPERATORS)}")
        return Test(field=field, op=op, value=value) if isinstance(field, str) and isinstance(op, str) else None

    def field(self, field: Any, path: str) -> None:
        if not isinstance(field, str):
            self.note(path, "bad_value", "a field is a dotted path such as order.total.amount")
            return
        names = field.split(".")
        if len(field) > LONGEST_FIELD or any(
            not name or name != name.strip() or not name.isprintable() for name in names
        ):
            self.note(path, "bad_value", f"{field[:50]!r} is not a dotted path such as order.total.amount")
        elif self.roots is not None and names[0] not in self.roots:
            self.note(path, "unknown_field", f"{field!r} begins with none of {', '.join(sorted(self.roots))}")

    def value(self, operator: Operator, raw: dict[str, Any], path: str) -> None:
        value = raw.get("value")
        other = reference(operator, value)
        if other is not None:
            self.field(other, path)
            return
        if value is None and operator.takes_value and not operator.value_is_optional:
            self.note(path, "missing", f"the operator {operator.name!r} needs a value")
            return
        if isinstance(value, list) and not 1 <= len(value) <= MOST_VALUES:
            self.note(path, "bad_value", f"a list holds 1 to {MOST_VALUES} values, not {len(value)}")
            return
        try:
            operator.prepare(value)
        except ValueError as error:
            self.note(path, "bad_value", str(error))
