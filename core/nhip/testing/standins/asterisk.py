"""A stand-in for an Asterisk with ARI: channels that enter a Stasis application, its REST interface, its events.

Events go to ``listener``, where a bridge takes them as from the WebSocket. What is asked of a channel that is gone gets
404, of one that the dialplan has 409, as from the real one.
"""

import asyncio
import base64
import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from nhip.testing.standins.faults import Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.server import Answer, Request, StandIn, json_answer, spoiled

CAUSES: Final[Mapping[str, tuple[int, str]]] = {
    "84900000480": (19, "User alerting, no answer"),
    "84900000486": (17, "User busy"),
    "84900000603": (21, "Call Rejected"),
}
"""Phones that come out like this; every other is picked up."""
EXAMPLE_SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the standard's own examples


class AsteriskChannel:
    """One channel of Asterisk's."""

    def __init__(self, standin: "AsteriskStandIn", identity: str, caller: str, extension: str, state: str) -> None:
        self.id = identity
        self.caller = caller
        self.extension = extension
        self.state = state
        self.in_stasis = True
        self.alive = True
        self.asked: list[tuple[str, dict[str, str]]] = []
        """What was asked of it, in order: ``play``, ``answer``, ``continue`` …, each with its parameters."""
        self.variables: dict[str, str] = {}
        self.playing: list[str] = []
        self._standin = standin

    @property
    def media(self) -> list[str]:
        """Everything that was played."""
        return [query["media"] for verb, query in self.asked if verb == "play"]

    @property
    def dialplan(self) -> tuple[str, str] | None:
        """The context and extension that the dialplan goes on with, while it has the channel."""
        last = self.asked[-1] if self.asked else ("", {})
        return (last[1]["context"], last[1]["extension"]) if last[0] == "continue" else None

    def described(self) -> dict[str, Any]:
        """The channel as events show it."""
        return {
            "id": self.id, "name": f"PJSIP/trunk-{self.id}", "state": self.state,
            "caller": {"name": "", "number": self.caller}, "connected": {"name": "", "number": ""},
            "dialplan": {"context": "from-trunk", "exten": self.extension, "priority": 1}, "language": "vi",
        }  # fmt: skip

    def press(self, digits: str) -> None:
        """The caller presses keys."""
        for digit in digits:
            self._standin.emit("ChannelDtmfReceived", channel=self.described(), digit=digit, duration_ms=120)

    def dialled(self, status: str) -> None:
        """The dialplan has rung whom it should, and hands the channel back with ``DIALSTATUS``."""
        self.in_stasis = True
        arguments = ["dialled", status, self.variables["NHIP_TURN"]]
        self._standin.emit("StasisStart", channel=self.described(), args=arguments)

    def recorded(self) -> None:
        """The caller has spoken a message."""
        name = next(query["name"] for verb, query in reversed(self.asked) if verb == "record")
        recording = {"name": name, "format": "wav", "state": "done", "target_uri": f"channel:{self.id}"}
        self._standin.emit("RecordingFinished", recording=recording)

    def hang_up(self, cause: int = 16, text: str = "Normal Clearing") -> None:
        """The channel is gone."""
        if self.alive:
            self.alive = False
            self._standin.emit("ChannelDestroyed", channel=self.described(), cause=cause, cause_txt=text)


