"""Telephone calls by hand: what a person types at a voice stand-in, and what a caller would hear, as lines of text."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from nhip.testing.standins.asterisk import AsteriskChannel
from nhip.testing.standins.asterisk_server import AsteriskServer
from nhip.testing.standins.stringee import StringeeCall, StringeeStandIn

HELP: Final = """\
call [CALLER] [CALLED]  somebody calls; - as the caller hides the number
press KEYS              press keys; none at all: wait until the time for them is over
answered                whom it rings picks up
missed                  whom it rings does not
recorded [URL]          a message was spoken
hangup                  the caller hangs up
control ADDRESS         where Nhịp takes calls: the account's hook.answer_url
use NUMBER              go on with another call"""
CALLER: Final = "+84987654321"
RECORDING: Final = "http://127.0.0.1/recording.wav"
_LOOK_SECONDS: Final = 0.05


class Refused(Exception):
    """What was typed cannot be done now; the message says why."""


class Line(ABC):
    """One call."""

    title: str
    """Who calls whom."""
    key: str
    """The provider's name of the call."""

    @abstractmethod
    def heard(self) -> Sequence[str]:
        """Everything that was said and played so far."""

    @abstractmethod
    def doing(self) -> str:
        """What happens now."""

    @abstractmethod
    async def press(self, keys: str) -> None:
        """Press keys."""

    @abstractmethod
    async def dialled(self, *, answered: bool) -> None:
        """Whom it rings picks up, or not."""

    @abstractmethod
    async def recorded(self, url: str) -> None:
        """A message was spoken."""

    @abstractmethod
    async def hang_up(self) -> None:
        """The caller hangs up."""


