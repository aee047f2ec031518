"""Lets time pass for an engine: from one moment with work to the next, doing at each what is due there."""

import asyncio
from collections.abc import Mapping, Set as AbstractSet
from typing import Final, cast

from nhip.adapters.db.due import SCANS, next_moments
from nhip.adapters.db.unit import SqlUnit
from nhip.bootstrap import Engine
from nhip.ports import Unit
from nhip.testing import sight
from nhip.testing.clock import VirtualClock

_ROUNDS: Final = 1_000
"""How many rounds of work one moment may need, each the consequence of the one before."""
_MOMENTS: Final = 100_000
"""How many moments with work one advance may come to."""


class EndlessWork(RuntimeError):
    """What is due at one moment does not end, or an advance comes to ever more moments."""


class Clockwork:
    """Moves the clock of one engine, which works only when it is told to; its methods run on the engine's loop."""

    def __init__(self, engine: Engine, workspace_id: int, clock: VirtualClock, patience: float) -> None:
        """``patience`` is how many real seconds the work of one moment may take."""
        self._engine = engine
        self._workspace_id = workspace_id
        self._clock = clock
        self._patience = patience

    async def next_due(self) -> int | None:
        """The earliest moment, in microseconds, at which anything is due; it may be now."""
        return _first(await self._moments())

    async def _moments(self) -> Mapping[str, int]:
        def ask(unit: Unit) -> Mapping[str, int]:
            return next_moments(cast(SqlUnit, unit).connection, self._workspace_id)

        return await self._engine.database.read(ask)

    async def advance(self, until: int) -> None:
        """Let time pass until a moment.

        Raises:
            EndlessWork: what is due does not end.
        """
        moments = await self.settle()
        for _ in range(_MOMENTS):
            due = _first(moments)
            if due is None or due > until:
                self._clock.move_to(until)
                return
            self._clock.move_to(due)
            moments = await self.settle(moments)
        raise EndlessWork(f"there was work at {_MOMENTS:,} moments until {self._now()}: {await self._standing()}")

    async def settle(self, moments: Mapping[str, int] | None = None) -> Mapping[str, int]:
        """Do what is due now and what follows from it, until nothing is; answers when each sort of work is due next.

        ``moments`` is that answer where it is known already.

        Raises:
            EndlessWork: it does not end.
        """
        try:
            async with asyncio.timeout(self._patience):
                for _ in range(_ROUNDS):
                    known = await self._moments() if moments is None else moments
                    due = {sort for sort, moment in known.items() if moment <= self._clock.micros()}
                    if not due:
                        return known
                    await self._perform(due)
                    moments = None
        except TimeoutError:
            pass
        raise EndlessWork(f"the work at {self._now()} does not end: {await self._standing()}")

    async def _perform(self, due: AbstractSet[str]) -> None:
        """One round: what waits is woken, and what is due is done.

        Most looks of most scans find nobody. Where nothing else is due they are all that is done: what they find is due
        in the next round.
        """
        if due == {SCANS}:
            await self._engine.scheduler.run(self._engine.database)
            return
        executor = self._engine.executor
        await executor.reconcile()
        await executor.drain()
        await executor.settled()

    def _now(self) -> str:
        return self._clock.shown().isoformat()

    async def _standing(self) -> str:
        """Where runs stand: ``win-back at nudge (KH-1)``."""
        found = await self._engine.database.read(
            sight.find_runs, self._workspace_id, self._clock.shown, workflow=None, contact=None, state="running"
        )
        places = [f"{run.workflow} at {', '.join(run.stands_on)} ({run.contact})" for run in found]
        return "; ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "") or "no run is open"


def _first(moments: Mapping[str, int]) -> int | None:
    return min(moments.values(), default=None)
