"""``Idempotency-Key`` on every POST under ``/v1``: the second answer is the first one's, to the byte.

An answer may hold a secret that is shown once (a new API key), so it is sealed before it is stored.
"""

import hashlib
from typing import Any, Final, cast

import msgspec
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

from nhip.bootstrap import Engine
from nhip.domain.access import Principal, StoredAnswer
from nhip.domain.errors import NotAuthenticated
from nhip.services.workspace import idempotency
from nhip_admin_api.auth import Authenticator
from nhip_admin_api.limits import INGEST_BYTES, read_body

_SEALED_FOR: Final = "idempotent answer"
_REPLAYED: Final = (b"idempotency-replayed", b"true")
_Headers = list[tuple[str, str]]
_decode_headers: Final = msgspec.json.Decoder(_Headers).decode
_encode: Final = msgspec.json.Encoder().encode


class _Capture:
    """Holds an answer back until it is known whether it is kept."""

    def __init__(self) -> None:
        self.start: dict[str, Any] = {}
        self.parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            self.start = cast(dict[str, Any], message)
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.parts)


class Repetition:
    """Answers repeated requests, over the app that answers the others."""

    def __init__(self, app: ASGIApp, engine: Engine, authenticator: Authenticator) -> None:
        self._app = app
        self._engine = engine
        self._authenticator = authenticator

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send, header: str, authorization: str) -> None:
        """Answer a request that carries ``Idempotency-Key: header``.

        Raises:
            NhipError: another body came with this key, or the first request is still running.
        """
        try:
            principal = await self._authenticator.authenticate(authorization)
        except NotAuthenticated:
            return await self._app(cast(Any, scope), receive, send)
        key = idempotency.parse_key(header)
        body = await read_body(receive, None, INGEST_BYTES)
        route = f"POST {scope['path']}"
        stored = await self._engine.database.transact(
            idempotency.begin,
            principal.workspace_id,
            route,
            key,
            fingerprint(scope["query_string"], body),
            self._engine.clock.micros(),
        )
        if stored is not None:
            return await self._replay(principal, stored, send)
        return await self._perform(scope, body, send, principal, route, key)

    async def _perform(
        self, scope: HTTPScope, body: bytes, send: Send, principal: Principal, route: str, key: str
    ) -> None:
        capture = _Capture()
        place = (principal.workspace_id, route, key)
        transact = self._engine.database.transact
        try:
            await self._app(cast(Any, scope), _again(body), capture.send)
        except BaseException:
            await transact(idempotency.forget, *place)
            raise
        status: int = capture.start["status"]
        if 200 <= status < 300:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in capture.start["headers"]]
            sealed = self._engine.vault.seal(
                principal.workspace_id, _SEALED_FOR, {"body": capture.body.decode("utf-8", "surrogateescape")}
            )
            await transact(idempotency.finish, *place, status, _encode(headers).decode(), sealed)
        else:
            await transact(idempotency.forget, *place)
        await _send(send, status, capture.start["headers"], capture.body)

    async def _replay(self, principal: Principal, stored: StoredAnswer, send: Send) -> None:
        opened = self._engine.vault.open(principal.workspace_id, _SEALED_FOR, stored.body or "")
        headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in _decode_headers(stored.headers or "[]")
        ]
        await _send(
            send, stored.status or 200, [*headers, _REPLAYED], opened.get("body", "").encode("utf-8", "surrogateescape")
        )


def fingerprint(query: bytes, body: bytes) -> str:
    """What tells one request from another under the same key."""
    digest = hashlib.sha256(query)
    digest.update(b"\0")
    digest.update(body)
    return digest.hexdigest()


def _again(body: bytes) -> Receive:
    """The body once more, for who reads it next."""
    sent = False

    async def receive() -> Any:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _send(send: Send, status: int, headers: Any, body: bytes) -> None:
    await send(cast(Any, {"type": "http.response.start", "status": status, "headers": headers}))
    await send(cast(Any, {"type": "http.response.body", "body": body, "more_body": False}))
