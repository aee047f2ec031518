"""Read parts of a definition as they came in, collecting every fault with its place."""

import re
from collections.abc import Mapping, Set as AbstractSet
from datetime import time, timedelta
from typing import Any, Final, TypeGuard
from zoneinfo import ZoneInfo

from nhip.catalog import Catalog
from nhip.domain.conditions import Node
from nhip.domain.errors import InvalidInput, Problem
from nhip.domain.times import parse_duration
from nhip.engine.conditions.decide import parse
from nhip.engine.facts.decoding import convert

ENGINE_ROOTS: Final = ("contact", "account", "previous", "event", "run", "steps", "trigger")
"""The roots of field paths that are not record types."""
_ID: Final = re.compile(r"^[a-z][a-z0-9_]{0,62}\Z")
_EVENT_TYPE: Final = re.compile(r"^[a-z0-9_]+(\.[a-z0-9_-]+){0,7}\Z")
_CLOCK: Final = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")
_MOST_EVENTS: Final = 20
_LONGEST_EVENT: Final = 200


class Reading:
    """Collects the problems of one definition while reading it."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.problems: list[Problem] = []
        self.roots = frozenset({*ENGINE_ROOTS, *catalog.record_types})
        self.ids: dict[str, str] = {}

    def fault(self, path: str, code: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(path=path, code=code, message=message))

    def take(self, error: InvalidInput, prefix: str = "") -> None:
        """Keep another reader's problems, laid under ``prefix``."""
        for problem in error.problems:
            path = f"{prefix}.{problem.path}" if prefix and problem.path else prefix or problem.path
            self.fault(path, problem.code, problem.message)

    def unknown(self, raw: Mapping[str, Any], known: AbstractSet[str], path: str) -> None:
        """Note every key that is not known."""
        for key in raw:
            if key not in known:
                self.fault(f"{path}.{key}" if path else key, "unknown_field", f"unknown field {key!r}")

    def text(self, raw: Mapping[str, Any], key: str, path: str, *, default: str | None = None, limit: int = 200) -> str:
        """A text; it may not be empty where there is no default."""
        value = raw.get(key, default)
        if not isinstance(value, str) or (default is None and not value) or len(value) > limit:
            self.fault(path, "bad_value", f"a text of at most {limit} characters is needed here")
            return default or ""
        return value

    def condition(self, raw: Any, path: str) -> Node | None:
        """A condition tree."""
        try:
            return parse(raw, path, roots=self.roots, customs=self.catalog.conditions)
        except InvalidInput as error:
            self.take(error)
            return None

    def plugin_config(self, plugin: Any, raw: Any, path: str) -> Any:
        """The decoded configuration of a plugin, or ``None`` after noting why not."""
        try:
            return convert(raw, plugin.config_type, path)
        except InvalidInput as error:
            self.take(error)
            return None

    def duration(self, value: Any, path: str) -> timedelta | None:
        """A length of time."""
        try:
            return parse_duration(value if isinstance(value, str) else "")
        except ValueError as error:
            self.fault(path, "bad_value", str(error))
            return None

    def signed_duration(self, value: Any, path: str) -> timedelta | None:
        """A length of time that may have a sign: ``-P7D`` is a week before."""
        text = value if isinstance(value, str) else ""
        found = self.duration(text[1:] if text[:1] in ("+", "-") else value, path)
        return -found if found is not None and text.startswith("-") else found

    def timezone(self, value: Any, path: str) -> str:
        """An IANA time zone, or ``contact``."""
        try:
            if value == "contact" or (isinstance(value, str) and ZoneInfo(value).key):
                return str(value)
        except (KeyError, ValueError, OSError):
            pass
        self.fault(path, "unknown_timezone", f"{value!r} is no IANA time zone such as Asia/Ho_Chi_Minh, nor contact")
        return "contact"

    def clock(self, value: Any, path: str) -> time | None:
        """A time of day: ``08:00``."""
        if isinstance(value, str) and _CLOCK.match(value):
            return time.fromisoformat(value)
        self.fault(path, "bad_value", "a time of day is hours and minutes, as in 08:00")
        return None

    def event_types(self, value: Any, path: str) -> tuple[str, ...]:
        """One type of event, or several."""
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not 1 <= len(found) <= _MOST_EVENTS:
            self.fault(path, "bad_value", f"a type of event or a list of up to {_MOST_EVENTS} is needed here")
            return ()
        for one in found:
            if not is_event_type(one):
                self.fault(path, "bad_value", f"{one!r} is no type of event such as order.created")
                return ()
        return tuple(dict.fromkeys(found))

    def unique(self, raw: Mapping[str, Any], path: str) -> str:
        """A step's id, which no other step has."""
        value = raw.get("id")
        if not is_id(value):
            self.fault(f"{path}.id", "bad_value", "an id is lower-case letters, digits and underscores, 1 to 63")
            return ""
        if value in self.ids:
            self.fault(f"{path}.id", "duplicate_id", f"the id {value!r} stands at {self.ids[value]} too")
        self.ids.setdefault(str(value), path)
        return str(value)


def is_id(value: Any) -> TypeGuard[str]:
    """Whether a value may name a step or a trigger inside its workflow."""
    return isinstance(value, str) and _ID.match(value) is not None


def is_event_type(value: Any) -> bool:
    """Whether an event can have this type."""
    return isinstance(value, str) and len(value) <= _LONGEST_EVENT and _EVENT_TYPE.match(value) is not None
