"""Call plans as TwiML, the XML that Twilio does what it says. Source: Twilio's documentation, "TwiML for Voice"."""

import re
from collections.abc import Mapping
from html import escape
from typing import Final

from nhip import CallPlan, CallStep, Connect, Gather, HangUp, Play, Queue, RecordVoice, Say

CONTENT_TYPE: Final = "text/xml; charset=utf-8"
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for."""


def render(plan: CallPlan, url: str, queues: Mapping[str, str]) -> bytes:
    """The plan as a document. ``url`` is where Twilio asks for what follows, ``queues`` what rings for a queue."""
    verbs = "".join(_verb(step, url, queues) for step in plan.steps)
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>'.encode()


def _verb(step: CallStep, url: str, queues: Mapping[str, str]) -> str:
    match step:
        case Say():
            return _element("Say", _text(step.text), language=step.language)
        case Play():
            return _element("Play", _text(step.url))
        case Gather():
            prompts = "".join(_verb(prompt, url, queues) for prompt in step.prompts)
            # Without actionOnEmptyResult a caller who presses nothing would fall through to the next verb.
            return _element(
                "Gather", prompts, input="dtmf", numDigits=step.digits, timeout=max(round(step.timeout), 1),
                actionOnEmptyResult="true", action=url, method="POST",
            )  # fmt: skip
        case Connect():
            return _dial(step.to, step.ring_seconds, step.caller_id, url)
        case Queue():
            rung = queues.get(step.name)
            if rung is not None:
                return _dial(rung, step.ring_seconds, None, url)
            return _element("Enqueue", _text(step.name), action=url, method="POST")
        case RecordVoice():
            return _element(
                "Record", "", action=url, method="POST", maxLength=step.seconds, playBeep="true", finishOnKey="#"
            )
        case HangUp():
            return "<Hangup/>"


def _dial(to: str, ring_seconds: int, caller_id: str | None, url: str) -> str:
    shown = {"callerId": caller_id} if caller_id else {}
    noun = "Client" if not to.lstrip("+").isdigit() else "Number"
    noun = "Sip" if to.startswith("sip:") else noun
    return _element("Dial", _element(noun, _text(to)), action=url, method="POST", timeout=ring_seconds, **shown)


def _element(name: str, content: str, **attributes: object) -> str:
    said = "".join(f' {key}="{_text(str(value))}"' for key, value in attributes.items())
    return f"<{name}{said}>{content}</{name}>" if content else f"<{name}{said}/>"


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("", text), quote=True)
