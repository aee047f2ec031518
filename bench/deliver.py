"""Events in to messages accepted by a provider that answers at once, everything stored; against the tuned naive
pipeline (handler, insert, one arq job a message, one HTTP POST), run beside it in the same minutes.

    python -m bench.deliver [--quick] [sqlite] [postgres]
"""

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.load import post_all, post_paced, request
from bench.servers import ADMIN_KEY, databases, nhip, process, python_server, valkey
from bench.sink import Sink
from bench.workload import body, install

CONNECTIONS = 32
PACE = 20
DIALECTS = ("sqlite", "postgres")


async def throughput(port: int, sink: Sink, first: int, events: int, key: str) -> float:
    """Messages a second from the first request to the last acceptance."""
    sink.forget()
    loop = asyncio.get_running_loop()
    prepared = [request("/v1/events", body(number), key) for number in range(first, first + events)]
    started = loop.time()
    await post_all(port, prepared, connections=CONNECTIONS)
    await sink.reached(events, 300)
    return events / (loop.time() - started)


async def latency(port: int, sink: Sink, first: int, events: int, key: str) -> tuple[float, float]:
    """Milliseconds from when a request was due to its message's acceptance, p50 and p99, at 20 a second."""
    sink.forget()
    prepared = [request("/v1/events", body(number), key) for number in range(first, first + events)]
    started = time.perf_counter()
    await post_paced(port, prepared, per_second=PACE)
    await sink.reached(events, 60)
    took = sorted(
        (sink.arrivals[b"DH-%d" % (first + position)] - started - position / PACE) * 1000 for position in range(events)
    )
    return took[len(took) // 2], took[int(len(took) * 0.99)]


async def measure(name: str, nhip_url: str, naive_url: str, *, events: int, naive_events: int, rounds: int) -> None:
    """Alternate the naive pipeline and Nhịp, and print the medians."""
    ours: list[float] = []
    naive: list[float] = []
    with tempfile.TemporaryDirectory(prefix="nhip-bench-") as folder, valkey(Path(folder)) as redis_url:
        async with Sink() as sink, contextlib.AsyncExitStack() as stack:
            sink_url = f"http://127.0.0.1:{sink.port}"
            environment = {"DATABASE_URL": naive_url, "REDIS_URL": redis_url, "SINK_URL": sink_url}
            handler = await stack.enter_async_context(python_server("bench.naive", **environment))
            log = Path(folder) / "worker.log"
            stack.enter_context(process([sys.executable, "-m", "bench.naive", "worker"], environment, log))
            engine = await stack.enter_async_context(nhip(nhip_url))
            idle = engine.resident_mebibytes()
            await install(engine, sink_url, workflows=10)
            first = 0
            for turn in range(rounds + 1):
                rate = await throughput(engine.port, sink, first, events, ADMIN_KEY)
                first += events
                if sink.repeated:
                    raise SystemExit(f"{sink.repeated} messages came twice")
                slow = await throughput(handler, sink, first, naive_events, "")
                first += naive_events
                if turn:
                    ours.append(rate)
                    naive.append(slow)
                    print(f"  {name}: Nhịp {rate:6.0f} messages/s   naive {slow:5.0f}/s")
            p50, p99 = await latency(engine.port, sink, first, 200, ADMIN_KEY)
            first += 200
            naive_p50, naive_p99 = await latency(handler, sink, first, 200, "")
            loaded = engine.resident_mebibytes()
    ratio = statistics.median(a / b for a, b in zip(ours, naive, strict=True))
    print(f"  Nhịp / naive         {ratio:5.1f}   (goal 6)")
    print(f"  at {PACE} events a second p50 {p50:5.1f} ms, p99 {p99:5.1f} ms   (goal 12 and 40)")
    print(f"  the naive one        p50 {naive_p50:5.1f} ms, p99 {naive_p99:5.1f} ms")
    print(f"  resident {idle:.0f} MiB idle, {loaded:.0f} MiB after {events * (rounds + 1)} messages")


async def main() -> None:
    """Run on the databases named, or on both."""
    quick = "--quick" in sys.argv
    names = [name for name in DIALECTS if name in sys.argv] or list(DIALECTS)
    with tempfile.TemporaryDirectory(prefix="nhip-bench-") as folder, databases(Path(folder), names) as makers:
        for name in names:
            await measure(
                name, makers[name](), makers[name](), events=1_000 if quick else 6_000,
                naive_events=300 if quick else 1_000, rounds=1 if quick else 4,
            )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
