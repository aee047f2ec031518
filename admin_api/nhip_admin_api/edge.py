"""The outermost layer: what holds for every request and every answer, whatever the route, even where there is none."""

import time
from typing import Any, Final, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from nhip.bootstrap import Engine
from nhip.domain.errors import MalformedInput
from nhip_admin_api.auth import Authenticator
from nhip_admin_api.errors import PROBLEM_TYPE, answer
from nhip_admin_api.idempotency import Repetition
from nhip_admin_api.ingest import EVENTS_PATH, EventDoor
from nhip_admin_api.telemetry import Telemetry

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""On every answer that does not say otherwise itself."""
_NAMES: Final = frozenset(name for name, _ in SECURITY_HEADERS)


class Edge:
    """Wraps the app: refuses addresses that no database takes, repeats answers, leads to the hot path, counts."""

    def __init__(self, app: ASGIApp, engine: Engine, authenticator: Authenticator, telemetry: Telemetry) -> None:
        self.inner = app
        self._telemetry = telemetry
        self._repetition = Repetition(self._forward, engine, authenticator)
        self._doors = {("POST", EVENTS_PATH): EventDoor(app)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != ScopeType.HTTP:
            return await self.inner(scope, receive, send)
        return await self._answer(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_security(message["headers"])
            await send(message)

        try:
            await self._route(scope, receive, watch)
        except Exception as error:  # whatever it is, it becomes a problem
            if status:
                raise
            await _send_problem(error, scope["path"], watch)
        finally:
            self._telemetry.observe(scope, status, time.perf_counter() - began)

    async def _route(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if "\x00" in path or b"%00" in scope["query_string"]:
            raise MalformedInput("the address contains a NUL character")
        if scope["method"] == "POST" and path.startswith("/v1/"):
            repeated = authorization = b""
            for name, value in scope["headers"]:
                if name == b"idempotency-key":
                    repeated = value
                elif name == b"authorization":
                    authorization = value
            if repeated:
                key, header = repeated.decode("latin-1"), authorization.decode("latin-1")
                return await self._repetition(scope, receive, send, key, header)
        return await self._forward(cast(Any, scope), receive, send)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the door of a hot path, or to the app and its routes."""
        http = cast(HTTPScope, scope)
        door = self._doors.get((http["method"], http["path"]))
        if door is None:
            return await self.inner(scope, receive, send)
        scope["path_template"] = http["path"]
        return await door(scope, receive, send)


def _with_security(headers: Any) -> list[tuple[bytes, bytes]]:
    said = {name.lower() for name, _ in headers}
    if said.isdisjoint(_NAMES):
        return [*headers, *SECURITY_HEADERS]
    return [*headers, *(header for header in SECURITY_HEADERS if header[0] not in said)]


async def _send_problem(error: Exception, path: str, send: Send) -> None:
    found = answer(error, path)
    body = found.body
    headers = [(name.encode(), value.encode()) for name, value in found.headers.items()]
    headers += [(b"content-type", PROBLEM_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send(cast(Any, {"type": "http.response.start", "status": found.details.status, "headers": headers}))
    await send(cast(Any, {"type": "http.response.body", "body": body, "more_body": False}))
