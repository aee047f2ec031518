"""One demonstration from the first process to the last number."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from nhip.demo.client import Client
from nhip.demo.play import LANES, Play
from nhip.demo.processes import DemoFailed, ServerProcess, StandInProcess
from nhip.demo.provider import ProviderLedger
from nhip.demo.reckoning import Reckoning, reckon
from nhip.demo.scenario import plan
from nhip.demo.screen import Screen


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    folder: Path
    events: int
    port: int | None = None
    kill_after: tuple[int, ...] = ()
    keep: bool = False


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one demonstration came to."""

    agrees: bool
    events: int
    contacts: int
    seconds: float
    """From the first event to the last outcome."""
    reckoning: Reckoning
    duplicates: int
    """Events that were sent again because an answer got lost, and that the server knew already."""
    restarts: int
    resolved_sent: int
    """Messages with an unknown outcome that were in the provider's report."""
    resolved_not_sent: int
    """Messages with an unknown outcome that were not, and that were sent anew."""
    idle_bytes: int
    """Resident memory of ``nhip serve`` before the first event."""
    resident_bytes: int
    """Resident memory of ``nhip serve`` after the last one."""


async def perform(wish: Wish, screen: Screen, tell: Callable[[Result], None]) -> None:
    """Play the case and ``tell`` its result; with ``keep`` stay up afterwards, until cancelled.

    Raises:
        DemoFailed: it did not come to its end.
    """
    story = plan(wish.events)
    standin = StandInProcess(wish.folder)
    server = ServerProcess(wish.folder, port=wish.port, tell=screen.say)
    try:
        async with Client(server.url, server.key, LANES + 4) as client:
            await standin.start()
            await server.start(client.is_ready)
            screen.say(f"nhip serve: process {server.pid} at {server.url}; the Zalo stand-in is at {standin.base_url}")
            idle = server.memory()
            play = Play(story, client, ProviderLedger(standin.ledger))
            await _tell_hook(standin, await play.install(standin))
            screen.say(
                f"10 workflows published: 5 on tickets, 3 on orders, 2 on deals. {wish.events:,} events of "
                f"{len(story.people):,} customers follow, for {story.messages:,} ZNS."
            )
            began = time.monotonic()
            # The server stays watched over to the end: it may as well be killed while the numbers are compared.
            async with _beside(server.watch()):
                watches = (play.watch_ledger(server, wish.kill_after), play.watch_counts(), screen.follow(play))
                async with _beside(*watches):
                    await play.send()
                    await play.finish()
                seconds = time.monotonic() - began
                resident = server.memory()
                result = Result(
                    reckoning=(reckoning := await reckon(play, client)),
                    agrees=not reckoning.disagreements,
                    events=wish.events,
                    contacts=len(story.people),
                    seconds=round(seconds, 2),
                    duplicates=play.duplicates,
                    restarts=server.restarts,
                    resolved_sent=play.resolved_sent,
                    resolved_not_sent=len(play.not_sent),
                    idle_bytes=idle,
                    resident_bytes=resident,
                )
                _show(result, screen)
                tell(result)
                if wish.keep:
                    screen.say(f"It stays up until Ctrl+C. Address: {server.url}   Documentation: {server.url}/schema")
                    screen.say(f"Key: {server.key}")
                    screen.say(f"curl -H 'Authorization: Bearer {server.key}' {server.url}/v1/metrics/summary")
                    await asyncio.Event().wait()
    finally:
        await server.stop()
        await standin.stop()


def _show(result: Result, screen: Screen) -> None:
    reckoning = result.reckoning
    screen.table(reckoning)
    rate = reckoning.ledger_entries / max(result.seconds, 0.001)
    screen.say(f"{result.events:,} events and their messages took {result.seconds:.1f} s: {rate:,.0f} ZNS a second.")
    if result.restarts:
        screen.say(
            f"nhip serve died and was started again (restarts: {result.restarts}). "
            f"Events that were sent again and known already: {result.duplicates}."
        )
    sent, not_sent = result.resolved_sent, result.resolved_not_sent
    if sent or not_sent:
        screen.say(
            f"Messages with an unknown outcome: {sent + not_sent}. By the provider's report {sent} of them had been "
            f"sent; {not_sent} had not, and were sent anew."
        )
    idle, resident = result.idle_bytes / 2**20, result.resident_bytes / 2**20
    screen.say(f"Memory of nhip serve: {idle:.0f} MiB before the first event, {resident:.0f} MiB at the end.")
    screen.verdict(reckoning)


async def _tell_hook(standin: StandInProcess, url: str) -> None:
    """Tell the stand-in where to push its receipts, as one enters it in Zalo's console."""
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{standin.base_url}/standin/webhook-url", data=url.encode()) as response,
    ):
        if response.status != 204:
            raise DemoFailed(f"the Zalo stand-in refused its webhook with {response.status}")


@contextlib.asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do ``work`` while the body runs. When it fails, so does the body; when the body ends, it is cancelled."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as group:
        failed = group.subgroup(DemoFailed)
        if failed is None:
            raise
        raise _first(failed) from None


def _first(group: BaseExceptionGroup[DemoFailed]) -> DemoFailed:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
