"""Group commit: requests that arrive while a unit is under way share the next one.

No timer: an idle door commits at once, a busy one fills the next group while the last is being committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, cast

from nhip.domain.errors import Overloaded, StorageUnavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Item, Answer]):
    """Collects items and hands them to ``flush`` in groups; each caller gets its own item's answer.

    When a group fails, its items are flushed one by one, so that one bad item fails alone. Only an unavailable storage
    fails the whole group at once: asking it again for every item would keep them all waiting.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        weigh: Callable[[Item], int] = lambda _: 1,
        largest: int = 256,
        lanes: int = 1,
        waiting_limit: int = 10_000,
    ) -> None:
        """``lanes`` is how many groups may be under way at once: more than one where the storage takes several."""
        self._flush = flush
        self._weigh = weigh
        self._largest = largest
        self._waiting_limit = waiting_limit
        self._waiting: list[tuple[Item, int, asyncio.Future[Answer]]] = []
        self._weight = 0
        self._lanes = lanes
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Answer:
        """Store an item; returns when it is committed.

        Raises:
            Overloaded: too much is waiting already.
        """
        if self._weight >= self._waiting_limit:
            raise Overloaded("too many requests are waiting to be stored", retry_after=1.0)
        weight = self._weigh(item)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, weight, future))
        self._weight += weight
        if len(self._tasks) < self._lanes:
            self._tasks.add(asyncio.get_running_loop().create_task(self._run()))
        return await future

    async def drain(self) -> None:
        """Wait until everything submitted so far is committed."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _run(self) -> None:
        group: list[tuple[Item, int, asyncio.Future[Answer]]] = []
        try:
            while self._waiting:
                group = self._take()
                await self._commit(group)
        except asyncio.CancelledError:
            abandoned, self._waiting, self._weight = [*group, *self._waiting], [], 0
            for _, _, future in abandoned:
                if not future.done():
                    future.cancel()
            raise
        finally:
            # At once, not in a callback: whoever submits next must see that this lane is free.
            self._tasks.discard(cast(asyncio.Task[None], asyncio.current_task()))

    def _take(self) -> list[tuple[Item, int, "asyncio.Future[Answer]"]]:
        count, weight = 0, 0
        while count < len(self._waiting) and (count == 0 or weight + self._waiting[count][1] <= self._largest):
            weight += self._waiting[count][1]
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        self._weight -= weight
        return group

    async def _commit(self, group: list[tuple[Item, int, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._flush([item for item, _, _ in group])
            if len(answers) != len(group):
                raise RuntimeError(f"{len(answers)} answers to {len(group)} items")
        except Exception as error:  # noqa: BLE001  (it goes to whoever submitted the item)
            if len(group) > 1 and not isinstance(error, StorageUnavailable):
                for one in group:
                    await self._commit([one])
                return
            for _, _, future in group:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, _, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
