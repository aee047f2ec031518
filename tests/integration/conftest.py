"""The world that the stories of the engine happen in."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from nhip.adapters.db.tables import metadata
from tests.support import scripted_actions, scripted_channels
from tests.support.api import Api, open_api
from tests.support.clocks import StandingClock
from tests.support.databases import PostgresDatabases
from tests.support.invariants import check
from tests.support.workspace_guard import Guard
from tests.support.world import World, open_world


@pytest.fixture(autouse=True)
def confined_statements() -> Iterator[Guard]:
    """No statement of any integration test touches a workspace's rows without naming the workspace."""
    with Guard() as guard:
        yield guard
    assert not guard.strays, "\n".join(sorted(guard.strays))


@pytest.fixture(scope="session")
def emptied_postgres_url(migrated_postgres_databases: PostgresDatabases) -> Iterator[str]:
    """One PostgreSQL database for all stories: emptying it costs a tenth of making another."""
    url = migrated_postgres_databases.create()
    yield url
    migrated_postgres_databases.drop(url)


async def empty(url: str) -> None:
    """Take every row out of a PostgreSQL database."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute(";".join(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)))
    finally:
        await connection.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def story_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database with the newest schema: one run on SQLite, one on PostgreSQL."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    url = str(request.getfixturevalue("emptied_postgres_url"))
    await empty(url)
    return url


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def world(story_url: str, tmp_path: Path, clock: StandingClock) -> AsyncIterator[World]:
    """A shop with one engine and nothing in it yet. Its laws are checked when the story ends."""
    scripted_channels.scripts.clear()
    scripted_actions.Calling.outcomes.clear()
    scripted_actions.Calling.keys.clear()
    async with open_world(story_url, tmp_path, clock=clock) as world:
        yield world
        await check(world.engine.database, whole=world.whole)


@pytest.fixture
async def second(world: World, story_url: str, tmp_path: Path, clock: StandingClock) -> AsyncIterator[World]:
    """Another process on the same database and the same workspace."""
    async with open_world(story_url, tmp_path, clock=clock) as other:
        yield other


@pytest.fixture
async def api(story_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The API over a fresh database. Private hosts may be reached."""
    async with open_api(story_url, tmp_path, allow_private_hosts=True) as opened:
        yield opened
