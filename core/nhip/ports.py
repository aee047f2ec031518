"""What the services need from the outside, as protocols; ``nhip.adapters`` implements them.

Stores are synchronous: they run inside one open unit, over one connection (ADR 0005). Rows on the hot path are plain
tuples in the order of the adapter's columns, everything else is a struct of the domain. Every method takes the
workspace it works in, except those of the work queue, which serve all workspaces at once and answer rows that name
theirs.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from nhip.domain.access import ApiKey, AuditEntry, StoredAnswer, Workspace
from nhip.domain.authored import StandingRuns, StoredChannel, StoredTemplate, StoredVersion, StoredWorkflow
from nhip.domain.configured import ChannelAccount, PublishedVersion, Template
from nhip.domain.customers import ActivityCount, Contact, Record, Staff
from nhip.domain.deliveries import Delivery, ReceiptRow
from nhip.domain.directory import Account, ContactFilter, RecordFilter, TimelineItem
from nhip.domain.errors import Problem
from nhip.domain.history import (
    ChannelCount,
    DeliveryFilter,
    Latency,
    PastDelivery,
    PastRun,
    PastStep,
    RunFilter,
    SlotCount,
    Span,
)
from nhip.domain.messages import Content
from nhip.domain.past_events import Activation, EventFilter, OldEvent, OldRun, PastEvent, Refusal, StartedRun
from nhip.domain.runs import ClaimedStep, RunContext, RunRow, StepRow, StepUpdate

P = ParamSpec("P")
T = TypeVar("T")


class EventStore(Protocol):
    """Events and refusals."""

    def find(self, workspace_id: int, source: str, source_ids: Sequence[str]) -> dict[str, str]:
        """The ids of the events that are stored already, by their source's id."""
        ...

    def runs_of(self, workspace_id: int, event_ids: Sequence[str]) -> dict[str, list[str]]:
        """The runs that each incoming event started."""
        ...

    def insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Store events, as tuples in the order of the adapter's columns."""
        ...

    def refuse(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write down that a workflow matched and started no run."""
        ...


class CustomerStore(Protocol):
    """Contacts, records and activity."""

    def contacts(self, workspace_id: int, ids: Sequence[str]) -> list[Contact]:
        """The contacts of these ids."""
        ...

    def contacts_by_external_id(self, workspace_id: int, external_ids: Sequence[str]) -> list[Contact]:
        """The contacts that clients know by these names."""
        ...

    def contacts_by_address(self, workspace_id: int, field: str, values: Sequence[str]) -> list[Contact]:
        """``field``: phone, email or zalo_user_id. The oldest contact first."""
        ...

    def lock_addresses(self, workspace_id: int, addresses: Sequence[str]) -> None:
        """Hold these addresses until the unit ends, so that whom they belong to is decided one unit after the other."""
        ...

    def lock_contacts(self, workspace_id: int, ids: Sequence[str]) -> None:
        """Hold these contacts until the unit ends, so that decisions about their entry are made one after the other."""
        ...

    def insert_contacts(self, workspace_id: int, contacts: Sequence[Contact]) -> None:
        """Store new contacts."""
        ...

    def update_contacts(self, workspace_id: int, contacts: Sequence[Contact]) -> None:
        """Raises ``Conflict`` (the unit is run again) when one changed since it was read."""
        ...

    def accounts(self, workspace_id: int, external_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The companies of that name, as facts."""
        ...

    def records(self, workspace_id: int, kind: str, external_ids: Sequence[str]) -> list[Record]:
        """The records of one kind that clients know by these names."""
        ...

    def insert_records(self, workspace_id: int, records: Sequence[Record]) -> None:
        """Store new records."""
        ...

    def update_records(self, workspace_id: int, records: Sequence[Record]) -> None:
        """As :meth:`update_contacts`."""
        ...

    def activity(self, workspace_id: int, contact_ids: Sequence[str]) -> list[ActivityCount]:
        """What these contacts did, per kind."""
        ...

    def bump_activity(self, workspace_id: int, counts: Sequence[ActivityCount]) -> None:
        """Add these counts to what is stored."""
        ...


class RunStore(Protocol):
    """Runs and steps."""

    def insert(self, runs: Sequence[RunRow], steps: Sequence[StepRow]) -> None:
        """Store new runs and their first steps."""
        ...

    def insert_steps(self, steps: Sequence[StepRow]) -> None:
        """A step that is there already (same run, node and iteration) stays as it is."""
        ...

    def finish(self, runs: Sequence[tuple[str, str | None, int, str]]) -> None:
        """End runs: tuples of state, reason, time, id."""
        ...

    def states(self, workspace_id: int, run_ids: Sequence[str]) -> dict[str, str]:
        """The state of each of these runs."""
        ...

    def furthest_nodes(self, workspace_id: int, run_ids: Sequence[str]) -> dict[str, int]:
        """The highest node that each of these runs has come to."""
        ...

    def last_entries(self, workspace_id: int, workflow: str, contact_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Per contact that ever entered: when it last did, and how many of its runs are still under way."""
        ...

    def claim(self, owner: str, limit: int, now: int, lease_until: int, *, suspects: bool = False) -> list[ClaimedStep]:
        """Take up to ``limit`` due steps for ``owner``, never two of one contact: those that never lost a worker, or
        the ``suspects`` that did.
        """
        ...

    def has_suspects(self, now: int) -> bool:
        """Whether a due step has lost a worker before."""
        ...

    def lock_steps(self, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Hold these steps until the unit ends; answers their epoch and state."""
        ...

    def steps(self, ids: Sequence[str]) -> list[ClaimedStep]:
        """The steps of these ids, whoever claimed them."""
        ...

    def record(self, updates: Sequence[StepUpdate]) -> None:
        """Write what became of steps, and end their leases."""
        ...

    def contexts(self, workspace_id: int, run_ids: Sequence[str]) -> dict[str, RunContext]:
        """What the next decisions of these runs need to know of them, by run id."""
        ...

    def outputs(self, workspace_id: int, run_ids: Sequence[str]) -> list[tuple[str, str, int, str | None, str | None]]:
        """Of the finished steps of these runs: run, version, node, outcome, output as JSON."""
        ...

    def expired(self, now: int, limit: int) -> list[ClaimedStep]:
        """Running steps whose lease is over."""
        ...

    def overdue_unknown(self, now: int, limit: int) -> list[ClaimedStep]:
        """Unknown steps that have waited long enough."""
        ...

    def unknown_messages(self, limit: int) -> list[ClaimedStep]:
        """Messages of which nobody knows yet what became of them."""
        ...

    def due_waits(self, now: int, limit: int) -> list[ClaimedStep]:
        """Waiting steps whose time has come."""
        ...

    def resume(self, workspace_id: int, workflow: str, now: int) -> int:
        """Make the steps ready that a pause of this workflow held back."""
        ...

    def reopen(self, workspace_id: int, step_id: str, generation: int, reason: str, now: int) -> None:
        """Make a finished or unknown step ready again, as this generation."""
        ...

    def cancel_steps(self, workspace_id: int, run_id: str, reason: str, now: int) -> int:
        """Cancel what a run has not begun; answers how many steps that were."""
        ...


class DeliveryStore(Protocol):
    """Deliveries and receipts."""

    def insert(self, deliveries: Sequence[Delivery]) -> None:
        """Store new deliveries: the intent before each call."""
        ...

    def update(self, deliveries: Sequence[Delivery]) -> None:
        """Write what may change of a delivery."""
        ...

    def of_steps(self, step_ids: Sequence[str], *, lock: bool = False) -> list[Delivery]:
        """``lock`` holds them until the unit ends. Whoever needs both locks holds deliveries before their steps."""
        ...

    def by_ids(self, workspace_id: int, ids: Sequence[str]) -> list[Delivery]:
        """These deliveries, held until the unit ends."""
        ...

    def by_keys(self, workspace_id: int, channel: str, keys: Sequence[str]) -> list[Delivery]:
        """A channel account's deliveries with these idempotency keys, held until the unit ends."""
        ...

    def by_provider_ids(self, workspace_id: int, channel: str, provider_ids: Sequence[str]) -> list[Delivery]:
        """A channel account's deliveries with these provider's ids, held until the unit ends."""
        ...

    def known_receipts(self, workspace_id: int, channel: str, receipt_ids: Sequence[str]) -> set[str]:
        """Which of these receipts are stored already."""
        ...

    def insert_receipts(self, receipts: Sequence[ReceiptRow]) -> None:
        """Store receipts."""
        ...

    def parked_receipts(self, workspace_id: int, channel: str, provider_ids: Sequence[str]) -> list[ReceiptRow]:
        """Receipts that came before their delivery's provider id was known."""
        ...

    def left_parked(self, since: int, limit: int) -> list[Delivery]:
        """Deliveries that a receipt received since then still waits for, although they are known by now."""
        ...

    def assign_receipts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Give parked receipts their delivery: pairs of delivery id and receipt row id."""
        ...


class PublishedStore(Protocol):
    """What admins configured, as the engine reads it."""

    def publish_version(self, workspace_id: int) -> int:
        """The number that rises with every change of a published workflow."""
        ...

    def changed_since(self, workspace_id: int, known: int) -> list[tuple[str, str, PublishedVersion | None]]:
        """Name, state and published version of each workflow that changed after ``known``."""
        ...

    def versions(self, workspace_id: int, ids: Sequence[str]) -> list[PublishedVersion]:
        """The published versions of these ids."""
        ...

    def channels(self, workspace_id: int, names: Sequence[str]) -> dict[str, ChannelAccount]:
        """The channel accounts of these names, by name."""
        ...

    def channel_by_hook(self, token: str) -> ChannelAccount | None:
        """The account whose hook has this token."""
        ...

    def templates(self, workspace_id: int, names: Sequence[str]) -> dict[str, Template]:
        """The templates of these names, by name."""
        ...

    def lock_workflow(self, workspace_id: int, workflow: str) -> str:
        """Hold a workflow until the unit ends; answers its state, or nothing where there is no such workflow."""
        ...

    def lock_rate(self, workspace_id: int, channel: str) -> int:
        """Hold a channel account's rate until the unit ends; answers its ``next_free_at``."""
        ...

    def set_rate(self, workspace_id: int, channel: str, next_free_at: int) -> None:
        """Write when the next message of an account may go."""
        ...


class StaffStore(Protocol):
    """Employees."""

    def find(self, workspace_id: int, external_ids: Sequence[str]) -> dict[str, Staff]:
        """The employees of these names, by external id."""
        ...


class SecretRows(Protocol):
    """Sealed secrets of channel accounts."""

    def read(self, workspace_id: int, name: str) -> str | None:
        """What is sealed; ``None`` when there is no such account."""
        ...

    def lock(self, workspace_id: int, name: str, owner: str, now: int, until: int) -> bool:
        """Take the right to renew, until a time; false while somebody else has it."""
        ...

    def save(self, workspace_id: int, name: str, sealed: str, owner: str, now: int) -> bool:
        """Store renewed secrets; false when the lock was lost meanwhile."""
        ...

    def unlock(self, workspace_id: int, name: str, owner: str) -> None:
        """Give the right to renew back."""
        ...


class SecretVault(Protocol):
    """Seals secrets for the database."""

    def seal(self, workspace_id: int, name: str, secrets: Mapping[str, str]) -> str:
        """Encrypt secrets for one account of one workspace."""
        ...

    def open(self, workspace_id: int, name: str, sealed: str) -> dict[str, str]:
        """Raises ``Conflict`` when it was sealed for another place, or with an unknown key."""
        ...


class ChannelStore(Protocol):
    """Channel accounts, as admins keep them."""

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredChannel | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredChannel]:
        """By name, after a name."""
        ...

    def insert(self, channel: StoredChannel) -> None:
        """Store a new account."""
        ...

    def update(self, channel: StoredChannel) -> None:
        """The caller holds the row."""
        ...

    def delete(self, workspace_id: int, name: str) -> None:
        """Remove an account."""
        ...

    def end_renewal(self, workspace_id: int, name: str) -> None:
        """A renewal of the secrets that is under way may not be stored any more: a person set others."""
        ...


class TemplateStore(Protocol):
    """Templates, as admins keep them."""

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredTemplate | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredTemplate]:
        """By name, after a name."""
        ...

    def insert(self, template: StoredTemplate) -> None:
        """Store a new template."""
        ...

    def update(self, template: StoredTemplate) -> None:
        """The caller holds the row."""
        ...

    def delete(self, workspace_id: int, name: str) -> None:
        """Remove a template."""
        ...


