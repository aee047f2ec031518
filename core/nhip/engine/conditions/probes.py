"""What a test becomes: a probe for each operator, made once from a field and a prepared value.

A *probe* is called with facts and the time. It answers with what is wrong, and with ``None`` when the test holds.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from nhip.engine.facts.fields import reader
from nhip.engine.facts.moments import day_of, falls_on, moment_of, zone_of
from nhip.engine.facts.values import Key, alike, is_empty as has_nothing, key_of, spoken
from nhip.plugin_api import Facts

Fault = str
Probe = Callable[[Facts, datetime], Fault | None]

DIFFERS: Final = "differs"
"""The value is there and of the right kind, and is not what the test asks for."""
MISSING: Final = "missing"
"""There is no value to compare: the field, its earlier value or the field it is compared with is not there."""
TYPE_MISMATCH: Final = "type_mismatch"
"""The two values are of kinds that cannot be compared."""
UNCHANGED: Final = "unchanged"
"""The event did not change the field."""


# --- texts, numbers and truth values ----------------------------------------------------------------------------------


def mismatch(found: Key | None, wanted: Key) -> Fault:
    """What is wrong with a value that is not the wanted one."""
    return DIFFERS if alike(found, wanted) else TYPE_MISMATCH


def equals(field: str, wanted: Key) -> Probe:
    """The value is the wanted one."""
    read = reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        value = read(facts)
        if value is None:
            return MISSING
        found = key_of(value)
        return None if found == wanted else mismatch(found, wanted)

    return probe


def not_equals(field: str, wanted: Key) -> Probe:
    """It is another one, or there is none."""
    read = reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        value = read(facts)
        if value is None:
            return None
        found = key_of(value)
        if found == wanted:
            return DIFFERS
        return None if alike(found, wanted) else TYPE_MISMATCH

    return probe


def is_in(field: str, wanted: frozenset[Key]) -> Probe:
    """The value is one of the wanted ones."""
    read = reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        value = read(facts)
        if value is None:
            return MISSING
        found = key_of(value)
        if found in wanted:
            return None
        return DIFFERS if _like_any(found, wanted) else TYPE_MISMATCH

    return probe


def is_not_in(field: str, wanted: frozenset[Key]) -> Probe:
    """It is none of them, or there is none."""
    read = reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        value = read(facts)
        if value is None:
            return None
        found = key_of(value)
        if found in wanted:
            return DIFFERS
        return None if _like_any(found, wanted) else TYPE_MISMATCH

    return probe


def _like_any(found: Key | None, wanted: frozenset[Key]) -> bool:
    return any(alike(found, key) for key in wanted) if wanted else found is not None


def comparison(compare: Callable[[Any, Any], bool]) -> Callable[[str, int | float], Probe]:
    """The maker for operators that compare a number with a bound."""

    def make(field: str, bound: float) -> Probe:
        read = reader(field)

        def probe(facts: Facts, now: datetime) -> Fault | None:
            value = read(facts)
            kind = type(value)
            if kind is int or kind is float:
                return None if compare(value, bound) else DIFFERS
            return MISSING if value is None else TYPE_MISMATCH

        return probe

    return make


def contains_phrase(field: str, phrase: str) -> Probe:
    """The words of the phrase stand in the text, in order and side by side."""
    read = reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        value = read(facts)
        if isinstance(value, str):
            return None if phrase in spoken(value) else DIFFERS
        return MISSING if value is None else TYPE_MISMATCH

    return probe


def not_contains_phrase(field: str, phrase: str) -> Probe:
    """They do not, or there is no text."""
    read = reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        value = read(facts)
        if isinstance(value, str):
            return DIFFERS if phrase in spoken(value) else None
        return None if value is None else TYPE_MISMATCH

    return probe


# --- lists ------------------------------------------------------------------------------------------------------------


def has(holds: Callable[[frozenset[Key], set[Key | None]], bool], missing: Fault | None) -> Callable[[str, Any], Probe]:
    """The maker for operators that compare the wanted values with those of a list; ``missing`` is what no list is."""

    def make(field: str, wanted: frozenset[Key]) -> Probe:
        read = reader(field)

        def probe(facts: Facts, now: datetime) -> Fault | None:
            value = read(facts)
            if isinstance(value, list | tuple):
                return None if holds(wanted, {key_of(item) for item in value}) else DIFFERS
            return missing if value is None else TYPE_MISMATCH

        return probe

    return make


def is_empty(field: str, _: None) -> Probe:
    """There is nothing: null, blanks, an empty list or object."""
    read = reader(field)
    return lambda facts, now: None if has_nothing(read(facts)) else DIFFERS


def is_not_empty(field: str, _: None) -> Probe:
    """There is something."""
    read = reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        value = read(facts)
        if has_nothing(value):
            return MISSING if value is None else DIFFERS
        return None

    return probe


# --- times ------------------------------------------------------------------------------------------------------------


def instant(compare: Callable[[datetime, datetime], bool]) -> Callable[[str, str], Probe]:
    """The maker for operators that compare a time or date with another as instants."""

    def make(field: str, bound: str) -> Probe:
        read = reader(field)

        def probe(facts: Facts, now: datetime) -> Fault | None:
            value = read(facts)
            if value is None:
                return MISSING
            moment, other = moment_of(value, facts), moment_of(bound, facts)
            if moment is None or other is None:
                return TYPE_MISMATCH
            return None if compare(moment, other) else DIFFERS

        return probe

    return make


def within_last(inside: bool, missing: Fault | None) -> Callable[[str, timedelta], Probe]:
    """The maker for operators that ask whether a time lies in the last ``duration``; ``missing`` is what no time is."""

    def make(field: str, duration: timedelta) -> Probe:
        read = reader(field)

        def probe(facts: Facts, now: datetime) -> Fault | None:
            value = read(facts)
            if value is None:
                return missing
            moment = moment_of(value, facts)
            if moment is None:
                return TYPE_MISMATCH
            return None if (timedelta() <= now - moment <= duration) is inside else DIFFERS

        return probe

    return make


def matches_day(field: str, offset: timedelta) -> Probe:
    """Today is that far from an anniversary of the day."""
    read = reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        value = read(facts)
        if value is None:
            return MISSING
        day = day_of(value, facts)
        if day is None:
            return TYPE_MISMATCH
        return None if falls_on(day, now.astimezone(zone_of(facts)).date(), offset) else DIFFERS

    return probe
