"""Fresh databases for tests, made by copying a template that already carries the tables."""

import asyncio
import itertools
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncpg

from tests.support.postgres import PostgresServer

Result = TypeVar("Result")

_TEMPLATE = "nhip_template"

_numbers = itertools.count(1)


def run_apart(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine to its end on an event loop in a thread of its own.

    A fixture that is not asynchronous can do so at any moment, whether or not a test's own event loop is running.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(lambda: asyncio.run(work())).result()


class PostgresDatabases:
    """Makes and drops databases on one PostgreSQL server."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        # One connection, on one event loop, in one thread: opening one for every database costs more than the copy.
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def make_template(self, upgrade: Callable[[str], Awaitable[object]]) -> None:
        """Create the template and let `upgrade` bring its schema up to date."""
        self._execute(f'CREATE DATABASE "{_TEMPLATE}"')

        async def work() -> None:
            await upgrade(self.server.url(_TEMPLATE))

        run_apart(work)

    def create(self, *, empty: bool = False) -> str:
        """Create a database, a copy of the template unless it should be empty, and return its address."""
        name = f"nhip_{next(_numbers)}"
        source = "template0" if empty else _TEMPLATE
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        return self.server.url(name)

    def drop(self, url: str) -> None:
        """Drop the database at an address, ending the connections that a test left open."""
        name = url.rpartition("/")[2]
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        self._thread.submit(lambda: self._runner.run(self._execute_connected(statement))).result()

    async def _execute_connected(self, statement: str) -> None:
        # A test may have restarted the server.
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await asyncpg.connect(
                host="127.0.0.1", port=self.server.port, user="postgres", database="postgres"
            )
        await connection.execute(statement)

    def _close(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            self._runner.run(self._connection.close())
        self._runner.close()


class SqliteDatabases:
    """Makes SQLite database files as copies of one template file."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.sqlite3"

    def make_template(self, upgrade: Callable[[str], Awaitable[object]]) -> None:
        """Create the template file and let `upgrade` bring its schema up to date."""

        async def work() -> None:
            await upgrade(_sqlite_url(self._template))

        run_apart(work)

    def create(self, folder: Path, *, empty: bool = False) -> str:
        """Create a database file in `folder`, a copy of the template unless it should be empty; return its address."""
        target = folder / f"nhip_{next(_numbers)}.sqlite3"
        if not empty:
            # The write-ahead log holds what has not reached the main file yet.
            for suffix in ("", "-wal"):
                source = self._template.with_name(self._template.name + suffix)
                if source.exists():
                    shutil.copyfile(source, target.with_name(target.name + suffix))
        return _sqlite_url(target)


def _sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"