class WorkflowStore(Protocol):
    """Workflows, as admins keep them."""

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredWorkflow | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def page(self, workspace_id: int, state: str | None, after: str | None, limit: int) -> Sequence[StoredWorkflow]:
        """By name, after a name."""
        ...

    def insert(self, workflow: StoredWorkflow) -> None:
        """Store a new workflow's draft."""
        ...

    def update(self, workflow: StoredWorkflow) -> None:
        """The caller holds the row."""
        ...

    def delete(self, workspace_id: int, name: str) -> None:
        """Remove a workflow that was never published."""
        ...

    def raise_publish_version(self, workspace_id: int) -> int:
        """One more than it was. It holds the workspace's row, so publishes of one workspace go one after the other."""
        ...

    def insert_version(self, version: StoredVersion) -> None:
        """Store an immutable version."""
        ...

    def last_number(self, workspace_id: int, workflow: str) -> int:
        """The newest version's number, or 0."""
        ...

    def version(self, workspace_id: int, workflow: str, number: int) -> StoredVersion | None:
        """One version by its number."""
        ...

    def versions(self, workspace_id: int, workflow: str, before: int | None, limit: int) -> Sequence[StoredVersion]:
        """The newest first."""
        ...

    def open_activation(self, workspace_id: int, workflow: str, version_id: str, now: int) -> None:
        """From now on this version may start runs."""
        ...

    def close_activations(self, workspace_id: int, workflow: str, now: int) -> None:
        """From now on none may."""
        ...

    def standing(self, workspace_id: int, workflow: str) -> Sequence[StandingRuns]:
        """On which steps of which versions runs stand."""
        ...

    def versions_in_use(self, workspace_id: int) -> Sequence[str]:
        """The ids of the versions that are published and not put away, or that runs stand on."""
        ...

    def cancel_runs(self, workspace_id: int, workflow: str, reason: str, now: int) -> int:
        """End every run of a workflow that is under way; answers how many."""
        ...

    def seen_types(self, workspace_id: int, types: Sequence[str]) -> set[str]:
        """Of these event types, those of which an event is stored."""
        ...


