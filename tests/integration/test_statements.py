"""The driver-level statements do the same on both databases."""

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

from nhip.adapters.db import Database, tables
from nhip.adapters.db.statements import BulkInsert, BulkUpdate, Statement
from nhip.adapters.db.unit import SqlUnit

COLUMNS = ("workspace_id", "contact_id", "kind", "count", "first_at", "last_at", "total")
ROWS = [(1, f"c{n}", "order", n, n, n, 2**40 + n) for n in range(5)]
KEY = ("workspace_id", "contact_id", "kind")
OF = Statement(
    "SELECT contact_id, count, total FROM activity WHERE workspace_id = :workspace_id AND {contact_id in ids}"
    " AND count >= :least ORDER BY contact_id"
)


@pytest.fixture
async def database(story_url: str) -> AsyncIterator[Database]:
    database = Database.open(story_url)
    yield database
    await database.close()


async def done(database: Database, work: Any) -> Any:
    return await database.transact(work)


async def stored(database: Database, ids: list[str], least: int = 0) -> list[tuple[Any, ...]]:
    def look(unit: SqlUnit) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in OF.run(unit.connection, workspace_id=1, ids=ids, least=least)]

    found: list[tuple[Any, ...]] = await database.read(look)  # type: ignore[arg-type]
    return found


async def test_many_rows_go_in_and_come_out_by_a_list(database: Database) -> None:
    insert = BulkInsert(tables.activity, COLUMNS)
    await done(database, lambda unit: insert.run(unit.connection, ROWS))
    assert await stored(database, ["c1", "c3", "nobody"]) == [("c1", 1, 2**40 + 1), ("c3", 3, 2**40 + 3)]
    assert await stored(database, ["c1", "c3"], least=2) == [("c3", 3, 2**40 + 3)]
    assert await stored(database, []) == []
    assert await stored(database, ["it's", '"', "\\", "ế", "%", "]"]) == []


@pytest.mark.parametrize("count", [0, 1, 2, 5])
async def test_any_number_of_rows(database: Database, count: int) -> None:
    insert = BulkInsert(tables.activity, COLUMNS)
    await done(database, lambda unit: insert.run(unit.connection, ROWS[:count]))
    assert len(await stored(database, [row[1] for row in ROWS])) == count


async def test_a_duplicate_raises_or_is_left_or_is_laid_over(database: Database) -> None:
    plain = BulkInsert(tables.activity, COLUMNS)
    leave = BulkInsert(tables.activity, COLUMNS, conflict=())
    lay = BulkInsert(
        tables.activity,
        COLUMNS,
        conflict=KEY,
        update=("total",),
        expressions=("count = activity.count + excluded.count",),
    )
    await done(database, lambda unit: plain.run(unit.connection, ROWS[:2]))
    with pytest.raises((IntegrityError, sqlite3.IntegrityError)):
        await done(database, lambda unit: plain.run(unit.connection, ROWS[1:3]))
    assert len(await stored(database, ["c2"])) == 0
    await done(database, lambda unit: leave.run(unit.connection, [(1, "c1", "order", 9, 9, 9, 9), ROWS[2]]))
    assert [row[:2] for row in await stored(database, ["c1", "c2"])] == [("c1", 1), ("c2", 2)]
    await done(database, lambda unit: lay.run(unit.connection, [(1, "c1", "order", 10, 9, 9, 7)]))
    assert await stored(database, ["c1"]) == [("c1", 11, 7)]


async def test_many_rows_are_changed_and_counted(database: Database) -> None:
    insert = BulkInsert(tables.activity, COLUMNS)
    update = BulkUpdate(tables.activity, ("count", "total"), key=KEY)
    await done(database, lambda unit: insert.run(unit.connection, ROWS))
    changes = [(50, 5, 1, "c1", "order"), (60, 6, 1, "c2", "order"), (70, 7, 1, "nobody", "order")]
    assert await done(database, lambda unit: update.run(unit.connection, changes)) == 2
    assert await done(database, lambda unit: update.run(unit.connection, changes[:1])) == 1
    assert await done(database, lambda unit: update.run(unit.connection, [])) == 0
    assert await stored(database, ["c1", "c2"]) == [("c1", 50, 5), ("c2", 60, 6)]


