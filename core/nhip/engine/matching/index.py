"""The index of published triggers: which workflows does an event concern, among a hundred thousand.

One tree of clauses per event type proposes candidates (:mod:`nhip.engine.matching.thicket`), and the compiled condition
of each decides. Triggers with the same condition share one of everything, and are decided together.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

from nhip.domain.conditions import Node
from nhip.domain.struct import Struct
from nhip.engine.conditions.decide import NO_CUSTOMS, CustomConditions, compile_conjunction, customs_of, fields_of
from nhip.engine.matching.clauses import clauses_of
from nhip.engine.matching.thicket import Placement, Thicket
from nhip.plugin_api import Facts


class Entry(Struct):
    """One published trigger."""

    workflow: str
    """The workflow's name."""
    version_id: str
    trigger_id: str
    event_types: tuple[str, ...]
    condition: Node | None = None
    """What has to hold, the trigger's lowered condition and the workflow's own joined; ``None`` always holds."""


_Slot = tuple[str, int, Entry]
"""The entry after what orders it: its workflow's name, and its place among the workflow's triggers."""


class _Rule:
    """One condition for the same event types, and the entries that have it."""

    __slots__ = ("digest", "placements", "slots")

    def __init__(self, digest: bytes, condition: Node | None, customs: CustomConditions) -> None:
        self.digest = digest
        self.slots: list[_Slot] = []
        probes = () if condition is None else compile_conjunction(condition, customs)
        self.placements = tuple(Placement(clause, probes, self) for clause in clauses_of(condition))


class _Family:
    """The rules of one event type."""

    __slots__ = ("customs", "fields", "rules", "thicket")

    def __init__(self) -> None:
        self.rules = 0
        self.thicket: Thicket[_Rule] = Thicket()
        self.fields: Counter[str] = Counter()
        self.customs: Counter[str] = Counter()

    def add(self, rule: _Rule, condition: Node | None) -> None:
        self.rules += 1
        for placement in rule.placements:
            self.thicket.insert(placement)
        if condition is not None:
            self.fields.update(fields_of(condition))
            self.customs.update(customs_of(condition))

    def discard(self, rule: _Rule, condition: Node | None) -> None:
        self.rules -= 1
        for placement in rule.placements:
            self.thicket.remove(placement)
        if condition is not None:
            _subtract(self.fields, fields_of(condition))
            _subtract(self.customs, customs_of(condition))


def _subtract(counts: Counter[str], names: Iterable[str]) -> None:
    for name in names:
        counts[name] -= 1
        if not counts[name]:
            del counts[name]


def is_below(prefix: str, field: str) -> bool:
    """Whether a field is this part of the facts, or in it."""
    return field == prefix or field.startswith(prefix + ".")


class MatchIndex:
    """The published triggers of one workspace."""

    def __init__(self, customs: CustomConditions = NO_CUSTOMS) -> None:
        self._customs: Final = customs
        self._rules: Final[dict[bytes, _Rule]] = {}
        self._families: Final[dict[str, _Family]] = {}
        self._published: Final[dict[str, tuple[_Rule, ...]]] = {}

    def __len__(self) -> int:
        """How many workflows are published."""
        return len(self._published)

    def publish(self, workflow: str, entries: Sequence[Entry]) -> None:
        """Put a workflow's triggers in, in place of those it had."""
        self.retire(workflow)
        self._published[workflow] = tuple(
            self._add((workflow, position, entry)) for position, entry in enumerate(entries)
        )

    def retire(self, workflow: str) -> None:
        """Take a workflow's triggers out; one that has none is no error."""
        for position, rule in enumerate(self._published.pop(workflow, ())):
            self._discard(rule, workflow, position)

    def match(self, event_type: str, facts: Facts, now: datetime) -> list[Entry]:
        """The triggers that an event starts, by workflow name and then in the workflow's order."""
        family = self._families.get(event_type)
        if family is None:
            return []
        rules: dict[_Rule, None] = {}
        for placement in family.thicket.candidates(facts):
            for probe in placement.probes:
                if probe(facts, now) is not None:
                    break
            else:
                rules[placement.owner] = None
        slots = [slot for rule in rules for slot in rule.slots]
        if len(slots) > 1:
            slots.sort(key=_order)
        return [slot[2] for slot in slots]

    def listens(self, event_type: str) -> bool:
        """Whether any published trigger is for this type of event."""
        return event_type in self._families

    def fields_read(self, event_type: str) -> frozenset[str]:
        """Every field that the conditions of an event type read, so that the facts can be loaded at once."""
        family = self._families.get(event_type)
        return frozenset() if family is None else frozenset(family.fields)

    def reads(self, prefix: str) -> bool:
        """Whether any published condition reads this field, or one below it."""
        return any(is_below(prefix, field) for family in self._families.values() for field in family.fields)

    def customs_used(self, event_type: str) -> frozenset[str]:
        """The kinds of plugin conditions that decide about an event type."""
        family = self._families.get(event_type)
        return frozenset() if family is None else frozenset(family.customs)

    def _add(self, slot: _Slot) -> _Rule:
        _, _, entry = slot
        event_types = frozenset(entry.event_types)
        digest = _digest(sorted(event_types), entry.condition)
        rule = self._rules.get(digest)
        if rule is None:
            rule = self._rules[digest] = _Rule(digest, entry.condition, self._customs)
            for event_type in event_types:
                family = self._families.get(event_type)
                if family is None:
                    family = self._families[event_type] = _Family()
                family.add(rule, entry.condition)
        insort(rule.slots, slot, key=_order)
        return rule

    def _discard(self, rule: _Rule, workflow: str, position: int) -> None:
        _, _, entry = rule.slots.pop(bisect_left(rule.slots, (workflow, position), key=_order))
        if rule.slots:
            return
        del self._rules[rule.digest]
        for event_type in frozenset(entry.event_types):
            family = self._families[event_type]
            family.discard(rule, entry.condition)
            if not family.rules:
                del self._families[event_type]
        rule.placements = ()  # breaks the cycle, so that what nobody uses any more is gone at once


def _order(slot: _Slot) -> tuple[str, int]:
    return slot[:2]


def _digest(event_types: Sequence[str], condition: Node | None) -> bytes:
    """What names a condition of some event types: equal for equal ones."""
    return blake2b(repr((event_types, condition)).encode(errors="backslashreplace"), digest_size=16).digest()
