"""How long one event takes to find its workflows, among 10 to 100,000 published for the same event type.

    python -m bench.match [--quick] [--strict]

Everything is measured in one run, and everything is checked: the index against the compiled conditions, and those
against a second reading of the operators that walks the JSON (``bench/match_walk.py``). Only the ratios mean anything
on a busy machine.
"""

import argparse
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

from bench import match_hard
from bench._report import best_of, number, print_goal, print_table, ratio, settle
from bench.match_walk import holds
from bench.match_workload import Raw, condition, situation
from nhip.engine.conditions.decide import compile_node, parse
from nhip.engine.matching.index import Entry, MatchIndex
from nhip.plugin_api import Facts

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
EVENT = "order.updated"
EVENTS = 100
ROUNDS = 25
MOST_MATCHES = 10
SLOW_EVENTS = {10: 50, 1_000: 20, 10_000: 4, 100_000: 2}
"""How many events the baselines are given, which take up to a second for each."""


def entry(name: int, raw: Raw) -> Entry:
    """The published trigger of one workflow."""
    return Entry(
        workflow=f"workflow-{name:06}",
        version_id="1",
        trigger_id="changed",
        event_types=(EVENT,),
        condition=parse(raw, "conditions"),
    )


def index_of(entries: Sequence[Entry]) -> MatchIndex:
    """All of them published."""
    index = MatchIndex()
    for one in entries:
        index.publish(one.workflow, [one])
    return index


def microseconds(call: Callable[[Facts], object], events: Sequence[Facts], repeats: int = 5) -> float:
    """Per event."""
    return best_of(lambda: [call(facts) for facts in events], repeats) / len(events) * 1e6


def measure_indexes(indexes: Mapping[int, MatchIndex], events: Sequence[Facts]) -> dict[int, float]:
    """Microseconds per event. The sizes take turns, so that what else the machine does falls on all of them alike."""
    fastest = dict.fromkeys(indexes, float("inf"))
    for _ in range(ROUNDS):
        for size, index in indexes.items():
            match = index.match
            fastest[size] = min(fastest[size], microseconds(lambda facts, m=match: m(EVENT, facts, NOW), events, 1))  # type: ignore[misc]
    return fastest


def verify(index: MatchIndex, entries: Sequence[Entry], raws: Sequence[Raw], events: Sequence[Facts]) -> None:
    """Compare the index with the compiled conditions, and those with the walk of the JSON."""
    compiled = [compile_node(one.condition) for one in entries if one.condition is not None]
    for number_of_event, facts in enumerate(events):
        wanted = [one for one, decide in zip(entries, compiled, strict=True) if decide(facts, NOW)]
        assert index.match(EVENT, facts, NOW) == wanted, "the index and the compiled conditions differ"
        if number_of_event == 0:
            walked = [one for one, raw in zip(entries, raws, strict=True) if holds(raw, facts)]
            assert walked == wanted, "the compiled conditions and the walk of the JSON differ"


def choose_events(index: MatchIndex) -> list[dict[str, Any]]:
    """Events that start at most ten workflows, when most are published."""
    r = Random(7)
    events: list[dict[str, Any]] = []
    while len(events) < EVENTS:
        facts = situation(r)
        if len(index.match(EVENT, facts, NOW)) <= MOST_MATCHES:
            events.append(facts)
    return events


def measure_memory(raws: Sequence[Raw]) -> tuple[float, float]:
    """Bytes per workflow: all that the index keeps, its entries' condition trees included, and the trees alone."""
    gc.collect()
    tracemalloc.start()
    entries = [entry(name, raw) for name, raw in enumerate(raws)]
    gc.collect()
    trees = tracemalloc.get_traced_memory()[0]
    index = index_of(entries)
    gc.collect()
    everything = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(index) == len(raws)
    return everything / len(raws), trees / len(raws)


