"""Nhịp's HTTP API as an outside client uses it: every request is repeated until it is answered."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

from nhip.demo.processes import DemoFailed

_GIVE_UP_SECONDS: Final = 90.0
_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_ONE: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


class Refused(DemoFailed):
    """The server answered with a problem that no repetition changes."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Client:
    """A client with one API key. A request that is not answered, or answered with 429 or 5xx, is repeated.

    Events keep their ids when they are repeated, so the second answer is the first one's outcome; what makes something
    carries an ``Idempotency-Key``.
    """

    def __init__(self, url: str, key: str, connections: int) -> None:
        self._url = url
        self._key = key
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self.repeated = 0
        """How many requests had to be repeated."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"},
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=aiohttp.ClientTimeout(total=30, sock_connect=5),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def is_ready(self) -> bool:
        """Whether the server answers and is ready; asked once."""
        assert self._session is not None
        try:
            async with self._session.get(f"{self._url}/health/ready") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def send(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Send events, one as it is and several as a batch; answers with the outcome of each."""
        single = len(events) == 1
        body = _encode(events[0] if single else events)
        answer = await self.request("POST", "/v1/events", body, content_type=_ONE if single else _BATCH)
        outcomes: list[dict[str, Any]] = answer["events"]
        return outcomes

    async def put(self, path: str, value: Any) -> Any:
        """Make or replace something."""
        return await self.request("PUT", path, _encode(value))

    async def post(self, path: str, value: Any = None) -> Any:
        """Make something once, however often it has to be asked for."""
        body = b"" if value is None else _encode(value)
        return await self.request("POST", path, body, headers={"Idempotency-Key": secrets.token_hex(16)})

    async def resolve(self, delivery_id: str, *, sent: bool) -> bool:
        """Say what became of an unknown delivery; false when that has become known meanwhile."""
        body = _encode({"outcome": "sent" if sent else "not_sent"})
        try:
            await self.request("POST", f"/v1/deliveries/{delivery_id}/resolve", body)
        except Refused as refused:
            if refused.status != 409:
                raise
            return False
        return True

    async def get(self, path: str) -> Any:
        """Read something."""
        return await self.request("GET", path)

    async def pages(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list; ``path`` has a query already."""
        cursor = ""
        while True:
            page = await self.get(f"{path}&limit=200{cursor}")
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            cursor = f"&cursor={page['next_cursor']}"

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask until there is an answer.

        Raises:
            Refused: the answer is a refusal.
            DemoFailed: there was no answer for a long time.
        """
        assert self._session is not None
        sent = {**(headers or {}), **({"Content-Type": content_type} if body else {})}
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        pause = _PAUSE_SECONDS
        while True:
            try:
                async with self._session.request(
                    method, f"{self._url}{path}", data=body or None, headers=sent
                ) as response:
                    answer = await response.read()
                    if response.status < 400:
                        return _decode(answer) if answer else None
                    if response.status != 429 and response.status < 500 and not _is_running(response.status, answer):
                        text = answer.decode(errors="replace")[:2000]
                        raise Refused(response.status, f"{method} {path} was refused with {response.status}: {text}")
                    said = f"{response.status}: {answer.decode(errors='replace')[:500]}"
                    wait = float(response.headers.get("Retry-After", 0) or 0)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                said, wait = f"{type(error).__name__}: {error}", 0.0
            if time.monotonic() > deadline:
                raise DemoFailed(f"{method} {path} was not answered for {_GIVE_UP_SECONDS:.0f} s; the last was {said}")
            self.repeated += 1
            await asyncio.sleep(max(wait, pause))
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def _is_running(status: int, answer: bytes) -> bool:
    """Whether the first request with our ``Idempotency-Key`` is still running, or died with the server."""
    return status == 409 and b"idempotency" in answer.lower()
