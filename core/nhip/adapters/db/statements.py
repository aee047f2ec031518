"""Driver-level statements for the hot path: written once, prepared for SQLite and for PostgreSQL.

SQLAlchemy's own execution costs 20 to 50 µs a statement and a few µs a row, which is most of what an event may cost.
Here a statement's text is made once per dialect from the table's metadata. SQLite gets rows as they are, through
``executemany``. PostgreSQL gets arrays for updates. Inserts wait there until the unit asks for something else, because
a round trip costs as much as ten rows: those that follow each other go out as one statement, with their rows as JSON,
which is encoded in half the time.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, Table
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only

_encode: Final = msgspec.json.Encoder().encode
_WAITING: Final = "nhip_inserts"
_PLACE: Final = re.compile(r"\{(?P<column>[\w.]+) in (?P<array>\w+)\}|(?<![:\w]):(?P<name>[a-z]\w*)")


def _type(column: "Column[Any]") -> str:
    if isinstance(column.type, BigInteger):
        return "bigint"
    return "int" if isinstance(column.type, Integer) else "text"


class Statement:
    """One statement with named values: ``:name`` for a scalar, ``{table.column in name}`` for membership in a list.

    The text stays the same whatever the list's length, so both databases prepare it once.

    Where rows are found by their id, the workspace stands as ``+workspace_id = :workspace_id``: it is checked all the
    same, but SQLite's planner may not choose an index that begins with it over the primary key, as it otherwise does.
    """

    __slots__ = ("_postgres", "_postgres_names", "_sqlite", "_sqlite_names")

    def __init__(self, template: str, *, lock: bool = False) -> None:
        """``lock`` appends FOR UPDATE on PostgreSQL; on SQLite the one writer holds the lock already."""
        names: list[tuple[str, bool]] = []

        def sqlite(match: re.Match[str]) -> str:
            array = match["array"]
            names.append((array or match["name"], array is not None))
            return f"{match['column']} IN (SELECT value FROM json_each(?))" if array else "?"

        self._sqlite = _PLACE.sub(sqlite, template)
        self._sqlite_names = tuple(names)
        order: dict[str, int] = {}

        def postgres(match: re.Match[str]) -> str:
            array = match["array"]
            position = order.setdefault(array or match["name"], len(order) + 1)
            return f"{match['column']} = ANY(${position}::text[])" if array else f"${position}"

        self._postgres = _PLACE.sub(postgres, template) + (" FOR UPDATE" if lock else "")
        self._postgres_names = tuple(order)

    def run(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """Execute and answer with all rows."""
        return fetch(connection, *self._prepared(connection, values))

    def execute(self, connection: Connection, **values: Any) -> int:
        """Execute a change; answers with the number of rows that it touched."""
        return change(connection, *self._prepared(connection, values))

    def _prepared(self, connection: Connection, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        if connection.dialect.name == "sqlite":
            names = self._sqlite_names
            return self._sqlite, tuple(
                _encode(values[name]).decode() if array else values[name] for name, array in names
            )
        return self._postgres, tuple(values[name] for name in self._postgres_names)


def fetch(connection: Connection, text: str, values: tuple[Any, ...]) -> Sequence[Any]:
    """Execute one statement on the driver itself, and answer with all rows.

    SQLAlchemy keeps the transaction; a statement through it would cost several times what the driver takes for it.
    """
    driver = _driver(connection)
    if isinstance(driver, sqlite3.Connection):
        return driver.execute(text, values).fetchall()
    send_inserts(connection)
    if driver is not None:
        return await_only(driver.fetch(text, *values))
    return connection.exec_driver_sql(text, values).fetchall()


def change(connection: Connection, text: str, values: tuple[Any, ...]) -> int:
    """Execute one change on the driver itself; answers with the number of rows that it touched."""
    driver = _driver(connection)
    if isinstance(driver, sqlite3.Connection):
        return driver.execute(text, values).rowcount
    send_inserts(connection)
    if driver is not None:
        status: str = await_only(driver.execute(text, *values))
        return int(status.rpartition(" ")[2])
    return connection.exec_driver_sql(text, values).rowcount


def change_many(connection: Connection, text: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Execute one change per row on SQLite; answers with the number of rows that they touched."""
    driver = _driver(connection)
    if isinstance(driver, sqlite3.Connection):
        return driver.executemany(text, rows).rowcount
    bound: Any = list(rows) if len(rows) > 1 else rows[0]
    return connection.exec_driver_sql(text, bound).rowcount


