"""Mappings: how the JSON of another system becomes events. Declarative and pure.

:mod:`nhip.engine.incoming.reading_mapping` reads them. A rule reads fields by dotted paths, as conditions do; inside
``each`` a path that begins with ``item`` leads into the item at hand, and every other one into the whole body. A body
that is no object is read as ``body``.
"""

from collections.abc import Iterator, Mapping as Object, Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from nhip.domain.errors import invalid
from nhip.domain.struct import Struct
from nhip.domain.times import parse_time, to_micros
from nhip.engine.conditions.compiled import Compiled
from nhip.engine.facts.fields import reader

MOST_EVENTS: Final = 1000
"""How many events one body may become."""
LONGEST_ID: Final = 200
IDENTIFIERS: Final = ("external_id", "phone", "email", "zalo_user_id")
"""The fields by which a contact is found."""
_SECONDS_END: Final = 100_000_000_000
"""A time that is a number counts seconds below this, and milliseconds from it on: the year 5138, and 1973."""


# --- what a rule is made of -------------------------------------------------------------------------------------------


class Constant(Struct):
    """The same for every body: ``{"value": "offer"}``."""

    value: Any


class Read(Struct):
    """What lies at a path; with ``values``, what that stands for."""

    path: str
    values: dict[str, Any] | None = None
    otherwise: Constant | None = None
    """For what is none of ``values``; without it that is a fault."""


class FirstOf(Struct):
    """The first that is there: ``{"first_of": ["mobile", "phone"]}``."""

    items: tuple["Value", ...]


class Joined(Struct):
    """Texts one after the other; nothing where none of those that are read is there."""

    items: tuple["Value", ...]
    separator: str


class Chosen(Struct):
    """A part of the first item of a list of which these fields are such: answers listed by the name of the question."""

    path: str
    where: dict[str, str]
    take: str


class Whole(Struct):
    """The whole body, or the whole item."""


Value = Constant | Read | FirstOf | Joined | Chosen | Whole


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a body becomes events."""

    place: str
    """In the mapping's own terms: ``mapping[1]``."""
    event: Constant | Read
    id: Value | None
    time: Value | None
    contact: tuple[tuple[str, Value], ...]
    contact_is: str
    """``required``, ``optional`` or ``known``."""
    overwrite: bool
    data: tuple[tuple[str, Value], ...] | None
    """``None`` for everything that came."""
    each: str | None
    where: Compiled | None


@dataclass(frozen=True, slots=True)
class Mapping:
    """Rules; every one is tried."""

    rules: tuple[Rule, ...]


class Origin(NamedTuple):
    """Where a part of an event comes from."""

    mapping: str
    body: str


@dataclass(slots=True)
class Mapped:
    """One event that a body becomes, before it is checked as every event is."""

    type: str
    id: str
    time: int | None
    """Microseconds, or ``None`` for now."""
    contact: dict[str, Any] | None
    is_known: bool
    """Whether the contact is only looked up, and neither made nor changed."""
    overwrite: bool
    """Whether what is known of the contact gives way to what the body says; else only what is empty is filled."""
    data: dict[str, Any]
    origins: dict[str, Origin]
    """Of ``contact.phone``, ``data.form``, ``id`` and so on: where it comes from."""


def apply(
    mapping: Mapping, body: Any, now: datetime, *, digest: str, reserved: AbstractSet[str] = frozenset()
) -> list[Mapped]:
    """The events that a body becomes; none where every rule passes it over.

    ``digest`` is the id where a rule names none. ``reserved`` are the names in an event's data that have a meaning:
    where a rule takes everything that came, they stay out.

    Raises:
        InvalidInput: the path is the place in the body, the message names the one in the mapping.
    """
    found: list[Mapped] = []
    several = len(mapping.rules) > 1
    for number, rule in enumerate(mapping.rules):
        usual = f"{digest}.{number}" if several else digest
        for reading in _readings(rule, body):
            if rule.where is not None and not rule.where(reading.facts, now):
                continue
            if len(found) == MOST_EVENTS:
                raise invalid(
                    rule.each or "", "too_many", f"a body becomes at most {MOST_EVENTS} events ({rule.place})"
                )
            here = usual if reading.index is None else f"{usual}.{reading.index}"
            found.append(_mapped(rule, reading, here, reserved))
    return found


