"""The bridge beside Asterisk, over real connections: a WebSocket with events, REST, and call control that answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import WSMsgType, web

from nhip_channels import ari_bridge
from nhip_channels.ari import AriAnswer, AriCall, AriGather
from nhip_channels.standard_webhooks import sign, signing_keys

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CHANNEL = {"id": "1.1", "caller": {"number": "0987654321"}, "dialplan": {"exten": "02873000000"}}
PLAY, PATH = AriCall("POST", "/channels/1.1/play/p1", {"media": "sound:menu"}), "/channels/1.1"


class Surroundings:
    """An Asterisk and a Nhịp, as far as the bridge sees them."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[str] = []
        self.answers: list[AriAnswer | int] = []
        self.socket: web.WebSocketResponse | None = None
        self.arrived = asyncio.Event()

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        assert request.query["app"] == "nhip"
        assert request.headers["authorization"].startswith("Basic ")
        self.socket = web.WebSocketResponse()
        await self.socket.prepare(request)
        self.arrived.set()
        async for message in self.socket:
            assert message.type is WSMsgType.TEXT
        return self.socket

    async def rest(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path.removeprefix('/ari')}")
        return web.Response(status=204)

    async def voice(self, request: web.Request) -> web.Response:
        body = await request.read()
        identity, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        assert request.headers["webhook-signature"] == sign(signing_keys(SECRET), identity, timestamp, body)
        self.told.append((request.path.rpartition("/")[2], msgspec.json.decode(body)))
        answer = self.answers.pop(0) if self.answers else AriAnswer()
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    async def emit(self, kind: str, **fields: Any) -> None:
        await asyncio.wait_for(self.arrived.wait(), 5)
        assert self.socket is not None
        await self.socket.send_bytes(b"")  # what is no text is passed over
        await self.socket.send_str(msgspec.json.encode({"type": kind, **fields}).decode())


@asynccontextmanager
async def running() -> AsyncIterator[Surroundings]:
    around = Surroundings()
    app = web.Application()
    app.router.add_get("/ari/events", around.events)
    app.router.add_route("*", "/ari/{rest:.*}", around.rest)
    app.router.add_post("/voice/pbx/token/{kind}", around.voice)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    base = f"http://127.0.0.1:{port}"
    work = asyncio.create_task(
        ari_bridge.run(f"{base}/voice/pbx/token", SECRET, f"{base}/ari", "nhip", "ari-password", "nhip")
    )
    try:
        yield around
    finally:
        work.cancel()
        [ended] = await asyncio.gather(work, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended
        await runner.cleanup()


async def until(holds: Any) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what it waits for is not ours to announce
            await asyncio.sleep(0.01)


async def test_a_key_is_heard_while_it_plays_and_the_rest_waits_for_the_sound() -> None:
    async with running() as around:
        hang_up = AriAnswer(calls=[AriCall("POST", f"{PATH}/play/p2", {"media": "sound:bye"}), AriCall("DELETE", PATH)])
        around.answers = [AriAnswer(calls=[PLAY], gather=AriGather(digits=1, timeout=5, turn=1)), hang_up]
        await around.emit("StasisStart", channel=CHANNEL, args=[])
        await until(lambda: around.asked == ["POST /channels/1.1/play/p1"])
        await around.emit("ChannelDtmfReceived", channel=CHANNEL, digit="2")
        await until(lambda: len(around.told) == 2)
        kind, keys = around.told[1]
        assert (kind, keys["type"], keys["digits"], keys["turn"]) == ("answer", "NhipKeys", "2", 1)
        await until(lambda: around.asked[1:] == ["DELETE /playbacks/p1", "POST /channels/1.1/play/p2"])
        await asyncio.sleep(0.05)
        assert len(around.asked) == 3
        await around.emit("PlaybackFinished", playback={"id": "p2"})
        await until(lambda: around.asked[3:] == ["DELETE /channels/1.1"])
        await around.emit("ChannelDestroyed", channel=CHANNEL, cause=16, cause_txt="Normal Clearing")
        await until(lambda: around.told[2:] and around.told[2][0] == "event")


async def test_no_key_is_told_after_a_while() -> None:
    async with running() as around:
        around.answers = [AriAnswer(gather=AriGather(digits=2, timeout=0.1, turn=3))]
        await around.emit("StasisStart", channel=CHANNEL, args=[])
        await around.emit("ChannelDtmfReceived", channel=CHANNEL, digit="7")
        await until(lambda: len(around.told) == 2)
        assert (around.told[1][1]["digits"], around.told[1][1]["turn"]) in (("7", 3), ("", 3))


async def test_it_asks_again_while_nhip_is_away_and_ends_the_call_where_it_is_refused() -> None:
    async with running() as around:
        around.answers = [503, AriAnswer(calls=[AriCall("POST", f"{PATH}/answer")]), 401]
        await around.emit("StasisStart", channel=CHANNEL, args=[])
        await until(lambda: around.asked == ["POST /channels/1.1/answer"])
        assert around.told[0] == around.told[1]
        await around.emit("StasisStart", channel={**CHANNEL, "id": "1.2"}, args=[])
        await until(lambda: around.asked[1:] == ["DELETE /channels/1.2"])


async def test_a_connection_that_breaks_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ari_bridge, "_RECONNECT_SECONDS", 0.05)
    async with running() as around:
        await asyncio.wait_for(around.arrived.wait(), 5)
        assert around.socket is not None
        around.arrived.clear()
        await around.socket.close()
        await asyncio.wait_for(around.arrived.wait(), 5)
        await around.emit("StasisStart", channel=CHANNEL, args=[])
        await until(lambda: len(around.told) == 1)


def test_it_says_what_it_needs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NHIP_ARI_PASSWORD", raising=False)
    with pytest.raises(SystemExit):
        ari_bridge.main(["--voice", "https://care.example/voice/pbx/token"])
    assert "NHIP_BRIDGE_SECRET" in capsys.readouterr().err
