"""A small HTTP server for stand-ins: fast, and able to misbehave on purpose (hang, reset, answer late)."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import ClassVar, Self, cast
from urllib.parse import parse_qsl

import httptools
import msgspec

from nhip.testing.standins.faults import Fault, Faults
from nhip.testing.standins.ledger import Ledger

_REASONS = {200: "OK", 204: "No Content", 301: "Moved Permanently", 400: "Bad Request", 404: "Not Found", 410: "Gone"}


class Request:
    """One request as it came in."""

    __slots__ = ("body", "headers", "method", "path", "query_text")

    def __init__(self, method: str, path: str, query_text: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.query_text = query_text
        self.headers = headers
        """Names in lower case."""
        self.body = body

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL; of repeated names the last."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body as a form; of repeated names the last."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))


class Answer(msgspec.Struct, frozen=True):
    """What goes back, after ``delay`` seconds. ``hang`` never answers, ``reset`` breaks the connection."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    content_type: str = "application/json"
    delay: float = 0.0
    hang: bool = False
    reset: bool = False

    def wire(self) -> bytes:
        """The answer as HTTP/1.1."""
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = (
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Status')}\r\nContent-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.body)}\r\n{extra}\r\n"
        )
        return head.encode() + self.body


def json_answer(value: object, status: int = 200) -> Answer:
    """An answer with a JSON body."""
    return Answer(body=msgspec.json.encode(value), status=status)


def spoiled(answer: Answer, fault: Fault | None, faults: Faults) -> Answer:
    """What the client gets to see instead of ``answer`` when ``fault`` happens to it."""
    match fault:
        case None:
            return answer
        case Fault.SLOW:
            return msgspec.structs.replace(answer, delay=answer.delay + faults.slow_seconds)
        case Fault.TIMEOUT_AFTER:
            return Answer(hang=True)
        case Fault.RESET_AFTER | Fault.RESET_BEFORE:
            return Answer(reset=True)
        case Fault.GARBAGE:
            return Answer(body=b"<html><body>It works!</body></html>", content_type="text/html")
        case Fault.ERROR_AFTER | Fault.ERROR_BEFORE:
            return Answer(body=b"Internal Server Error", status=500, content_type="text/plain")


class StandIn:
    """The base of the stand-ins that speak HTTP: answers :meth:`handle` on 127.0.0.1 while its context is open.

    ``port`` 0 takes a free one. The ledger and the fault plan are readable after the context has been left.
    """

    provider: ClassVar[str]

    def __init__(self, *, port: int = 0, ledger: Ledger | None = None, faults: Faults | None = None) -> None:
        self.port = port
        self.ledger = Ledger() if ledger is None else ledger
        self.faults = faults or Faults()
        self.requests = 0
        """How many requests came in, whatever became of them."""
        self.connections = 0
        """How many connections were opened."""
        self.intercept: Callable[[Request], Answer | None] | None = None
        """Sees every request first, and answers those for which it gives an answer."""
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    @property
    def base_url(self) -> str:
        """What a channel's ``base_url`` must be to come here."""
        return f"http://127.0.0.1:{self.port}"

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    def answer(self, request: Request) -> Answer:
        """What goes back: the interceptor's answer, or the provider's."""
        if request.path.startswith("/standin/"):
            return self.control(request)
        self.requests += 1
        return (self.intercept and self.intercept(request)) or self.handle(request)

    def control(self, request: Request) -> Answer:
        """For tests that run the stand-in as a process: ``PUT /standin/faults`` with a plan as the body."""
        if (request.method, request.path) != ("PUT", "/standin/faults"):
            return Answer(status=404)
        self.faults = Faults.parse(request.body.decode())
        return Answer(status=204)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self, self._open), "127.0.0.1", self.port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and drop every connection, as a provider that goes down does."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self.drop_connections()
            await server.wait_closed()
        await asyncio.sleep(0)

    def drop_connections(self) -> None:
        """Close every open connection, as a server does with idle ones."""
        for connection in tuple(self._open):
            connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self, standin: StandIn, fellows: "set[_Connection]") -> None:
        self._standin = standin
        self._fellows = fellows
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = b""
        self._later: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._standin.connections += 1
        self._fellows.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fellows.discard(self)
        if self._later is not None:
            self._later.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._write(Answer(body=b"Bad Request", status=400, content_type="text/plain"))
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode()
        answer = self._standin.answer(Request(method, path, query, self._headers, self._body))
        if answer.reset:
            if self._transport is not None:
                self._transport.abort()
        elif answer.hang:
            self._later = asyncio.get_running_loop().call_later(self._standin.faults.hang_seconds, self.close)
        elif answer.delay > 0:
            self._later = asyncio.get_running_loop().call_later(answer.delay, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: Answer) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer.wire())
            if not self._parser.should_keep_alive():
                self._transport.close()