class HistoryStore(Protocol):
    """Runs, steps and deliveries as people look at them, the newest first."""

    def runs(self, workspace_id: int, wanted: RunFilter, before: str | None, limit: int) -> Sequence[PastRun]:
        """Runs that fit a filter, the youngest first."""
        ...

    def run(self, workspace_id: int, run_id: str, *, lock: bool = False) -> PastRun | None:
        """``lock`` holds the run until the unit ends."""
        ...

    def steps(self, workspace_id: int, run_id: str) -> Sequence[PastStep]:
        """In the order in which the run came to them."""
        ...

    def revive(self, workspace_id: int, run_id: str) -> None:
        """An ended run is under way again."""
        ...

    def suppress_pending(self, workspace_id: int, run_id: str, reason: str, now: int) -> int:
        """The messages of a run's cancelled steps that have not gone out never will."""
        ...

    def deliveries(
        self, workspace_id: int, wanted: DeliveryFilter, before: str | None, limit: int
    ) -> Sequence[PastDelivery]:
        """Deliveries that fit a filter, the youngest first."""
        ...

    def delivery(self, workspace_id: int, delivery_id: str) -> PastDelivery | None:
        """One delivery."""
        ...

    def deliveries_of(self, workspace_id: int, step_ids: Sequence[str]) -> Sequence[Delivery]:
        """The deliveries that these steps wanted, the oldest first."""
        ...

    def newest_records(self, workspace_id: int, contact_id: str) -> Sequence[Record]:
        """Of each type, the record of a contact that changed last."""
        ...