async def test_inserts_that_follow_each_other_are_there_for_whatever_asks_next(database: Database) -> None:
    """On PostgreSQL they wait for it, and go out together."""
    insert = BulkInsert(tables.activity, COLUMNS)
    keep = BulkInsert(tables.activity, COLUMNS, conflict=KEY, update=("total",))
    update = BulkUpdate(tables.activity, ("count", "total"), key=KEY)

    def work(unit: SqlUnit) -> tuple[int, int, int]:
        insert.run(unit.connection, ROWS[:1])
        insert.run(unit.connection, ROWS[1:2])
        keep.run(unit.connection, [(1, "c4", "order", 4, 4, 4, 1)])
        keep.run(unit.connection, [(1, "c4", "order", 4, 4, 4, 2)])
        changed = update.run(unit.connection, [(50, 5, 1, "c1", "order")])
        insert.run(unit.connection, ROWS[2:3])
        rows = select(func.count()).where(tables.activity.c.workspace_id == 1)
        asked = unit.connection.execute(rows).scalar_one()
        insert.run(unit.connection, ROWS[3:4])
        return changed, asked, len(OF.run(unit.connection, workspace_id=1, ids=["c3"], least=0))

    assert await done(database, work) == (1, 4, 1)
    assert [row[1:] for row in await stored(database, ["c1", "c4"])] == [(50, 5), (4, 2)]


async def test_a_unit_that_fails_leaves_no_insert_behind(database: Database) -> None:
    insert = BulkInsert(tables.activity, COLUMNS)

    def fails(unit: SqlUnit) -> None:
        OF.run(unit.connection, workspace_id=1, ids=[], least=0)
        insert.run(unit.connection, ROWS[:1])
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            await done(database, fails)
    assert await stored(database, ["c0"]) == []
    await done(database, lambda unit: insert.run(unit.connection, ROWS[1:2]))
    assert [row[0] for row in await stored(database, ["c0", "c1"])] == ["c1"]


async def test_none_is_null(database: Database) -> None:
    columns = (
        "id",
        "workspace_id",
        "type",
        "external_id",
        "contact_id",
        "attributes",
        "as_of",
        "created_at",
        "updated_at",
    )
    insert = BulkInsert(tables.records, columns)
    rows = [(f"r{n}", 1, "order", f"DH-{n}", None if n else "c", "{}", 0, 0, 0) for n in range(2)]
    await done(database, lambda unit: insert.run(unit.connection, rows))
    nobody = Statement("SELECT id FROM records WHERE workspace_id = :workspace_id AND contact_id IS NULL")
    found = await done(database, lambda unit: nobody.run(unit.connection, workspace_id=1))
    assert [row[0] for row in found] == ["r1"]


async def test_a_change_says_how_many_rows_it_touched(database: Database) -> None:
    insert = BulkInsert(tables.activity, COLUMNS)
    bump = Statement("UPDATE activity SET count = :count WHERE workspace_id = :workspace_id AND count < :count")
    await done(database, lambda unit: insert.run(unit.connection, ROWS))
    assert await done(database, lambda unit: bump.execute(unit.connection, workspace_id=1, count=3)) == 3


def test_a_cast_is_no_name() -> None:
    statement = Statement("SELECT :one::text, {a.b in many} FROM t WHERE x = :one")
    assert statement._postgres == "SELECT $1::text, a.b = ANY($2::text[]) FROM t WHERE x = $1"
    assert statement._sqlite_names == (("one", False), ("many", True), ("one", False))


async def test_a_look_sees_one_moment(database: Database) -> None:
    """What is committed between two statements of a look is not in the second one."""
    insert = BulkInsert(tables.activity, COLUMNS)
    await done(database, lambda unit: insert.run(unit.connection, ROWS[:1]))

    async def write() -> None:
        await done(database, lambda unit: insert.run(unit.connection, ROWS[1:2]))

    def count(unit: SqlUnit) -> int:
        return len(OF.run(unit.connection, workspace_id=1, ids=["c0", "c1"], least=0))

    def look(unit: SqlUnit) -> tuple[int, int]:
        before = count(unit)
        await_only(write())
        return before, count(unit)

    assert await database.read(look) == (1, 1)  # type: ignore[arg-type]
    assert await database.read(count) == 2  # type: ignore[arg-type]
