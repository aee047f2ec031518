"""Expected against seen: what differs, with its place, in plain words."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from nhip.domain.struct import Struct
from nhip.engine.incoming.phones import normalise_phone
from nhip.testing.scenario_file import join

_PHONES: Final = frozenset({"to", "phone"})
_LONGEST: Final = 300
_MOST: Final = 5


class Failure(Struct):
    """One thing that is not as expected."""

    place: str
    """``then[3].expect.sent[0].channel``."""
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}, seen {self.seen}"


class Contains(Struct):
    """Expects a text that contains these."""

    texts: tuple[str, ...]


def told(value: Any) -> str:
    """A value in one line."""
    if value is None:
        return "nothing"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Contains):
        return f"a text with {' and '.join(map(told, value.texts))}"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def differences(expected: Any, seen: Any, place: str) -> Iterator[Failure]:
    """Where ``seen`` is not as expected.

    An object may have more than was expected, and the keys of what is expected may be paths (``custom.tier``). The
    members of a list may come in any order; null means that there is nothing.
    """
    match expected:
        case Mapping() if isinstance(seen, Mapping):
            for key, value in expected.items():
                yield from differences(_normal(key, value), _walk(seen, str(key)), join(place, str(key)))
        case list() | tuple() if isinstance(seen, list | tuple):
            if not _same_members(list(expected), list(seen)):
                yield Failure(place=place, expected=told(expected), seen=told(seen))
        case Contains() if isinstance(seen, str):
            if not all(_plain(text) in _plain(seen) for text in expected.texts):
                yield Failure(place=place, expected=told(expected), seen=told(seen))
        case _:
            if not _same(expected, seen):
                yield Failure(place=place, expected=told(expected), seen=told(seen))


class Matching:
    """Finds what was expected among what is there. ``name`` is what one is called: ``message``."""

    def __init__(self, name: str, describe: Callable[[Mapping[str, Any]], str]) -> None:
        self._name = name
        self._describe = describe

    def all_of(
        self, expected: Sequence[tuple[Mapping[str, Any], int]], seen: Sequence[Mapping[str, Any]], place: str
    ) -> Iterator[Failure]:
        """Each expectation is met as often as it says, by others each time, and nothing is left over."""
        left = list(seen)
        short: list[tuple[int, int]] = []
        for position, (wanted, count) in enumerate(expected):
            mine = [one for one in left if not any(differences(wanted, one, ""))][:count]
            left = [one for one in left if not any(one is taken for taken in mine)]
            if len(mine) < count:
                short.append((position, len(mine)))
        for position, found in short:
            wanted, count = expected[position]
            nearest = self._nearest(wanted, left)
            if nearest is None:
                yield self._count(f"{place}[{position}]", wanted, count, found, seen)
            else:
                left = [one for one in left if one is not nearest]
                yield from differences(wanted, nearest, f"{place}[{position}]")
        if left:
            yield Failure(place=place, expected=f"no other {self._name}", seen=self._list(left))

    def counts(
        self, expected: Sequence[tuple[Mapping[str, Any], int]], seen: Sequence[Mapping[str, Any]], place: str
    ) -> Iterator[Failure]:
        """Each expectation fits exactly so many."""
        for position, (wanted, count) in enumerate(expected):
            yield from self.fits(wanted, count, seen, f"{place}[{position}]")

    def fits(
        self, wanted: Mapping[str, Any], count: int, seen: Sequence[Mapping[str, Any]], place: str
    ) -> Iterator[Failure]:
        """One expectation fits exactly so many."""
        fitting = [one for one in seen if not any(differences(wanted, one, ""))]
        if len(fitting) == count:
            return
        others = [one for one in seen if not any(one is taken for taken in fitting)]
        nearest = self._nearest(wanted, others) if len(fitting) < count else None
        if nearest is None:
            yield self._count(place, wanted, count, len(fitting), seen)
        else:
            yield from differences(wanted, nearest, place)

    def _nearest(self, wanted: Mapping[str, Any], seen: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The one with the fewest differences, where any part of it is as expected."""
        ranked = [(len(list(differences(wanted, one, ""))), position) for position, one in enumerate(seen)]
        fewest, position = min(ranked, default=(len(wanted), 0))
        return seen[position] if fewest < len(wanted) else None

    def _count(
        self, place: str, wanted: Mapping[str, Any], count: int, found: int, seen: Sequence[Mapping[str, Any]]
    ) -> Failure:
        what = ", ".join(f"{name} {told(value)}" for name, value in wanted.items())
        expected = f"{self._many(count)}{f' with {what}' if what else ''}"
        among = f" among {self._list(seen)}" if seen and found < count else ""
        return Failure(place=place, expected=expected, seen=f"{self._many(found)}{among}")

    def _many(self, count: int) -> str:
        return f"{count or 'no'} {self._name}{'' if count == 1 else 's'}"

    def _list(self, seen: Sequence[Mapping[str, Any]]) -> str:
        more = f" and {len(seen) - _MOST} more" if len(seen) > _MOST else ""
        return "; ".join(self._describe(one) for one in seen[:_MOST]) + more


def _walk(seen: Mapping[str, Any], key: str) -> Any:
    if key in seen:
        return seen[key]
    value: Any = seen
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _normal(key: str, value: Any) -> Any:
    """A phone number as the engine keeps it."""
    return (normalise_phone(value) or value) if key in _PHONES and isinstance(value, str) else value


def _same_members(expected: list[Any], seen: list[Any]) -> bool:
    if len(expected) != len(seen):
        return False
    left = list(seen)
    for one in expected:
        fitting = next((place for place, other in enumerate(left) if not any(differences(one, other, ""))), None)
        if fitting is None:
            return False
        del left[fitting]
    return True


def _same(expected: Any, seen: Any) -> bool:
    if isinstance(expected, str) and isinstance(seen, str):
        return _plain(expected) == _plain(seen)
    return bool(expected == seen) and isinstance(expected, bool) == isinstance(seen, bool)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text)
