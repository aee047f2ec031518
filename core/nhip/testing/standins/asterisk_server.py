"""The stand-in for Asterisk as a server of its own: ARI with its WebSocket, to which the real bridge connects."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any, Self

import msgspec
from aiohttp import web

from nhip.testing.standins.asterisk import AsteriskStandIn
from nhip.testing.standins.server import Request


class AsteriskServer(AsteriskStandIn):
    """An :class:`AsteriskStandIn` that sends its events to whoever opens ``/ari/events``."""

    def __init__(self, **said: Any) -> None:
        super().__init__(**said)
        self.listener = self._send
        self._sockets: set[web.WebSocketResponse] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None

    def config(self) -> dict[str, Any]:
        """As of any Asterisk, with texts said by a speech server, so that a call shows what was said."""
        return {**super().config(), "speech_url": f"{self.base_url}/speech?text={{text}}&lang={{language}}"}

    @property
    def is_bridged(self) -> bool:
        """Whether a bridge is connected."""
        return bool(self._sockets)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/ari/events", self._events)
        app.router.add_route("*", "/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        runner, self._runner = self._runner, None
        for socket in tuple(self._sockets):
            await socket.close()
        if runner is not None:
            await runner.cleanup()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        wanted = base64.b64encode(f"nhip:{self.password}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        if request.query.get("app") != "nhip":
            return web.json_response({"message": "HTTP request is missing param: [app]"}, status=400)
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            async for _ in socket:  # a bridge says nothing; this ends when it goes
                pass
        finally:
            self._sockets.discard(socket)
        return socket

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        answer = self.answer(Request(request.method, request.rel_url.raw_path, request.query_string, headers, body))
        await asyncio.sleep(self.faults.hang_seconds if answer.hang else answer.delay)
        if (answer.hang or answer.reset) and request.transport is not None:
            request.transport.abort()
        response = web.Response(body=answer.body, status=answer.status, headers=dict(answer.headers))
        response.content_type = answer.content_type
        return response

    def _send(self, event: Mapping[str, Any]) -> None:
        text = msgspec.json.encode(event).decode()
        for socket in self._sockets:
            task = asyncio.get_running_loop().create_task(self._send_to(socket, text))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send_to(self, socket: web.WebSocketResponse, text: str) -> None:
        try:
            await socket.send_str(text)
        except ConnectionError:
            self._sockets.discard(socket)