class MeasureStore(Protocol):
    """What is counted."""

    def runs_by_state(self, workspace_id: int, span: Span) -> dict[str, int]:
        """The runs that started in a span, by where they stand now."""
        ...

    def refusals_by_reason(self, workspace_id: int, span: Span) -> dict[str, int]:
        """The matches in a span that started no run."""
        ...

    def deliveries_by_channel(self, workspace_id: int, span: Span) -> Sequence[ChannelCount]:
        """The deliveries that were begun in a span."""
        ...

    def latency(self, workspace_id: int, span: Span) -> Latency:
        """Of the deliveries that were accepted in a span."""
        ...

    def series(self, workspace_id: int, span: Span, step: int) -> Sequence[SlotCount]:
        """Counts per interval of ``step`` microseconds: ``enrolled``, ``accepted``, ``delivered``, ``read``."""
        ...


class AuditStore(Protocol):
    """Who changed what."""

    def write(
        self, workspace_id: int, actor: str, action: str, target: str, now: int, detail: Mapping[str, Any] | None = None
    ) -> None:
        """``action`` is a verb on a kind (``workflow.publish``), ``target`` a name, ``actor`` a key's id."""
        ...

    def entries(
        self, workspace_id: int, *, after: str | None, limit: int, action: str | None, target: str | None
    ) -> list[AuditEntry]:
        """The newest first; ``after`` is the id of the last one that was seen."""
        ...


