"""What a condition tree cannot hold without: its clauses, which an index is built from.

A tree is loosened into alternatives (an ``any`` makes several), each a conjunction of *requirements* (one of these
keys in that feature) and *bounds* (that axis lets this bound through). Whatever cannot be put so is left out. So a
clause may let through facts that the tree does not hold for, and never the other way round.
"""

from collections.abc import Iterable
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple

from nhip.domain.conditions import All, AnyOf, Node, Test
from nhip.engine.conditions.operators import OPERATORS, reference
from nhip.engine.facts.values import Key, key_of, number_of, words
from nhip.engine.matching.features import (
    CHANGES,
    Axis,
    Feature,
    at_least,
    at_most,
    cells_of_range,
    falls_below,
    inner_feature,
    is_infinite,
    items_feature,
    pairs_feature,
    previous_feature,
    rises_to,
    value_feature,
    words_feature,
)

MOST_CLAUSES: Final = 8
"""Into how many alternatives one tree is taken apart."""
MOST_REQUIREMENTS: Final = 12
MOST_AXES: Final = 2


class Requirement(NamedTuple):
    """That the facts have one of these keys in a feature."""

    feature: Feature
    keys: tuple[Key, ...]
    """No key twice."""


class Bound(NamedTuple):
    """That the facts let a bound through on an axis."""

    axis: Axis
    bound: float


class Clause:
    """One alternative of a tree."""

    __slots__ = ("bounds", "requirements")

    def __init__(self, requirements: tuple[Requirement, ...], bounds: tuple[Bound, ...]) -> None:
        self.requirements = requirements
        """Those with the fewest keys first."""
        self.bounds = bounds
        """Sorted by their axis, no axis twice."""


class _Span:
    """A test that a number is at a bound or beyond it."""

    __slots__ = ("bound", "field", "is_lower")

    def __init__(self, field: str, bound: float, *, is_lower: bool) -> None:
        self.field = field
        self.bound = bound
        self.is_lower = is_lower


_Atom = Requirement | Bound | _Span


def clauses_of(node: Node | None) -> tuple[Clause, ...]:
    """The alternatives of a tree: none if it can never hold, one without demands if it has nothing to index."""
    if node is None:
        return (Clause((), ()),)
    clauses = (_clause(atoms) for atoms in _alternatives(node))
    return tuple(clause for clause in clauses if clause is not None)


def _alternatives(node: Node) -> list[list[_Atom]]:
    match node:
        case Test():
            return [list(_atoms(node))]
        case All(items=items):
            joined: list[list[_Atom]] = [[]]
            for alternatives in sorted(map(_alternatives, items), key=len):
                if len(joined) * len(alternatives) <= MOST_CLAUSES:
                    joined = [mine + theirs for mine in joined for theirs in alternatives]
            return joined
        case AnyOf(items=items):
            return _either([alternative for item in items for alternative in _alternatives(item)])
        case _:
            return [[]]


def _either(alternatives: list[list[_Atom]]) -> list[list[_Atom]]:
    """Fewer alternatives of the same meaning: those that only ask one feature for keys ask it together for all."""
    keys: dict[Feature, dict[Key, None]] = {}
    others: list[list[_Atom]] = []
    for atoms in alternatives:
        match atoms:
            case [Requirement(feature=feature, keys=wanted)]:
                keys.setdefault(feature, {}).update(dict.fromkeys(wanted))
            case _:
                others.append(atoms)
    merged: list[list[_Atom]] = [[Requirement(feature, tuple(wanted))] for feature, wanted in keys.items()]
    merged += others
    return [[]] if len(merged) > MOST_CLAUSES or not all(merged) else merged


