"""A load generator that costs little itself: raw HTTP/1.1 over keep-alive connections, requests prepared beforehand."""

import asyncio
import time
from collections.abc import Iterator, Sequence

import msgspec


class Load(msgspec.Struct):
    """What a run of requests took."""

    seconds: float
    latencies: list[float]
    """Seconds per request, sorted."""
    statuses: dict[int, int]

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds below which that share of requests stayed."""
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)] * 1000


def request(path: str, body: bytes, key: str = "", content_type: str = "application/json") -> bytes:
    """One prepared POST."""
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"{authorization}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], load: "_Running") -> None:
        self._requests = requests
        self._load = load
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        payload = next(self._requests, None)
        if payload is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(payload)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        start = head.find(b"content-length:")
        length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        self._load.latencies.append(time.perf_counter() - self._sent)
        status = int(head[9:12])
        self._load.statuses[status] = self._load.statuses.get(status, 0) + 1
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.open -= 1
        if self._load.open == 0 and not self._load.done.done():
            self._load.done.set_result(None)


class _Running:
    def __init__(self, connections: int) -> None:
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.open = connections
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


async def post_all(port: int, requests: Sequence[bytes], *, connections: int = 32) -> Load:
    """Send all requests, each connection one after the other."""
    running = _Running(connections)
    queue = iter(requests)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(queue, running), "127.0.0.1", port)
    await running.done
    return Load(time.perf_counter() - started, sorted(running.latencies), running.statuses)


async def post_paced(port: int, requests: Sequence[bytes], *, per_second: float) -> Load:
    """Send requests at a steady rate, each on its own connection turn."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    started = time.perf_counter()

    async def one(position: int, payload: bytes) -> None:
        await asyncio.sleep(started + position / per_second - time.perf_counter())
        load = await post_all(port, [payload], connections=1)
        latencies.extend(load.latencies)
        for status, count in load.statuses.items():
            statuses[status] = statuses.get(status, 0) + count

    await asyncio.gather(*(one(position, payload) for position, payload in enumerate(requests)))
    return Load(time.perf_counter() - started, sorted(latencies), statuses)
