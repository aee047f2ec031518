"""A discrimination tree over clauses: finds the few that facts may fulfil among a hundred thousand.

A node keeps what it is given in a loose list until that grows too long. Then it branches on the feature that
tells its clauses apart best, as the clauses themselves show: each goes to the children of its keys, and what has no
such feature stays. So common shapes of conditions become chains of dictionary look-ups (a composite key), a hot key
only means one more level, and nothing has to be known in advance. Clauses left with no feature lie on shelves, sorted
by their bounds, of which the facts let a window through. What has no bounds either is always a candidate.

Where a clause lies follows from the branches on its way, so that it is found again when it is taken out.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from nhip.engine.conditions.probes import Probe
from nhip.engine.matching.clauses import Clause, Requirement
from nhip.engine.matching.features import Axis, Feature
from nhip.plugin_api import Facts

if TYPE_CHECKING:
    from nhip.engine.facts.values import Key

FEW: Final = 8
"""How many clauses lie loose in the root: asking so few costs little, and they show which shapes there are."""
LOOSE: Final = 1
"""How many lie loose in any other node."""
MOST_COPIES: Final = 64
"""In how many places one clause may lie for having several keys; features that would make it more are not used."""

T = TypeVar("T")
Path = tuple[Feature, ...]
"""The features that were branched on above a node."""


class Placement(Generic[T]):
    """A clause in the tree, with what it stands for."""

    __slots__ = ("clause", "owner", "probes")

    def __init__(self, clause: Clause, probes: tuple[Probe, ...], owner: T) -> None:
        self.clause = clause
        self.probes = probes
        """What has to hold for what the clause only suspects."""
        self.owner = owner

    def unused(self, path: Path) -> list[Requirement]:
        """The requirements that may still be branched on below ``path``."""
        requirements = list(self.clause.requirements)
        copies = 1
        for feature in path:
            for number, requirement in enumerate(requirements):
                if requirement.feature is feature:
                    copies *= len(requirement.keys)
                    del requirements[number]
                    break
        return [requirement for requirement in requirements if copies * len(requirement.keys) <= MOST_COPIES]


class _Shelf(Generic[T]):
    """Placements with bounds on the same axes, sorted by each of them."""

    __slots__ = ("rows",)

    def __init__(self, axes: tuple[Axis, ...]) -> None:
        self.rows: tuple[tuple[Axis, list[float], list[Placement[T]]], ...] = tuple((axis, [], []) for axis in axes)

    def insert(self, placement: Placement[T]) -> None:
        for (_, bounds, placements), (_, bound) in zip(self.rows, placement.clause.bounds, strict=True):
            position = bisect_right(bounds, bound)
            bounds.insert(position, bound)
            placements.insert(position, placement)

    def remove(self, placement: Placement[T]) -> None:
        for (_, bounds, placements), (_, bound) in zip(self.rows, placement.clause.bounds, strict=True):
            position = placements.index(placement, bisect_left(bounds, bound))
            del bounds[position], placements[position]

    def window(self, facts: Facts, memo: dict[Any, Any]) -> list[Placement[T]]:
        """What the axis lets through that lets the fewest through."""
        found: list[Placement[T]] = []
        start, stop = 0, -1
        for axis, bounds, placements in self.rows:
            if axis in memo:
                value = memo[axis]
            else:
                value = memo[axis] = axis.read(facts)
            if value is None:
                return []
            first, last = axis.window(bounds, value)
            if stop < 0 or last - first < stop - start:
                start, stop, found = first, last, placements
        return found[start:stop]


class Thicket(Generic[T]):
    """A node of the tree, and the tree when it is the root."""

    __slots__ = ("branches", "loose", "shelves", "stuck")

    def __init__(self) -> None:
        self.loose: list[Placement[T]] = []
        self.branches: list[tuple[Feature, dict[Key, list[Placement[T]] | Thicket[T]]]] = []
        self.shelves: dict[tuple[Axis, ...], _Shelf[T]] | None = None
        self.stuck: dict[Placement[T], None] | None = None

    def __bool__(self) -> bool:
        return bool(self.loose or self.branches or self.shelves or self.stuck)

    # --- finding ------------------------------------------------------------------------------------------------------

    def candidates(self, facts: Facts) -> list[Placement[T]]:
        """Every placement whose clause the facts may fulfil, some of them more than once."""
        memo: dict[Any, Any] = {}
        found: list[Placement[T]] = []
        nodes = [self]
        for node in nodes:
            found += node.loose
            for feature, children in node.branches:
                keys = memo.get(feature)
                if keys is None:
                    keys = memo[feature] = feature.read(facts)
                if len(keys) > 1:
                    keys = children.keys() & keys
                for key in keys:
                    child = children.get(key)
                    if child is not None:
                        if type(child) is list:
                            found += child
                        else:
                            nodes.append(child)  # type: ignore[arg-type]
            if node.shelves is not None:
                for shelf in node.shelves.values():
                    found += shelf.window(facts, memo)
            if node.stuck is not None:
                found += node.stuck
        return found

    # --- changing -----------------------------------------------------------------------------------------------------

    def insert(self, placement: Placement[T], path: Path = ()) -> None:
        """Put a placement where it belongs."""
        way = self._way(placement, path)
        if way is None:
            self.loose.append(placement)
            if len(self.loose) > (LOOSE if path else FEW):
                self._spread(path)
        else:
            self._insert_below(placement, way[0], way[1], path)

    def remove(self, placement: Placement[T], path: Path = ()) -> None:
        """Take a placement out, and with it every node that it leaves empty."""
        way = self._way(placement, path)
        if way is not None:
            self._remove_below(placement, way[0], way[1], path)
        elif placement in self.loose:
            self.loose.remove(placement)
        elif placement.clause.bounds:
            assert self.shelves is not None
            axes = tuple(bound.axis for bound in placement.clause.bounds)
            shelf = self.shelves[axes]
            shelf.remove(placement)
            if not shelf.rows[0][1]:
                del self.shelves[axes]
            self.shelves = self.shelves or None
        else:
            assert self.stuck is not None
            del self.stuck[placement]
            self.stuck = self.stuck or None

    def _way(self, placement: Placement[T], path: Path) -> tuple[int, Requirement] | None:
        """The first branch that the placement can take, and by which requirement."""
        if not self.branches:
            return None
        unused = placement.unused(path)
        for number, (feature, _) in enumerate(self.branches):
            for requirement in unused:
                if requirement.feature is feature:
                    return number, requirement
        return None

    def _insert_below(self, placement: Placement[T], number: int, requirement: Requirement, path: Path) -> None:
        feature, children = self.branches[number]
        for key in requirement.keys:
            child = children.get(key)
            if child is None:
                children[key] = [placement]
            elif isinstance(child, Thicket):
                child.insert(placement, (*path, feature))
            elif len(child) < LOOSE:
                child.append(placement)
            else:
                grown: Thicket[T] = Thicket()
                grown.loose = child
                children[key] = grown
                grown.insert(placement, (*path, feature))

    def _remove_below(self, placement: Placement[T], number: int, requirement: Requirement, path: Path) -> None:
        feature, children = self.branches[number]
        for key in requirement.keys:
            child = children[key]
            if isinstance(child, Thicket):
                child.remove(placement, (*path, feature))
            else:
                child.remove(placement)
            if not child:
                del children[key]
        if not children:
            del self.branches[number]

    def _spread(self, path: Path) -> None:
        """Move loose placements to branches until few are left, and those that can take none to shelves."""
        waiting: list[tuple[Placement[T], list[Requirement]]] = []
        for placement in self.loose:
            unused = placement.unused(path)
            if unused:
                waiting.append((placement, unused))
            else:
                self._shelve(placement)
        while len(waiting) > LOOSE:
            feature = _most_telling(unused for _, unused in waiting)
            self.branches.append((feature, {}))
            staying: list[tuple[Placement[T], list[Requirement]]] = []
            for placement, unused in waiting:
                taken = next((requirement for requirement in unused if requirement.feature is feature), None)
                if taken is None:
                    staying.append((placement, unused))
                else:
                    self._insert_below(placement, len(self.branches) - 1, taken, path)
            waiting = staying
        self.loose = [placement for placement, _ in waiting]

    def _shelve(self, placement: Placement[T]) -> None:
        if placement.clause.bounds:
            axes = tuple(bound.axis for bound in placement.clause.bounds)
            if self.shelves is None:
                self.shelves = {}
            self.shelves.setdefault(axes, _Shelf(axes)).insert(placement)
        else:
            if self.stuck is None:
                self.stuck = {}
            self.stuck[placement] = None


def _most_telling(choices: Any) -> Feature:
    """The feature that would leave the fewest of these clauses together, going by the keys that they ask for."""
    keys: dict[Feature, Counter[Key]] = defaultdict(Counter)
    clauses: Counter[Feature] = Counter()
    for requirements in choices:
        for feature in {requirement.feature for requirement in requirements}:
            clauses[feature] += 1
        for requirement in requirements:
            keys[requirement.feature].update(requirement.keys)

    def gain(feature: Feature) -> tuple[float, str]:
        counts = keys[feature].values()
        copies = sum(counts)
        together = sum(count * count for count in counts) / copies
        spread = 0.25 * (copies / clauses[feature] - 1)
        return clauses[feature] - together - spread - 0.5 * feature.is_multiple, feature.name

    return max(clauses, key=gain)
