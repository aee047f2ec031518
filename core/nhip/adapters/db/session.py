"""The database's two doors: ``transact`` for units of work, ``read`` for looking.

Transactional services are synchronous functions over a :class:`~nhip.ports.Unit`. On PostgreSQL they run through
SQLAlchemy's greenlet bridge over asyncpg; on SQLite over the one writer connection, inside ``BEGIN IMMEDIATE``, while
reads go through aiosqlite (ADR 0005, ADR 0006).
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from nhip.adapters.db.faults import FAULTS, insist, is_lost, translated
from nhip.adapters.db.statements import forget_inserts, send_inserts
from nhip.adapters.db.unit import SqlUnit
from nhip.domain.errors import StorageUnavailable
from nhip.ports import Unit

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS: Final = 10
_CHECKPOINT_SECONDS: Final = 0.5
_CHECKPOINT_PAGES_AT_MOST: Final = 16_000
"""Past this many pages in the write-ahead log, a commit moves them itself and takes as long as that takes."""


def open_unit(connection: Connection) -> Unit:
    """The stores over an open transaction."""
    # Pyright takes the descriptor of a cached property for its value; mypy checks this line for both.
    return SqlUnit(connection)  # pyright: ignore[reportReturnType]


def _sqlite_setup(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "foreign_keys=ON",
        "cache_size=-65536",
        "temp_store=MEMORY",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES_AT_MOST}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _send_inserts(connection: Connection, *_: Any) -> None:
    send_inserts(connection)


class _Checkpointer:
    """Moves what SQLite has logged into the file beside the commits, instead of inside every fiftieth of them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._written = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self) -> None:
        """Something was committed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="nhip-checkpoint", daemon=True)
            self._thread.start()
        self._written.set()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            while not self._stopping.wait(_CHECKPOINT_SECONDS):
                self._written.wait()
                self._written.clear()
                with contextlib.suppress(sqlite3.OperationalError):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            connection.close()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._written.set()
        if self._thread is not None:
            self._thread.join()


class Database:
    """An open database. Make it with :meth:`open`, and close it."""

    def __init__(self, url: str, writer: Engine | None, engine: AsyncEngine) -> None:
        self.url = url
        self._writer = writer
        self._engine = engine
        # Both are said by the BEGIN that every transaction needs anyway, so the snapshot costs no round trip.
        self._reader = (
            engine if writer else engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nhip-writer") if writer else None
        self._turn = asyncio.Lock()
        self._closed = False
        self._checkpointer = _Checkpointer(str(writer.url.database)) if writer else None

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @classmethod
    def open(cls, url: str, *, pool_size: int = 8) -> "Database":
        """Open ``sqlite+aiosqlite:///path`` or ``postgresql+asyncpg://…``; connects at the first use."""
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            writer = create_engine(
                parsed.set(drivername="sqlite+pysqlite"),
                poolclass=StaticPool,
                connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS},
            )
            event.listen(writer, "connect", _sqlite_setup)
            event.listen(writer, "begin", _begin_immediate)
            reader = create_async_engine(parsed.set(drivername="sqlite+aiosqlite"), pool_size=4, max_overflow=0)
            event.listen(reader.sync_engine, "connect", _sqlite_setup)
            event.listen(reader.sync_engine, "begin", _begin_deferred)
            return cls(url, writer, reader)
        engine = create_async_engine(
            parsed.set(drivername="postgresql+asyncpg"),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=False,
            pool_timeout=5,
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": {
                    "application_name": "nhip",
                    "idle_in_transaction_session_timeout": "30000",
                    "jit": "off",
                    # Every hot statement has its index. Plans that were made while tables were still empty would walk a
                    # table, or gather and sort all that is due instead of taking the first of it, until the next
                    # ANALYZE; and each session keeps its plans.
                    "enable_seqscan": "off",
                    "enable_bitmapscan": "off",
                },
            },
        )
        event.listen(engine.sync_engine, "before_cursor_execute", _send_inserts)
        event.listen(engine.sync_engine, "checkin", forget_inserts)
        return cls(url, None, engine)

    async def transact(self, work: Callable[Concatenate[Unit, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work(unit, …)`` in one transaction, and commit it before answering.

        It is run again when another transaction got in its way (serialisation, deadlock, a unique key that appeared
        meanwhile), so it must have no effects but those on the unit.

        Raises:
            StorageUnavailable: the database cannot be reached, is full, or stays locked.
        """
        writer = self._writer
        if writer is not None:
            return await insist(lambda: self._write(writer, work, *args, **kwargs))
        return await insist(lambda: self._change(work, *args, **kwargs))

    async def _change(self, work: Callable[Concatenate[Unit, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One unit on PostgreSQL."""

        def run(sync: Connection) -> T:
            result = work(open_unit(sync), *args, **kwargs)
            send_inserts(sync)
            return result

        async with self._engine.begin() as connection:
            return await connection.run_sync(run)

    async def _write(
        self, writer: Engine, work: Callable[Concatenate[Unit, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """One unit on SQLite. What may block (taking the write lock, reaching the disk) runs on the writer thread and
        holds no interpreter lock; the work itself runs here, because two threads that both run Python and SQLite in
        turn spend most of their time handing the interpreter lock to each other.
        """
        loop = asyncio.get_running_loop()
        async with self._turn:
            if self._closed:
                raise StorageUnavailable("the database is closed")
            beginning = loop.run_in_executor(self._thread, _begin, writer)
            try:
                connection = await asyncio.shield(beginning)
            except asyncio.CancelledError:
                await asyncio.wait({beginning})
                if beginning.exception() is None:
                    await loop.run_in_executor(self._thread, _end, beginning.result(), False)
                raise
            try:
                result = work(open_unit(connection), *args, **kwargs)
            except BaseException:
                await asyncio.shield(loop.run_in_executor(self._thread, _end, connection, False))
                raise
            await asyncio.shield(loop.run_in_executor(self._thread, _end, connection, True))
            if self._checkpointer is not None:
                self._checkpointer.note()
            return result

    async def read(self, work: Callable[Concatenate[Unit, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work(unit, …)``, which only looks, over one consistent snapshot.

        Raises:
            StorageUnavailable: the database cannot be reached.
        """
        for attempt in range(1, 3):
            try:
                async with self._reader.connect() as connection:
                    try:
                        return await connection.run_sync(lambda sync: work(open_unit(sync), *args, **kwargs))
                    finally:
                        await connection.rollback()
            except FAULTS as error:
                # After a restart of the server each pooled connection is dead once; the first one drops all.
                if attempt == 2 or not is_lost(error):
                    raise translated(error) from error
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Release every connection, once the unit under way is committed; what comes later is refused."""
        if self._writer is not None and self._thread is not None:
            async with self._turn:
                self._closed = True
                await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.dispose)
            self._thread.shutdown()
        await self._engine.dispose()
        if self._checkpointer is not None:
            await asyncio.to_thread(self._checkpointer.stop)


def _begin(writer: Engine) -> Connection:
    connection = writer.connect()
    try:
        connection.begin()
    except BaseException:
        connection.close()
        raise
    return connection


def _end(connection: Connection, keep: bool) -> None:
    try:
        if keep:
            connection.commit()
        else:
            connection.rollback()
    finally:
        connection.close()
