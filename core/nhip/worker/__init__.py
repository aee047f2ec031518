"""The worker's shell: a process that executes steps and serves nothing."""

import asyncio
import signal

from nhip.bootstrap import Engine
from nhip.settings import Settings


async def run_worker(settings: Settings) -> None:
    """Execute steps until SIGTERM or SIGINT, then finish what is in flight."""
    engine = await Engine.start(settings)
    await engine.warm()
    working = engine.work()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    stopping = loop.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        stopping.cancel()
        await engine.stop()