class Exchange(ABC):
    """A voice stand-in, whichever it is."""

    control: str | None = None
    """Where Nhịp takes its calls."""

    @abstractmethod
    async def dial_in(self, caller: str | None, called: str | None) -> None:
        """Somebody calls; ``None`` hides the number."""

    @abstractmethod
    def calls(self) -> Iterator[Line]:
        """All calls so far; those that Nhịp placed, too."""

    def take_control(self, address: str) -> None:
        """Say where Nhịp takes calls."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.path.startswith("/voice/"):
            raise Refused("that is the account's hook.answer_url: http://…/voice/<name>/<token>/answer")
        self.control = address.rstrip("/").removesuffix("/answer")

    def needs_control(self) -> str:
        """Where Nhịp takes calls."""
        if self.control is None:
            raise Refused("say first where Nhịp takes calls: control http://…/voice/<name>/<token>/answer")
        return self.control


# --- Twilio -----------------------------------------------------------------------------------------------------------


class _TwilioLine(Line):
    """A call at Twilio."""

    def __init__(self, call: Any, title: str) -> None:
        self.call = call
        self.title = title
        self.key = call.sid

    def heard(self) -> Sequence[str]:
        return [verb.spoken for verb in self.call.verbs if verb.spoken]

    def doing(self) -> str:
        verb = self.call.waits_for
        if self.call.errors:
            return f"is over: {'; '.join(self.call.errors)}"
        if verb is None:
            status = str(self.call.status)
            return {"ringing": "rings", "in-progress": "talks"}.get(status, f"is over: {status}")
        match verb.name:
            case "Gather":
                return "waits for a key"
            case "Record":
                return "records"
            case "Dial":
                return f"rings {verb.nested[0].text}"
            case _:
                return f"rings {verb.text}"

    async def press(self, keys: str) -> None:
        await self.call.press(keys)

    async def dialled(self, *, answered: bool) -> None:
        verb = self.call.waits_for
        if verb is not None and verb.name == "Enqueue":
            await self.call.left_queue("bridged" if answered else "leave")
        else:
            await self.call.leg_ended("completed" if answered else "no-answer")

    async def recorded(self, url: str) -> None:
        await self.call.recorded(url)

    async def hang_up(self) -> None:
        await self.call.hang_up()


class _TwilioExchange(Exchange):
    """Twilio."""

    def __init__(self, standin: Any) -> None:
        self.standin = standin
        self.inbound: list[_TwilioLine] = []

    async def dial_in(self, caller: str | None, called: str | None) -> None:
        control = self.needs_control()
        call = await self.standin.dial_in(control, caller or "+266696687", called)
        self.inbound.append(_TwilioLine(call, f"from {caller or 'a hidden number'}"))

    def calls(self) -> Iterator[Line]:
        yield from self.inbound
        for call in self.standin.placed:
            yield _TwilioLine(call, "placed")


# --- Stringee ---------------------------------------------------------------------------------------------------------


class _StringeeLine(Line):
    """A call at Stringee."""

    def __init__(self, call: StringeeCall, title: str) -> None:
        self.call = call
        self.title = title
        self.key = call.call_id

    def heard(self) -> Sequence[str]:
        return [str(one.get("text") or one.get("url")) for one in self.call.actions if one["action"] in _SOUNDS]

    def doing(self) -> str:
        if self.call.errors:
            return f"is over: {'; '.join(self.call.errors)}"
        action = self.call.waits_for
        if action is None:
            return "is over" if self.call.over else "rings"
        match action["action"]:
            case "input":
                return "waits for a key"
            case "recordMessage":
                return "records"
            case _:
                return f"rings {action['to']['number']}"

    async def press(self, keys: str) -> None:
        await self.call.press(keys)

    async def dialled(self, *, answered: bool) -> None:
        await (self.call.picked_up() if answered else self.call.not_reached())

    async def recorded(self, url: str) -> None:
        await self.call.recorded(url)

    async def hang_up(self) -> None:
        await self.call.hang_up()


_SOUNDS: Final = ("talk", "stream")


class _StringeeExchange(Exchange):
    """Stringee."""

    def __init__(self, standin: StringeeStandIn) -> None:
        self.standin = standin
        self.inbound: list[_StringeeLine] = []

    def take_control(self, address: str) -> None:
        super().take_control(address)
        self.standin.event_url = f"{self.control}/event"

    async def dial_in(self, caller: str | None, called: str | None) -> None:
        control = self.needs_control()
        shown = caller.removeprefix("+") if caller else "anonymous"
        call = await self.standin.dial_in(control, shown, called.removeprefix("+") if called else None)
        self.inbound.append(_StringeeLine(call, f"from {caller or 'a hidden number'}"))

    def calls(self) -> Iterator[Line]:
        yield from self.inbound
        for call in self.standin.placed:
            yield _StringeeLine(call, f"placed to {call.called}")


# --- Asterisk ---------------------------------------------------------------------------------------------------------


class _AsteriskLine(Line):
    """A channel of Asterisk's, which the bridge leads."""

    def __init__(self, channel: AsteriskChannel) -> None:
        self.channel = channel
        self.key = channel.id
        inbound = channel.state == "Ring" or ("answer", {}) in channel.asked
        self.title = f"from {channel.caller}" if inbound else f"to {channel.extension}"

    def heard(self) -> Sequence[str]:
        return [parse_qs(urlsplit(media).query).get("text", [media])[0] for media in self.channel.media]

    def doing(self) -> str:
        channel = self.channel
        if not channel.alive:
            return "is over"
        if not channel.in_stasis and channel.dialplan is not None:
            return f"rings {channel.dialplan[1]}"
        if any(verb == "record" for verb, _ in channel.asked[-1:]):
            return "records"
        return "is on the line" if channel.state == "Up" else "rings"

    async def press(self, keys: str) -> None:
        self.channel.press(keys)

    async def dialled(self, *, answered: bool) -> None:
        if self.channel.in_stasis:
            raise Refused("the call rings at nobody")
        self.channel.dialled("ANSWER" if answered else "NOANSWER")

    async def recorded(self, url: str) -> None:
        if not any(verb == "record" for verb, _ in self.channel.asked):
            raise Refused("the call records nothing")
        self.channel.recorded()

    async def hang_up(self) -> None:
        self.channel.hang_up()


