"""Runs, steps and deliveries as they are looked at afterwards, and what is counted about them."""

import msgspec


class PastRun(msgspec.Struct, kw_only=True):
    """One run with the names that people know."""

    id: str
    workflow: str
    version: int
    version_id: str
    trigger_id: str
    contact: str | None
    """The contact's external id; ``None`` for one that was erased."""
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


class PastDelivery(msgspec.Struct, kw_only=True):
    """One delivery with the names that people know."""

    id: str
    step_id: str
    run_id: str | None
    workflow: str | None
    contact: str | None
    """The contact's external id."""
    channel: str
    channel_type: str
    template: str
    message_class: str
    address: str | None
    content: str
    """JSON."""
    state: str
    reason: str | None
    detail: str | None
    idempotency_key: str
    generation: int
    attempts: int
    provider_id: str | None
    price_amount: int | None
    price_currency: str | None
    created_at: int
    accepted_at: int | None
    delivered_at: int | None
    read_at: int | None
    updated_at: int


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are asked for; ``None`` is any."""

    workflow: str | None = None
    contact_id: str | None = None
    state: str | None = None


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are asked for; ``None`` is any."""

    workflow: str | None = None
    contact_id: str | None = None
    state: str | None = None
    channel: str | None = None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted: one workflow or all, from ``since`` until before ``until``, in microseconds."""

    workflow: str | None
    since: int
    until: int


class ChannelCount(msgspec.Struct, kw_only=True):
    """The deliveries of one channel account that were begun in a span.

    ``accepted``, ``delivered`` and ``read`` count how far messages came, so a read one is in all three; the others
    count where messages stand.
    """

    channel: str
    total: int
    accepted: int
    delivered: int
    read: int
    pending: int
    unknown: int
    failed: int
    rejected: int
    suppressed: int
    expired: int


class Latency(msgspec.Struct, kw_only=True):
    """How long it took from an event's arrival until a provider accepted the message, in microseconds."""

    count: int
    p50: float | None
    p99: float | None


class VersionTime(msgspec.Struct, kw_only=True):
    """The runs of one version that came to their end, and how long the machine was at work on them."""

    version_id: str
    runs: int
    machine_micros: int


class SlotCount(msgspec.Struct, kw_only=True):
    """A count in one interval of a series; ``slot`` counts intervals from the span's start."""

    slot: int
    name: str
    count: int
