"""Looks into the database from outside, with the plain drivers, while others write to it."""

import sqlite3
from collections import Counter
from types import TracebackType
from typing import Any, Self

import asyncpg

Row = tuple[Any, ...]


class Inspector:
    """Read-only questions to a database of the engine, on SQLite or on PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self.path = url.partition(":///")[2] if self.is_sqlite else ""
        self._address = url.replace("+asyncpg", "")
        self._connection: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def rows(self, statement: str) -> list[Row]:
        """Answer one question."""
        if self.is_sqlite:
            connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
            try:
                return connection.execute(statement).fetchall()
            finally:
                connection.close()
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._address)
        return [tuple(row) for row in await self._connection.fetch(statement)]

    async def counts(self, statement: str) -> Counter[Any]:
        """Answer a question whose rows are a name (one or several columns) and a count."""
        found: Counter[Any] = Counter()
        for *name, count in await self.rows(statement):
            found[name[0] if len(name) == 1 else tuple(name)] += int(count)
        return found

    async def steps(self) -> Counter[Any]:
        """Steps by kind, state and reason."""
        return await self.counts("SELECT kind, state, reason, COUNT(*) FROM steps GROUP BY kind, state, reason")

    async def deliveries(self) -> Counter[Any]:
        """Deliveries by state and reason."""
        return await self.counts("SELECT state, reason, COUNT(*) FROM deliveries GROUP BY state, reason")

    async def runs(self) -> Counter[Any]:
        """Runs by state."""
        return await self.counts("SELECT state, COUNT(*) FROM runs GROUP BY state")

    async def unknown(self) -> list[tuple[str, str]]:
        """The unknown deliveries: their ids, and the events that caused them."""
        rows = await self.rows(
            "SELECT d.id, e.source_id FROM deliveries d JOIN runs r ON r.id = d.run_id"
            " JOIN events e ON e.id = r.root_event_id WHERE d.state = 'unknown' ORDER BY d.id"
        )
        return [(row[0], row[1]) for row in rows]

    async def is_locked(self) -> bool:
        """Whether somebody holds a transaction open."""
        if not self.is_sqlite:
            open_ones = "state LIKE 'idle in transaction%' AND application_name = 'nhip'"
            return bool(await self.rows(f"SELECT pid FROM pg_stat_activity WHERE {open_ones}"))
        connection = sqlite3.connect(self.path, timeout=0.2, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        finally:
            connection.close()
        return False
