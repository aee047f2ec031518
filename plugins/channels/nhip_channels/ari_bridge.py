"""The bridge between Asterisk's events and an account of ``voice_asterisk``: one small process beside Asterisk.

    python -m nhip_channels.ari_bridge --ari http://127.0.0.1:8088/ari --username nhip --app nhip
        --voice https://care.example.com/voice/pbx/<token>

with the secrets in ``NHIP_ARI_PASSWORD`` and ``NHIP_BRIDGE_SECRET`` (``whsec_…``).

It keeps ARI's WebSocket open, posts what happens to calls, performs the calls of ARI that come back, and collects keys:
everything else is decided by Nhịp. It keeps nothing: when it is started anew, calls under way end in their dialplan.
"""

import argparse
import asyncio
import base64
import logging
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import msgspec

from nhip_channels.ari import AriAnswer, AriCall, AriGather
from nhip_channels.standard_webhooks import sign, signing_keys

log = logging.getLogger("nhip.ari_bridge")

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]
"""Posts headers and a body to a URL; answers with the status (0 where nothing came back) and the body."""
Ask = Callable[[AriCall], Awaitable[int]]
"""Performs a call of ARI; answers with the status."""

_RETRIES: Final = (0.2, 0.5, 1.0)
_RECONNECT_SECONDS: Final = 2.0


class _Call:
    """What the bridge knows of a channel."""

    def __init__(self) -> None:
        self.playing: list[str] = []
        """Playbacks that are not over, the oldest first."""
        self.played = asyncio.Event()
        self.played.set()
        self.gather: AriGather | None = None
        self.digits = ""
        self.key = asyncio.Event()
        self.recording_turn = 0
        self.task: asyncio.Task[None] | None = None


