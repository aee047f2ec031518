"""Migrations and tables tell the same story, there and back, and quickly."""

import time
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from nhip.adapters.db import upgrade
from nhip.adapters.db.tables import metadata
from nhip.adapters.db.upgrade import downgrade_connection, upgrade_connection


def differences(connection: Connection) -> list[Any]:
    """What autogenerate would still change."""
    # On SQLite alembic takes the default '' for none, so defaults are compared on PostgreSQL.
    defaults = connection.dialect.name == "postgresql"
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": defaults})
    return [change for change in compare_metadata(context, metadata) if not _is_own_table(change)]


def _is_own_table(change: Any) -> bool:
    return bool(change[0] == "remove_table" and change[1].name == "alembic_version")


def conditions(connection: Connection) -> dict[str, bool]:
    """Per index, whether it is partial; autogenerate does not compare that."""
    inspector = inspect(connection)
    found: dict[str, bool] = {}
    for table in metadata.tables:
        for index in inspector.get_indexes(table):
            options = index.get("dialect_options", {})
            found[str(index["name"])] = any(key.endswith("_where") for key in options)
    return found


async def test_migrations_make_what_the_tables_say(empty_database_url: str) -> None:
    await upgrade(empty_database_url)
    engine = create_async_engine(empty_database_url)
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
            found = await connection.run_sync(conditions)
    finally:
        await engine.dispose()
    for table in metadata.tables.values():
        for index in table.indexes:
            assert found[str(index.name)] == (index.dialect_options["sqlite"]["where"] is not None), index.name


async def test_migrations_go_back_to_nothing_and_forth_again(empty_database_url: str) -> None:
    await upgrade(empty_database_url)
    engine = create_async_engine(empty_database_url)

    def there_and_back(connection: Connection) -> list[Any]:
        downgrade_connection(connection)
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
        upgrade_connection(connection)
        return differences(connection)

    try:
        async with engine.begin() as connection:
            assert await connection.run_sync(there_and_back) == []
    finally:
        await engine.dispose()


async def test_upgrading_twice_changes_nothing(empty_database_url: str) -> None:
    await upgrade(empty_database_url)
    await upgrade(empty_database_url)


async def test_a_fresh_file_is_upgraded_at_once(empty_sqlite_url: str) -> None:
    await upgrade(empty_sqlite_url)
    started = time.process_time()
    await upgrade(empty_sqlite_url + ".second")
    assert time.process_time() - started < 1.0
