"""Back-pressure: while more steps are overdue than the settings allow, new events are refused with 429."""

import asyncio
import contextlib
import logging
from typing import Final

from nhip.bootstrap import Engine
from nhip.domain.errors import Overloaded, StorageUnavailable
from nhip.services import health

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
RETRY_AFTER: Final = 5.0


async def watch(engine: Engine) -> None:
    """Look every second at how far the workers are behind, until cancelled."""
    while True:
        with contextlib.suppress(StorageUnavailable):
            await look(engine)
        await asyncio.sleep(LOOK_SECONDS)


async def look(engine: Engine) -> None:
    """Open or close the door, as the number of overdue steps says."""
    most = engine.settings.ingest_max_ready
    waiting = await engine.database.read(health.overdue, engine.clock.micros(), most + 1)
    behind = waiting > most
    if behind and engine.inbox.overload is None:
        log.warning("more than %d steps are overdue: events are refused", most)
        engine.inbox.overload = Overloaded("the workers are too far behind; try again later", RETRY_AFTER)
    elif not behind and engine.inbox.overload is not None:
        log.info("the workers have caught up: events are taken in again")
        engine.inbox.overload = None
