"""A database that lives in the memory of one process and is over when it is closed: for stories told in tests.

The stores, their statements and their transactions are those of :class:`~nhip.adapters.db.session.Database`. What is
missing is what serves others at the same time: there are no threads, no file and no write-ahead log, so that a unit
takes as long as its statements.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from nhip.adapters.db.faults import FAULTS, insist, translated
from nhip.adapters.db.session import open_unit
from nhip.adapters.db.upgrade import upgrade_connection
from nhip.domain.errors import StorageUnavailable
from nhip.ports import Unit

P = ParamSpec("P")
T = TypeVar("T")


def _setup(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")


def _begin(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN")


@cache
def _engine() -> Engine:
    """One for all, since it keeps what statements were compiled to. Each of its connections is a database by itself."""
    engine = create_engine("sqlite+pysqlite://", poolclass=NullPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _setup)
    event.listen(engine, "begin", _begin)
    return engine


class MemoryDatabase:
    """Implements :class:`nhip.ports.OpenStorage`, for one event loop. Make it with :meth:`migrated` or :meth:`copy`."""

    dialect = "sqlite"

    def __init__(self, content: sqlite3.Connection | None = None) -> None:
        """Empty, or with the content of another database."""
        self._connection: Connection | None = _engine().connect()
        if content is not None:
            content.backup(self._driver)

    @classmethod
    def migrated(cls) -> "MemoryDatabase":
        """One with the newest schema and nothing else."""
        made = cls()
        with made._open().begin():
            upgrade_connection(made._open())
        return made

    def copy(self) -> "MemoryDatabase":
        """Another one with the same content."""
        return type(self)(self._driver)

    async def transact(self, work: Callable[Concatenate[Unit, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work(unit, …)`` in one transaction, and commit it before answering.

        Raises:
            StorageUnavailable: the database is closed.
        """
        return await insist(lambda: self._change(work, *args, **kwargs))

    async def _change(self, work: Callable[Concatenate[Unit, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)  # whoever waits for something else gets a turn, as with any database
        connection = self._open()
        with connection.begin():
            return work(open_unit(connection), *args, **kwargs)

    async def read(self, work: Callable[Concatenate[Unit, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work(unit, …)``, which only looks.

        Raises:
            StorageUnavailable: the database is closed.
        """
        connection = self._open()
        try:
            connection.begin()
            return work(open_unit(connection), *args, **kwargs)
        except FAULTS as error:
            raise translated(error) from error
        finally:
            connection.rollback()

    @property
    def _driver(self) -> sqlite3.Connection:
        driver = self._open().connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    def _open(self) -> Connection:
        if self._connection is None:
            raise StorageUnavailable("the database is closed")
        return self._connection

    async def close(self) -> None:
        """Let go of everything; what comes later is refused."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
