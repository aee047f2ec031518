"""Lets time pass for an engine: from one moment with work to the next, doing at each what is due there."""

import asyncio
from typing import Final, cast

from nhip.adapters.db.due import next_due
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

        def ask(unit: Unit) -> int | None:
            return next_due(cast(SqlUnit, unit).connection, self._workspace_id)

        return await self._engine.database.read(ask)

    async def advance(self, until: int) -> None:
        """Let time pass until a moment.

        Raises:
            EndlessWork: what is due does not end.
        """
        due = await self.settle()
        for _ in range(_MOMENTS):
            if due is None or due > until:
                self._clock.move_to(until)
                return
            self._clock.move_to(due)
            due = await self.settle(due)
        raise EndlessWork(f"there was work at {_MOMENTS:,} moments until {self._now()}: {await self._standing()}")

    async def settle(self, due: int | None = None) -> int | None:
        """Do what is due now and what follows from it, until nothing is; answers when the next thing is due.

        ``due`` spares the question where it is known already that something is.

        Raises:
            EndlessWork: it does not end.
        """
        try:
            async with asyncio.timeout(self._patience):
                for _ in range(_ROUNDS):
                    due = await self.next_due() if due is None else due
                    if due is None or due > self._clock.micros():
                        return due
                    await self._perform()
                    due = None
        except TimeoutError:
            pass
        raise EndlessWork(f"the work at {self._now()} does not end: {await self._standing()}")

    async def _perform(self) -> None:
        """One round: what waits is woken, and what is due is done."""
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