def _mapped(rule: Rule, reading: "_Reading", usual_id: str, reserved: AbstractSet[str]) -> Mapped:
    origins: dict[str, Origin] = {}

    def part(name: str, value: Value) -> Any:
        found = reading.value(value, f"{rule.place}.{name}")
        if found is None:
            return None
        origins[name] = Origin(f"{rule.place}.{name}", found.place)
        return found.value

    kind = part("event", rule.event)
    if not isinstance(kind, str):
        raise invalid(reading.places(rule.event), "missing", f"nothing says what happened ({rule.place}.event)")
    contact = {name: _contact_field(name, part(f"contact.{name}", value), origins) for name, value in rule.contact}
    identifier = None if rule.id is None else part("id", rule.id)
    moment = None if rule.time is None else part("time", rule.time)
    data: dict[str, Any] = {}
    if rule.data is None:
        whole = reading.whole
        data = {name: one for name, one in whole.items() if name not in reserved}
    for name, value in rule.data or ():
        _put(data, name, part(f"data.{name}", value))
    return Mapped(
        type=kind,
        id=usual_id if identifier is None else _id(identifier, origins["id"]),
        time=None if moment is None else _time(moment, origins["time"]),
        contact=_identified(rule, reading, contact),
        is_known=rule.contact_is == "known",
        overwrite=rule.overwrite,
        data=data,
        origins=origins,
    )


def _identified(rule: Rule, reading: "_Reading", fields: Object[str, Any]) -> dict[str, Any] | None:
    """The contact's snapshot; ``None`` where nothing says who it is, and nobody has to be."""
    contact: dict[str, Any] = {}
    for name, value in fields.items():
        _put(contact, name, value)
    if any(contact.get(name) for name in IDENTIFIERS):
        return contact
    if not rule.contact or rule.contact_is != "required":
        return None
    read = [f"{name} from {reading.places(value)}" for name, value in rule.contact if name in IDENTIFIERS]
    message = f"nothing says who it is: {'; '.join(read)} ({rule.place}.contact)"
    raise invalid(reading.item_place, "missing", message[:1000])


def _contact_field(name: str, value: Any, origins: Object[str, Origin]) -> Any:
    """A contact's own fields are texts; what is empty is left out, because forms send what nobody filled in."""
    if name.startswith("custom."):
        return value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return None
    text = text_of(value)
    if text is None or isinstance(value, bool):
        origin = origins[f"contact.{name}"]
        raise invalid(origin.body, "bad_value", f"a text or a whole number is needed here ({origin.mapping})")
    return text.strip() or None


def _put(target: dict[str, Any], name: str, value: Any) -> None:
    """Set what a dotted name leads to; nothing where there is no value."""
    if value is None:
        return
    *above, last = name.split(".")
    for part in above:
        target = target.setdefault(part, {})
    target[last] = value


def _id(value: Any, origin: Origin) -> str:
    text = None if isinstance(value, bool) else text_of(value)
    text = text.strip() if text is not None else None
    if not text:
        raise invalid(origin.body, "bad_value", f"an id is a text or a whole number ({origin.mapping})")
    return text if len(text) <= LONGEST_ID else sha256(text.encode()).hexdigest()


def _time(value: Any, origin: Origin) -> int:
    """Microseconds of an RFC 3339 time, or of seconds or milliseconds since 1970 as a number or its digits."""
    text = value.strip() if isinstance(value, str) else ""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else value
    if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < 253_000_000_000_000:
        return int(number * (1_000_000 if number < _SECONDS_END else 1000))
    try:
        return to_micros(parse_time(text))
    except ValueError:
        message = "a time is RFC 3339 with an offset, or seconds or milliseconds since 1970"
        raise invalid(origin.body, "bad_value", f"{message} ({origin.mapping})") from None


