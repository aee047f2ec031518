"""Call plans as SCCO, Stringee's call control objects: a JSON array of actions.

The call ends when the array is exhausted, so there is no action for hanging up. Source: Stringee's documentation,
"SCCO".
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from nhip import CallPlan, CallStep, Connect, Gather, HangUp, Play, Queue, RecordVoice, Say

CONTENT_TYPE: Final = "application/json"
Action = dict[str, Any]


def render(plan: CallPlan, number: str, url: str, event_url: str, queues: Mapping[str, str]) -> bytes:
    """The plan as an array of actions.

    ``number`` is the account's own, ``url`` where Stringee asks for what follows, ``event_url`` where it reports how a
    connection went, ``queues`` what rings for a queue.
    """
    actions: list[Action] = []
    for step in plan.steps:
        if isinstance(step, HangUp):
            break
        actions += _actions(step, number, url, event_url, queues)
    return msgspec.json.encode(actions)


def _actions(step: CallStep, number: str, url: str, event_url: str, queues: Mapping[str, str]) -> list[Action]:
    match step:
        case Say() | Play():
            return [_prompt(step, barge_in=False)]
        case Gather():
            # What may be interrupted is not waited for: the keys are taken from the first word on.
            prompts = [_prompt(prompt, barge_in=True) for prompt in step.prompts]
            return [
                *prompts,
                {"action": "input", "eventUrl": url, "submitOnHash": False, "timeout": max(round(step.timeout), 1)},
            ]
        case Connect():
            return [_connect(step.to, step.ring_seconds, step.caller_id or number, url, event_url)]
        case Queue():
            return [_connect(queues.get(step.name, step.name), step.ring_seconds, number, url, event_url)]
        case RecordVoice():
            milliseconds, told = step.seconds * 1000, f"{url}&leg=record"
            record = {"action": "recordMessage", "eventUrl": told, "beepStart": True, "timeout": milliseconds}
            return [{**record, "format": "mp3"}]
        case HangUp():
            return []


def _prompt(prompt: Say | Play, *, barge_in: bool) -> Action:
    if isinstance(prompt, Say):
        return {"action": "talk", "text": prompt.text, "bargeIn": barge_in, "loop": 1}
    return {"action": "stream", "url": prompt.url, "bargeIn": barge_in, "loop": 1}


def _connect(to: str, ring_seconds: int, caller_id: str, url: str, event_url: str) -> Action:
    own, shown = stringee_number(to), stringee_number(caller_id)
    outside = own.isdigit() and len(own) > 6
    return {
        "action": "connect",
        "from": {"type": "external", "number": shown, "alias": shown},
        "to": {"type": "external" if outside else "internal", "number": own, "alias": own},
        "timeout": ring_seconds,
        "maxConnectTime": -1,
        "peerToPeerCall": False,
        "continueOnFail": False,
        "onFailEventUrl": url,
        "eventUrl": event_url,
    }


def stringee_number(number: str) -> str:
    """A number as Stringee writes it: without the plus."""
    return number.removeprefix("+")