class AsteriskStandIn(StandIn):
    """One Asterisk with the application ``nhip``."""

    provider = "voice_asterisk"

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Ledger | None = None,
        faults: Faults | None = None,
        password: str = "ari-password",  # noqa: S107 - a stand-in keeps no secret
        bridge_secret: str = EXAMPLE_SECRET,
        number: str = "+842873000000",
        playback_seconds: float = 0.0,
    ) -> None:
        super().__init__(port=port, ledger=ledger, faults=faults)
        self.password = password
        self.bridge_secret = bridge_secret
        self.number = number
        self.playback_seconds = playback_seconds
        self.listener: Callable[[Mapping[str, Any]], None] = lambda _event: None
        self.channels: dict[str, AsteriskChannel] = {}
        self._numbers = itertools.count(1)

    def config(self) -> dict[str, Any]:
        """A configuration for the channel ``voice_asterisk`` that comes here."""
        return {"base_url": f"{self.base_url}/ari", "username": "nhip", "app": "nhip", "from": self.number}

    def secrets(self) -> dict[str, str]:
        """The secrets that belong to :meth:`config`."""
        return {"password": self.password, "bridge_secret": self.bridge_secret}

    def emit(self, kind: str, **fields: Any) -> None:
        """Send an event to whoever listens."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = {"type": kind, "timestamp": moment, "application": "nhip", **fields}
        asyncio.get_running_loop().call_soon(self.listener, event)

    def dial_in(self, caller: str = "0987654321", extension: str = "02873000000") -> AsteriskChannel:
        """Somebody calls, and the dialplan hands the channel to the application."""
        identity = f"1732240000.{next(self._numbers)}"
        channel = self.channels[identity] = AsteriskChannel(self, identity, caller, extension, "Ring")
        self.emit("StasisStart", channel=channel.described(), args=[])
        return channel

    # --- REST ---------------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        """Answer one request to the REST interface."""
        wanted = base64.b64encode(f"nhip:{self.password}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}":
            return json_answer({"error": "Unauthorized"}, 401)
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        match request.method, parts:
            case "POST", ["ari", "channels"]:
                return self._originate(request.query)
            case "POST", ["ari", "applications", "nhip", "subscription"]:
                return json_answer({"name": "nhip", "channel_ids": [request.query.get("eventSource")]})
            case _, ["ari", "channels", identity, *verb]:
                return self._ask(request.method, identity, verb, request.query)
            case "DELETE", ["ari", "playbacks", playback]:
                return self._stop(playback)
            case _:
                return json_answer({"message": "Resource not found"}, 404)

    def _originate(self, query: Mapping[str, str]) -> Answer:
        endpoint, identity = query.get("endpoint", ""), query.get("channelId", "")
        if not endpoint.startswith("PJSIP/") or not query.get("app"):
            return json_answer({"message": "Invalid parameters for originating a channel."}, 400)
        if identity in self.channels and self.channels[identity].alive:
            return json_answer({"message": "Channel with given unique ID already exists"}, 409)
        fault = self.faults.draw()
        if fault is not None and not fault.accepts:
            return spoiled(Answer(), fault, self.faults)
        number = endpoint.removeprefix("PJSIP/").partition("@")[0]
        channel = self.channels[identity] = AsteriskChannel(self, identity, query.get("callerId", ""), number, "Down")
        key = query.get("appArgs", "").partition(",")[2]
        self.ledger.append(
            reference=key, address=number, provider_id=identity, provider=self.provider, fault=fault,
            content=dict(query),
        )  # fmt: skip
        cause = CAUSES.get(number)
        if cause is not None:
            channel.hang_up(*cause)
        else:
            channel.state = "Up"
            self.emit("StasisStart", channel=channel.described(), args=query.get("appArgs", "").split(","))
        return spoiled(json_answer(channel.described()), fault, self.faults)

    def _ask(self, method: str, identity: str, verb: list[str], query: Mapping[str, str]) -> Answer:
        channel = self.channels.get(identity)
        if channel is None or not channel.alive:
            return json_answer({"message": "Channel not found"}, 404)
        if not channel.in_stasis:
            return json_answer({"message": "Channel not in Stasis application"}, 409)
        name = verb[0] if verb else "hangup"
        if (method == "DELETE") != (name == "hangup"):
            return json_answer({"message": "Method not allowed"}, 405)
        if name not in ("hangup", "answer", "play", "variable", "continue", "record"):
            return json_answer({"message": "Resource not found"}, 404)
        channel.asked.append((name, dict(query)))
        if name == "answer":
            channel.state = "Up"
        elif name == "variable":
            channel.variables[query["variable"]] = query["value"]
        elif name == "continue":
            channel.in_stasis = False
            self.emit("StasisEnd", channel=channel.described())
        elif name == "hangup":
            channel.hang_up()
        elif name == "play":
            playback = verb[1]
            channel.playing.append(playback)
            self._finish_later(channel, playback)
            return json_answer({"id": playback, "media_uri": query["media"], "state": "queued"}, 201)
        elif name == "record":
            return json_answer({"name": query["name"], "state": "recording"}, 201)
        return Answer(status=204)

    def _finish_later(self, channel: AsteriskChannel, playback: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self.playback_seconds * len(channel.playing), self._finish, channel, playback)

    def _finish(self, channel: AsteriskChannel, playback: str) -> None:
        if playback in channel.playing:
            channel.playing.remove(playback)
            self.emit("PlaybackFinished", playback={"id": playback, "state": "done"})

    def _stop(self, playback: str) -> Answer:
        for channel in self.channels.values():
            if playback in channel.playing:
                self._finish(channel, playback)
                return Answer(status=204)
        return json_answer({"message": "The playback cannot be found"}, 404)

    async def perform(self, method: str, path: str, query: Mapping[str, str]) -> int:
        """One request to the REST interface without a connection; answers with the status."""
        login = base64.b64encode(f"nhip:{self.password}".encode()).decode()
        request = Request(method, f"/ari{path}", "", {"authorization": f"Basic {login}"}, b"")
        asked = _Asked(request, query)
        return self.answer(asked).status


class _Asked(Request):
    """A request whose query is known already."""

    __slots__ = ("_query",)

    def __init__(self, request: Request, query: Mapping[str, str]) -> None:
        super().__init__(request.method, request.path, "", request.headers, request.body)
        self._query = dict(query)

    @property
    def query(self) -> dict[str, str]:
        """The parameters."""
        return self._query
