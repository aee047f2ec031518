"""What it costs to wake what is due, among a million steps that wait: nothing more than among ten thousand.

    python -m bench.timers [--quick] [--strict] [--waits=1000000] [--burst=100000] [--block=100] [sqlite] [postgres]

Both numbers of steps stand in databases of their own, spread over 400 days, and take turns. A round lets a thousand of
them fall due: how long until all are awake, and until their runs have gone on to their end. Then many fall due at one
moment. And the program itself runs on each database for a while: its memory.
"""

import asyncio
import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

from bench._report import number, print_goal, print_table, ratio
from bench.dormancy import analyse
from bench.servers import databases, nhip
from nhip.adapters.db import upgrade
from nhip.adapters.db.statements import Statement
from nhip.adapters.db.unit import SqlUnit
from nhip.bootstrap import Engine
from nhip.domain.customers import Contact
from nhip.domain.ids import new_id
from nhip.domain.runs import RunRow, RunState, StepKind, StepRow, StepState
from nhip.domain.times import from_micros
from nhip.services.workflows.workflows import Workflows
from nhip.settings import load
from tests.support.clocks import StandingClock

DIALECTS: Final[Sequence[str]] = ("sqlite", "postgres")
FEW: Final = 10_000
DUE: Final = 1_000
ROUNDS: Final = 5
A_MINUTE: Final = 60_000_000
AN_HOUR: Final = 60 * A_MINUTE
A_DAY: Final = 24 * AN_HOUR
CHUNK: Final = 5_000
BLOCK: Final = 100
"""How many runs begin together and so fall due together."""
PAGE_CACHE: Final = 64
"""MiB that SQLite may keep of a file, however large it is."""
GOAL: Final = 1.5
GOAL_MEMORY: Final = 16.0
"""MiB that the program may be larger by, beside SQLite's pages."""
LOOKS: Final = 6.0
"""Seconds for which the program runs while its memory is measured: some looks around, the first of which finds work."""

DEFINITION: Final = {
    "name": "hold",
    "triggers": [{"id": "begun", "type": "event", "config": {"type": "shop.opened"}}],
    "steps": [
        {"id": "hold", "wait": {"for": "P30D"}},
        {"id": "mark", "action": "update_contact", "config": {"add_tags": ["awake"]}},
    ],
}
LEFT = Statement(
    "SELECT 1 FROM steps WHERE state = 'waiting' AND due_at <= :now UNION ALL"
    " SELECT 1 FROM steps WHERE state = 'ready' AND due_at <= :now UNION ALL"
    " SELECT 1 FROM steps WHERE state = 'running' LIMIT 1"
)


