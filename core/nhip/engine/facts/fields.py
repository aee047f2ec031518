"""Read fields out of facts: a dotted path becomes a function of the facts, made once and shared."""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from nhip.plugin_api import Facts


class Absent(Enum):
    """The answer of a :func:`previous_reader` for a field that did not change."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

Reader = Callable[[Facts], Any]
"""Answers with a field's value, or ``None`` where there is none: a null and a missing field are the same."""

_MERGED_KEY_BY_KEY: Final = "custom"
"""The field of which ``previous`` keeps only the keys that changed; of every other it keeps the whole old value."""


def walk(value: Any, names: tuple[str, ...]) -> Any:
    """What lies at ``names`` below ``value``; ``None`` where nothing does.

    A path that goes through a list reads the list of what each of its objects holds: ``order.items.sku``.
    """
    for position, name in enumerate(names):
        if type(value) is dict or isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list | tuple):
            return _walk_each(value, names[position:])
        else:
            return None
    return value


def _walk_each(items: list[Any] | tuple[Any, ...], names: tuple[str, ...]) -> list[Any] | None:
    found: list[Any] = []
    first, rest = names[0], names[1:]
    for item in items:
        value = item.get(first) if type(item) is dict or isinstance(item, Mapping) else None
        if rest and value is not None:
            value = walk(value, rest)
        if value is None:
            continue
        if type(value) is list or isinstance(value, tuple):
            found.extend(value)
        else:
            found.append(value)
    return found or None


@lru_cache(maxsize=4096)
def reader(path: str) -> Reader:
    """The function that reads the field at a dotted path: ``reader("order.total.amount")(facts)``."""
    names = tuple(path.split("."))
    first, rest = names[0], names[1:]

    if len(names) == 2:
        second = names[1]

        def read_two(facts: Facts) -> Any:
            entity = facts.get(first)
            return entity.get(second) if type(entity) is dict else walk(entity, rest)

        return read_two

    if len(names) == 3:
        second, third = rest
        last = (third,)

        def read_three(facts: Facts) -> Any:
            entity = facts.get(first)
            part = entity.get(second) if type(entity) is dict else None
            kind = type(part)
            if kind is dict:
                return part.get(third)  # type: ignore[union-attr]
            return _walk_each(part, last) if kind is list else walk(entity, rest)  # type: ignore[arg-type]

        return read_three

    def read(facts: Facts) -> Any:
        return walk(facts, names)

    return read


@lru_cache(maxsize=4096)
def previous_reader(path: str) -> Reader:
    """The function that reads a field's value before the change that made the event.

    It answers :data:`ABSENT` where the field did not change, and ``None`` where it had no value (a new record). What
    ``previous`` keeps of a changed field is all of its old value (only the changed keys of ``custom``), so a part of it
    that is not there had no value.
    """
    entity, *inner = path.split(".")
    if not inner:
        return lambda facts: walk(facts, ("previous", entity)) or ABSENT
    if len(inner) == 1:
        [name] = inner

        def read_field(facts: Facts) -> Any:
            previous = facts.get("previous")
            if previous is None:
                return ABSENT
            changed = previous.get(entity) if type(previous) is dict else walk(previous, (entity,))
            if type(changed) is dict or isinstance(changed, Mapping):
                return changed.get(name, ABSENT)
            return ABSENT

        return read_field

    exact = 2 if inner[0] == _MERGED_KEY_BY_KEY and len(inner) > 1 else 1
    place, last, rest = ("previous", entity, *inner[: exact - 1]), inner[exact - 1], tuple(inner[exact:])

    def read(facts: Facts) -> Any:
        if "previous" not in facts:
            return ABSENT
        changed = walk(facts, place)
        if not isinstance(changed, Mapping) or last not in changed:
            return ABSENT
        return walk(changed[last], rest)

    return read
