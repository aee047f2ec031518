"""Probes that compare a field with what it was before the event."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from nhip.engine.conditions.probes import DIFFERS, MISSING, TYPE_MISMATCH, UNCHANGED, Fault, Probe, equals, mismatch
from nhip.engine.facts.fields import ABSENT, previous_reader, reader
from nhip.engine.facts.values import Key, key_of, number_of, same
from nhip.plugin_api import Facts


def changed(field: str, _: None) -> Probe:
    """The event changed the field to something else."""
    read, read_previous = reader(field), previous_reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        before = read_previous(facts)
        return UNCHANGED if before is ABSENT or same(before, read(facts)) else None

    return probe


def changed_to(field: str, wanted: Key) -> Probe:
    """The event changed the field, and it is now the wanted value."""
    did_change, is_wanted = changed(field, None), equals(field, wanted)
    return lambda facts, now: did_change(facts, now) or is_wanted(facts, now)


def changed_from(field: str, wanted: Key) -> Probe:
    """The event changed the field, and it was the wanted value."""
    did_change, read_previous = changed(field, None), previous_reader(field)

    def probe(facts: Facts, now: datetime) -> Fault | None:
        fault = did_change(facts, now)
        if fault is not None:
            return fault
        before = read_previous(facts)
        if before is None:
            return MISSING
        found = key_of(before)
        return None if found == wanted else mismatch(found, wanted)

    return probe


# The two crossings are each other's undoing: one enters "at least the mark", the other leaves it. So they always
# alternate, and nobody who was let in at the mark (199 to 200) can slip out unseen (200 to 199).


def rose(before: float, after: float, _: None) -> bool:
    """It is more than it was."""
    return before < after


def fell(before: float, after: float, _: None) -> bool:
    """It is less than it was."""
    return before > after


def rose_to(before: float, after: float, mark: float) -> bool:
    """It was below the mark and is at it or above."""
    return before < mark <= after


def fell_below(before: float, after: float, mark: float) -> bool:
    """It was at the mark or above and is below."""
    return before >= mark > after


def is_at_least(after: float, mark: float) -> bool:
    """It is at the mark or above, having come from nothing: a first score of 250 has reached 200."""
    return after >= mark


def moved(
    holds: Callable[[float, float, Any], bool], from_nothing: Callable[[float, Any], bool] | None = None
) -> Callable[[str, Any], Probe]:
    """The maker for operators that compare a number with what it was: ``holds(before, after, bound)``.

    ``from_nothing(after, bound)`` decides about a number that was not there before; without it nothing moved.
    """

    def make(field: str, bound: float | None) -> Probe:
        read, read_previous = reader(field), previous_reader(field)

        def probe(facts: Facts, now: datetime) -> Fault | None:
            before = read_previous(facts)
            if before is ABSENT:
                return UNCHANGED
            after = read(facts)
            if after is None or (before is None and from_nothing is None):
                return MISSING
            number = number_of(after)
            if number is None:
                return TYPE_MISMATCH
            if before is None and from_nothing is not None:
                return None if from_nothing(number, bound) else DIFFERS
            earlier = number_of(before)
            if earlier is None:
                return TYPE_MISMATCH
            return None if holds(earlier, number, bound) else DIFFERS

        return probe

    return make