def text_of(value: Any) -> str | None:
    """The text of a text, a whole number, or true and false."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if -(2**63) <= value < 2**64 else None
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
        case _:
            return None


# --- reading a body ---------------------------------------------------------------------------------------------------


class _Found(NamedTuple):
    value: Any
    place: str


class _Reading:
    """A body, or one item of it, as a rule reads it."""

    def __init__(self, body: Any, each: str | None = None, index: int | None = None, item: Any = None) -> None:
        self.index = index
        self.facts: dict[str, Any] = body if isinstance(body, dict) else {"body": body}
        self.item_place = ""
        self.whole = self.facts
        if index is not None:
            self.facts = {**self.facts, "item": item}
            self.item_place = f"{each}[{index}]"
            self.whole = item if isinstance(item, dict) else {"item": item}

    def place(self, path: str) -> str:
        """Where in the body a path leads."""
        if self.index is not None and (path == "item" or path.startswith("item.")):
            return self.item_place + path.removeprefix("item")
        return path

    def places(self, value: Value) -> str:
        """Where in the body a value may come from."""
        match value:
            case Read(path=path) | Chosen(path=path):
                return self.place(path)
            case FirstOf(items=items) | Joined(items=items):
                return ", ".join(place for item in items if (place := self.places(item)))
            case _:
                return ""

    def value(self, value: Value, place: str) -> _Found | None:
        """What a value is here, and where it comes from; ``place`` is its own in the mapping."""
        match value:
            case Constant(value=constant):
                return None if constant is None else _Found(constant, "")
            case Whole():
                return _Found(self.whole, self.item_place)
            case Read():
                return self.read(value, place)
            case FirstOf(items=items):
                found = (self.value(item, f"{place}.first_of[{number}]") for number, item in enumerate(items))
                return next((one for one in found if one is not None and not _is_blank(one.value)), None)
            case Joined():
                return self.joined(value, place)
            case Chosen():
                return self.chosen(value)

    def read(self, value: Read, place: str) -> _Found | None:
        found = reader(value.path)(self.facts)
        if found is None or value.values is None:
            return None if found is None else _Found(found, self.place(value.path))
        text = text_of(found)
        if text is not None and text in value.values:
            return _Found(value.values[text], self.place(value.path))
        if value.otherwise is not None:
            return _Found(value.otherwise.value, self.place(value.path))
        shown = f"{text[:50]!r}" if text is not None else "this"
        raise invalid(self.place(value.path), "unknown_value", f"{shown} is none of the values ({place}.values)")

    def joined(self, value: Joined, place: str) -> _Found | None:
        parts: list[str] = []
        where: list[str] = []
        for number, item in enumerate(value.items):
            found = self.value(item, f"{place}.join[{number}]")
            if found is None or _is_blank(found.value):
                continue
            text = text_of(found.value)
            if text is None:
                raise invalid(found.place, "bad_value", f"only texts and numbers are joined ({place}.join[{number}])")
            parts.append(text.strip() if value.separator else text)
            if not isinstance(item, Constant):
                where.append(found.place)
        return _Found(value.separator.join(parts), where[0]) if where else None

    def chosen(self, value: Chosen) -> _Found | None:
        items = reader(value.path)(self.facts)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict) and all(text_of(item.get(name)) == said for name, said in value.where.items()):
                found = reader(value.take)(item)
                return None if found is None else _Found(found, f"{self.place(value.path)}[{number}].{value.take}")
        return None


def _readings(rule: Rule, body: Any) -> Iterator[_Reading]:
    whole = _Reading(body)
    if rule.each is None:
        yield whole
        return
    items = reader(rule.each)(whole.facts)
    if items is None:
        return
    if not isinstance(items, list):
        raise invalid(rule.each, "bad_value", f"a list is needed here ({rule.place}.each)")
    for index, item in enumerate(items):
        yield _Reading(body, rule.each, index, item)


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()