def _atoms(test: Test) -> Iterable[_Atom]:  # noqa: PLR0912  # a table in all but name
    operator = OPERATORS.get(test.op)
    if operator is None or reference(operator, test.value) is not None:
        return
    field, value = test.field, test.value
    match test.op:
        case "equals":
            yield from _asks(field, [value])
        case "in":
            yield from _asks(field, value)
        case "has_any":
            yield from _requires(items_feature(field), value)
        case "has_all":
            for item in _listed(value):
                yield from _requires(items_feature(field), [item])
        case "contains_phrase":
            phrase = words(value) if isinstance(value, str) else []
            for word in phrase if len(phrase) == 1 else ():
                yield Requirement(words_feature(field), (word,))
            # The longest words are the rarest, more often than not.
            for pair in sorted(set(pairwise(phrase)), key=lambda pair: (-len(pair[0]) - len(pair[1]), pair))[:2]:
                yield Requirement(pairs_feature(field), (pair,))
        case "greater_than" | "greater_or_equal":
            yield from _spans(field, value, is_lower=True)
        case "less_than" | "less_or_equal":
            yield from _spans(field, value, is_lower=False)
        case "changed_to":
            yield from _asks(field, [value])
            yield from _changes(field)
        case "changed_from":
            yield from _requires(previous_feature(field), [value])
        case "changed" | "increased" | "decreased":
            yield from _changes(field)
        case "crosses_above" | "crosses_below":
            number = number_of(value)
            if number is not None:
                yield Bound((rises_to if test.op == "crosses_above" else falls_below)(field), number)
        case _:
            return


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple | set | frozenset) else ()


def _asks(field: str, values: Any) -> Iterable[_Atom]:
    """That a field has one of some values. Below an entity's own fields, names are anybody's (``contact.custom.…``)."""
    parent, _, name = field.rpartition(".")
    if "." not in parent:
        yield from _requires(value_feature(field), values)
        return
    for required in _requires(value_feature(field), values):
        yield Requirement(inner_feature(parent), tuple((name, key) for key in required.keys))


def _requires(feature: Feature, values: Any) -> Iterable[Requirement]:
    keys = [key_of(value) for value in _listed(values)]
    if keys and None not in keys:
        yield Requirement(feature, tuple(dict.fromkeys(keys)))


def _changes(field: str) -> Iterable[_Atom]:
    entity, _, rest = field.partition(".")
    if rest:
        yield Requirement(CHANGES, ((entity, rest.partition(".")[0]),))


def _spans(field: str, value: Any, *, is_lower: bool) -> Iterable[_Atom]:
    number = number_of(value)
    if number is not None:
        yield _Span(field, number, is_lower=is_lower)


def _clause(atoms: list[_Atom]) -> Clause | None:
    """The conjunction of some atoms, or ``None`` if they contradict each other."""
    requirements: list[Requirement] = []
    single: dict[Feature, tuple[Key, ...]] = {}
    bounds: dict[Axis, float] = {}  # the moves come first: they are the rarer
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    for atom in atoms:
        match atom:
            case _Span():
                side, nearer = (low, max) if atom.is_lower else (high, min)
                side[atom.field] = nearer(side.get(atom.field, atom.bound), atom.bound)
            case Bound(axis=axis, bound=bound):
                bounds[axis] = bound
            case Requirement(feature=feature, keys=keys) if feature.is_multiple:
                requirements.append(atom)
            case Requirement(feature=feature, keys=keys):
                single[feature] = tuple(key for key in single.get(feature, keys) if key in keys)
    for field in low.keys() & high.keys():
        if low[field] > high[field]:
            return None
        cells = cells_of_range(field, low[field], high[field])
        if cells is not None:
            single[cells[0]] = cells[1]
    if not all(single.values()):
        return None
    requirements.extend(Requirement(*item) for item in single.items())
    requirements = sorted(dict.fromkeys(requirements), key=lambda required: (len(required.keys), required.feature.name))
    for axis_of, side in ((at_least, low), (at_most, high)):
        for field, bound in sorted(side.items()):
            if not is_infinite(bound):
                bounds.setdefault(axis_of(field), bound)
    chosen = sorted(islice(bounds.items(), MOST_AXES), key=lambda item: item[0].name)
    return Clause(tuple(requirements[:MOST_REQUIREMENTS]), tuple(Bound(*item) for item in chosen))
