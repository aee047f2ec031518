"""``nhip db`` and ``nhip config``, and the open database that the other commands work on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import click

from nhip.adapters.db import Database, upgrade
from nhip.cli.output import as_json, show_json, show_mapping
from nhip.settings import load

Answer = TypeVar("Answer")


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Database]:
    """The database of the settings, with the newest schema."""
    settings = load()
    await upgrade(settings.database_url)
    database = Database.open(settings.database_url)
    try:
        yield database
    finally:
        await database.close()


def over_database(work: Callable[[Database], Coroutine[Any, Any, Answer]]) -> Answer:
    """Run a coroutine over the opened database."""

    async def run() -> Answer:
        async with opened() as database:
            return await work(database)

    return asyncio.run(run())


@click.group()
def db() -> None:
    """Look after the database."""


@db.command("upgrade")
def upgrade_command() -> None:
    """Bring the schema to the newest version. Running twice at once is safe."""
    settings = load()
    asyncio.run(upgrade(settings.database_url))
    click.echo(f"the schema of {settings.masked()['database_url']} is up to date")


@click.command()
@as_json
def config(machine: bool) -> None:
    """Show the settings as this process would use them, secrets masked."""
    shown = load().masked()
    show_json(shown) if machine else show_mapping(shown)
