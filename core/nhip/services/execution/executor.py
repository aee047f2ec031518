"""The executor: drains what is due whenever somebody rings, and reconciles every second or two."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterator
from typing import Final

from nhip.crashpoints import crashpoint
from nhip.domain.errors import StorageUnavailable
from nhip.domain.ids import new_id
from nhip.ports import Doorbell, Storage
from nhip.services.customers.score_sweep import ScoreSweep
from nhip.services.execution.execute import Execution
from nhip.services.execution.look_ups import LookUps
from nhip.services.execution.performer import Performer
from nhip.services.execution.reconcile import Reconcile
from nhip.services.execution.retention import Place, Retention
from nhip.services.execution.upkeep import Upkeep
from nhip.services.scans.scheduler import Scheduler

log = logging.getLogger("nhip.worker")

_FIRST_CLEAN_SECONDS: Final = 240.0
_CLEAN_SECONDS: Final = 3_600.0
_BETWEEN_CLEANS_SECONDS: Final = 0.05
_UPKEEP_SECONDS: Final = 1.0
_BETWEEN_UPKEEPS_SECONDS: Final = 0.005
"""So that whoever waits for the database gets a turn."""
_SUSPECTS_AT_ONCE: Final = 50
"""How many steps that lost a worker are performed, one by one, before others get their turn again."""
_PACE_SECONDS: Final = 0.008
_PACE_IN_FLIGHT: Final = 8


class Executor:
    """Executes steps in this process, at most ``max_in_flight`` at once.

    ``answer`` is what a ring calls. ``work`` is set whenever something may be due, by the performer, too. Any number of
    executors may share a database.
    """

    def __init__(  # noqa: PLR0913  (one for each part that it needs)
        self,
        storage: Storage,
        execution: Execution,
        performer: Performer,
        reconcile: Reconcile,
        look_ups: LookUps,
        doorbell: Doorbell,
        *,
        scheduler: Scheduler,
        retention: Retention,
        upkeep: Upkeep,
        scores: ScoreSweep,
        work: asyncio.Event,
        lease_seconds: float,
        max_in_flight: int,
        reconcile_seconds: float,
    ) -> None:
        self._storage = storage
        self._execution = execution
        self._performer = performer
        self._reconcile = reconcile
        self._look_ups = look_ups
        self._doorbell = doorbell
        self._scheduler = scheduler
        self._retention = retention
        self._upkeep = upkeep
        self._scores = scores
        self._work = work
        self._owner = new_id()
        self._lease = int(lease_seconds * 1_000_000)
        self._max_in_flight = max_in_flight
        self._reconcile_seconds = reconcile_seconds
        self._stopping = False
        self._claimed_at = 0.0
        self._suspects = False
        """Whether there are steps that lost a worker and have to be performed alone."""

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled, then finish what is in flight."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._drain_loop())
                group.create_task(self._reconcile_loop())
                group.create_task(self._schedule_loop())
                group.create_task(self._upkeep_loop())
                group.create_task(self._clean_loop())
                group.create_task(self._doorbell.run(self.answer))
        finally:
            self._stopping = True
            await self._performer.finish()

    async def answer(self) -> None:
        """Somebody rang: there is work."""
        crashpoint("worker.ring_taken")
        self._work.set()

    async def settled(self) -> None:
        """Wait until nothing is in flight here: for tests, and for an orderly end."""
        await self._performer.settled()

    # --- drain ------------------------------------------------------------------------------------------------------

    async def _drain_loop(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self.drain()
            except StorageUnavailable as error:
                log.warning("storage unavailable", extra={"detail": error.detail})
                await asyncio.sleep(random.uniform(0.2, 1.0))
                self._work.set()
            except Exception:
                log.exception("drain failed")
                await asyncio.sleep(1.0)

    async def drain(self) -> None:
        """Claim and start steps until nothing is due or every place is taken."""
        while not self._stopping:
            if self._suspects:
                await self._perform_suspects()
            free = self._max_in_flight - self._performer.in_flight
            if free <= self._max_in_flight // 4 and self._performer.in_flight:
                await self._performer.freed()
                continue
            await self._pace()
            if not await self._claim(free, suspects=False):
                return

    async def _claim(self, limit: int, *, suspects: bool) -> int:
        """Claim, and start what was claimed; answers how many steps that were."""
        lease_ends = asyncio.get_running_loop().time() + self._lease / 1_000_000
        claim = asyncio.ensure_future(
            self._storage.transact(self._execution.claim, self._owner, limit, self._lease, suspects=suspects)
        )
        try:
            claimed = await asyncio.shield(claim)
        except asyncio.CancelledError:
            # The claim commits all the same, and what it took is then ours to perform.
            with contextlib.suppress(Exception):
                self._performer.start(await claim, lease_ends)
            raise
        if claimed.count:
            crashpoint("step.intent_stored")
            self._performer.start(claimed, lease_ends)
        return claimed.count

    async def _perform_suspects(self) -> None:
        """Perform steps that lost a worker, each with nothing else in flight: if one takes this process down, too, no
        other step shares the blame.
        """
        self._suspects = False
        await self.settled()
        for _ in range(_SUSPECTS_AT_ONCE):
            if not await self._claim(1, suspects=True):
                return
            await self.settled()
        self._suspects = True

    async def _pace(self) -> None:
        """While much is in flight, let a few milliseconds of work gather: one claim of many costs little more than one
        claim of few. An idle executor claims at once.
        """
        loop = asyncio.get_running_loop()
        wait = self._claimed_at + _PACE_SECONDS - loop.time()
        if wait > 0 and self._performer.in_flight >= _PACE_IN_FLIGHT:
            await asyncio.sleep(wait)
        self._claimed_at = loop.time()

    # --- reconcile --------------------------------------------------------------------------------------------------

    async def _reconcile_loop(self) -> None:
        while True:
            with _survived("reconcile"):
                await self._reconcile_once()
            self._work.set()
            await asyncio.sleep(self._reconcile_seconds * random.uniform(0.8, 1.2))

    async def reconcile(self) -> None:
        """Look around at once: for tests, and for an operator who does not want to wait."""
        self._look_ups.forget()
        await self._reconcile_once()
        while await self._keep_up():
            pass
        await self._scheduler.run(self._storage)
        self._work.set()

    async def _reconcile_once(self) -> None:
        more = True
        while more and not self._stopping:
            # Between two passes of a burst, what the first one woke is claimed already.
            reconciled = await self._storage.transact(self._reconcile.run)
            self._suspects = self._suspects or reconciled.suspects
            more = reconciled.more
            if more:
                self._work.set()
        await self._look_ups.ask()
        await self._scores.run(self._storage)

    # --- schedule ---------------------------------------------------------------------------------------------------

    async def _schedule_loop(self) -> None:
        """Look at what time sets off. Beside the reconciling, because a look may take long."""
        while True:
            with _survived("schedule"):
                if await self._scheduler.run(self._storage):
                    self._work.set()
                    self._doorbell.ring()
            await asyncio.sleep(self._reconcile_seconds * random.uniform(0.8, 1.2))

    # --- upkeep -----------------------------------------------------------------------------------------------------

    async def _upkeep_loop(self) -> None:
        """Keep segments and enrolments going. Beside the reconciling, because there may be much of it."""
        while True:
            more = False
            with _survived("upkeep"):
                more = await self._keep_up()
            await asyncio.sleep(_BETWEEN_UPKEEPS_SECONDS if more else _UPKEEP_SECONDS * random.uniform(0.8, 1.2))

    async def _keep_up(self) -> bool:
        """One unit of what is due; answers whether more is."""
        done = await self._upkeep.run(self._storage)
        if done.entered:
            self._work.set()
            self._doorbell.ring()
        return done.more

    # --- clean ------------------------------------------------------------------------------------------------------

    async def _clean_loop(self) -> None:
        pause = _FIRST_CLEAN_SECONDS
        while True:
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = _CLEAN_SECONDS
            with _survived("clean-up"):
                await self.clean()

    async def clean(self) -> int:
        """Delete at once what is older than it is kept; answers how much that was."""
        place, over = Place(), False
        while not over:
            place, over = await self._storage.transact(self._retention.step, place)
            if not over:
                await asyncio.sleep(_BETWEEN_CLEANS_SECONDS)
        if place.deleted:
            log.info("old rows deleted", extra={"count": place.deleted})
        return place.deleted


@contextlib.contextmanager
def _survived(what: str) -> Iterator[None]:
    """A round of a loop: what goes wrong in it is logged, and the next round tries again."""
    try:
        yield
    except StorageUnavailable as error:
        log.warning("storage unavailable", extra={"detail": error.detail})
    except Exception:
        log.exception("%s failed", what)
