"""A provider that answers at once: accepts ZNS sends in the bench's own process and notes when each order arrived."""

import asyncio
import re
import time
from typing import Self

_ORDER = re.compile(rb'"order_code"\s*:\s*"([^"]+)"')
_BODY = b'{"error":0,"message":"Success","data":{"msg_id":"%d","sent_time":"0","sending_mode":"1"}}'


class Sink:
    """Listens on loopback. ``arrivals`` maps order codes to when each was accepted; ``repeated`` counts repeats."""

    def __init__(self) -> None:
        self.arrivals: dict[bytes, float] = {}
        self.repeated = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._wanted = 0
        self._reached = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Door(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    def accept(self, order: bytes) -> int:
        """Note an arrival; answers with how many there are."""
        if order in self.arrivals:
            self.repeated += 1
        else:
            self.arrivals[order] = time.perf_counter()
        if len(self.arrivals) >= self._wanted:
            self._reached.set()
        return len(self.arrivals)

    async def reached(self, count: int, seconds: float) -> None:
        """Wait until that many orders arrived."""
        self._wanted = count
        self._reached.clear()
        if len(self.arrivals) < count:
            await asyncio.wait_for(self._reached.wait(), seconds)

    def forget(self) -> None:
        """Start anew."""
        self.arrivals.clear()
        self.repeated = 0


class _Door(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            start = head.find(b"content-length:")
            length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
            total = end + 4 + length
            if len(self._buffer) < total:
                return
            found = _ORDER.search(self._buffer, end, total)
            number = self._sink.accept(found[1]) if found else 0
            self._buffer = self._buffer[total:]
            body = _BODY % number
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
