"""One transaction over all stores, and the database that opens it."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from nhip.ports.access import AuditStore, IdempotencyStore, KeyStore, WorkspaceStore
from nhip.ports.assignments import AssignmentStore, TaxonomyStore
from nhip.ports.authoring import ChannelStore, TemplateStore, WorkflowStore
from nhip.ports.calendars import CalendarStore
from nhip.ports.calls import CallStore
from nhip.ports.engine import CustomerStore, DeliveryStore, EventStore, PublishedStore, RunStore, StaffStore
from nhip.ports.looking import DirectoryStore, HistoryStore, MeasureStore, PastEventStore, TicketMeasureStore
from nhip.ports.merging import MergeStore
from nhip.ports.operations import HealthStore, RetentionStore
from nhip.ports.scheduling import DateStore, ScanStore
from nhip.ports.scores import ScoreStore
from nhip.ports.secrets import SecretRows
from nhip.ports.segments import EnrolmentStore, SegmentStore
from nhip.ports.sources import SourceStore
from nhip.ports.telesales import TelesalesStore

P = ParamSpec("P")
T = TypeVar("T")


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
    def merging(self) -> MergeStore:
        """Contacts that were merged into others."""
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
    def assignments(self) -> AssignmentStore:
        """Whose turn it is."""
        ...

    @property
    def taxonomies(self) -> TaxonomyStore:
        """The words for records."""
        ...

    @property
    def calendars(self) -> CalendarStore:
        """The days on which workspaces are closed."""
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
    def sources(self) -> SourceStore:
        """Doors for other systems."""
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
    def segments(self) -> SegmentStore:
        """Segments, and who is in them."""
        ...

    @property
    def enrolments(self) -> EnrolmentStore:
        """Many contacts on their way into a workflow."""
        ...

    @property
    def scores(self) -> ScoreStore:
        """Score rules, and which scores have to be looked at."""
        ...

    @property
    def calls(self) -> CallStore:
        """Telephone calls."""
        ...

    @property
    def telesales(self) -> TelesalesStore:
        """Telesales campaigns, and who has to be called in them."""
        ...

    @property
    def history(self) -> HistoryStore:
        """Runs and deliveries, as people look at them."""
        ...

    @property
    def scans(self) -> ScanStore:
        """What time sets off."""
        ...

    @property
    def dates(self) -> DateStore:
        """The days that date scans look for."""
        ...

    @property
    def ticket_measures(self) -> TicketMeasureStore:
        """Counts of tickets."""
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


class OpenStorage(Storage, Protocol):
    """A database that somebody opened and will close."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        ...

    async def close(self) -> None:
        """Let go of everything; what comes later is refused."""
        ...
