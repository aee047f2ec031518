"""Conditions decided the plain way, by walking their JSON for every event: a baseline, and a second opinion.

It shares nothing with the engine, and knows the operators that ``bench/match_workload.py`` uses.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any


def holds(raw: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether a condition tree holds for some facts."""
    if "all" in raw:
        return all(holds(item, facts) for item in raw["all"])
    if "any" in raw:
        return any(holds(item, facts) for item in raw["any"])
    if "not" in raw:
        return not holds(raw["not"], facts)
    field, op = raw["field"], raw["op"]
    value = plain(look_up(facts, field.split(".")))
    wanted = plain(raw.get("value"))
    if op in _CHANGES:
        entity, name = field.split(".")
        changed = facts.get("previous", {}).get(entity, {})
        return name in changed and _CHANGES[op](plain(changed[name]), value, wanted)
    if value is None:
        return op in ("not_equals", "is_empty")
    return _OPERATORS[op](value, wanted)


def look_up(value: Any, names: list[str]) -> Any:
    """What lies at a path."""
    for position, name in enumerate(names):
        if isinstance(value, list):
            return [look_up(item, names[position:]) for item in value]
        value = value.get(name) if isinstance(value, dict) else None
    return value


def plain(value: Any) -> Any:
    """Texts without case and Unicode form."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return unicodedata.normalize("NFC", value.casefold()) if isinstance(value, str) else value


def contains_phrase(text: str, phrase: str) -> bool:
    """Whether the words of a phrase stand in a text side by side."""
    spaced = rf"(?<!\w){re.escape(phrase)}(?!\w)".replace(r"\ ", r"\W+")
    return re.search(spaced, text) is not None


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "not_equals": lambda value, wanted: value != wanted,
    "in": lambda value, wanted: value in wanted,
    "has_any": lambda value, wanted: any(item in wanted for item in value),
    "greater_than": lambda value, wanted: value > wanted,
    "greater_or_equal": lambda value, wanted: value >= wanted,
    "less_than": lambda value, wanted: value < wanted,
    "less_or_equal": lambda value, wanted: value <= wanted,
    "contains_phrase": contains_phrase,
    "is_empty": lambda value, _: not value,
}
_CHANGES: dict[str, Callable[[Any, Any, Any], bool]] = {
    "changed_to": lambda before, after, wanted: before != after == wanted,
    "crosses_above": lambda before, after, mark: before < mark <= after,
    "crosses_below": lambda before, after, mark: before >= mark > after,
}
