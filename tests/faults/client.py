"""A client as it should be: it repeats an event until somebody acknowledges it, and remembers what it was told."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec


class Acknowledgement(msgspec.Struct, frozen=True):
    """What the API answered about one event."""

    event_id: str
    runs: tuple[str, ...]
    duplicate: bool
    seconds: float
    """From the first attempt to this answer."""


class Client:
    """Talks to one or several API processes with the same key; each attempt goes to the next of them."""

    def __init__(self, urls: Sequence[str], key: str, *, seed: int = 1, attempt_seconds: float = 5.0) -> None:
        self.urls = list(urls)
        self.acknowledged: dict[str, list[Acknowledgement]] = {}
        """By the event's own id, in the order in which the answers came."""
        self.statuses: Counter[int] = Counter()
        """How often which status came back; 0 where no answer came."""
        self.problems: list[str] = []
        """The bodies of answers that were neither a success nor an honest "not now"."""
        self.last_at = 0.0
        """When the last success came, by `time.monotonic`."""
        self._headers = {"Authorization": f"Bearer {key}"}
        self._attempt_seconds = attempt_seconds
        self._random = random.Random(seed)
        self._turn = 0
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A connection of its own for each request: one that the killed server left behind must not be used again.
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=self._attempt_seconds)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout, connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def finds(self, url: str) -> bool:
        """Whether somebody serves there."""
        assert self._session is not None
        try:
            async with self._session.get(f"{url}/health/live", timeout=aiohttp.ClientTimeout(total=1)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def attempt(
        self, method: str, path: str, body: Any = None, *, seconds: float | None = None
    ) -> tuple[int, Any]:
        """Ask once; status 0 when no answer came."""
        assert self._session is not None
        url = self.urls[self._turn % len(self.urls)]
        self._turn += 1
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        limit = aiohttp.ClientTimeout(total=seconds or self._attempt_seconds)
        try:
            async with self._session.request(
                method, f"{url}{path}", data=data, headers=headers, timeout=limit
            ) as answer:
                content = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            self.statuses[0] += 1
            return 0, None
        self.statuses[status] += 1
        if status >= 400 and status not in (409, 429, 503):
            self.problems.append(f"{method} {path}: {status} {content.decode(errors='replace')[:500]}")
        return status, msgspec.json.decode(content) if content else None

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        seconds: float = 30.0,
        attempt_seconds: float | None = None,
        accepting: Sequence[int] = (),
    ) -> Any:
        """Ask until a success comes back, or one of the ``accepting``; any other refusal than "not now" raises."""
        deadline = time.monotonic() + seconds
        while True:
            status, content = await self.attempt(method, path, body, seconds=attempt_seconds)
            if 200 <= status < 300 or status in accepting:
                self.last_at = time.monotonic()
                return content
            if 400 <= status < 500 and status not in (408, 409, 429):
                raise AssertionError(f"{method} {path} was refused: {self.problems[-1]}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path} found nobody within {seconds:g} s (last status {status})")
            await asyncio.sleep(self._random.uniform(0.02, 0.15))

    async def send(self, event: dict[str, Any], *, seconds: float = 60.0) -> Acknowledgement:
        """Repeat an event until it is acknowledged."""
        begun = time.monotonic()
        content = await self.ask("POST", "/v1/events", event, seconds=seconds)
        (told,) = content["events"]
        acknowledgement = Acknowledgement(
            event_id=told["id"],
            runs=tuple(told["runs"]),
            duplicate=told["duplicate"],
            seconds=time.monotonic() - begun,
        )
        self.acknowledged.setdefault(event["id"], []).append(acknowledgement)
        return acknowledgement

    async def send_all(
        self, events: Sequence[dict[str, Any]], *, together: int = 8, pause: float = 0.0, seconds: float = 60.0
    ) -> None:
        """Send these events, so many at a time; with a pause, each sender rests for so long after each event."""
        waiting = iter(events)

        async def sender() -> None:
            for event in waiting:
                await self.send(event, seconds=seconds)
                if pause:
                    await asyncio.sleep(pause)

        async with asyncio.TaskGroup() as group:
            for _ in range(together):
                group.create_task(sender())
