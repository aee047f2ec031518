"""Segments: which conditions may be one, what they depend on, and when they may change though nothing happens."""

from collections.abc import Collection, Iterator
from datetime import MAXYEAR, date, datetime, time, timedelta
from typing import Any, Final

from nhip.domain.conditions import All, AnyOf, Custom, Node, Not, Test
from nhip.domain.customers import CONTACT_FIELDS, CONTACT_READ_ONLY
from nhip.domain.errors import InvalidInput, Problem
from nhip.domain.struct import Struct
from nhip.domain.times import from_micros, parse_duration, to_micros
from nhip.engine.conditions.decide import compile_node, fields_of
from nhip.engine.conditions.operators import OPERATORS, reference
from nhip.engine.conditions.tree import parse
from nhip.engine.facts.fields import reader
from nhip.engine.facts.moments import day_of, day_offset, moment_of, zone_of
from nhip.plugin_api import Facts

_FIELDS: Final = CONTACT_FIELDS | CONTACT_READ_ONLY
_ACTIVITY: Final = ("contact", "activity")
_SPANS: Final = frozenset({"within_last", "not_within_last"})
_TICK: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)
EVERY_KIND: Final = "*"
"""Stands for every kind of activity, where a condition reads the activity as a whole."""


# --- what may be a segment --------------------------------------------------------------------------------------------


def read_condition(raw: Any, path: str = "condition") -> Node:
    """Read the condition of a segment; ``path`` is its place in the input.

    It may read what is known of the contact itself and nothing else: no record, no event, no earlier value, no
    condition of a plugin, because a change of those tells nobody to judge the contact again.

    Raises:
        InvalidInput: with every fault found, each at its place.
    """
    node = parse(raw, path)
    problems = list(_problems(node, path))
    if problems:
        raise InvalidInput(problems)
    return node


def _problems(node: Node, path: str) -> Iterator[Problem]:
    match node:
        case Test():
            yield from _problems_of_test(node, path)
        case Custom(condition=kind):
            said = f"a segment cannot use {kind!r}: what a plugin's condition reads is not watched"
            yield Problem(path=f"{path}.condition", code="not_allowed", message=said)
        case Not(item=item):
            yield from _problems(item, f"{path}.not")
        case All(items=items) | AnyOf(items=items):
            group = "all" if isinstance(node, All) else "any"
            for number, item in enumerate(items):
                yield from _problems(item, f"{path}.{group}[{number}]")


def _problems_of_test(test: Test, path: str) -> Iterator[Problem]:
    operator = OPERATORS[test.op]
    if operator.reads_previous:
        said = f"a segment cannot use {test.op!r}: it is about who a contact is, not about a change"
        yield Problem(path=f"{path}.op", code="not_allowed", message=said)
    other = reference(operator, test.value)
    for field, place in ((test.field, "field"), (other, "value")):
        if field is None:
            continue
        root, _, rest = field.partition(".")
        name = rest.partition(".")[0]
        if root != "contact":
            said = f"a segment's condition reads contact.… only, not {field!r}"
            yield Problem(path=f"{path}.{place}", code="not_allowed", message=said)
        elif name not in _FIELDS:
            said = f"a contact has no field {name!r}; it has {', '.join(sorted(_FIELDS))}"
            yield Problem(path=f"{path}.{place}", code="unknown_field", message=said)


# --- what it depends on -----------------------------------------------------------------------------------------------


class Dependence(Struct):
    """What may change whether a condition holds."""

    fields: frozenset[str]
    """Every field that its tests read."""
    activity: frozenset[str]
    """The kinds of activity among them; :data:`EVERY_KIND` where it reads them all."""
    times: tuple[Test, ...]
    """The tests whose answer changes while time passes."""

    def is_moved_by(self, kinds: Collection[str]) -> bool:
        """Whether activity of these kinds may change it."""
        return bool(kinds) and (EVERY_KIND in self.activity or not self.activity.isdisjoint(kinds))


def dependence_of(node: Node) -> Dependence:
    """What a segment's condition depends on."""
    fields = fields_of(node)
    activity = set()
    for field in fields:
        names = tuple(field.split("."))
        if names[:2] == _ACTIVITY:
            activity.add(names[2] if len(names) > 2 else EVERY_KIND)
    return Dependence(fields=fields, activity=frozenset(activity), times=tuple(dict.fromkeys(_timely(node))))


def _timely(node: Node) -> Iterator[Test]:
    match node:
        case Test(op=op):
            if op in _SPANS or op == "matches_day":
                yield node
        case Not(item=item):
            yield from _timely(item)
        case All(items=items) | AnyOf(items=items):
            for item in items:
                yield from _timely(item)
        case Custom():
            pass


# --- when it may change -----------------------------------------------------------------------------------------------


def changes(test: Test, facts: Facts, now: datetime) -> Iterator[datetime]:
    """The moments at which a test may change for the value that the facts have; among them the next one after ``now``.

    Judged at such a moment, the test gives the answer that it gives until the next of them.
    """
    value = reader(test.field)(facts)
    if test.op in _SPANS:
        moment = moment_of(value, facts)
        if moment is not None:
            yield moment
            try:
                yield moment + parse_duration(str(test.value)) + _TICK
            except OverflowError:
                return
    elif test.op == "matches_day":
        day = day_of(value, facts)
        if day is not None:
            yield from _midnights(day, day_offset(test.value), facts, now)


def _midnights(day: date, offset: timedelta, facts: Facts, now: datetime) -> Iterator[datetime]:
    """When the days begin and end, by the clocks of the contact, that lie so far from an anniversary."""
    zone = zone_of(facts)
    nearest = (now.astimezone(zone).date() - offset).year
    for year in range(nearest - 1, min(nearest + 2, MAXYEAR)):
        try:
            anniversary = day.replace(year=year)
        except ValueError:  # born on 29 February
            anniversary = date(year, 2, 28)
        for begins in (anniversary + offset, anniversary + offset + _DAY):
            yield datetime.combine(begins, time(), zone)


class Segment:
    """A segment's condition, compiled."""

    __slots__ = ("dependence", "holds", "is_complete", "name")

    def __init__(self, name: str, node: Node, *, is_complete: bool = True) -> None:
        self.name = name
        self.holds = compile_node(node)
        self.dependence = dependence_of(node)
        self.is_complete = is_complete
        """Whether everybody has been judged by this condition."""

    def judge(self, facts: Facts, now: int) -> tuple[bool, int | None]:
        """Whether the contact is in it, and the moment (microseconds) from which that has to be asked again although
        nothing happens.
        """
        moment = from_micros(now)
        coming: list[int] = []
        for test in self.dependence.times:
            coming += [at for one in changes(test, facts, moment) if (at := to_micros(one)) > now]
        return self.holds(facts, moment), min(coming, default=None)


def keep_planned(planned: int | None, wanted: int | None, now: int) -> int | None:
    """The moment to be kept of the one that is planned and the one that is wanted now.

    One that comes too early does no harm, so it stays: a contact that acts every day is not planned anew each time.
    """
    if planned is not None and planned > now and (wanted is None or planned <= wanted):
        return planned
    return wanted
