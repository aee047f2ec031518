"""Stored events as people look at them, and why they started what they started."""

from collections.abc import Sequence
from typing import Any

from nhip.domain.struct import Struct
from nhip.domain.verdict import Reason


class PastEvent(Struct):
    """One row of ``events``; times in microseconds."""

    id: str
    source: str
    source_id: str
    type: str
    subject: str | None
    contact_id: str | None
    time_at: int
    received_at: int
    data: dict[str, Any]
    facts: dict[str, Any] | None
    derived: tuple[str, ...]
    """The ids of the events that the engine derived from it."""
    root_id: str


class EventFilter(Struct):
    """Which events a list shall show."""

    type: str | None = None
    contact: str | None = None
    """An external id."""
    since: int | None = None
    """The event's time in microseconds, from here on."""
    until: int | None = None
    """The event's time in microseconds, up to but without this moment."""


class StartedRun(Struct):
    """A run that an incoming event started."""

    id: str
    workflow: str
    version: int
    version_id: str
    trigger_id: str
    event_id: str


class Refusal(Struct):
    """A workflow matched and yet started no run."""

    workflow: str
    version_id: str
    trigger_id: str
    reason: str


class Activation(Struct):
    """Which version of a workflow could start runs at a moment."""

    workflow: str
    version_id: str
    number: int


class TriggerFinding(Struct, omit_defaults=True):
    """What one trigger of a workflow said to one event."""

    trigger: str
    type: str
    """The trigger's kind."""
    event: str
    """The type of the event that it was asked about."""
    event_id: str
    holds: bool
    reasons: tuple[Reason, ...] = ()
    """The tests that decided it, each with its place in the definition and the value it saw."""


class WorkflowFinding(Struct, omit_defaults=True):
    """What one workflow did about an event."""

    workflow: str
    version: int
    outcome: str
    """``started``, ``refused`` (it matched, and its entry rules said no), ``conditions`` (a trigger listens to this
    event, and the conditions do not hold) or ``not_listening`` (no trigger listens to it)."""
    run: str | None = None
    reason: str | None = None
    """Of a refusal: ``entered_before``, ``already_running``, …"""
    triggers: tuple[TriggerFinding, ...] = ()


class Explanation(Struct, omit_defaults=True):
    """Why an event started what it started, and nothing else."""

    event: str
    """The id of the incoming event."""
    types: tuple[str, ...]
    """Its type, and the types of the events that the engine derived from it."""
    reason: str | None = None
    """Why it started nothing at all: ``no_active_workflow``, ``no_trigger_listens``, ``conditions`` or ``refused``."""
    workflows: tuple[WorkflowFinding, ...] = ()


class OldRun(Struct):
    """A run that began so long ago that it may have to go."""

    id: str
    workspace_id: int
    ended_at: int | None


class OldEvent(Struct):
    """An event that came so long ago that it may have to go."""

    id: str
    workspace_id: int
    root_id: str
    derived: Sequence[str]
