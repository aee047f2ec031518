"""Call plans as calls of ARI, Asterisk's REST interface, and what a bridge tells of a Stasis application.

Source: Asterisk's documentation, "Asterisk REST Interface". The bridge is :mod:`nhip_channels.ari_bridge`: it posts the
application's events to us, performs the calls that we answer, in order, and collects keys. Its own events are two:
``NhipKeys`` (``digits``, ``turn``) when keys were pressed or none in time, and ``NhipRecorded`` after a recording.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from nhip import (
    CallOutcome,
    CallPlan,
    CallRequest,
    CallState,
    Connect,
    Gather,
    HangUp,
    MalformedInput,
    Play,
    Queue,
    RecordVoice,
    Say,
    caller_number,
    dialled_number,
)

_DIALLED: Final[Mapping[str, CallOutcome]] = {
    "ANSWER": CallOutcome.ANSWERED,
    "NOANSWER": CallOutcome.NO_ANSWER,
    "BUSY": CallOutcome.BUSY,
    "CANCEL": CallOutcome.CANCELLED,
    "DONTCALL": CallOutcome.REFUSED,
}
"""``DIALSTATUS`` of the dialplan; every other is a failure."""
_CAUSES: Final[Mapping[int, CallOutcome]] = {
    16: CallOutcome.ANSWERED,
    17: CallOutcome.BUSY,
    18: CallOutcome.NO_ANSWER,
    19: CallOutcome.NO_ANSWER,
    21: CallOutcome.REFUSED,
}
"""Q.850 causes of ``ChannelDestroyed``."""


class AriCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request to ARI."""

    method: str
    path: str
    """Below ``/ari``."""
    query: dict[str, str] = {}


class AriGather(msgspec.Struct, frozen=True):
    """Collect keys, from the first sound on."""

    digits: int
    timeout: float
    """Seconds without a key, after everything was played."""
    turn: int


class AriAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the bridge does: these calls in order, each that is no ``play`` after everything before it was played."""

    calls: list[AriCall] = []
    gather: AriGather | None = None
    turn: int = 0
    """What a recording that was begun has to come back with."""


def render(plan: CallPlan, call: CallRequest, way: "Way") -> AriAnswer:
    """The plan for the channel that the call is."""
    writer = _Writer(call, way)
    for step in plan.steps:
        match step:
            case Say() | Play():
                writer.play(step)
            case Gather():
                for prompt in step.prompts:
                    writer.play(prompt)
                gather = AriGather(digits=step.digits, timeout=step.timeout, turn=call.turn + 1)
                return AriAnswer(calls=writer.calls, gather=gather)
            case Connect():
                writer.go_on(way.dial_context, step.to, step.ring_seconds, step.caller_id or way.number)
                return AriAnswer(calls=writer.calls)
            case Queue():
                rung = way.queues.get(step.name)
                context = way.dial_context if rung is not None else way.queue_context
                writer.go_on(context, rung or step.name, step.ring_seconds, way.number)
                return AriAnswer(calls=writer.calls)
            case RecordVoice():
                name = f"nhip-{call.call_id}-{call.turn}".replace("/", "-")
                query = {"name": name, "format": "wav", "beep": "true", "terminateOn": "#"}
                query["maxDurationSeconds"] = str(step.seconds)
                writer.add("POST", "/record", **query)
                return AriAnswer(calls=writer.calls, turn=call.turn + 1)
            case HangUp():
                break
    writer.add("DELETE", "", reason="normal")
    return AriAnswer(calls=writer.calls)


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """What of the account's configuration a plan needs."""

    app: str
    number: str
    dial_context: str
    queue_context: str
    queues: dict[str, str]
    sounds: dict[str, str]
    speech_url: str | None


