"""Telephones of three providers, told in the same words, so that one story is true of all of them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import msgspec

from nhip.testing.standins.asterisk import AsteriskChannel, AsteriskStandIn
from nhip.testing.standins.stringee import StringeeCall, StringeeStandIn
from nhip.testing.standins.telephone import Reach, Reply
from nhip.testing.standins.twilio import TwilioCall, TwilioStandIn
from nhip_channels.ari import AriCall
from nhip_channels.ari_bridge import Bridge
from tests.support.api import Api

HOTLINE = "+842873000000"
Provider = TwilioStandIn | StringeeStandIn | AsteriskStandIn


def reach(api: Api) -> Reach:
    """A provider's way to the API in this process."""

    async def send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        path = "/" + url.split("//", 1)[1].partition("/")[2]
        answer = await api.client.request(method, path, headers=dict(headers), content=body)
        return Reply(answer.status_code, answer.headers.get("content-type", ""), answer.content)

    return send


class Line(ABC):
    """One call."""

    call_id: str

    @property
    @abstractmethod
    def spoken(self) -> str:
        """Everything that was said."""

    @property
    @abstractmethod
    def gathers(self) -> bool:
        """Whether a key is awaited."""

    @property
    @abstractmethod
    def rung(self) -> str | None:
        """Whom it rings at now: a number, or a queue."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether it was hung up."""

    @abstractmethod
    async def press(self, key: str) -> None:
        """Press a key, or none in time."""

    @abstractmethod
    async def picked_up(self) -> None:
        """Whom it rings at picks up."""

    @abstractmethod
    async def missed(self) -> None:
        """Whom it rings at does not."""

    @abstractmethod
    async def hang_up(self) -> None:
        """The caller hangs up."""

    @abstractmethod
    async def repeat(self) -> tuple[bytes, bytes]:
        """The last answer, and what the same request gets once more."""


class Telephone(ABC):
    """One account at one provider."""

    name = "hotline"
    control = ""
    """The address of the account's call control."""

    def __init__(self, api: Api, provider: Provider) -> None:
        self.api = api
        self.provider = provider

    async def open(self, **config: Any) -> None:
        """Make the account."""
        said = {**self.provider.config(), **config}
        kind, secrets = self.provider.provider, self.provider.secrets()
        account = {"name": self.name, "type": kind, "config": said, "secrets": secrets}
        made = await self.api.post("/v1/channels", account, 201)
        self.control = f"http://care.example/voice/{self.name}/{made['hook']['token']}"

    @abstractmethod
    async def dial_in(self, caller: str | None = "+84987654321", called: str = HOTLINE) -> Line:
        """Somebody calls; ``None`` hides the number."""

    @abstractmethod
    async def settled(self) -> None:
        """Wait until the calls that were placed are over."""

    @abstractmethod
    def forged(self) -> tuple[str, str, dict[str, str], bytes]:
        """A request that somebody else than the provider sends."""


# --- Twilio -----------------------------------------------------------------------------------------------------------


class TwilioLine(Line):
    def __init__(self, call: TwilioCall) -> None:
        self.call = call
        self.call_id = call.sid

    @property
    def spoken(self) -> str:
        return self.call.spoken

    @property
    def gathers(self) -> bool:
        return self.call.waits_for is not None and self.call.waits_for.name == "Gather"

    @property
    def rung(self) -> str | None:
        verb = self.call.waits_for
        if verb is None or verb.name == "Gather":
            return None
        return verb.nested[0].text if verb.name == "Dial" else verb.text

    @property
    def is_over(self) -> bool:
        assert self.call.errors == []
        return self.call.status == "completed"

    async def press(self, key: str) -> None:
        await self.call.press(key)

    async def picked_up(self) -> None:
        verb = self.call.waits_for
        assert verb is not None
        await (self.call.leg_ended("completed") if verb.name == "Dial" else self.call.left_queue("bridged"))

    async def missed(self) -> None:
        verb = self.call.waits_for
        assert verb is not None
        await (self.call.leg_ended("no-answer") if verb.name == "Dial" else self.call.left_queue("leave"))

    async def hang_up(self) -> None:
        await self.call.hang_up()

    async def repeat(self) -> tuple[bytes, bytes]:
        last = self.call.replies[-1].body
        return last, (await self.call.repeat()).body


class TwilioTelephone(Telephone):
    provider: TwilioStandIn

    async def dial_in(self, caller: str | None = "+84987654321", called: str = HOTLINE) -> Line:
        return TwilioLine(await self.provider.dial_in(self.control, caller or "+266696687", called))

    async def settled(self) -> None:
        await self.provider.settled()

    def forged(self) -> tuple[str, str, dict[str, str], bytes]:
        headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "c2lnbmF0dXJl"}
        return "POST", f"{self.control}/answer", headers, b"CallSid=CA1&From=%2B84987654321&To=%2B842873000000"


# --- Stringee ---------------------------------------------------------------------------------------------------------


