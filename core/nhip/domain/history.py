"""Runs and steps as they are looked at afterwards, and what is counted about them."""

import msgspec


class PastRun(msgspec.Struct, kw_only=True):
    """One run with the names that people know."""

    id: str
    workflow: str
    version: int
    version_id: str
    trigger_id: str
    contact: str
    """The contact's external id."""
    contact_id: str
    event_id: str
    root_event_id: str
    state: str
    reason: str | None
    started_at: int
    ended_at: int | None


class PastStep(msgspec.Struct, kw_only=True):
    """One step of a run: one entry of its trace."""

    id: str
    node: int
    path: str
    """The step's id in the definition."""
    iteration: int
    kind: str
    state: str
    due_at: int
    attempt: int
    generation: int
    alternative: int
    first_attempt_at: int | None
    outcome: str | None
    output: str | None
    """JSON."""
    reason: str | None
    created_at: int
    finished_at: int | None


class RunCounts(msgspec.Struct, kw_only=True):
    """Runs of one or of all workflows that started in a time."""

    enrolled: int = 0
    running: int = 0
    completed: int = 0
    exited: int = 0
    failed: int = 0
    cancelled: int = 0


class DeliveryCount(msgspec.Struct, kw_only=True):
    """How many deliveries of one channel are in one state."""

    channel: str
    state: str
    count: int


class Latency(msgspec.Struct, kw_only=True):
    """How long it took from an event's arrival until a provider accepted the message, in microseconds."""

    count: int
    p50: float | None
    p99: float | None


class SeriesCount(msgspec.Struct, kw_only=True):
    """A count in one interval of a series; ``start`` in microseconds."""

    start: int
    name: str
    count: int
