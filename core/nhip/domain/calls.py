"""Telephone calls: what a provider says of one, and what shall happen in it, in no provider's words.

A provider asks what a call shall do next, a workflow leaves a :class:`CallPlan`, and the account's channel writes that
plan in the provider's language: SCCO, TwiML, calls of ARI.
"""

import re
from enum import StrEnum
from typing import Final, Literal

import msgspec

from nhip.domain.struct import Struct

LANGUAGE: Final = "vi-VN"


class Say(Struct, tag="say"):
    """Speak a text."""

    text: str
    language: str = LANGUAGE
    """BCP 47."""


class Play(Struct, tag="play"):
    """Play a recording."""

    url: str


class Gather(Struct, tag="gather"):
    """Speak, and ask for keys meanwhile and after it. What is pressed, or that nothing is, asks for the next plan."""

    prompts: tuple[Say | Play, ...] = ()
    digits: int = 1
    """How many keys are awaited."""
    timeout: float = 6.0
    """Seconds without a key after which nothing was pressed."""


class Connect(Struct, tag="connect"):
    """Ring somebody and connect the two. Whether that succeeded asks for the next plan."""

    to: str
    """A phone number (E.164), or what the provider calls one of its own users or extensions."""
    ring_seconds: int = 20
    caller_id: str | None = None
    """The number that is shown; the account's own where it says none."""


class Queue(Struct, tag="queue"):
    """Put the caller into a queue of the provider's, where somebody of a department takes the call."""

    name: str
    ring_seconds: int = 20


class RecordVoice(Struct, tag="record"):
    """Record what the caller says after a tone."""

    seconds: int = 120
    """At most so long."""


class HangUp(Struct, tag="hang_up"):
    """End the call."""


CallStep = Say | Play | Gather | Connect | Queue | RecordVoice | HangUp


class CallPlan(Struct):
    """What happens in a call next, step by step. After the last step the call ends, unless that one asks for more."""

    steps: tuple[CallStep, ...] = ()


class CallState(StrEnum):
    """What a provider says, or asks, about a call."""

    RINGING = "ringing"
    """Somebody calls, or somebody is being called."""
    ANSWERED = "answered"
    """Whom we called has picked up."""
    KEYPRESS = "keypress"
    """Keys were pressed where the plan asked for some, or none in time (``digits`` is empty)."""
    TRANSFERRED = "transferred"
    """Whom the plan wanted to connect has picked up, or has not: ``outcome`` says it."""
    RECORDING = "recording"
    """Something was recorded."""
    ENDED = "ended"


class CallOutcome(StrEnum):
    """How a call, or the attempt to connect somebody, came out."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    """The caller hung up first."""
    FAILED = "failed"


class CallRequest(Struct):
    """A provider's request about one call."""

    call_id: str
    """The provider's name for the call, the same as long as it lasts."""
    state: CallState
    caller: str | None = None
    """Who calls, as :func:`caller_number` writes it; ``None`` where the number is hidden."""
    called: str = ""
    """Which number was called, as :func:`dialled_number` writes it."""
    direction: Literal["inbound", "outbound"] = "inbound"
    digits: str = ""
    turn: int = 0
    """How many plans the call has had before: what is asked twice with the same number gets the same answer."""
    asks: bool = True
    """Whether the provider waits for a plan; otherwise it only reports."""
    outcome: CallOutcome | None = None
    duration: int | None = None
    """Seconds of talk, where the provider says them."""
    recording: str | None = None
    """Where a recording can be had."""
    reference: str | None = None
    """Of a call that we placed: the idempotency key of its message."""
    detail: str | None = None
    """The provider's own words or code."""
    base_url: str | None = None
    """The address of the account's call control, as the provider reached it."""


class CallAnswer(Struct):
    """A plan in the provider's words."""

    content_type: str
    body: bytes


class Call(msgspec.Struct, kw_only=True):
    """A call as it is stored."""

    workspace_id: int
    channel: str
    call_id: str
    direction: str
    caller: str | None
    called: str
    contact: str | None
    """The contact's external id."""
    run_id: str | None
    """The run that answers this call."""
    plan: str | None
    """What that run left for the answer that is due."""
    turns: int
    """How many answers were given."""
    state: str
    outcome: str | None
    duration: int | None
    reference: str | None
    recording: str | None
    started_at: int
    updated_at: int


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(CallPlan).decode
_SEPARATORS: Final = re.compile(r"[\s().\-/]+")
_SERVICE: Final = re.compile(r"1[89]00\d{4,6}")
_HIDDEN_NAMES: Final = frozenset(
    {"anonymous", "unknown", "restricted", "private", "unavailable", "blocked", "withheld", "none", "null"}
)
_HIDDEN_NUMBERS: Final = frozenset({"266696687", "7378742833", "2562533", "8566696", "86282452253"})
"""Words typed on a telephone's keys, by which Twilio names a caller who hides: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN,
UNAVAILABLE."""


def write_plan(plan: CallPlan) -> str:
    """A plan as it is stored."""
    return _encode(plan).decode()


def read_plan(text: str) -> CallPlan:
    """A stored plan."""
    return _decode(text)


def dialled_number(text: str) -> str:
    """A number that was dialled, in one spelling: E.164 where it can be told, and only its digits otherwise.

    Numbers without a country code are Vietnamese, hotlines (1900…, 1800…) among them; extensions stay what they are.
    """
    number = _SEPARATORS.sub("", text.strip())
    number = f"+{number[2:]}" if number.startswith("00") else number
    digits = number.removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        return number[:64]
    if number.startswith("+"):
        return number[:64]
    if number.startswith("84") and len(number) >= 10:
        return f"+{number}"[:64]
    if number.startswith("0") and len(number) >= 9:
        return f"+84{number[1:]}"[:64]
    return f"+84{number}" if _SERVICE.fullmatch(number) else number[:64]


def caller_number(text: str | None) -> str | None:
    """The number of a caller as :func:`dialled_number` writes it, or ``None`` where the caller hides it."""
    name = (text or "").strip()
    digits = name.removeprefix("+")
    hides = name.lower() in _HIDDEN_NAMES or digits in _HIDDEN_NUMBERS or not any(mark.isdigit() for mark in name)
    return None if hides else dialled_number(name)


def spoken_plan(text: str, language: str = LANGUAGE) -> CallPlan:
    """Say a text and hang up."""
    return CallPlan(steps=(Say(text=text, language=language), HangUp()))
