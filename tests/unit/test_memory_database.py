"""The database of worlds keeps what databases promise."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nhip.adapters.db.memory import MemoryDatabase
from nhip.domain.errors import Conflict, StorageUnavailable
from nhip.ports import Unit


def names(unit: Unit) -> list[str]:
    return [workspace.name for workspace in unit.workspaces.all(after=None, limit=10)]


def add(unit: Unit, name: str, error: Exception | None = None) -> None:
    unit.workspaces.insert(name, "", 0)
    if error is not None:
        raise error


@pytest.fixture(scope="module")
def template() -> MemoryDatabase:
    return MemoryDatabase.migrated()


@pytest.fixture
async def database(template: MemoryDatabase) -> AsyncIterator[MemoryDatabase]:
    made = template.copy()
    yield made
    await made.close()


async def test_a_unit_is_done_or_not_at_all(database: MemoryDatabase) -> None:
    await database.transact(add, "shop")
    with pytest.raises(ValueError, match="no"):
        await database.transact(add, "other", ValueError("no"))
    assert await database.read(names) == ["shop"]


async def test_looking_changes_nothing(database: MemoryDatabase) -> None:
    await database.read(add, "shop")
    assert await database.read(names) == []


async def test_what_another_got_in_the_way_of_is_run_again(database: MemoryDatabase) -> None:
    runs: list[int] = []

    def hindered(unit: Unit) -> None:
        runs.append(len(names(unit)))
        add(unit, "shop", Conflict("somebody was faster", retry=True) if len(runs) < 3 else None)

    await database.transact(hindered)
    assert (runs, await database.read(names)) == ([0, 0, 0], ["shop"])


async def test_a_constraint_that_stays_broken_is_told(database: MemoryDatabase) -> None:
    await database.transact(add, "shop")
    with pytest.raises(Exception, match="UNIQUE constraint failed"):
        await database.transact(add, "shop")
    assert await database.read(names) == ["shop"]


async def test_a_copy_is_another_database(database: MemoryDatabase) -> None:
    await database.transact(add, "shop")
    copy = database.copy()
    await copy.transact(add, "other")
    assert await database.read(names) == ["shop"]
    assert await copy.read(names) == ["shop", "other"]
    await copy.close()


@pytest.mark.parametrize("work", ["transact", "read"])
async def test_what_comes_after_the_end_is_refused(database: MemoryDatabase, work: Any) -> None:
    await database.close()
    await database.close()
    with pytest.raises(StorageUnavailable, match="closed"):
        await getattr(database, work)(names)


async def test_others_get_a_turn_between_units(database: MemoryDatabase) -> None:
    """An endless row of units can be stopped from outside."""

    async def go_on() -> None:
        while True:
            await database.transact(names)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(go_on(), 0.05)