def measure_publishing(index: MatchIndex, size: int) -> tuple[float, float, float]:
    """Milliseconds: median and worst of publishing one more, and median of publishing it again, changed."""
    r = Random(99)
    more = [entry(size + name, condition(name, r)) for name in range(300)]
    fresh = [_milliseconds(lambda one=one: index.publish(one.workflow, [one])) for one in more]  # type: ignore[misc]
    changed = [entry(size + name, condition(name + 1, r)) for name in range(300)]
    again = [_milliseconds(lambda one=one: index.publish(one.workflow, [one])) for one in changed]  # type: ignore[misc]
    for one in changed:
        index.retire(one.workflow)
    return statistics.median(fresh), max(fresh), statistics.median(again)


def _milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def run(sizes: Sequence[int]) -> bool:
    """Measure, print, and answer whether the goals are kept."""
    r = Random(1)
    raws = [condition(name, r) for name in range(sizes[-1])]
    entries = [entry(name, raw) for name, raw in enumerate(raws)]
    indexes = {size: index_of(entries[:size]) for size in sizes}
    events = choose_events(indexes[sizes[-1]])
    settle()

    indexed = measure_indexes(indexes, events)
    closures, walked, matches = {}, {}, {}
    for size in sizes:
        index, few = indexes[size], events[: SLOW_EVENTS.get(size, 2)]
        verify(index, entries[:size], raws[:size], few)
        compiled = [compile_node(one.condition) for one in entries[:size] if one.condition is not None]
        closures[size] = microseconds(lambda facts, all_of=compiled: [c(facts, NOW) for c in all_of], few, 3)  # type: ignore[misc]
        walked[size] = microseconds(lambda facts, all_of=raws[:size]: [holds(raw, facts) for raw in all_of], few, 2)  # type: ignore[misc]
        matches[size] = [len(index.match(EVENT, facts, NOW)) for facts in events]

    base = indexed[sizes[0]]
    print_table(
        "One event, microseconds",
        ("workflows", "matching", "index", "of 10", "all closures", "index is", "JSON tree", "index is"),
        [
            (
                f"{size:,}",
                f"{statistics.mean(matches[size]):.1f}",
                number(indexed[size]),
                ratio(indexed[size], base),
                number(closures[size]),
                f"1/{number(closures[size] / indexed[size])}",
                number(walked[size]),
                f"1/{number(walked[size] / indexed[size])}",
            )
            for size in sizes
        ],
    )

    hard = match_hard.measure(1_000 if sizes[-1] <= 10_000 else 10_000)
    print_table(
        f"Hard distributions, {hard[0].size:,} workflows, microseconds",
        ("distribution", "matching", "index", "all closures", "index is"),
        [(h.name, number(h.matches), number(h.index), number(h.closures), ratio(h.index, h.closures)) for h in hard],
    )

    largest = sizes[-1]
    median, worst, again = measure_publishing(indexes[largest], largest)
    del indexes, closures
    kept, trees = measure_memory(raws[: min(largest, 20_000)])
    print_table(
        "Keeping and publishing",
        ("what", "value"),
        [
            ("memory per workflow, bytes", number(kept)),
            ("of which the condition tree itself", number(trees)),
            (f"publishing one more into {largest:,}, ms, median", number(median)),
            (f"publishing one more into {largest:,}, ms, worst of 300", number(worst)),
            (f"publishing one again into {largest:,}, ms, median", number(again)),
        ],
    )

    print("\nGoals")
    limits = {10_000: 5.0, 100_000: 30.0}
    goals = [
        print_goal(f"{size:,} workflows against 10", indexed[size] / base, limit, "times")
        for size, limit in limits.items()
        if size in indexed
    ]
    goals.append(print_goal("memory per workflow", kept, 4096, "bytes"))
    goals.append(print_goal("publishing one more, worst of 300", worst, 5, "ms"))
    return all(goals)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 10,000 workflows: half a minute")
    parser.add_argument("--strict", action="store_true", help="fail when a goal is missed")
    arguments = parser.parse_args()
    sizes = (10, 1_000, 10_000) if arguments.quick else (10, 1_000, 10_000, 100_000)
    kept = run(sizes)
    raise SystemExit(1 if arguments.strict and not kept else 0)


if __name__ == "__main__":
    main()
