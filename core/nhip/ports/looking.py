"""The stores that people look at: runs, deliveries, events, customers, counts."""

from collections.abc import Sequence
from typing import Any, Protocol

from nhip.domain.customers import Contact, Record, Staff
from nhip.domain.deliveries import Delivery
from nhip.domain.directory import Account, ContactFilter, RecordFilter, TimelineItem
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
    VersionTime,
)
from nhip.domain.past_events import Activation, EventFilter, PastEvent, Refusal, StartedRun
from nhip.domain.ticket_numbers import Handling, Opened, Satisfaction


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

    def times_of_versions(self, workspace_id: int, span: Span) -> Sequence[VersionTime]:
        """The runs that started in a span and came to their end, by version, with the time of their actions."""
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


class TicketMeasureStore(Protocol):
    """What is counted of tickets."""

    def opened(self, workspace_id: int, span: Span) -> Sequence[Opened]:
        """Those that were opened in a span, by what they are about."""
        ...

    def handling(self, workspace_id: int, span: Span) -> Handling:
        """How long those took that were resolved in a span."""
        ...

    def satisfaction(self, workspace_id: int, span: Span) -> Satisfaction:
        """How content customers were with those that were resolved in a span."""
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

    def newest_of(self, workspace_id: int, contact_id: str, kind: str, limit: int) -> list[Record]:
        """A contact's records of a type, the youngest first."""
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

    def accounts_named(self, workspace_id: int, name: str) -> list[Account]:
        """The companies of that name, whatever its case and spaces, the oldest first."""
        ...

    def lock_account_name(self, workspace_id: int, name: str) -> None:
        """Nobody else makes a company of that name until the unit ends, who asks for this as well."""
        ...

    def delete_account(self, workspace_id: int, external_id: str) -> bool:
        """False when there was none."""
        ...

    def timeline(self, workspace_id: int, contact_id: str, *, after: str | None, limit: int) -> list[TimelineItem]:
        """What happened to a contact, the newest first; ``after`` is the id of the last item that was seen."""
        ...
