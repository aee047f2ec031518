"""Read a mapping as it came in, finding every fault with its place."""

import re
from collections.abc import Iterable
from typing import Any, Final, cast

from nhip.domain.conditions import Node
from nhip.domain.customers import CONTACT_FIELDS
from nhip.domain.errors import InvalidInput, Problem
from nhip.engine.conditions.decide import compile_node
from nhip.engine.conditions.tree import LONGEST_FIELD, parse
from nhip.engine.incoming.mapping import (
    IDENTIFIERS,
    Chosen,
    Constant,
    FirstOf,
    Joined,
    Mapping,
    Read,
    Rule,
    Value,
    Whole,
)

MOST_RULES: Final = 10
MOST_FIELDS: Final = 100
MOST_PARTS: Final = 20
MOST_VALUES: Final = 200
DEEPEST: Final = 4
CONTACT_IS: Final = ("required", "optional", "known")
_RULE: Final = ("event", "id", "time", "contact", "contact_is", "overwrite", "data", "each", "where")
_SHAPES: Final = {
    "value": {"value"},
    "first_of": {"first_of"},
    "join": {"join", "with"},
    "item_of": {"item_of", "where", "take"},
    "path": {"path", "values", "otherwise"},
    "all": {"all"},
}
_EXPECTED: Final = (
    'expected a path, {"value": …}, {"path", "values"}, {"first_of": […]}, {"join": […], "with"},'
    ' {"item_of", "where", "take"} or {"all": true}'
)
_EVENT_TYPE: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_-]+){0,7}")
_ALLOWED: Final = CONTACT_FIELDS - {"tags", "custom"}
_TAGS: Final = "tags would take the place of those that the contact has; put them on in a workflow (update_contact)"


def read_mapping(raw: Any, place: str = "mapping") -> Mapping:
    """Read a rule, or a list of them.

    Raises:
        InvalidInput: with every fault, each at its place: ``mapping[1].contact.phone``.
    """
    reading = _Reading()
    if isinstance(raw, list):
        if not 1 <= len(raw) <= MOST_RULES:
            reading.fault(place, "bad_value", f"a mapping has 1 to {MOST_RULES} rules")
        rules = [reading.rule(one, f"{place}[{number}]") for number, one in enumerate(raw[:MOST_RULES])]
    else:
        rules = [reading.rule(raw, place)]
    if reading.problems:
        raise InvalidInput(reading.problems)
    return Mapping(tuple(rule for rule in rules if rule is not None))


