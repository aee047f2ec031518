"""Bring a database to the newest migration."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"


def _configuration(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade_connection(connection: Connection, revision: str = "head") -> None:
    """Migrate over an open connection, inside its transaction."""
    command.upgrade(_configuration(connection), revision)


def downgrade_connection(connection: Connection, revision: str = "base") -> None:
    """Undo migrations over an open connection."""
    command.downgrade(_configuration(connection), revision)


async def upgrade(url: str) -> None:
    """Migrate the database at ``url`` to the newest schema. Of two processes that do it at once, one waits."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    engine = create_async_engine(parsed.set(drivername="sqlite+aiosqlite" if sqlite else "postgresql+asyncpg"))
    try:
        async with engine.connect() as connection:
            if sqlite:
                await connection.exec_driver_sql("PRAGMA busy_timeout=30000")
                await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                await connection.commit()
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5641870)")
            await connection.run_sync(upgrade_connection)
            await connection.commit()
    finally:
        await engine.dispose()
    await asyncio.sleep(0)