class Shop:
    """An engine in whose database many runs wait. Of the hours to come, each brings the end of ``DUE`` waits."""

    def __init__(self, engine: Engine, clock: StandingClock, block: int) -> None:
        self.engine = engine
        self.clock = clock
        self.block = block
        self.waiting = 0
        self._workspace_id = 0
        self._version_id = ""

    async def fill(self, waits: int, burst: int) -> None:
        """``waits`` steps: a group for the program, one for each round, a crowd at one moment, the others later."""
        await self.engine.database.transact(self._publish)
        now, chance = self.clock.micros(), random.Random(1)
        groups = [now - A_MINUTE, *(now + (2 + turn) * AN_HOUR - A_MINUTE for turn in range(ROUNDS + 1))]
        blocks = [due for due in groups for _ in range(DUE // self.block)]
        blocks += [now + (3 + ROUNDS) * AN_HOUR] * (burst // self.block)
        blocks += [now + chance.randrange(A_DAY, 400 * A_DAY) for _ in range(waits // self.block - len(blocks))]
        chance.shuffle(blocks)
        dues = [due for due in blocks for _ in range(self.block)]
        for first in range(0, len(dues), CHUNK):
            await self.engine.database.transact(self._insert, first, dues[first : first + CHUNK], now)
        self.waiting = len(dues)
        await analyse(self.engine.database)

    def _publish(self, unit: Any) -> None:
        now = self.clock.micros()
        self._workspace_id = unit.workspaces.insert("bench", "", now).id
        workflows = Workflows(self.engine.catalog)
        workflows.create(unit, self._workspace_id, DEFINITION, "bench", now)
        published = workflows.publish(unit, self._workspace_id, "hold", if_match=None, actor="bench", now=now)
        self._version_id = published.version.id

    def _insert(self, unit: Any, first: int, dues: Sequence[int], now: int) -> None:
        contacts, events, runs, steps = [], [], [], []
        for n, due in enumerate(dues, first):
            contact_id, event_id, run_id = f"{n * 2_654_435_761 % 2**32:08x}-{n:04x}", new_id(), new_id()
            contacts.append(
                Contact(
                    id=contact_id, external_id=f"KH-{n:07}", attributes={"name": f"Khách {n}"}, score=0, revision=0,
                    created_at=now, updated_at=now,
                )
            )  # fmt: skip
            events.append(
                (event_id, self._workspace_id, "shop", f"evt-{n}", "shop.opened", f"KH-{n:07}", contact_id, now, now,
                 "{}", "{}", None, event_id, None, 0)
            )  # fmt: skip
            runs.append(
                RunRow(
                    id=run_id, workspace_id=self._workspace_id, workflow="hold", version_id=self._version_id, version=1,
                    trigger_id="begun", contact_id=contact_id, event_id=event_id, root_event_id=event_id,
                    state=RunState.RUNNING, reason=None, depth=0, event_received_at=now, started_at=now, ended_at=None,
                )
            )  # fmt: skip
            steps.append(
                StepRow(
                    id=new_id(), workspace_id=self._workspace_id, run_id=run_id, contact_id=contact_id,
                    version_id=self._version_id, node=0, path="hold", iteration=0, kind=StepKind.WAIT,
                    state=StepState.WAITING, due_at=due, wanted_at=due, created_at=now,
                )
            )  # fmt: skip
        unit.customers.insert_contacts(self._workspace_id, contacts)
        unit.events.insert(events)
        unit.runs.insert(runs, steps)

    async def round(self) -> tuple[float, float]:
        """Seconds until what falls due within the next hour is awake, and until it is done besides."""
        self.clock.advance(hours=1)
        executor = self.engine.executor
        start = time.perf_counter()
        woken = 0
        while (reconciled := await self.engine.database.transact(self.engine.reconcile.run)).woken:
            woken += reconciled.woken
        awake = time.perf_counter()
        await executor.drain()
        await executor.settled()
        done = time.perf_counter()
        assert woken == DUE, woken
        assert not await self.left()
        return awake - start, done - awake

    async def burst(self) -> float:
        """Seconds until everything is done that falls due at one moment, by a worker as it runs."""
        self.clock.advance(hours=2)
        start = time.perf_counter()
        working = asyncio.create_task(self.engine.executor.run())
        while await self.left():  # noqa: ASYNC110  (the database tells nobody)
            await asyncio.sleep(0.1)
        seconds = time.perf_counter() - start
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        return seconds

    async def left(self) -> bool:
        """Whether anything is still to be done now."""

        def look(unit: SqlUnit) -> bool:
            return bool(LEFT.run(unit.connection, now=self.clock.micros()))

        return await self.engine.database.read(cast(Any, look))


async def memory(url: str) -> tuple[float, float]:
    """MiB of the program when it has started on this database, and after it has woken the first group."""
    async with nhip(url) as program:
        before = program.resident_mebibytes()
        await asyncio.sleep(LOOKS)
        return before, program.resident_mebibytes()


@contextlib.asynccontextmanager
async def shop(url: str, folder: Path, now: int, block: int = BLOCK) -> AsyncIterator[Shop]:
    """An engine on a database, whose clock stands still until it is moved."""
    clock = StandingClock(from_micros(now))
    settings = load({}, data_dir=folder, database_url=url, secret_key="a key for benches that is long enough")
    engine = await Engine.start(settings, migrate=False, embedded=False, clock=clock)
    try:
        yield Shop(engine, clock, block)
    finally:
        await engine.stop()


async def measure(name: str, urls: Sequence[str], folder: Path, *, waits: int, burst: int, block: int) -> bool:
    """Wake in turn among few and among many, and print what it cost."""
    now = time.time_ns() // 1_000
    taken: list[tuple[float, float]] = []
    for url, size, crowd in zip(urls, (FEW, waits), (0, burst), strict=True):
        await upgrade(url)
        start = time.perf_counter()
        async with shop(url, folder, now, block) as place:
            await place.fill(size, crowd)
            print(f"{name}: {place.waiting:,} waits made in {time.perf_counter() - start:.0f} s", flush=True)
        taken.append(await memory(url))
    async with shop(urls[0], folder, now) as few, shop(urls[1], folder, now) as many:
        both = (few, many)
        for place in both:
            await place.engine.warm()
            place.clock.advance(hours=1)
        for place in both:
            await place.round()  # warms up
        rounds = [[await place.round() for place in both] for _ in range(ROUNDS)]
        seconds = await many.burst() if burst else 0.0
    waking, going = ([[one[which][part] / DUE * 1e6 for one in rounds] for which in (0, 1)] for part in (0, 1))
    rows = []
    ratios = []
    for what, (by_few, by_many) in (("waking", waking), ("going on", going)):
        middle = statistics.median(by_few), statistics.median(by_many)
        ratios.append(statistics.median(b / a for a, b in zip(by_few, by_many, strict=True)))
        rows.append((f"{what}, µs a step", *map(number, middle), f"{number(ratios[-1])}x"))
    for what, part in (("memory at the start, MiB", 0), ("memory after waking, MiB", 1)):
        least, most = taken[0][part], taken[1][part]
        rows.append((what, number(least), number(most), ratio(most, least)))
    print_table(f"{name}: {DUE:,} of them due at a time", ("", f"{FEW:,} wait", f"{waits:,} wait", "ratio"), rows)
    if burst:
        print(f"  {burst:,} due at one moment: all done in {seconds:.1f} s, {number(seconds / burst * 1e6)} µs each")
    kept = print_goal("waking among many against few", ratios[0], GOAL, "times")
    kept &= print_goal("going on among many against few", ratios[1], GOAL, "times")
    pages = PAGE_CACHE if name == "sqlite" else 0
    return kept & print_goal("more memory among many", taken[1][1] - taken[0][1], GOAL_MEMORY + pages, "MiB")


def asked(name: str, usual: int) -> int:
    """A number from the command line."""
    given = [argument.partition("=")[2] for argument in sys.argv[1:] if argument.startswith(f"--{name}=")]
    return int(given[-1]) if given else usual


async def main() -> None:
    """Run on the databases named, or on both."""
    quick = "--quick" in sys.argv
    waits, burst = asked("waits", 50_000 if quick else 1_000_000), asked("burst", 5_000 if quick else 100_000)
    block = asked("block", BLOCK)
    names = [name for name in DIALECTS if name in sys.argv] or list(DIALECTS)
    kept = True
    with tempfile.TemporaryDirectory(prefix="nhip-bench-") as folder, databases(Path(folder), names) as makers:
        for name in names:
            urls = [makers[name]() for _ in range(2)]
            kept &= await measure(name, urls, Path(folder), waits=waits, burst=burst, block=block)
    if "--strict" in sys.argv and not kept:
        raise SystemExit(1)


if __name__ == "__main__":
    asyncio.run(main())
