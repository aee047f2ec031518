"""What the API does beside its requests: it watches how far the workers are behind."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

from nhip.bootstrap import Engine
from nhip.domain.errors import Overloaded, StorageUnavailable
from nhip.services.workspace import health

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
RETRY_AFTER: Final = 5.0


@contextlib.asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[None]:
    """Do it while the context is open."""
    task = asyncio.create_task(_watch(engine), name="nhip-pressure")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(engine: Engine) -> None:
    while True:
        try:
            await look(engine)
        except StorageUnavailable:
            log.debug("the database is away; the pressure is looked at again")
        except Exception:
            log.exception("the pressure cannot be told; it is looked at again")
        await asyncio.sleep(LOOK_SECONDS)


async def look(engine: Engine) -> None:
    """Back-pressure: while more steps are overdue than the settings allow, new events are refused with 429."""
    most = engine.settings.ingest_max_ready
    waiting = await engine.database.read(health.overdue, engine.clock.micros(), most + 1)
    behind = waiting > most
    if behind and engine.inbox.overload is None:
        log.warning("more than %d steps are overdue: events are refused", most)
        engine.inbox.overload = Overloaded("the workers are too far behind; try again later", RETRY_AFTER)
    elif not behind and engine.inbox.overload is not None:
        log.info("the workers have caught up: events are taken in again")
        engine.inbox.overload = None
