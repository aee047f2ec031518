"""The operators of conditions: what each takes as its value, and which probe it becomes.

:mod:`nhip.engine.conditions.decide` joins probes into trees; ``docs/conditions.md`` says for admins what each
operator means.
"""

import operator as compare
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from nhip.domain.times import parse_duration
from nhip.engine.conditions import change_probes, probes
from nhip.engine.conditions.probes import MISSING, TYPE_MISMATCH, Fault, Probe
from nhip.engine.facts.fields import reader
from nhip.engine.facts.moments import ZONE_FIELD, day_offset, moment_of
from nhip.engine.facts.values import Key, key_of, number_of, spoken
from nhip.plugin_api import Facts

MOST_VALUES: Final = 1000
"""How many values a list in a test may hold."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator."""

    name: str
    prepare: Callable[[Any], Any]
    """Reads the value of a test into the form that ``probe`` takes; raises ``ValueError`` when it cannot be one."""
    probe: Callable[[str, Any], Probe]
    """Makes the probe of a field and a prepared value."""
    takes_value: bool = True
    value_is_optional: bool = False
    takes_field: bool = True
    """Whether the value may be a reference to another field: ``{"run": "started_at"}``."""
    negative: bool = False
    """Whether it holds where there is nothing to compare: somebody without a segment is not in segment retail."""
    reads_previous: bool = False
    reads_zone: bool = False
    cost: int = 2
    """Roughly how long its probe takes, so that the cheap tests of a conjunction are asked first."""


# --- what values may be -----------------------------------------------------------------------------------------------


def _no_value(value: Any) -> None:
    if value is not None:
        raise ValueError("this operator takes no value")


def _scalar(value: Any) -> Key:
    key = key_of(value)
    if key is None:
        raise ValueError("the value has to be a text, a number or true or false")
    return key


def _scalars(value: Any) -> frozenset[Key]:
    items = value if isinstance(value, list | tuple | set | frozenset) else None
    if items is None:
        raise ValueError("the value has to be a list")
    return frozenset(map(_scalar, items))


def _number(value: Any) -> int | float:
    number = number_of(value)
    if number is None:
        raise ValueError("the value has to be a number")
    return number


def _phrase(value: Any) -> str:
    phrase = spoken(value) if isinstance(value, str) else ""
    if not phrase.strip():
        raise ValueError("the value has to be a text with at least one word")
    return phrase


def _time(value: Any) -> str:
    if moment_of(value, {}) is None:
        raise ValueError(
            'the value has to be a time such as "2026-11-21T08:00:00+07:00" or a date such as "2026-11-21"'
        )
    return value  # type: ignore[no-any-return]


def _duration(value: Any) -> timedelta:
    return parse_duration(str(value))


# --- the table --------------------------------------------------------------------------------------------------------

_ALL: Final = (
    Operator("equals", _scalar, probes.equals),
    Operator("not_equals", _scalar, probes.not_equals, negative=True),
    Operator("greater_than", _number, probes.comparison(compare.gt), cost=1),
    Operator("greater_or_equal", _number, probes.comparison(compare.ge), cost=1),
    Operator("less_than", _number, probes.comparison(compare.lt), cost=1),
    Operator("less_or_equal", _number, probes.comparison(compare.le), cost=1),
    Operator("contains_phrase", _phrase, probes.contains_phrase, cost=5),
    Operator("not_contains_phrase", _phrase, probes.not_contains_phrase, negative=True, cost=5),
    Operator("in", _scalars, probes.is_in),
    Operator("not_in", _scalars, probes.is_not_in, negative=True),
    Operator("has_any", _scalars, probes.has(lambda wanted, found: not wanted.isdisjoint(found), MISSING), cost=4),
    Operator("has_all", _scalars, probes.has(lambda wanted, found: wanted <= found, MISSING), cost=4),
    Operator(
        "has_none", _scalars, probes.has(lambda wanted, found: wanted.isdisjoint(found), None), negative=True, cost=4
    ),
    Operator("is_empty", _no_value, probes.is_empty, takes_value=False),
    Operator("is_not_empty", _no_value, probes.is_not_empty, takes_value=False),
    Operator("changed", _no_value, change_probes.changed, takes_value=False, reads_previous=True, cost=4),
    Operator("changed_to", _scalar, change_probes.changed_to, reads_previous=True, cost=4),
    Operator("changed_from", _scalar, change_probes.changed_from, reads_previous=True, cost=4),
    Operator(
        "increased", _no_value, change_probes.moved(change_probes.rose), takes_value=False, reads_previous=True, cost=3
    ),
    Operator(
        "decreased", _no_value, change_probes.moved(change_probes.fell), takes_value=False, reads_previous=True, cost=3
    ),
    Operator(
        "crosses_above",
        _number,
        change_probes.moved(change_probes.rose_to, from_nothing=change_probes.is_at_least),
        reads_previous=True,
        cost=3,
    ),
    Operator("crosses_below", _number, change_probes.moved(change_probes.fell_below), reads_previous=True, cost=3),
    Operator("before", _time, probes.instant(compare.lt), reads_zone=True, cost=8),
    Operator("after", _time, probes.instant(compare.gt), reads_zone=True, cost=8),
    Operator("within_last", _duration, probes.within_last(True, MISSING), takes_field=False, reads_zone=True, cost=8),
    Operator(
        "not_within_last",
        _duration,
        probes.within_last(False, None),
        takes_field=False,
        negative=True,
        reads_zone=True,
        cost=8,
    ),
    Operator(
        "matches_day",
        day_offset,
        probes.matches_day,
        value_is_optional=True,
        takes_field=False,
        reads_zone=True,
        cost=8,
    ),
)

OPERATORS: Final[Mapping[str, Operator]] = {operator.name: operator for operator in _ALL}
"""Every operator by its name."""


# --- tests ------------------------------------------------------------------------------------------------------------


def reference(operator: Operator, value: Any) -> str | None:
    """The path of the field that a test's value refers to: ``run.started_at`` for ``{"run": "started_at"}``."""
    if operator.takes_value and operator.takes_field and isinstance(value, Mapping) and len(value) == 1:
        [(root, rest)] = value.items()
        if isinstance(root, str) and root and isinstance(rest, str) and rest:
            return f"{root}.{rest}"
    return None


def probe_of(operator: Operator, field: str, value: Any) -> Probe:
    """Compile one test.

    Raises:
        ValueError: the operator does not take that value.
    """
    other = reference(operator, value)
    return operator.probe(field, operator.prepare(value)) if other is None else _against(operator, field, other)


def _against(operator: Operator, field: str, other: str) -> Probe:
    read = reader(other)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        wanted = read(facts)
        if wanted is None:
            return None if operator.negative else MISSING
        try:
            prepared = operator.prepare(wanted)
        except ValueError:
            return TYPE_MISMATCH
        return operator.probe(field, prepared)(facts, now)

    return probe


def fields_of_test(operator: Operator, field: str, value: Any) -> set[str]:
    """Every field that a test reads: its own, its earlier value, the one to compare with, the contact's time zone."""
    fields = {field}
    if operator.reads_previous:
        fields.add(f"previous.{field}")
    if operator.reads_zone:
        fields.add(ZONE_FIELD)
    other = reference(operator, value)
    if other is not None:
        fields.add(other)
    return fields