class WorkspaceStore(Protocol):
    """The tenants."""

    def by_name(self, name: str) -> Workspace | None:
        """The workspace of that name."""
        ...

    def all(self, *, after: int | None, limit: int) -> list[Workspace]:
        """In the order of their ids; ``after`` is the last id that was seen."""
        ...

    def insert(self, name: str, title: str, now: int) -> Workspace:
        """Store a new workspace."""
        ...


class KeyStore(Protocol):
    """API keys. An id is unique over all workspaces, because it is how a request says which workspace it means."""

    def by_id(self, identifier: str) -> ApiKey | None:
        """A key, of whatever workspace: it says which."""
        ...

    def all(self, workspace_id: int, *, after: str | None, limit: int) -> list[ApiKey]:
        """A workspace's keys, in order of their ids."""
        ...

    def insert(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    def revoke(self, workspace_id: int, identifier: str, now: int) -> None:
        """End a key."""
        ...

    def touch(self, workspace_id: int, identifier: str, now: int) -> None:
        """Set when the key was last used."""
        ...


class IdempotencyStore(Protocol):
    """What requests with an ``Idempotency-Key`` answered."""

    def find(self, workspace_id: int, route: str, key: str) -> StoredAnswer | None:
        """What was answered under a key."""
        ...

    def insert(self, workspace_id: int, route: str, key: str, fingerprint: str, now: int) -> None:
        """Note that a request is under way."""
        ...

    def finish(self, workspace_id: int, route: str, key: str, status: int, headers: str, body: str) -> None:
        """Keep a request's answer."""
        ...

    def forget(self, workspace_id: int, route: str, key: str) -> None:
        """Drop a request that came to nothing."""
        ...

    def prune(self, before: int, limit: int) -> int:
        """Drop up to ``limit`` answers that are older, of all workspaces; answers how many."""
        ...


class PastEventStore(Protocol):
    """Stored events, as people look at them."""

    def one(self, workspace_id: int, identifier: str) -> PastEvent | None:
        """One event."""
        ...

    def page(self, workspace_id: int, wanted: EventFilter, *, after: str | None, limit: int) -> list[PastEvent]:
        """The newest first; ``after`` is the id of the last one that was seen."""
        ...

    def derived(self, workspace_id: int, root: PastEvent) -> list[PastEvent]:
        """The events that the engine derived from an incoming one, in their order."""
        ...

    def contact_names(self, workspace_id: int, contact_ids: Sequence[str]) -> dict[str, str]:
        """The external ids of contacts."""
        ...

    def runs_of(self, workspace_id: int, root_id: str) -> list[StartedRun]:
        """The runs that an event started."""
        ...

    def refusals_of(self, workspace_id: int, root_id: str) -> list[Refusal]:
        """The workflows that matched an event and started no run."""
        ...

    def active_at(self, workspace_id: int, moment: int) -> list[Activation]:
        """The versions that could start runs at a moment, by the name of their workflow."""
        ...


class DirectoryStore(Protocol):
    """Customer data, as people look at it and look after it."""

    def contacts(self, workspace_id: int, wanted: ContactFilter, *, after: str | None, limit: int) -> list[Contact]:
        """In the order of their making; ``after`` is the id of the last one that was seen."""
        ...

    def delete_contact(self, workspace_id: int, contact_id: str, reason: str, now: int) -> None:
        """Take a contact away and end its runs; what happened stays."""
        ...

    def erase_traces(self, workspace_id: int, contact_id: str) -> None:
        """Take away what events, deliveries, steps and records say about a contact; that they were stays."""
        ...

    def records(
        self, workspace_id: int, kind: str, wanted: RecordFilter, *, after: str | None, limit: int
    ) -> list[Record]:
        """In the order of their making."""
        ...

    def records_of(self, workspace_id: int, contact_id: str) -> list[Record]:
        """Records that fit a filter."""
        ...

    def delete_record(self, workspace_id: int, record_id: str) -> None:
        """Remove a record."""
        ...

    def staff(self, workspace_id: int, department: str | None, *, after: str | None, limit: int) -> list[Staff]:
        """By external id."""
        ...

    def put_staff(self, workspace_id: int, person: Staff, now: int) -> None:
        """Store or replace an employee."""
        ...

    def delete_staff(self, workspace_id: int, external_id: str) -> bool:
        """False when there was none."""
        ...

    def account(self, workspace_id: int, external_id: str) -> Account | None:
        """One company."""
        ...

    def accounts(self, workspace_id: int, *, after: str | None, limit: int) -> list[Account]:
        """By external id."""
        ...

    def put_account(self, workspace_id: int, external_id: str, attributes: dict[str, Any], now: int) -> None:
        """Store or replace a company."""
        ...

    def delete_account(self, workspace_id: int, external_id: str) -> bool:
        """False when there was none."""
        ...

    def timeline(self, workspace_id: int, contact_id: str, *, after: str | None, limit: int) -> list[TimelineItem]:
        """What happened to a contact, the newest first; ``after`` is the id of the last item that was seen."""
        ...


class HealthStore(Protocol):
    """What operators watch, over all workspaces."""

    def ping(self) -> None:
        """Raises when the database does not answer."""
        ...

    def open_steps(self) -> dict[str, int]:
        """How many steps are in each state that is not final."""
        ...

    def overdue(self, now: int, *, limit: int) -> int:
        """How many ready steps are due, counting no further than ``limit``."""
        ...

    def oldest_ready(self, now: int) -> int | None:
        """Since when the longest-waiting due step is due."""
        ...

    def deliveries_since(self, since: int) -> dict[str, int]:
        """How many deliveries were made since, by state."""
        ...


class RetentionStore(Protocol):
    """What is old, over all workspaces. ``before`` is a moment in microseconds."""

    def runs(self, after: str, before: int, limit: int) -> list[OldRun]:
        """The oldest runs that began before a moment, in the order of their ids, after an id."""
        ...

    def delete_runs(self, workspace_id: int, ids: Sequence[str]) -> int:
        """Delete those that are over and have no step under way, with steps, deliveries and receipts."""
        ...

    def events(self, after: str, before: int, limit: int) -> list[OldEvent]:
        """The oldest events that came before a moment, in the order of their ids, after an id."""
        ...

    def delete_events(self, workspace_id: int, ids: Sequence[str]) -> int:
        """Delete these events."""
        ...

    def delete_refusals(self, before: int, limit: int) -> int:
        """Delete up to ``limit`` refusals that are older."""
        ...

    def delete_parked_receipts(self, before: int, limit: int) -> int:
        """Delete up to ``limit`` receipts that are older and whose delivery never became known."""
        ...


class Unit(Protocol):
    """One open transaction: all of it is kept, or none."""

    @property
    def events(self) -> EventStore:
        """Events and refusals."""
        ...

    @property
    def customers(self) -> CustomerStore:
        """Contacts, records and activity."""
        ...

    @property
    def runs(self) -> RunStore:
        """Runs and steps."""
        ...

    @property
    def deliveries(self) -> DeliveryStore:
        """Deliveries and receipts."""
        ...

    @property
    def published(self) -> PublishedStore:
        """What admins published, as the engine reads it."""
        ...

    @property
    def staff(self) -> StaffStore:
        """Employees."""
        ...

    @property
    def workspaces(self) -> WorkspaceStore:
        """Workspaces."""
        ...

    @property
    def keys(self) -> KeyStore:
        """API keys."""
        ...

    @property
    def audit(self) -> AuditStore:
        """The audit log."""
        ...

    @property
    def idempotency(self) -> IdempotencyStore:
        """Answers kept under idempotency keys."""
        ...

    @property
    def directory(self) -> DirectoryStore:
        """Customer data, as people look at it."""
        ...

    @property
    def past_events(self) -> PastEventStore:
        """Events, as people look at them."""
        ...

    @property
    def health(self) -> HealthStore:
        """What an operator watches."""
        ...

    @property
    def retention(self) -> RetentionStore:
        """What is old."""
        ...

    @property
    def secrets(self) -> SecretRows:
        """Sealed secrets."""
        ...

    @property
    def channels(self) -> ChannelStore:
        """Channel accounts, as admins edit them."""
        ...

    @property
    def templates(self) -> TemplateStore:
        """Templates, as admins edit them."""
        ...

    @property
    def workflows(self) -> WorkflowStore:
        """Workflows, as admins edit them."""
        ...

    @property
    def history(self) -> HistoryStore:
        """Runs and deliveries, as people look at them."""
        ...

    @property
    def measures(self) -> MeasureStore:
        """Counts over time."""
        ...


class Storage(Protocol):
    """The database's two doors."""

    async def transact(self, work: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work(unit, …)`` in one transaction and commit it; run again on conflict.

        Raises:
            StorageUnavailable: the database cannot take it now; nothing was stored.
        """
        ...

    async def read(self, work: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work(unit, …)``, which only looks, over one snapshot."""
        ...


class Doorbell(Protocol):
    """Tells workers that there is work. Losing a ring costs latency, never work."""

    def ring(self) -> None:
        """There is work. Never blocks, never raises."""
        ...

    async def run(self, answer: Callable[[], Awaitable[None]]) -> None:
        """Call ``answer`` at each ring, until cancelled; survives the loss of whatever carries the rings."""
        ...

    async def health(self) -> Mapping[str, Any]:
        """What an operator should know: ``{"state": "up" | "down", …}``."""
        ...


class Renderer(Protocol):
    """Templates."""

    def render(self, content: Content, facts: Mapping[str, Any]) -> Content:
        """Raises ``TemplateError``."""
        ...

    def render_value(self, value: Any, facts: Mapping[str, Any]) -> Any:
        """Raises ``TemplateError``."""
        ...

    def check(
        self, content: Content, *, roots: frozenset[str], known: Mapping[str, frozenset[str] | None]
    ) -> list[Problem]:
        """The faults of a template before it is stored."""
        ...

    def missing(self, content: Content, facts: Mapping[str, Any]) -> list[str]:
        """The names that a template uses and these facts lack."""
        ...


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> datetime:
        """Aware, in UTC."""
        ...

    def micros(self) -> int:
        """The same, as the database keeps it."""
        ...
