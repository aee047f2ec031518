"""How the engine is: whether its database and its doorbell answer, and how much work waits."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from nhip.domain.errors import StorageUnavailable
from nhip.domain.struct import Struct
from nhip.ports import Clock, Doorbell, Storage, Unit

PATIENCE_SECONDS: Final = 3.0
"""How long a part may take to answer before it counts as down."""
RECENT_MICROS: Final = 3600 * 1_000_000


class Work(Struct):
    """What waits to be done, over all workspaces."""

    steps: dict[str, int]
    """How many steps are ready, running, waiting and unknown."""
    overdue: int
    """How many ready steps are due."""
    lag_micros: int
    """How long the longest-waiting of them has waited."""
    deliveries: dict[str, int]
    """Deliveries made in the last hour, by state."""


class Health(Struct):
    """The engine's state at one moment."""

    database_up: bool
    doorbell: dict[str, Any]
    work: Work | None

    @property
    def ready(self) -> bool:
        """Whether this process can serve. A lost doorbell costs latency and no work, so it may be away."""
        return self.database_up


def ping(unit: Unit) -> None:
    """Ask the database for the least there is."""
    unit.health.ping()


def work(unit: Unit, now: int) -> Work:
    """Count what waits."""
    return Work(
        steps=unit.health.open_steps(),
        overdue=unit.health.overdue(now, limit=1_000_000),
        lag_micros=max(0, now - (unit.health.oldest_ready(now) or now)),
        deliveries=unit.health.deliveries_since(now - RECENT_MICROS),
    )


def overdue(unit: Unit, now: int, limit: int) -> int:
    """How many ready steps are due, counting no further than ``limit``."""
    return unit.health.overdue(now, limit=limit)


async def check(storage: Storage, doorbell: Doorbell) -> Health:
    """Whether the parts answer; never raises."""
    return Health(database_up=await _answers(storage, ping) is not None, doorbell=dict(await _ask(doorbell)), work=None)


async def look(storage: Storage, doorbell: Doorbell, clock: Clock) -> Health:
    """Whether the parts answer, and what waits; never raises."""
    answered = await _answers(storage, work, clock.micros())
    found = answered[0] if answered else None
    return Health(database_up=answered is not None, doorbell=dict(await _ask(doorbell)), work=found)


async def _answers(storage: Storage, question: Any, *arguments: Any) -> tuple[Any] | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return (await storage.read(question, *arguments),)
    except (StorageUnavailable, TimeoutError):
        return None


async def _ask(doorbell: Doorbell) -> Mapping[str, Any]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await doorbell.health()
    except TimeoutError:
        return {"state": "down"}
