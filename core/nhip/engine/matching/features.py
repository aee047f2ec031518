"""What an index can look facts up by: features with keys, and axes with bounds.

A *feature* reads keys out of facts, so that a dictionary finds the conditions that ask for one of them. An *axis* reads
a window out of facts, so that bisection finds the conditions whose bound lies in it. Both are made once per field and
shared; an index reads each at most once for one event.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from nhip.engine.facts.fields import ABSENT, previous_reader, reader
from nhip.engine.facts.values import Key, fold, key_of, number_of, words
from nhip.plugin_api import Facts

_SHARED: Final = 8192
"""How many fields share their features; past it a field may get a second feature, which costs time and is not wrong."""

_NO_KEYS: Final[tuple[Key, ...]] = ()
_NO_SET: Final[frozenset[Key]] = frozenset()
_EXACT: Final = 2**53
"""From here on every float is a whole number."""


class Feature:
    """The keys of facts in one respect."""

    __slots__ = ("is_multiple", "name", "read")

    def __init__(self, name: str, read: Callable[[Facts], Collection[Key]], *, is_multiple: bool = False) -> None:
        self.name = name
        self.read = read
        self.is_multiple = is_multiple
        """Whether facts may have several keys here; then ``read`` answers with a set."""

    def __repr__(self) -> str:
        return f"<{self.name}>"


@lru_cache(_SHARED)
def value_feature(field: str) -> Feature:
    """The key of a field that is a text, number or truth value."""
    read_value = reader(field)

    def read(facts: Facts) -> Collection[Key]:
        key = key_of(read_value(facts))
        return _NO_KEYS if key is None else (key,)

    return Feature(f"value of {field}", read)


@lru_cache(_SHARED)
def inner_feature(parent: str) -> Feature:
    """All fields of an object at once, as pairs of name and key: one look-up where there may be hundreds of names."""
    read_parent = reader(parent)

    def read(facts: Facts) -> Collection[Key]:
        value = read_parent(facts)
        if not isinstance(value, Mapping):
            return _NO_SET
        return {(name, key) for name, item in value.items() if (key := key_of(item)) is not None}

    return Feature(f"fields of {parent}", read, is_multiple=True)


@lru_cache(_SHARED)
def previous_feature(field: str) -> Feature:
    """The key that a changed field had before."""
    read_previous = previous_reader(field)

    def read(facts: Facts) -> Collection[Key]:
        before = read_previous(facts)
        key = None if before is ABSENT else key_of(before)
        return _NO_KEYS if key is None else (key,)

    return Feature(f"previous value of {field}", read)


@lru_cache(_SHARED)
def items_feature(field: str) -> Feature:
    """The keys in a list."""
    read_list = reader(field)

    def read(facts: Facts) -> Collection[Key]:
        value = read_list(facts)
        if not isinstance(value, list | tuple):
            return _NO_SET
        return {fold(item) if type(item) is str else key_of(item) for item in value}

    return Feature(f"items of {field}", read, is_multiple=True)


@lru_cache(_SHARED)
def words_feature(field: str) -> Feature:
    """The words of a text."""
    read_text = reader(field)

    def read(facts: Facts) -> Collection[Key]:
        value = read_text(facts)
        return set(words(value)) if isinstance(value, str) else _NO_SET

    return Feature(f"words of {field}", read, is_multiple=True)


@lru_cache(_SHARED)
def pairs_feature(field: str) -> Feature:
    """Each two neighbouring words of a text. Vietnamese writes by syllables, so that single ones tell little."""
    read_text = reader(field)

    def read(facts: Facts) -> Collection[Key]:
        value = read_text(facts)
        return set(pairwise(words(value))) if isinstance(value, str) else _NO_SET

    return Feature(f"word pairs of {field}", read, is_multiple=True)


def _read_changes(facts: Facts) -> Collection[Key]:
    previous = facts.get("previous")
    if not isinstance(previous, Mapping):
        return _NO_SET
    return {(entity, name) for entity, changed in previous.items() if isinstance(changed, Mapping) for name in changed}


CHANGES: Final = Feature("changed fields", _read_changes, is_multiple=True)
"""The fields that the event changed, as pairs of entity and name."""


# --- ranges -----------------------------------------------------------------------------------------------------------


@lru_cache(_SHARED)
def cell_feature(field: str, exponent: int) -> Feature:
    """The cell that a number lies in, when the numbers are cut into cells of width 2 ** exponent."""
    read_value = reader(field)

    def read(facts: Facts) -> Collection[Key]:
        value = read_value(facts)
        if type(value) is int and exponent >= 0:
            return (value >> exponent,)
        number = number_of(value)
        return _NO_KEYS if number is None or is_infinite(number) else (_cell(number, exponent),)

    return Feature(f"cell 2**{exponent} of {field}", read)


def is_infinite(number: float) -> bool:
    """Whether it is one of the two infinities; an integer of any size is not."""
    return abs(number) == math.inf


def _cell(number: float, exponent: int) -> int:
    """Never falls as the number rises, which is all that correctness asks of it."""
    if isinstance(number, float):
        if abs(number) < _EXACT:
            return math.floor(math.ldexp(number, -exponent))
        number = int(number)
    return number >> exponent if exponent >= 0 else number << -exponent


def cells_of_range(field: str, low: float, high: float) -> tuple[Feature, tuple[Key, ...]] | None:
    """The feature, and its keys for the numbers from ``low`` to ``high``: at most two cells, up to four times as wide.

    ``None`` where the range is too wide or too narrow for cells.
    """
    try:
        _, exponent = math.frexp(high - low)
    except OverflowError:
        return None
    exponent += exponent & 1  # every second width: half as many features to look at, for cells a little too wide
    if not -40 <= exponent <= 900 or is_infinite(low) or is_infinite(high):
        return None
    first, last = _cell(low, exponent), _cell(high, exponent)
    return (cell_feature(field, exponent), tuple(range(first, last + 1))) if last - first <= 2 else None


# --- bounds -----------------------------------------------------------------------------------------------------------


class Axis:
    """The window of bounds that facts let through in one respect."""

    __slots__ = ("name", "read", "window")

    def __init__(
        self, name: str, read: Callable[[Facts], Any], window: Callable[[list[float], Any], tuple[int, int]]
    ) -> None:
        self.name = name
        self.read = read
        """Answers with what ``window`` takes, or ``None`` where no bound is let through."""
        self.window = window
        """From where to where, in a sorted list of bounds, they are let through."""

    def __repr__(self) -> str:
        return f"<{self.name}>"


def _up_to(bounds: list[float], number: float) -> tuple[int, int]:
    return 0, bisect_right(bounds, number)


def _from(bounds: list[float], number: float) -> tuple[int, int]:
    return bisect_left(bounds, number), len(bounds)


def _passed(bounds: list[float], move: tuple[float, float]) -> tuple[int, int]:
    lower, upper = move
    return bisect_right(bounds, lower), bisect_right(bounds, upper)


@lru_cache(_SHARED)
def at_least(field: str) -> Axis:
    """For conditions that a number is at their bound or above."""
    read_value = reader(field)
    return Axis(f"{field} at least", lambda facts: number_of(read_value(facts)), _up_to)


@lru_cache(_SHARED)
def at_most(field: str) -> Axis:
    """For conditions that a number is at their bound or below."""
    read_value = reader(field)
    return Axis(f"{field} at most", lambda facts: number_of(read_value(facts)), _from)


@lru_cache(_SHARED)
def rises_to(field: str) -> Axis:
    """For conditions that a number was below their bound and is not any more; from nothing it comes from below all."""
    read_value, read_previous = reader(field), previous_reader(field)

    def read(facts: Facts) -> tuple[float, float] | None:
        before = read_previous(facts)
        if before is ABSENT:
            return None
        after = number_of(read_value(facts))
        lower = -math.inf if before is None else number_of(before)
        return None if after is None or lower is None or lower > after else (lower, after)

    return Axis(f"{field} rises to", read, _passed)


@lru_cache(_SHARED)
def falls_below(field: str) -> Axis:
    """For conditions that a number was at their bound or above and is below."""
    read_value, read_previous = reader(field), previous_reader(field)

    def read(facts: Facts) -> tuple[float, float] | None:
        before = read_previous(facts)
        if before is ABSENT:
            return None
        after, upper = number_of(read_value(facts)), number_of(before)
        return None if after is None or upper is None or upper < after else (after, upper)

    return Axis(f"{field} falls below", read, _passed)