class _Reading:
    """One pass over a mapping, gathering the problems."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def fault(self, path: str, code: str, message: str) -> None:
        self.problems.append(Problem(path=path[:500], code=code, message=message))

    def unknown(self, raw: dict[str, Any], known: Iterable[str], place: str) -> None:
        for name in raw:
            if name not in known:
                self.fault(f"{place}.{name}", "unknown_field", f"unknown field {name[:50]!r}")

    def rule(self, raw: Any, place: str) -> Rule | None:
        if not isinstance(raw, dict):
            self.fault(place, "bad_value", "a rule is an object")
            return None
        self.unknown(raw, _RULE, place)
        event = self.event(raw.get("event"), f"{place}.event")
        contact = self.targets(raw.get("contact"), f"{place}.contact", self.contact_target)
        contact_is = raw.get("contact_is", "required")
        if contact_is not in CONTACT_IS:
            self.fault(f"{place}.contact_is", "bad_value", f"one of {', '.join(CONTACT_IS)} is needed here")
        overwrite = raw.get("overwrite", False)
        if not isinstance(overwrite, bool):
            self.fault(f"{place}.overwrite", "bad_value", "true or false is needed here")
        if contact and not any(name in IDENTIFIERS for name, _ in contact):
            self.fault(f"{place}.contact", "missing", f"a contact is found by one of {', '.join(IDENTIFIERS)}")
        data = raw.get("data")
        each = raw.get("each")
        if each is not None:
            self.path(each, f"{place}.each")
        where = self.where(raw["where"], f"{place}.where") if raw.get("where") is not None else None
        return Rule(
            place=place,
            event=event,
            id=self.optional(raw.get("id"), f"{place}.id"),
            time=self.optional(raw.get("time"), f"{place}.time"),
            contact=contact,
            contact_is=contact_is if isinstance(contact_is, str) else "",
            overwrite=overwrite is True,
            data=None if data == "all" else self.targets(data, f"{place}.data", self.data_target),
            each=each if isinstance(each, str) else None,
            where=None if where is None else compile_node(where),
        )

    def where(self, raw: Any, place: str) -> Node | None:
        try:
            return parse(raw, place, customs=frozenset())
        except InvalidInput as error:
            self.problems += error.problems
        return None

    def event(self, raw: Any, place: str) -> Constant | Read:
        if isinstance(raw, str):
            self.event_type(raw, place)
            return Constant(value=raw)
        if isinstance(raw, dict) and isinstance(raw.get("values"), dict):
            for name, kind in raw["values"].items():
                self.event_type(kind, f"{place}.values.{name}")
            if "otherwise" in raw:
                self.event_type(raw["otherwise"], f"{place}.otherwise")
            read = self.value(raw, place, 1)
            if isinstance(read, Read):
                return read
        else:
            self.fault(place, "bad_value", 'the type of an event, or {"path": …, "values": {"theirs": "ours"}}')
        return Constant(value="")

    def event_type(self, raw: Any, place: str) -> None:
        if not isinstance(raw, str) or len(raw) > 200 or not _EVENT_TYPE.fullmatch(raw):
            self.fault(place, "bad_value", "a type is lower-case words joined by dots: form.submitted")

    # --- fields -------------------------------------------------------------------------------------------------------

    def targets(self, raw: Any, place: str, check: Any) -> tuple[tuple[str, Value], ...]:
        """Fields by the names that they shall have."""
        if raw is None:
            return ()
        if not isinstance(raw, dict) or len(raw) > MOST_FIELDS:
            self.fault(place, "bad_value", f"an object of at most {MOST_FIELDS} fields is needed here")
            return ()
        found = []
        for name, said in raw.items():
            here = f"{place}.{name}"
            check(name, here)
            if any(other != name and other.startswith(f"{name}.") for other in raw):
                self.fault(here, "duplicate", f"a part of {name[:50]!r} is said by itself as well")
            value = self.value(said, here, 1)
            if value is not None:
                found.append((name, value))
        return tuple(found)

    def contact_target(self, name: str, place: str) -> None:
        if name == "tags":
            self.fault(place, "not_allowed", _TAGS)
        elif name not in _ALLOWED and not (name.startswith("custom.") and name.count(".") == 1 and _is_path(name)):
            self.fault(place, "unknown_field", f"a contact has no field {name[:50]!r}; your own are custom.…")

    def data_target(self, name: str, place: str) -> None:
        if not _is_path(name):
            self.fault(place, "bad_value", "a name is made of words joined by dots")
        elif name.partition(".")[0] == "contact":
            self.fault(place, "not_allowed", "what is said of the contact stands under contact")

    # --- values -------------------------------------------------------------------------------------------------------

    def optional(self, raw: Any, place: str) -> Value | None:
        return None if raw is None else self.value(raw, place, 1)

    def value(self, raw: Any, place: str, depth: int) -> Value | None:
        if isinstance(raw, str):
            self.path(raw, place)
            return Read(path=raw)
        shapes = [shape for shape in _SHAPES if shape in raw] if isinstance(raw, dict) else []
        if len(shapes) != 1:
            self.fault(place, "bad_value", _EXPECTED)
            return None
        [shape] = shapes
        self.unknown(raw, _SHAPES[shape], place)
        match shape:
            case "value":
                return Constant(value=raw["value"])
            case "first_of":
                return FirstOf(items=self.parts(raw["first_of"], f"{place}.first_of", depth))
            case "join":
                return self.join(raw, place, depth)
            case "item_of":
                return self.item_of(raw, place)
            case "path":
                return self.translated(raw, place)
            case _:
                if raw["all"] is not True:
                    self.fault(f"{place}.all", "bad_value", "only true stands here")
                return Whole()

    def parts(self, raw: Any, place: str, depth: int) -> tuple[Value, ...]:
        if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_PARTS:
            self.fault(place, "bad_value", f"a list of 1 to {MOST_PARTS} is needed here")
            return ()
        if depth > DEEPEST:
            self.fault(place, "too_deep", f"values are nested at most {DEEPEST} deep")
            return ()
        values = [self.value(one, f"{place}[{number}]", depth + 1) for number, one in enumerate(raw)]
        return tuple(value for value in values if value is not None)

    def join(self, raw: dict[str, Any], place: str, depth: int) -> Joined:
        separator = raw.get("with", " ")
        if not isinstance(separator, str) or len(separator) > 20:
            self.fault(f"{place}.with", "bad_value", "a text of at most 20 characters is needed here")
            separator = ""
        return Joined(items=self.parts(raw["join"], f"{place}.join", depth), separator=separator)

    def item_of(self, raw: dict[str, Any], place: str) -> Chosen:
        where, take = raw.get("where"), raw.get("take")
        self.path(raw["item_of"], f"{place}.item_of")
        self.path(take, f"{place}.take")
        if (
            not isinstance(where, dict)
            or not 1 <= len(where) <= MOST_PARTS
            or not all(isinstance(one, str) for one in where.values())
        ):
            self.fault(f"{place}.where", "bad_value", 'fields and their texts are needed here: {"name": "email"}')
            where = {}
        return Chosen(path=str(raw["item_of"]), where=where, take=str(take))

    def translated(self, raw: dict[str, Any], place: str) -> Read:
        values = raw.get("values")
        self.path(raw["path"], f"{place}.path")
        if "values" in raw and not (isinstance(values, dict) and 1 <= len(values) <= MOST_VALUES):
            self.fault(f"{place}.values", "bad_value", f"an object of 1 to {MOST_VALUES} values is needed here")
            values = None
        if "otherwise" in raw and "values" not in raw:
            self.fault(f"{place}.otherwise", "bad_value", "otherwise goes with values")
        otherwise = Constant(value=raw["otherwise"]) if "otherwise" in raw else None
        return Read(path=str(raw["path"]), values=cast("dict[str, Any] | None", values), otherwise=otherwise)

    def path(self, raw: Any, place: str) -> None:
        if not isinstance(raw, str) or not _is_path(raw):
            self.fault(place, "bad_value", "a path is made of names joined by dots: customer.phone")


def _is_path(text: str) -> bool:
    return len(text) <= LONGEST_FIELD and all(
        name and name == name.strip() and name.isprintable() for name in text.split(".")
    )
