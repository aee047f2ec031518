"""When two values count as the same: text without case and Unicode form, and a truth value is no number."""

import re
import unicodedata
from collections.abc import Hashable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Final

Key = Hashable
"""What stands for a text, number or truth value in comparisons and indexes: equal keys are equal values."""


class Truth(Enum):
    """The keys of truth values, which Python would otherwise take for the numbers 0 and 1."""

    YES = True
    NO = False


_DEPTH: Final = 40
"""How deep two values are compared; facts that came over the API are not nested deeper."""

# A word is a run of letters, digits and the marks that belong to them. Python's \w leaves out combining marks: those
# that stay apart in NFC, and the vowel signs of Indic scripts, Thai and Lao. What is neither of a word nor a blank is
# rare in a text, so blanking it and splitting is twice as fast as looking for the words.
_PUNCTUATION: Final = re.compile(
    r"[^\s\w\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    r"\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_SHORT: Final = 60
"""Texts up to this length are names and choices that come again and again; folding them is remembered."""


def fold(text: str) -> str:
    """The text without its case and Unicode form. Diacritics stay: ``hoàn`` is not ``hoan``."""
    if text.isascii():
        return text.lower()
    return _fold_short(text) if len(text) <= _SHORT else _fold_unicode(text)


def name_key(name: str) -> str:
    """A name as it is compared with others: without its case, its Unicode form, and how it is spaced."""
    return " ".join(fold(name).split())


def _fold_unicode(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


_fold_short: Final = lru_cache(maxsize=4096)(_fold_unicode)


@lru_cache(maxsize=64)
def words(text: str) -> tuple[str, ...]:
    """The folded words of a text, in order."""
    return tuple(_PUNCTUATION.sub(" ", fold(text)).split())


@lru_cache(maxsize=64)
def spoken(text: str) -> str:
    """The words of a text with one space before, between and after them: a phrase of whole words is a part of it."""
    return f" {' '.join(words(text))} "


def key_of(value: Any) -> Key | None:
    """What stands for a scalar in comparisons; ``None`` for null, an object, a list and NaN, which equal nothing."""
    kind = type(value)
    if kind is str:
        return fold(value)
    if kind is int:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return Truth.YES if value else Truth.NO
    if kind is float:
        return value if value == value else None  # noqa: PLR0124  # NaN equals nothing
    if isinstance(value, str):
        return fold(str(value))
    if isinstance(value, int):
        return int(value)
    return None


def number_of(value: Any) -> int | float | None:
    """The value if it is a number; a truth value is none."""
    kind = type(value)
    if kind is int or (kind is float and value == value):  # noqa: PLR0124  # NaN is above and below nothing
        return value  # type: ignore[no-any-return]
    return None


def alike(one: Key | None, other: Key | None) -> bool:
    """Whether two keys are of one kind: both texts, both numbers or both truth values."""
    return _kind(one) is _kind(other) is not None


def _kind(key: Key | None) -> type | None:
    kind = type(key)
    if kind is str or kind is Truth:
        return kind
    return float if kind is int or kind is float else None


def is_empty(value: Any) -> bool:
    """Whether a person would call it empty: null, a text of blanks, an empty list or object; not 0, not false."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    return isinstance(value, list | tuple | Mapping) and not value


def same(one: Any, other: Any, depth: int = _DEPTH) -> bool:
    """Whether two values of any shape are the same, text by text without case and Unicode form."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return (
            depth > 0
            and len(one) == len(other)
            and all(name in other and same(value, other[name], depth - 1) for name, value in one.items())
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return (
            depth > 0
            and len(one) == len(other)
            and all(same(mine, theirs, depth - 1) for mine, theirs in zip(one, other, strict=True))
        )
    if one is None or other is None:
        return one is other
    key = key_of(one)
    return key is not None and key == key_of(other)