class Bridge:
    """Tells one account of one application's events. ``voice_url`` is the address of the account's call control."""

    def __init__(self, voice_url: str, secret: str, post: Post, ask: Ask) -> None:
        self._answer_url = f"{voice_url.rstrip('/')}/answer"
        self._event_url = f"{voice_url.rstrip('/')}/event"
        self._keys = signing_keys(secret)
        self._post = post
        self._ask = ask
        self._calls: dict[str, _Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event of the WebSocket."""
        kind = event.get("type")
        if kind == "PlaybackFinished":
            self._playback_finished(str(event.get("playback", {}).get("id")))
            return
        if kind == "RecordingFinished":
            self._recording_finished(event.get("recording", {}))
            return
        channel = event.get("channel")
        if not isinstance(channel, dict):
            return
        call_id = str(channel.get("id"))
        if kind == "ChannelDtmfReceived":
            self._key_pressed(call_id, str(event.get("digit")))
        elif kind == "ChannelDestroyed":
            call = self._calls.pop(call_id, None)
            if call is not None and call.task is not None:
                call.task.cancel()
            self._keep(asyncio.get_running_loop().create_task(self._report(event)))
        elif kind == "StasisStart":
            call = self._calls.setdefault(call_id, _Call())
            self._go_on(call, event)

    # --- what happens in a call ---------------------------------------------------------------------------------------

    def _key_pressed(self, call_id: str, digit: str) -> None:
        call = self._calls.get(call_id)
        if call is not None and call.gather is not None:
            call.digits += digit
            call.key.set()

    def _playback_finished(self, playback: str) -> None:
        for call in self._calls.values():
            if playback in call.playing:
                call.playing.remove(playback)
                if not call.playing:
                    call.played.set()

    def _recording_finished(self, recording: Mapping[str, Any]) -> None:
        target = str(recording.get("target_uri", "")).removeprefix("channel:")
        call = self._calls.get(target)
        if call is not None:
            event = {
                "type": "NhipRecorded", "channel": {"id": target}, "recording": {"name": recording.get("name")},
                "turn": call.recording_turn,
            }  # fmt: skip
            self._go_on(call, event)

    def _go_on(self, call: _Call, event: Mapping[str, Any]) -> None:
        if call.task is not None:
            call.task.cancel()
        call.gather = None
        call.task = asyncio.get_running_loop().create_task(self._lead(call, event))
        self._keep(call.task)

    async def _lead(self, call: _Call, event: Mapping[str, Any]) -> None:
        """Ask what comes next, do it, and ask again when keys were pressed."""
        about = event["channel"]
        while True:
            answer = await self._tell(self._answer_url, event)
            if answer is None:
                log.error("nobody says what a call does next", extra={"call": about["id"]})
                await self._ask(AriCall("DELETE", f"/channels/{about['id']}", {"reason": "congestion"}))
                return
            call.recording_turn = answer.turn
            call.digits, call.gather = "", answer.gather
            call.key.clear()
            for wanted in answer.calls:
                if not await self._perform(call, wanted):
                    return
            if answer.gather is None:
                return
            digits = await self._gathered(call, answer.gather)
            event = {"type": "NhipKeys", "channel": about, "digits": digits, "turn": answer.gather.turn}

    async def _report(self, event: Mapping[str, Any]) -> None:
        """Tell what awaits no answer."""
        await self._tell(self._event_url, event)

    async def _perform(self, call: _Call, wanted: AriCall) -> bool:
        if "/play/" in wanted.path:
            playback = wanted.path.rpartition("/play/")[2]
            call.playing.append(playback)
            call.played.clear()
        else:
            await call.played.wait()
        status = await self._ask(wanted)
        if "/play/" in wanted.path and status >= 400:
            self._playback_finished(wanted.path.rpartition("/play/")[2])
            return True  # what cannot be played is skipped, and the call goes on
        return status < 400 or not wanted.path.startswith("/channels/")

    async def _gathered(self, call: _Call, gather: AriGather) -> str:
        """The keys that are pressed: while it plays, and for some seconds after it and after each key."""
        while len(call.digits) < gather.digits:
            played = asyncio.ensure_future(call.played.wait())
            key = asyncio.ensure_future(call.key.wait())
            try:
                await asyncio.wait({played, key}, return_when=asyncio.FIRST_COMPLETED)
                if not call.key.is_set():
                    await asyncio.wait({key}, timeout=gather.timeout)
            finally:
                played.cancel()
                key.cancel()
            if not call.key.is_set():
                break
            call.key.clear()
        call.gather = None
        for playback in tuple(call.playing):
            await self._ask(AriCall("DELETE", f"/playbacks/{playback}"))
            self._playback_finished(playback)
        return call.digits[: gather.digits]

    async def _tell(self, url: str, event: Mapping[str, Any]) -> AriAnswer | None:
        """Post an event, and again while nothing comes back: the answer to the same is always the same."""
        body = msgspec.json.encode(event)
        identity = uuid.uuid4().hex
        for pause in (*_RETRIES, None):
            timestamp = str(int(time.time()))
            headers = {
                "content-type": "application/json", "webhook-id": identity, "webhook-timestamp": timestamp,
                "webhook-signature": sign(self._keys, identity, timestamp, body),
            }  # fmt: skip
            status, answer = await self._post(url, headers, body)
            if status == 200:
                return msgspec.json.decode(answer, type=AriAnswer)
            log.warning("an event was not taken", extra={"status": status})
            if pause is None or (400 <= status < 500 and status != 429):
                return None
            await asyncio.sleep(pause)
        return None

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def run(voice_url: str, secret: str, ari_url: str, username: str, password: str, app: str) -> None:
    """Bridge until somebody stops it; a WebSocket that breaks is opened anew."""
    base = ari_url.rstrip("/")
    login = {"authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as nhip,
        aiohttp.ClientSession(headers=login, timeout=aiohttp.ClientTimeout(total=15)) as asterisk,
    ):

        async def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
            try:
                async with nhip.post(url, headers=dict(headers), data=body, allow_redirects=False) as response:
                    return response.status, await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError):
                return 0, b""

        async def ask(call: AriCall) -> int:
            try:
                async with asterisk.request(call.method, f"{base}{call.path}", params=call.query) as response:
                    return response.status
            except (aiohttp.ClientError, OSError, TimeoutError):
                return 599

        bridge = Bridge(voice_url, secret, post, ask)
        while True:
            try:
                async with asterisk.ws_connect(f"{base}/events", params={"app": app}, heartbeat=20) as events:
                    log.warning("connected", extra={"app": app})
                    async for message in events:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            bridge.take(msgspec.json.decode(message.data, type=dict[str, Any]))
            except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError) as error:
                log.warning("no events: %s", error)
            await asyncio.sleep(_RECONNECT_SECONDS)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m nhip_channels.ari_bridge", description=__doc__)
    parser.add_argument("--voice", required=True, help="the account's call control: …/voice/<name>/<token>")
    parser.add_argument("--ari", default="http://127.0.0.1:8088/ari", help="where ARI is")
    parser.add_argument("--username", default="nhip")
    parser.add_argument("--app", default="nhip")
    said = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    password, secret = os.environ.get("NHIP_ARI_PASSWORD"), os.environ.get("NHIP_BRIDGE_SECRET")
    if not password or not secret:
        parser.exit(2, "set NHIP_ARI_PASSWORD and NHIP_BRIDGE_SECRET\n")
    try:
        asyncio.run(run(said.voice, secret, said.ari, said.username, password, said.app))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
