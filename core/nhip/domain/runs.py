"""Runs and their steps."""

from enum import StrEnum
from typing import Any, Final

import msgspec

from nhip.domain.struct import Struct

PARKED_UNTIL: Final = 2**62
"""The due time of a step that a pause holds back: it is freed by the resume, not by the clock."""


class RunState(StrEnum):
    """``queued`` behind other runs of its contact, ``exited`` by an exit step, by what ends a run (``exit_when``) or by
    another run, ``failed`` by a dead step, ``cancelled`` by a person.
    """

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    EXITED = "exited"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """Where a step stands. ``unknown``: it went out, and nobody knows whether it arrived."""

    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


class StepKind(StrEnum):
    """What executing a step means for the engine."""

    LOCAL = "local"
    REMOTE = "remote"
    MESSAGE = "message"
    WAIT = "wait"
    BRANCH = "branch"
    """A branch, a split or a loop's head that was passed: written for the trace, never executed."""


class StandingStep(Struct):
    """A step that was locked: whose it is, and where its run stands with it by now."""

    epoch: int
    state: str
    version_id: str
    node: int
    iteration: int
    contact_id: str


class ClaimedStep(Struct):
    """A step that this process may execute until its lease ends; ``epoch`` proves it."""

    id: str
    workspace_id: int
    run_id: str
    contact_id: str
    version_id: str
    node: int
    path: str
    iteration: int
    kind: str
    epoch: int
    attempt: int
    """1 at the first attempt of this generation."""
    generation: int
    alternative: int
    leases_lost: int
    first_attempt_at: int
    wanted_at: int
    """When it should have begun, whatever held it back."""
    awaits: str | None = None
    """The types of events that it waits for, or waited for: ``|order.created|order.paid|``."""
    output: str | None = None
    """What it has left so far, as JSON: of an action that waits, what it waits with."""


class StepRow(msgspec.Struct, kw_only=True):
    """A step about to be inserted."""

    id: str
    workspace_id: int
    run_id: str
    contact_id: str
    version_id: str
    node: int
    path: str
    iteration: int
    kind: str
    state: str
    due_at: int
    wanted_at: int
    created_at: int
    awaits: str | None = None
    """The types of events that a wait is for: ``|order.created|order.paid|``."""
    outcome: str | None = None
    output: str | None = None
    reason: str | None = None
    finished_at: int | None = None


class StepUpdate(msgspec.Struct, kw_only=True):
    """What recording writes into a step that was claimed."""

    id: str
    state: str
    due_at: int
    attempt: int
    generation: int
    alternative: int
    outcome: str | None = None
    output: str | None = None
    reason: str | None = None
    finished_at: int | None = None
    first_attempt_at: int | None = None
    leases_lost: int = 0
    awaits: str | None = None


class RunRow(msgspec.Struct, kw_only=True):
    """A run about to be inserted."""

    id: str
    workspace_id: int
    workflow: str
    version_id: str
    version: int
    trigger_id: str
    contact_id: str
    event_id: str
    root_event_id: str
    state: str
    reason: str | None
    depth: int
    event_received_at: int
    started_at: int
    ended_at: int | None


class OpenRun(Struct):
    """A run that is not over."""

    id: str
    workflow: str
    version_id: str
    contact_id: str
    root_event_id: str
    state: str


class StandingRun(Struct):
    """How a run stands, and what its workflow has come to."""

    state: str
    workflow: str
    newest: int
    """The number of the workflow's newest version; 0 where the workflow is gone."""


class RunContext(Struct):
    """What a step needs to know of its run: the run, the event that started it, and what was decided upon."""

    id: str
    workflow: str
    workflow_state: str
    version_id: str
    version: int
    trigger_id: str
    contact_id: str
    state: str
    started_at: int
    depth: int
    event_received_at: int
    event_id: str
    root_event_id: str
    event_type: str
    event_source: str
    event_source_id: str
    event_subject: str | None
    event_time_at: int
    event_data: dict[str, Any]
    root_facts: dict[str, Any]
    moved_from: int | None = None
    """The version from which an admin moved it last."""
