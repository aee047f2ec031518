"""What a daily look for silent contacts costs: a million contacts, of whom a thousand fall silent each day.

    python -m bench.dormancy [--quick] [--strict] [--contacts=1000000] [sqlite] [postgres]

Finding is compared with the one SQL query that answers the same rows, run in turn in the same minute. Letting the
events of those who were found in is compared with letting the same events in without looking for anybody.
"""

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from bench._report import number, print_goal, print_table, ratio
from bench.servers import databases
from nhip.adapters.db import upgrade
from nhip.adapters.db.statements import Statement
from nhip.adapters.db.unit import SqlUnit
from nhip.bootstrap import Engine
from nhip.domain.customers import ActivityCount, Contact
from nhip.domain.events import IncomingEvent
from nhip.ports import Storage
from nhip.services.customers.segments import Segments
from nhip.services.events.ingest import ENGINE_SOURCE
from nhip.services.scans.looks import PAGE, Look
from nhip.services.workflows.workflows import Workflows
from nhip.settings import load
from tests.support.clocks import StandingClock

DIALECTS: Final[Sequence[str]] = ("sqlite", "postgres")
A_DAY: Final = 86_400_000_000
SILENT: Final = 30
FOUND: Final = 1_000
GOAL: Final = 2.0
CHUNK: Final = 5_000

BARE = Statement(
    "SELECT a.contact_id, c.external_id, a.last_at FROM activity a JOIN contacts c ON c.id = a.contact_id"
    " WHERE a.workspace_id = :workspace_id AND a.kind = 'order' AND a.last_at > :since AND a.last_at <= :until"
    " ORDER BY a.last_at, a.contact_id"
)
DEFINITION: Final = {
    "name": "asleep",
    "triggers": [{"id": "asleep", "type": "dormancy", "config": {"days": SILENT, "at": "09:00"}}],
    "steps": [{"id": "mark", "action": "update_contact", "config": {"add_tags": ["asleep"]}}],
}


class Undone(Exception):
    """Rolls back what was only measured."""


