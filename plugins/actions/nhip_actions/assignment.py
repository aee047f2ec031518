"""Who gets what an action makes or hands over: the check of a rule, and what it names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from nhip import Assign, Assigned, Problem

MOST_FALLBACKS = 7


def assign_problems(assign: Assign | str | None, path: str = "assign") -> Iterator[Problem]:
    """What types cannot say of a rule."""
    for depth, (place, word) in enumerate(_words(assign, path)):
        if depth > MOST_FALLBACKS:
            said = f"at most {MOST_FALLBACKS} fall back on each other"
            yield Problem(path=place, code="too_deep", message=said)
            return
        sort, colon, name = word.partition(":")
        if colon and not name.strip():
            yield Problem(path=place, code="bad_value", message=f"{sort}: is followed by a name")


def assign_references(assign: Assign | str | None, path: str = "assign") -> Mapping[str, Sequence[tuple[str, str]]]:
    """The employees and departments that a rule names in so many words."""
    named: dict[str, list[tuple[str, str]]] = {"staff": [], "department": []}
    for place, word in _words(assign, path):
        sort, colon, name = word.partition(":")
        if "{{" in word or word in ("owner", "store", "last_store") or sort == "store":
            continue
        named["department" if sort == "department" and colon else "staff"].append((place, word_name(word, name)))
    return named


def word_name(word: str, name: str) -> str:
    """The external id or name that a word ends with; all of it, where it is an external id alone."""
    return name if word.startswith(("staff:", "department:")) else word


def told(assigned: Assigned) -> dict[str, Any]:
    """Who got it and who was passed over, for an output."""
    said: dict[str, Any] = msgspec.to_builtins(assigned)
    return said


def _words(assign: Assign | str | None, path: str) -> Iterator[tuple[str, str]]:
    """Every ``to`` with its place, in the order in which they fall back."""
    while assign is not None:
        if isinstance(assign, str):
            yield path, assign
            return
        yield f"{path}.to", assign.to
        assign, path = assign.fallback, f"{path}.fallback"
