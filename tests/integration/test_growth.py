"""What an event costs its database does not grow with what happened before it.

Counted, not timed: the rows and index entries that PostgreSQL reads, the instructions of SQLite's machine. The
databases are young: nobody has told their planners how large a table is by now.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from nhip.adapters.db import Database, statements
from tests.support import scripted_channels
from tests.support.clocks import StandingClock
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.world import World, open_world, send, tag

CONTACTS = 60
GROUP = 30
"""Events that are committed together."""
Counter = Callable[[], Awaitable[int]]


def person(number: int) -> dict[str, Any]:
    """One of the customers."""
    return {"external_id": f"KH-{number}", "phone": f"0987{number:06}", "name": "Anh"}


async def rush(world: World, first: int, groups: int) -> int:
    """Orders are delivered, and their customers are thanked; answers the number of the next one."""
    for start in range(first, first + groups * GROUP, GROUP):
        events = [
            world.event("order.updated", person(n % CONTACTS), order={"external_id": f"DH-{n}", "status": "delivered"})
            for n in range(start, start + GROUP)
        ]
        await world.engine.inbox.submit(world.workspace_id, events)
        await world.work()
    return first + groups * GROUP


async def costs(world: World, count: Counter) -> float:
    """What the last events of many cost, compared with as many of the first."""
    await world.channel("zns")
    await world.template("thanks")
    delivered = {"id": "t", "type": "order_status", "config": {"to": ["delivered"]}}
    await world.workflow("thanks", send("zns", "thanks"), tag("thanked"), on=[delivered])
    number = await rush(world, 0, 4)
    begun = await count()
    number = await rush(world, number, 4)
    first = await count() - begun
    number = await rush(world, number, 40)
    begun = await count()
    number = await rush(world, number, 4)
    assert await world.value("SELECT COUNT(*) FROM deliveries WHERE state = 'accepted'") == number
    return (await count() - begun) / first


@pytest.fixture
async def postgres_world(
    migrated_postgres_databases: PostgresDatabases, tmp_path: Path, clock: StandingClock
) -> AsyncIterator[tuple[World, Counter]]:
    url = migrated_postgres_databases.create()
    scripted_channels.scripts.clear()
    async with open_world(url, tmp_path, clock=clock) as world:

        async def count() -> int:
            # Sessions tell what they read when they end.
            await cast(Database, world.engine.database)._engine.dispose()
            watching = await asyncpg.connect(url.replace("+asyncpg", ""))
            try:
                others = (
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE application_name = 'nhip' AND datname = current_database()"
                )
                async with asyncio.timeout(20):
                    while await watching.fetchval(others):  # noqa: ASYNC110  (the database tells nobody)
                        await asyncio.sleep(0.01)
                read: Any = await watching.fetchval(
                    "SELECT (SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables)"
                    " + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
                )
            finally:
                await watching.close()
            return int(read)

        yield world, count
    migrated_postgres_databases.drop(url)


async def test_on_postgresql(postgres_world: tuple[World, Counter]) -> None:
    assert await costs(*postgres_world) < 1.5


async def test_on_sqlite(
    migrated_sqlite_databases: SqliteDatabases, tmp_path: Path, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = 0
    watched = set[int]()
    driver_of = statements._driver

    def instruction() -> None:
        nonlocal done
        done += 1

    def watching(connection: Any) -> Any:
        driver = driver_of(connection)
        if id(driver) not in watched:
            watched.add(id(driver))
            driver.set_progress_handler(instruction, 10)
        return driver

    async def count() -> int:
        return done

    monkeypatch.setattr(statements, "_driver", watching)
    scripted_channels.scripts.clear()
    async with open_world(migrated_sqlite_databases.create(tmp_path), tmp_path, clock=clock) as world:
        assert await costs(world, count) < 1.5