class Shop:
    """An engine with many contacts; it is 08:00 in the shop, and at 09:00 it looks."""

    def __init__(self, engine: Engine, clock: StandingClock) -> None:
        self.engine = engine
        self.clock = clock
        self.workspace_id = 0

    async def fill(self, contacts: int, days: int) -> None:
        """``FOUND`` contacts fall silent on each of the days to come; half of the others did long ago, half will."""
        await self.engine.database.transact(self._publish)
        now = self.clock.micros()
        for first in range(0, contacts, CHUNK):
            numbers = range(first, min(first + CHUNK, contacts))
            await self.engine.database.transact(self._insert, numbers, now, days)

    def _publish(self, unit: Any) -> None:
        now = self.clock.micros()
        self.workspace_id = unit.workspaces.insert("bench", "", now).id
        workflows = Workflows(self.engine.catalog)
        workflows.create(unit, self.workspace_id, DEFINITION, "bench", now)
        workflows.publish(unit, self.workspace_id, "asleep", if_match=None, actor="bench", now=now)

    def _insert(self, unit: Any, numbers: Sequence[int], now: int, days: int) -> None:
        rows, counts = [], []
        for n in numbers:
            identifier = f"{n * 2_654_435_761 % 2**32:08x}-{n:04x}"  # in no order that their activity has
            rows.append(
                Contact(
                    id=identifier, external_id=f"KH-{n:07}", attributes={"name": f"Khách {n}", "lifecycle": "customer"},
                    score=0, revision=0, created_at=now, updated_at=now,
                )
            )  # fmt: skip
            day, place = divmod(n, FOUND)
            crossing = now + day * A_DAY + (place + 1) * 3_600_000 if day < days else now + (n % 2 * 600 - 300) * A_DAY
            at = crossing - SILENT * A_DAY + (0 if day < days else n % A_DAY)
            counts.append(ActivityCount(contact_id=identifier, kind="order", count=1, first_at=at, last_at=at, total=0))
        unit.customers.insert_contacts(self.workspace_id, rows)
        unit.customers.bump_activity(self.workspace_id, counts)

    async def bare(self) -> float:
        """Seconds of the bare query for the rows of the look that is due."""
        seconds: float = await self._undone(self._query)
        return seconds

    async def found(self) -> tuple[float, float, list[IncomingEvent]]:
        """Seconds of finding, page by page, and with holding the scan and writing how far it has come; the events."""
        found: tuple[float, float, list[IncomingEvent]] = await self._undone(self._find)
        return found

    async def _undone(self, work: Any) -> Any:
        answers: list[Any] = []

        def unit_of_work(unit: Any) -> None:
            answers.append(work(unit))
            raise Undone

        with contextlib.suppress(Undone):
            await self.engine.database.transact(unit_of_work)
        return answers[-1]

    def _query(self, unit: Any) -> float:
        [job] = self.engine.scheduler.due(unit)
        standing = unit.scans.take(self.workspace_id, job.key, self.clock.micros())
        start = time.perf_counter()
        rows = BARE.run(
            cast(SqlUnit, unit).connection, workspace_id=self.workspace_id,
            since=standing.since_at - SILENT * A_DAY, until=self.clock.micros() - SILENT * A_DAY,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        assert len(rows) == FOUND, len(rows)
        return seconds

    def _find(self, unit: Any) -> tuple[float, float, list[IncomingEvent]]:
        now, segments = self.clock.micros(), Segments(self.engine.catalog)
        events: list[IncomingEvent] = []
        [job] = self.engine.scheduler.due(unit)
        finding, start = 0.0, time.perf_counter()
        while (standing := unit.scans.take(self.workspace_id, job.key, now)) is not None:
            began = time.perf_counter()
            events += Look(unit, standing, segments, now).go_on()
            finding += time.perf_counter() - began
            unit.scans.save(standing)
        return finding, time.perf_counter() - start, events

    async def by_themselves(self, events: Sequence[IncomingEvent], name: str) -> float:
        """Seconds of letting the same events in, as if somebody had sent them."""
        for event in events:
            event.source, event.source_id = name, f"{name}:{event.source_id}"
        start = time.perf_counter()
        for first in range(0, len(events), PAGE):
            await self.engine.database.transact(self._ingest, events[first : first + PAGE])
        return time.perf_counter() - start

    def _ingest(self, unit: Any, events: Sequence[IncomingEvent]) -> None:
        self.engine.ingest.ingest(unit, self.workspace_id, events, self.clock.micros())

    async def whole(self) -> float:
        """Seconds of the whole look, as a worker makes it."""
        start = time.perf_counter()
        await self.engine.scheduler.run(self.engine.database)
        return time.perf_counter() - start

    async def count(self) -> int:
        """Events that time has set off."""

        def look(unit: SqlUnit) -> int:
            statement = Statement("SELECT COUNT(*) FROM events WHERE workspace_id = :workspace_id AND source = :source")
            rows = statement.run(unit.connection, workspace_id=self.workspace_id, source=ENGINE_SOURCE)
            return int(rows[0][0])

        return await self.engine.database.read(cast(Any, look))


async def measure(name: str, url: str, folder: Path, *, contacts: int, days: int) -> bool:
    """Look on some days, and print what it cost."""
    await upgrade(url)
    clock = StandingClock()
    settings = load({}, data_dir=folder, database_url=url, secret_key="a key for benches that is long enough")
    engine = await Engine.start(settings, migrate=False, embedded=False, clock=clock)
    try:
        shop = Shop(engine, clock)
        start = time.perf_counter()
        await shop.fill(contacts, days + 1)
        await analyse(engine.database)
        print(f"{name}: {contacts:,} contacts made in {time.perf_counter() - start:.0f} s")
        await engine.warm()
        bare: list[float] = []
        found: list[float] = []
        booked: list[float] = []
        whole: list[float] = []
        alone: list[float] = []
        clock.advance(hours=2)
        for day in range(days + 1):
            rounds = [(await shop.bare(), *await shop.found()) for _ in range(7)]  # the fastest, in turn
            events = rounds[-1][-1]
            assert len(events) == FOUND
            seconds = await shop.whole()
            assert await shop.count() == FOUND * (day + 1)
            if day:  # the first day warms up
                bare.append(min(one[0] for one in rounds))
                found.append(min(one[1] for one in rounds))
                booked.append(min(one[2] for one in rounds))
                whole.append(seconds)
                alone.append(await shop.by_themselves(events, f"shop-{day}"))
            clock.advance(days=1)
    finally:
        await engine.stop()
    middle = [statistics.median(times) * 1e3 for times in (bare, found, booked, alone, whole)]
    print_table(
        f"{name}: {FOUND:,} newly silent of {contacts:,}, milliseconds",
        ("", "ms", "of the bare query", "of the events alone"),
        [
            (what, number(one), ratio(one, middle[0]), ratio(one, middle[3]))
            for what, one in zip(
                ("bare query", "finding", "finding, with its bookkeeping", "events alone", "whole look"),
                middle,
                strict=True,
            )
        ],
    )
    return print_goal("finding against the bare query", middle[1] / middle[0], GOAL, "times")


async def analyse(database: Storage) -> None:
    """Let the database know what there is, as it does by itself in a while."""

    def say(unit: SqlUnit) -> None:
        unit.connection.exec_driver_sql("ANALYZE")

    await database.transact(cast(Any, say))


async def main() -> None:
    """Run on the databases named, or on both."""
    quick = "--quick" in sys.argv
    contacts = 50_000 if quick else 1_000_000
    for argument in sys.argv[1:]:
        if argument.startswith("--contacts="):
            contacts = int(argument.partition("=")[2])
    names = [name for name in DIALECTS if name in sys.argv] or list(DIALECTS)
    kept = True
    with tempfile.TemporaryDirectory(prefix="nhip-bench-") as folder, databases(Path(folder), names) as makers:
        for name in names:
            kept &= await measure(name, makers[name](), Path(folder), contacts=contacts, days=3 if quick else 7)
    if "--strict" in sys.argv and not kept:
        raise SystemExit(1)


if __name__ == "__main__":
    asyncio.run(main())
