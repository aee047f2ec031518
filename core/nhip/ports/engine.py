"""The stores on the hot path: events, customers, runs, deliveries, and what is published."""

from collections.abc import Sequence
from typing import Any, Protocol

from nhip.domain.configured import ChannelAccount, PublishedVersion, Template
from nhip.domain.customers import ActivityCount, Contact, Record, Staff
from nhip.domain.deliveries import Delivery, ReceiptRow
from nhip.domain.runs import ClaimedStep, OpenRun, RunContext, RunRow, StandingRun, StandingStep, StepRow, StepUpdate


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

    def record_by_id(self, kind: str, record_id: str) -> tuple[int, Record] | None:
        """A record by its own id, and whose it is: for an address that is made for it, and knows no workspace."""
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

    def standing(self, workspace_id: int, run_ids: Sequence[str]) -> dict[str, StandingRun]:
        """How each of these runs stands."""
        ...

    def places(self, workspace_id: int, run_ids: Sequence[str]) -> list[tuple[str, str, int, int]]:
        """Everywhere that these runs have come to: run, version, node, iteration."""
        ...

    def awaiting(self, workspace_id: int, contact_ids: Sequence[str]) -> list[ClaimedStep]:
        """The steps of these contacts that wait for an event."""
        ...

    def ready_locals(self, workspace_id: int, run_ids: Sequence[str], now: int) -> list[ClaimedStep]:
        """The local steps of these runs that are due and nobody's, held until the unit ends."""
        ...

    def open_runs(self, workspace_id: int, contact_ids: Sequence[str]) -> list[OpenRun]:
        """The runs of these contacts that are not over, the oldest first."""
        ...

    def begin(self, workspace_id: int, run_ids: Sequence[str]) -> dict[str, str]:
        """Queued runs are under way; answers with the version of each that was queued until now."""
        ...

    def stranded(self, workspace_id: int, workflow: str, after: str) -> list[str]:
        """The contacts whose runs of a workflow with greater ids are queued behind none that is under way."""
        ...

    def last_entries(self, workspace_id: int, workflow: str, contact_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Per contact that ever entered: when it last did, and how many of its runs are not over."""
        ...

    def begun_by(
        self, workspace_id: int, contact_id: str, workflow: str, trigger_id: str, kind: str, since: int
    ) -> Sequence[tuple[str, dict[str, Any]]]:
        """The source ids and data of the events of a type by which a trigger has begun runs since a time."""
        ...

    def claim(self, owner: str, limit: int, now: int, lease_until: int, *, suspects: bool = False) -> list[ClaimedStep]:
        """Take up to ``limit`` due steps for ``owner``, never two of one contact: those that never lost a worker, or
        the ``suspects`` that did.
        """
        ...

    def has_suspects(self, now: int) -> bool:
        """Whether a due step has lost a worker before."""
        ...

    def lock_steps(self, ids: Sequence[str]) -> dict[str, StandingStep]:
        """Hold these steps until the unit ends; answers where they stand."""
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

    def outputs(self, workspace_id: int, run_ids: Sequence[str]) -> list[tuple[str, str, str | None, str | None]]:
        """Of the finished steps of these runs, the later ones last: run, step's id, outcome, output as JSON."""
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

    def heard(self, workspace_id: int) -> set[str]:
        """The types of events that runs of any version may wait for, or that may end them."""
        ...

    def queues(self, workspace_id: int, workflow: str, after: int, upto: int) -> bool:
        """Whether any version of a workflow with a number after the first and up to the second queues its runs."""
        ...

    def published_since(self, since: int) -> list[tuple[int, str, int, str]]:
        """The workflows of every workspace that were published, or changed otherwise, since a time: workspace, name,
        and the number and the id of the published version.
        """
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

    def hold(self, workspace_id: int, external_id: str) -> Staff | None:
        """An employee whom nobody changes until the unit ends; others may hold them, too."""
        ...

    def in_department(self, workspace_id: int, name: str) -> list[Staff]:
        """Everybody of a department, also who left."""
        ...

    def in_store(self, workspace_id: int, name: str) -> list[Staff]:
        """Everybody of a store, also who left."""
        ...

    def departments(self, workspace_id: int, names: Sequence[str]) -> set[str]:
        """Of these departments, those in which somebody works."""
        ...
