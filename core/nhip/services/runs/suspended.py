"""What an action waits with: kept in its step's output until it is done."""

from collections.abc import Mapping
from typing import Any

import msgspec

from nhip.domain.runs import ClaimedStep
from nhip.engine.conditions.decide import dump
from nhip.plugin_api import Await


class Suspended(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The state of an action that waits, or that has heard what it waited for."""

    output: dict[str, Any] = {}
    """What the action gave when it began to wait."""
    where: Any = None
    """What has to hold of the event, as a condition tree is written."""
    event: dict[str, Any] | None = None
    """The event that came."""


_decode = msgspec.json.Decoder(Suspended).decode


def suspend(output: Mapping[str, Any], wait: Await) -> tuple[Suspended, str]:
    """What a step holds while its action waits, and the types of events that it waits for."""
    where = dump(wait.where) if wait.where is not None else None
    return Suspended(output=dict(output), where=where), "".join(f"|{kind}" for kind in wait.events) + "|"


def read_suspended(step: ClaimedStep) -> Suspended:
    """What a step holds whose action waits."""
    return _decode(step.output) if step.output else Suspended()


def has_heard(step: ClaimedStep) -> bool:
    """Whether a step's action has heard something already that it has not worked on yet."""
    return bool(step.output) and _decode(step.output or "").event is not None


def hear(step: ClaimedStep, event: Mapping[str, Any]) -> Suspended:
    """What a step holds whose action hears an event when it is performed next."""
    held = read_suspended(step)
    return Suspended(output=held.output, event=dict(event))
