"""Pushes receipts from a stand-in to a webhook, as providers do: later, signed, and again until it is taken."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp

RETRIES: Final = (0.2, 0.5, 1, 2, 4, 8, 16)


class Pusher:
    """Posts (or gets) a URL in the background; repeated after ``retries`` seconds each while no 2xx comes back.

    The intervals are a provider's, scaled down so that a test sees all of them: Zalo repeats after 30 s, 5 m, 15 m,
    30 m and 1 h with the header ``num_retry``. ``outcomes`` lists the status of every attempt, 0 where none came.
    """

    def __init__(
        self, sign: Callable[[bytes], Mapping[str, str]] | None = None, retries: tuple[float, ...] = RETRIES
    ) -> None:
        self.retries = retries
        self.outcomes: list[int] = []
        self._sign = sign
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def post(self, url: str, body: bytes, delay: float = 0.0) -> None:
        """Post a JSON body after ``delay`` seconds."""
        self._start(url, body, delay)

    def get(self, url: str, delay: float = 0.0) -> None:
        """Get the URL after ``delay`` seconds."""
        self._start(url, None, delay)

    async def drain(self) -> None:
        """Wait until everything was taken or given up."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Drop what is still to be pushed."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _start(self, url: str, body: bytes | None, delay: float) -> None:
        task = asyncio.get_running_loop().create_task(self._push(url, body, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _push(self, url: str, body: bytes | None, delay: float) -> None:
        for attempt, pause in enumerate((delay, *self.retries)):
            await asyncio.sleep(pause)
            status = await self._attempt(url, body, attempt)
            self.outcomes.append(status)
            if 200 <= status < 300:
                return

    async def _attempt(self, url: str, body: bytes | None, attempt: int) -> int:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=5, sock_read=15))
        headers: dict[str, str] = {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            headers.update(self._sign(body) if self._sign is not None else {})
        if attempt:
            headers["num_retry"] = str(attempt)
        method = "GET" if body is None else "POST"
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0
