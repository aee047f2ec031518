"""Requests that come while a unit is under way share the next one."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from nhip.domain.errors import Overloaded, StorageUnavailable
from nhip.services.workspace.group_commit import GroupCommit


class Store:
    """Keeps groups, after waiting for `gate`; refuses a group with `bad` in it, and each of `broken`."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Callable[[], Exception] = lambda: ValueError("bad")

    async def flush(self, items: Sequence[str]) -> list[str]:
        self.groups.append(list(items))
        await self.gate.wait()
        if "bad" in items:
            raise self.error()
        return [item.upper() for item in items]


@pytest.fixture
async def store() -> Store:
    return Store()


async def started(*work: asyncio.Task[str]) -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_idle_door_commits_at_once(store: Store) -> None:
    assert await GroupCommit(store.flush).submit("a") == "A"
    assert store.groups == [["a"]]


async def test_a_busy_one_fills_the_next_group_in_order(store: Store) -> None:
    group = GroupCommit(store.flush)
    store.gate.clear()
    tasks = [asyncio.create_task(group.submit(item)) for item in "abcde"]
    await started(*tasks)
    store.gate.set()
    assert await asyncio.gather(*tasks) == list("ABCDE")
    assert [item for one in store.groups for item in one] == list("abcde")
    assert len(store.groups) <= 2


async def test_one_bad_item_fails_alone(store: Store) -> None:
    group = GroupCommit(store.flush)
    results = await asyncio.gather(*(group.submit(item) for item in ("a", "bad", "c")), return_exceptions=True)
    assert results[0] == "A"
    assert isinstance(results[1], ValueError)
    assert results[2] == "C"


async def test_an_unavailable_storage_is_asked_once_for_the_whole_group(store: Store) -> None:
    store.error = lambda: StorageUnavailable("down")
    group = GroupCommit(store.flush)
    items = ["a", "bad", *"cdefg"]
    results = await asyncio.gather(*(group.submit(item) for item in items), return_exceptions=True)
    assert all(isinstance(result, StorageUnavailable) for result in results)
    assert len(store.groups) <= 2


async def test_a_group_has_a_largest_weight_and_one_item_may_be_heavier(store: Store) -> None:
    group = GroupCommit(store.flush, weigh=len, largest=4)
    store.gate.clear()
    tasks = [asyncio.create_task(group.submit(item)) for item in ("x", "aa", "bb", "cc", "ddddddd", "e")]
    await started(*tasks)
    store.gate.set()
    await asyncio.gather(*tasks)
    assert all(sum(map(len, one)) <= 4 or len(one) == 1 for one in store.groups)
    assert [item for one in store.groups for item in one] == ["x", "aa", "bb", "cc", "ddddddd", "e"]


async def test_too_much_waiting_is_refused_and_what_waits_is_kept(store: Store) -> None:
    group = GroupCommit(store.flush, waiting_limit=2)
    store.gate.clear()
    tasks = [asyncio.create_task(group.submit("a"))]
    await started(*tasks)
    tasks += [asyncio.create_task(group.submit(item)) for item in "bc"]
    await started(*tasks)
    with pytest.raises(Overloaded):
        await group.submit("d")
    store.gate.set()
    assert await asyncio.gather(*tasks) == list("ABC")
    assert await group.submit("e") == "E"


async def test_who_stops_waiting_stops_nobody_else(store: Store) -> None:
    group = GroupCommit(store.flush)
    store.gate.clear()
    first, second = (asyncio.create_task(group.submit(item)) for item in "ab")
    await started(first, second)
    first.cancel()
    store.gate.set()
    assert await second == "B"
    assert first.cancelled() or first.cancelling()


async def test_nobody_waits_for_ever_when_the_work_itself_is_cancelled(store: Store) -> None:
    group = GroupCommit(store.flush)
    store.gate.clear()
    tasks = [asyncio.create_task(group.submit(item)) for item in "ab"]
    await started(*tasks)
    tasks.append(asyncio.create_task(group.submit("late")))
    await started(*tasks)
    (task,) = group._tasks
    task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    store.gate.set()
    assert await group.submit("again") == "AGAIN"


async def test_answers_that_do_not_match_the_items_are_an_error_for_all() -> None:
    async def miscount(items: Sequence[str]) -> list[str]:
        return []

    group: GroupCommit[str, str] = GroupCommit(miscount)
    results = await asyncio.gather(*(group.submit(item) for item in "ab"), return_exceptions=True)
    assert all(isinstance(result, RuntimeError) for result in results)


async def test_drain_waits_for_all_that_was_submitted(store: Store) -> None:
    group = GroupCommit(store.flush)
    tasks = [asyncio.create_task(group.submit(item)) for item in "abc"]
    await asyncio.sleep(0)
    await group.drain()
    assert all(task.done() or not task.cancelled() for task in tasks)
    assert await asyncio.gather(*tasks) == list("ABC")