class _AsteriskExchange(Exchange):
    """Asterisk, whose bridge knows where Nhịp takes calls."""

    def __init__(self, standin: AsteriskServer) -> None:
        self.standin = standin

    async def dial_in(self, caller: str | None, called: str | None) -> None:
        if not self.standin.is_bridged:
            raise Refused("no bridge is connected: start python -m nhip_channels.ari_bridge with --ari and --voice")
        self.standin.dial_in(caller or "anonymous", called or self.standin.number)

    def calls(self) -> Iterator[Line]:
        for channel in self.standin.channels.values():
            yield _AsteriskLine(channel)


def exchange_of(standin: object) -> Exchange | None:
    """What takes calls by hand, of a voice stand-in."""
    if isinstance(standin, AsteriskServer):
        return _AsteriskExchange(standin)
    if isinstance(standin, StringeeStandIn):
        return _StringeeExchange(standin)
    return _TwilioExchange(standin) if getattr(standin, "provider", None) == "voice_twilio" else None


# --- by hand ----------------------------------------------------------------------------------------------------------


class Console:
    """Does what is typed, and shows what happens in each call as it happens."""

    def __init__(self, exchange: Exchange, show: Callable[[str], None]) -> None:
        self._exchange = exchange
        self._show = show
        self._chosen: int | None = None
        self._keys: list[str] = []
        """The calls in the order in which they were seen: their numbers less one."""
        self._shown: dict[int, tuple[int, str]] = {}
        """Per call, how much of what was said is shown, and what happened last."""

    async def watch(self) -> None:
        """Show what happens until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """Show what happened since the last look."""
        for line in self._exchange.calls():
            if line.key not in self._keys:
                self._keys.append(line.key)
                self._show(f"call {len(self._keys)} {line.title}")
            number = self._keys.index(line.key) + 1
            count, before = self._shown.get(number, (0, ""))
            heard, doing = line.heard(), line.doing()
            for text in heard[count:]:
                self._show(f"call {number} says: {text}")
            if doing != before or len(heard) > count:
                self._show(f"call {number} {doing}")
            self._shown[number] = (len(heard), doing)

    async def type(self, text: str) -> None:
        """Do what one line says."""
        verb, *words = text.split() or [""]
        try:
            await self._do(verb.lower(), words)
        except (Refused, RuntimeError) as error:
            self._show(f"no: {error}")
        self.look()

    async def _do(self, verb: str, words: list[str]) -> None:
        acts: dict[str, Callable[[Line], Awaitable[None]]] = {
            "press": lambda line: line.press("".join(words)),
            "answered": lambda line: line.dialled(answered=True),
            "missed": lambda line: line.dialled(answered=False),
            "recorded": lambda line: line.recorded(words[0] if words else RECORDING),
            "hangup": lambda line: line.hang_up(),
        }
        match verb:
            case "":
                return
            case "call":
                self._chosen = None
                caller = words[0] if words else CALLER
                await self._exchange.dial_in(None if caller == "-" else caller, words[1] if words[1:] else None)
            case "control" if len(words) == 1:
                self._exchange.take_control(words[0])
            case "use" if len(words) == 1 and words[0].isdigit():
                self._chosen = int(words[0])
                self._line()
            case one if one in acts:
                line = self._line()
                if line.doing().startswith("is over"):
                    raise Refused("the call is over")
                await acts[one](line)
            case _:
                self._show(HELP)

    def _line(self) -> Line:
        """The call that was chosen, or else the newest."""
        lines = {line.key: line for line in self._exchange.calls()}
        number = self._chosen or len(self._keys)
        if not 1 <= number <= len(self._keys):
            raise Refused("there is no such call" if self._chosen else "nobody calls: call [CALLER] [CALLED]")
        return lines[self._keys[number - 1]]
