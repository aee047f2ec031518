"""Conditions that give an index little to hold on to: it must not be wrong, nor much slower than asking all."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from bench._report import best_of
from bench.match_workload import SEGMENTS, STATUSES, STORES, TAGS, Raw, compare, situation
from nhip.engine.conditions.decide import compile_node, parse
from nhip.engine.matching.index import Entry, MatchIndex

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


@dataclass
class Measured:
    name: str
    size: int
    matches: float
    index: float
    closures: float


def _hot_key(number: int, r: Random) -> Raw:
    """Everybody asks for the same status, and for a store."""
    return {"all": [compare("order.status", "equals", "delivered"), compare("order.store", "equals", r.choice(STORES))]}


def _only_negative(number: int, r: Random) -> Raw:
    """Nothing but what must not be."""
    parts = [
        compare("contact.tags", "has_none", r.sample(TAGS, 3)),
        compare("order.status", "not_in", list(STATUSES[:7])),
    ]
    return {"all": parts}


def _fields_of_their_own(number: int, r: Random) -> Raw:
    """Every workflow asks for a custom field that nobody else has."""
    return {
        "all": [compare(f"contact.custom.field_{number}", "equals", number), compare("order.store", "is_not_empty")]
    }


def _many_shapes(number: int, r: Random) -> Raw:
    """Any three of a dozen fields: hundreds of shapes."""
    choices = [
        compare("order.status", "equals", r.choice(STATUSES)),
        compare("order.store", "equals", r.choice(STORES)),
        compare("contact.segment", "equals", r.choice(SEGMENTS)),
        compare("contact.city", "in", [f"Tỉnh {r.randrange(63)}"]),
        compare("contact.tags", "has_any", [r.choice(TAGS)]),
        compare("contact.owner", "equals", f"nv-{r.randrange(2000):04}"),
        compare("contact.score", "greater_than", r.randrange(1000)),
        compare("order.total.amount", "less_than", r.randrange(3_000_000)),
        compare("contact.custom.tier", "equals", f"hạng {r.randrange(50)}"),
        compare("order.note", "contains_phrase", "giao hàng"),
        compare("contact.source", "equals", f"chiến dịch {r.randrange(8000)}"),
        compare("contact.language", "equals", r.choice(("vi", "en"))),
    ]
    return {"all": r.sample(choices, 3)}


def _two_thresholds(number: int, r: Random) -> Raw:
    """Two bounds and no key."""
    return {
        "all": [
            compare("contact.score", "greater_or_equal", r.randrange(900, 1000)),
            compare("order.total.amount", "less_or_equal", r.randrange(0, 3_000_000)),
        ]
    }


def _crossings(number: int, r: Random) -> Raw:
    """Everybody waits for the score to reach a mark of their own."""
    return compare("contact.score", "crosses_above", r.randrange(100_000) / 100)


def _same(number: int, r: Random) -> Raw:
    """A recipe that everybody installed."""
    return compare("order.status", "changed_to", "delivered")


DISTRIBUTIONS: dict[str, Callable[[int, Random], Raw]] = {
    "one hot key": _hot_key,
    "only negative tests": _only_negative,
    "a custom field each": _fields_of_their_own,
    "many shapes": _many_shapes,
    "two thresholds, no key": _two_thresholds,
    "a mark to cross each": _crossings,
    "the same condition": _same,
}


def measure(size: int) -> list[Measured]:
    """Each distribution, checked against asking everybody."""
    return [_measure(name, make, size) for name, make in DISTRIBUTIONS.items()]


def _measure(name: str, make: Callable[[int, Random], Raw], size: int) -> Measured:
    r = Random(5)
    entries = [
        Entry(
            workflow=f"workflow-{number:06}",
            version_id="1",
            trigger_id="t",
            event_types=("order.updated",),
            condition=parse(make(number, r), "conditions"),
        )
        for number in range(size)
    ]
    index = MatchIndex()
    for entry in entries:
        index.publish(entry.workflow, [entry])
    compiled = [compile_node(entry.condition) for entry in entries if entry.condition is not None]
    events = [situation(r) for _ in range(10)]
    total = 0
    for facts in events:
        found = index.match("order.updated", facts, NOW)
        assert found == [entry for entry, decide in zip(entries, compiled, strict=True) if decide(facts, NOW)], name
        total += len(found)
    by_index = best_of(lambda: [index.match("order.updated", facts, NOW) for facts in events])
    by_closures = best_of(lambda: [[decide(facts, NOW) for decide in compiled] for facts in events], 2)
    return Measured(name, size, total / len(events), by_index / len(events) * 1e6, by_closures / len(events) * 1e6)