class _Writer:
    def __init__(self, call: CallRequest, way: Way) -> None:
        self.calls: list[AriCall] = []
        self._call = call
        self._way = way
        self._played = 0
        if call.state is CallState.RINGING and call.direction == "inbound":
            # The events of a channel that the dialplan has again come only to who subscribed to it.
            source = {"eventSource": f"channel:{call.call_id}"}
            self.calls.append(AriCall("POST", f"/applications/{quote(way.app, safe='')}/subscription", source))
            self.add("POST", "/answer")

    def add(self, method: str, verb: str, **query: str) -> None:
        """Ask something of the call's channel."""
        self.calls.append(AriCall(method, f"/channels/{quote(self._call.call_id, safe='')}{verb}", query))

    def play(self, prompt: Say | Play) -> None:
        """Play a recording, or a text's."""
        playback = f"{self._call.call_id}-{self._call.turn}-{self._played}"
        self._played += 1
        media = f"sound:{prompt.url}" if isinstance(prompt, Play) else sound_of(prompt, self._way)
        self.add("POST", f"/play/{quote(playback, safe='')}", media=media)

    def go_on(self, context: str, extension: str, ring_seconds: int, caller_id: str) -> None:
        """Hand the channel to the dialplan, which hands it back with ``Stasis(app,dialled,${DIALSTATUS},…)``."""
        for name, value in (("NHIP_RING", ring_seconds), ("NHIP_TURN", self._call.turn + 1), ("NHIP_FROM", caller_id)):
            self.add("POST", "/variable", variable=name, value=str(value))
        self.add("POST", "/continue", context=context, extension=extension, priority="1")


def sound_of(said: Say, way: Way) -> str:
    """The media of a text: one that is configured, a speech server's, or a file named after the text's hash."""
    known = way.sounds.get(said.text)
    if known is not None:
        return known
    if way.speech_url:
        address = way.speech_url.replace("{text}", quote(said.text, safe="")).replace("{language}", said.language)
        return f"sound:{address}"
    return f"sound:nhip/{hashlib.sha256(said.text.encode()).hexdigest()[:16]}"


def read_event(body: bytes, turn: int, *, asks: bool, base_url: str) -> CallRequest:
    """An event of the bridge's.

    Raises:
        MalformedInput: it is none that concerns a call.
    """
    try:
        event = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedInput(f"the bridge posts JSON: {error}") from None
    channel = event.get("channel")
    if not isinstance(channel, dict) or not channel.get("id"):
        raise MalformedInput("an event of ARI that concerns a call has a channel")
    state, outcome, reference = _state(event)
    arguments = _arguments(event)
    if state is CallState.TRANSFERRED and len(arguments) > 2 and arguments[2].isdigit():
        turn = int(arguments[2][:5])
    elif isinstance(event.get("turn"), int):
        turn = event["turn"]
    reference = reference or _own_key(str(channel["id"]))
    if reference and outcome is CallOutcome.ANSWERED and state is CallState.ENDED:
        outcome = CallOutcome.NO_ANSWER  # an ordinary end says nothing about whether anybody picked up before
    dialplan = channel.get("dialplan") or {}
    recording = event.get("recording") or {}
    return CallRequest(
        call_id=str(channel["id"]),
        state=state,
        caller=caller_number((channel.get("caller") or {}).get("number")),
        called=dialled_number(str(dialplan.get("exten") or "")),
        direction="outbound" if reference else "inbound",
        digits=str(event.get("digits") or ""),
        turn=turn,
        asks=asks,
        outcome=outcome,
        recording=str(recording["name"]) if isinstance(recording, dict) and recording.get("name") else None,
        reference=reference,
        detail=str(event.get("cause_txt") or "") or None,
        base_url=base_url,
    )


def _state(event: Mapping[str, Any]) -> tuple[CallState, CallOutcome | None, str | None]:
    arguments = _arguments(event)
    match event.get("type"):
        case "StasisStart":
            if arguments[:1] == ["outbound"] and len(arguments) > 1:
                return CallState.ANSWERED, None, arguments[1]
            if arguments[:1] == ["dialled"]:
                status = arguments[1] if len(arguments) > 1 else ""
                return CallState.TRANSFERRED, _DIALLED.get(status, CallOutcome.FAILED), None
            return CallState.RINGING, None, None
        case "NhipKeys":
            return CallState.KEYPRESS, None, None
        case "NhipRecorded":
            return CallState.RECORDING, None, None
        case "ChannelDestroyed":
            cause = event.get("cause")
            return CallState.ENDED, _CAUSES.get(cause, CallOutcome.FAILED) if isinstance(cause, int) else None, None
        case other:
            raise MalformedInput(f"an event of the type {other!r} says nothing about a call")


def _arguments(event: Mapping[str, Any]) -> list[str]:
    arguments = event.get("args")
    return [str(one) for one in arguments] if isinstance(arguments, list) else []


_OWN: Final = "nhip-"


def own_channel(key: str) -> str:
    """The id of the channel of a call that we place."""
    return f"{_OWN}{key}"


def _own_key(channel_id: str) -> str | None:
    return channel_id.removeprefix(_OWN) if channel_id.startswith(_OWN) else None