def _driver(connection: Connection) -> Any:
    """The driver's own connection: SQLite's on the writer, asyncpg's once SQLAlchemy has begun a transaction there."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        return driver
    if isinstance(driver, asyncpg.Connection) and driver.is_in_transaction():
        return driver
    return None


def send_inserts(connection: Connection) -> None:
    """Execute the inserts that wait on PostgreSQL: before anything else is asked, and when a unit is done."""
    waiting: list[tuple[BulkInsert, str]] | None = connection.info.pop(_WAITING, None)
    if not waiting:
        return
    text = _one_statement(tuple(insert for insert, _ in waiting))
    change(connection, text, tuple(rows for _, rows in waiting))


def forget_inserts(_connection: Any, entry: ConnectionPoolEntry) -> None:
    """Drop the inserts that wait when a connection goes back to its pool: those of a unit that failed."""
    entry.info.pop(_WAITING, None)


@lru_cache(maxsize=256)
def _one_statement(inserts: "tuple[BulkInsert, ...]") -> str:
    """They are executed in the order of the call, or all of them the other way round, and see nothing of each other."""
    if len(inserts) == 1:
        return inserts[0].postgres(1)
    parts = ", ".join(f"i{place} AS ({insert.postgres(place)})" for place, insert in enumerate(inserts, 1))
    return f"WITH {parts} SELECT 1"


class BulkInsert:
    """Insert many rows (tuples in the order of ``columns``) with one statement.

    On PostgreSQL a row that is refused is refused when the unit asks for the next thing, or ends.

    ``conflict``: ``None`` lets a duplicate raise; ``()`` does nothing on any; a tuple of column names is the
    conflicting key, and then the ``update`` columns (or expressions) are set from the new row.
    Rows of one call never repeat a key.
    """

    __slots__ = ("_into", "_may_repeat", "_sqlite", "_tail", "_values", "columns")

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        conflict: tuple[str, ...] | None = None,
        update: Sequence[str] = (),
        expressions: Sequence[str] = (),
    ) -> None:
        self.columns = tuple(columns)
        names = ", ".join(f'"{name}"' for name in columns)
        tail = ""
        if conflict is not None:
            target = f" ({', '.join(conflict)})" if conflict else ""
            sets = ", ".join([*(f'"{name}" = excluded."{name}"' for name in update), *expressions])
            tail = f" ON CONFLICT{target} DO " + (f"UPDATE SET {sets}" if sets else "NOTHING")
        self._sqlite = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))}){tail}"
        self._may_repeat = conflict is None
        self._into = f"INSERT INTO {table.name} ({names})"
        self._values = ", ".join(f"(v ->> {place})::{_type(table.c[name])}" for place, name in enumerate(columns))
        self._tail = tail

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert; does nothing for no rows."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            change_many(connection, self._sqlite, rows)
            return
        waiting = connection.info.setdefault(_WAITING, [])
        if not self._may_repeat and any(insert is self for insert, _ in waiting):
            send_inserts(connection)
            waiting = connection.info.setdefault(_WAITING, [])
        waiting.append((self, _encode(rows).decode()))

    def postgres(self, place: int) -> str:
        """The statement for PostgreSQL, whose rows are an array of arrays in the parameter of this place."""
        return f"{self._into} SELECT {self._values} FROM jsonb_array_elements(${place}::jsonb) AS r(v){self._tail}"


class BulkUpdate:
    """Update many rows by key with one statement; rows are tuples of the set columns, then of the key columns."""

    __slots__ = ("_postgres", "_sqlite")

    def __init__(self, table: Table, columns: Sequence[str], key: Sequence[str] = ("id",)) -> None:
        sets = ", ".join(f'"{name}" = ?' for name in columns)
        where = " AND ".join(f'"{name}" = ?' for name in key)
        self._sqlite = f"UPDATE {table.name} SET {sets} WHERE {where}"
        every = (*columns, *key)
        arrays = ", ".join(f"${n}::{_type(table.c[name])}[]" for n, name in enumerate(every, 1))
        aliases = ", ".join(f"v{n}" for n in range(len(every)))
        sets = ", ".join(f'"{name}" = v.v{n}' for n, name in enumerate(columns))
        where = " AND ".join(f'{table.name}."{name}" = v.v{n}' for n, name in enumerate(key, len(columns)))
        self._postgres = f"UPDATE {table.name} SET {sets} FROM unnest({arrays}) AS v({aliases}) WHERE {where}"

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Update; does nothing for no rows. Answers with the number of rows that were there to be updated."""
        if not rows:
            return 0
        if connection.dialect.name == "sqlite":
            return change_many(connection, self._sqlite, rows)
        arrays = tuple(list(column) for column in zip(*rows, strict=True))
        return change(connection, self._postgres, arrays)
