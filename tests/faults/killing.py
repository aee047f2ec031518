"""F2, F3 and F8: processes are killed at any moment, again and again; F11: one sleeps longer than its lease."""

import asyncio
import random
import signal
import time

from nhip.testing.standins.faults import Fault, Faults
from tests.faults.nursery import Process
from tests.faults.oracle import Violation
from tests.faults.stage import LEASE_SECONDS, Stage, on_this_machine

SETTLE_SECONDS = 10.0
"""How long after the last kill everything must be settled."""


async def kill_workers(stage: Stage, *, events: int, kills: int, seed: int, workers: int = 2) -> float:
    """F2: workers are killed at random moments while events come; answers how long everything took to settle."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    await stage.set_up()
    living = [stage.start("worker") for _ in range(workers)]
    sending = asyncio.create_task(stage.client.send_all(stage.events(events), together=4, pause=0.02))
    for number in range(kills):
        # Something gets done between two deaths, and then it may happen at any moment.
        await stage.more_received(sending)
        await asyncio.sleep(chance.uniform(0.0, 0.4))
        living[number % workers].kill()
        living[number % workers] = stage.start("worker")
    await sending
    since = time.monotonic()
    at = await stage.settle_and_check()
    _in_time(at - since)
    return at - since


def _in_time(took: float) -> None:
    if took > on_this_machine(SETTLE_SECONDS):
        raise Violation(f"it took {took:.1f} s to settle, more than {SETTLE_SECONDS:g} s")


async def kill_apis(stage: Stage, *, events: int, kills: int, seed: int) -> float:
    """F3: the API process is killed while clients wait for its answers, some of whom ask twice anyway."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    api = await stage.set_up()
    stage.start("worker")
    made = stage.events(events)
    made += chance.sample(made, events // 5)
    chance.shuffle(made)
    sending = asyncio.create_task(stage.client.send_all(made, together=12))
    share = events // (kills + 1)
    for number in range(1, kills + 1):
        # Right after an answer: what was said must be true already.
        await stage.acknowledged(number * share, sending)
        api.kill()
        api = await stage.listening(stage.start("api"))
    await sending
    since = time.monotonic()
    at = await stage.settle_and_check()
    _in_time(at - since)
    return at - since


async def kill_everything(stage: Stage, *, events: int, kills: int, seed: int) -> float:
    """F8: four processes write to one SQLite file, and all of them are killed at once, again and again."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    (await stage.set_up()).kill()

    async def everything() -> list[Process]:
        together = [stage.start("serve", number=0), stage.start("api", number=1)]
        together += [stage.start("worker") for _ in range(2)]
        for number in (0, 1):
            await stage.listening(together[number], number)
        return together

    living = await everything()
    sending = asyncio.create_task(stage.client.send_all(stage.events(events), together=8, pause=0.01, seconds=120))
    share = events // (kills + 1)
    for number in range(1, kills + 1):
        await stage.acknowledged(number * share, sending)
        await asyncio.sleep(chance.uniform(0.0, 0.2))
        for process in living:
            process.signal(signal.SIGKILL)
        for process in living:
            process.kill()
        living = await everything()
    await sending
    since = time.monotonic()
    at = await stage.settle_and_check()
    _in_time(at - since)
    ((verdict,),) = await stage.database.rows("PRAGMA integrity_check")
    if verdict != "ok":
        raise Violation(f"the file is damaged: {verdict}")
    locked = [process.name for process in stage.processes if "database is locked" in process.output()]
    if locked:
        raise Violation(f"the database was locked for {locked}\n{await stage.diagnostics()}")
    return at - since


async def wake_the_dead(stage: Stage, *, events: int) -> int:
    """F11: a worker sleeps for three leases with calls under way, others take over, and then it wakes up.

    The provider is slow, so that the worker is asleep while it waits for answers; where its channel allows fewer calls
    at once than the worker has taken steps, it has not called for some of them yet. Answers how many steps it held.
    """
    await stage.set_up()
    sleeper = stage.start("worker")
    slow = stage.provider.standin.faults = Faults(slow=1.0, slow_seconds=0.6)
    await stage.client.send_all(stage.events(events), together=8)
    await stage.until(lambda: slow.drawn[Fault.SLOW] >= 6, "the provider is called")
    sleeper.signal(signal.SIGSTOP)
    while await stage.database.is_locked():
        # In the midst of a transaction it would keep the database from everybody: not at this moment.
        sleeper.signal(signal.SIGCONT)
        await asyncio.sleep(0.01)
        sleeper.signal(signal.SIGSTOP)
    slept_at = time.monotonic()
    held = {row[0] for row in await stage.database.rows("SELECT id FROM steps WHERE state = 'running'")}
    if not held:
        raise Violation("the sleeper holds nothing")
    stage.provider.standin.faults = Faults()
    second = stage.start("worker")
    await stage.settled()
    # The operator takes the provider's word for those that never arrived: they go out now, under a new key.
    await stage.resolve_unknown()
    await stage.settled()
    await stage.until(lambda: time.monotonic() - slept_at > 3 * LEASE_SECONDS, "three leases pass")
    second.kill()
    before = await _rows(stage, held)
    sleeper.signal(signal.SIGCONT)
    # An orderly end waits for the calls that are under way, and records what it may.
    sleeper.signal(signal.SIGTERM)
    await stage.until(lambda: not sleeper.alive, "the sleeper ends in order")
    after = await _rows(stage, held)
    changed = [step for step in before if before[step] != after[step]]
    if changed:
        shown = [(before[step], after[step]) for step in changed[:5]]
        raise Violation(f"a sleeper overwrote {len(changed)} of {len(held)} steps after its lease: {shown}")
    stage.start("worker")
    await stage.settle_and_check()
    return len(held)


async def _rows(stage: Stage, steps: set[str]) -> dict[str, tuple[object, ...]]:
    rows = await stage.database.rows(
        "SELECT id, path, state, epoch, attempt, generation, outcome, output, reason, finished_at FROM steps"
    )
    return {row[0]: row[1:] for row in rows if row[0] in steps}
