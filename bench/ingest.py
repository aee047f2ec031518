"""Events in over HTTP, durable, authenticated, with 1,000 published workflows of which one matches; against a bare
Litestar endpoint that decodes the same body, run in turn in the same minutes.

    python -m bench.ingest [--quick] [sqlite] [postgres]
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from bench.load import Load, post_all, request
from bench.servers import ADMIN_KEY, databases, nhip, python_server
from bench.workload import batch, body, install

CONNECTIONS = 32
DIALECTS = ("sqlite", "postgres")
BATCH = 100


async def measure(name: str, database_url: str, *, events: int, rounds: int, workflows: int) -> None:
    """Alternate the bare endpoint and Nhịp, and print the medians of the ratios."""
    singles: list[tuple[float, float, float]] = []
    batches: list[tuple[float, float]] = []
    async with (
        python_server("bench.bare") as bare,
        # Nobody works here, so back-pressure would set in.
        nhip(database_url, command="api", NHIP_INGEST_MAX_READY="10000000") as engine,
    ):
        await install(engine, "http://127.0.0.1:9", workflows=workflows)
        print(f"{name}: idle, {engine.resident_mebibytes():.0f} MiB resident with {workflows} workflows")
        number = 0
        for turn in range(rounds + 1):
            plain = [request("/v1/events", body(n)) for n in range(events)]
            first = await post_all(bare, plain, connections=CONNECTIONS)
            prepared = [request("/v1/events", body(n), ADMIN_KEY) for n in range(number, number + events)]
            number += events
            load = await post_all(engine.port, prepared, connections=CONNECTIONS)
            expect(load, events)
            kind = "application/cloudevents-batch+json"
            many = [
                request("/v1/events", batch(number + start, BATCH), ADMIN_KEY, kind)
                for start in range(0, events, BATCH)
            ]
            number += events
            grouped = await post_all(engine.port, many, connections=8)
            expect(grouped, len(many))
            if turn:  # the first turn warms up
                singles.append((load.per_second, first.per_second, load.percentile(0.99) / load.percentile(0.5)))
                batches.append((grouped.per_second * BATCH, load.per_second))
                print(
                    f"  single {load.per_second:7.0f}/s"
                    f"  p50 {load.percentile(0.5):5.1f} ms  p99 {load.percentile(0.99):6.1f} ms"
                    f"   bare {first.per_second:7.0f}/s   batches {grouped.per_second * BATCH:7.0f} events/s"
                )
    print(f"  single / bare        {statistics.median(a / b for a, b, _ in singles):5.2f}   (goal {goal(name)})")
    print(f"  p99 / p50            {statistics.median(c for *_, c in singles):5.1f}   (goal at most 7)")
    many_goal = 3 if name == "sqlite" else 5
    print(f"  batches / single     {statistics.median(a / b for a, b in batches):5.1f}   (goal {many_goal})")


def goal(name: str) -> str:
    """What the ratio should be."""
    return "0.40" if name == "sqlite" else "0.45"


def expect(load: Load, count: int) -> None:
    """Every request was accepted."""
    if load.statuses != {202: count}:
        raise SystemExit(f"not every event was accepted: {load.statuses}")


async def main() -> None:
    """Run on the databases named, or on both."""
    quick = "--quick" in sys.argv
    names = [name for name in DIALECTS if name in sys.argv] or list(DIALECTS)
    with tempfile.TemporaryDirectory(prefix="nhip-bench-") as folder, databases(Path(folder), names) as makers:
        for name in names:
            await measure(
                name, makers[name](), events=1_000 if quick else 6_000, rounds=2 if quick else 5,
                workflows=100 if quick else 1_000,
            )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