class StringeeLine(Line):
    def __init__(self, call: StringeeCall) -> None:
        self.call = call
        self.call_id = call.call_id
        self._answers: list[bytes] = []

    @property
    def spoken(self) -> str:
        return self.call.spoken

    @property
    def gathers(self) -> bool:
        return self.call.waits_for is not None and self.call.waits_for["action"] == "input"

    @property
    def rung(self) -> str | None:
        action = self.call.waits_for
        if action is None or action["action"] != "connect":
            return None
        number = str(action["to"]["number"])
        return f"+{number}" if action["to"]["type"] == "external" else number

    @property
    def is_over(self) -> bool:
        assert self.call.errors == []
        return self.call.over

    async def press(self, key: str) -> None:
        await self.call.press(key)

    async def picked_up(self) -> None:
        await self.call.picked_up()
        await self.call.hang_up()

    async def missed(self) -> None:
        await self.call.not_reached()

    async def hang_up(self) -> None:
        await self.call.hang_up()

    async def repeat(self) -> tuple[bytes, bytes]:
        return (await self.call.repeat()).body, (await self.call.repeat()).body


class StringeeTelephone(Telephone):
    provider: StringeeStandIn

    async def open(self, **config: Any) -> None:
        await super().open(**config)
        self.provider.event_url = f"{self.control}/event"

    async def dial_in(self, caller: str | None = "+84987654321", called: str = HOTLINE) -> Line:
        shown = caller.removeprefix("+") if caller else "anonymous"
        return StringeeLine(await self.provider.dial_in(self.control, shown, called.removeprefix("+")))

    async def settled(self) -> None:
        await self.provider.settled()

    def forged(self) -> tuple[str, str, dict[str, str], bytes]:
        url = f"{self.control}/answer?from=84987654321&to=842873000000&uuid=u1"
        return "GET", url, {"x-stringee-signature": "c2lnbmF0dXJl"}, b""


# --- Asterisk ---------------------------------------------------------------------------------------------------------


class AsteriskLine(Line):
    def __init__(self, phone: "AsteriskTelephone", channel: AsteriskChannel) -> None:
        self.phone = phone
        self.channel = channel
        self.call_id = channel.id

    @property
    def spoken(self) -> str:
        return " ".join(unquote(media.partition("?t=")[2]) for media in self.channel.media)

    @property
    def gathers(self) -> bool:
        call = self.phone.bridge._calls.get(self.channel.id)
        return call is not None and call.gather is not None

    @property
    def rung(self) -> str | None:
        dialplan = self.channel.dialplan
        return dialplan[1] if dialplan is not None and not self.channel.in_stasis else None

    @property
    def is_over(self) -> bool:
        return not self.channel.alive

    async def press(self, key: str) -> None:
        posts = len(self.phone.posts)
        self.channel.press(key)
        await until(lambda: len(self.phone.posts) > posts)
        await self.phone.settled()

    async def picked_up(self) -> None:
        self.channel.dialled("ANSWER")
        await self.phone.settled()

    async def missed(self) -> None:
        self.channel.dialled("NOANSWER")
        await self.phone.settled()

    async def hang_up(self) -> None:
        self.channel.hang_up()
        await self.phone.settled()

    async def repeat(self) -> tuple[bytes, bytes]:
        url, headers, body, answer = self.phone.posts[-1]
        again = await self.phone.send("POST", url, headers, body)
        return answer, again.body


class AsteriskTelephone(Telephone):
    provider: AsteriskStandIn
    bridge: Bridge

    async def open(self, **config: Any) -> None:
        await super().open(speech_url="http://speech.example/?t={text}", **config)
        self.send = reach(self.api)
        self.posts: list[tuple[str, Mapping[str, str], bytes, bytes]] = []

        async def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
            reply = await self.send("POST", url, headers, body)
            self.posts.append((url, headers, body, reply.body))
            return reply.status, reply.body

        async def ask(call: AriCall) -> int:
            return await self.provider.perform(call.method, call.path, call.query)

        self.bridge = Bridge(self.control, self.provider.bridge_secret, post, ask)
        self.provider.listener = self.bridge.take

    async def dial_in(self, caller: str | None = "+84987654321", called: str = HOTLINE) -> Line:
        channel = self.provider.dial_in(caller or "anonymous", called)
        await self.settled()
        return AsteriskLine(self, channel)

    async def settled(self) -> None:
        quiet, seen = 0, -1
        while quiet < 4:
            await asyncio.sleep(0.01)
            busy = [
                task
                for task in self.bridge._tasks
                if not any(call.task is task and call.gather is not None for call in self.bridge._calls.values())
            ]
            quiet = quiet + 1 if not busy and len(self.posts) == seen else 0
            seen = len(self.posts)

    def forged(self) -> tuple[str, str, dict[str, str], bytes]:
        event = {"type": "StasisStart", "args": [], "channel": {"id": "1", "caller": {"number": "0987654321"}}}
        headers = {"webhook-id": "1", "webhook-timestamp": "1732240000", "webhook-signature": "v1,c2lnbmF0dXJl"}
        return "POST", f"{self.control}/answer", headers, msgspec.json.encode(event)


async def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what it waits for is not ours to announce
            await asyncio.sleep(0.01)


PROVIDERS = ("twilio", "stringee", "asterisk")


@asynccontextmanager
async def telephone(provider: str, api: Api) -> AsyncIterator[Telephone]:
    """An account at a provider, not yet made."""
    match provider:
        case "twilio":
            async with TwilioStandIn(reach=reach(api)) as twilio:
                yield TwilioTelephone(api, twilio)
        case "stringee":
            async with StringeeStandIn(reach=reach(api)) as stringee:
                yield StringeeTelephone(api, stringee)
        case _:
            async with AsteriskStandIn() as asterisk:
                yield AsteriskTelephone(api, asterisk)
