"""What the services need from the outside, as protocols; ``nhip.adapters`` implements them.

Stores are synchronous: they run inside one open unit, over one connection (ADR 0005). Rows on the hot path are plain
tuples in the order of the adapter's columns, everything else is a struct of the domain. Every method takes the
workspace it works in, except those of the work queue, which serve all workspaces at once and answer rows that name
theirs.
"""

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
from nhip.ports.secrets import SecretRows, SecretVault
from nhip.ports.segments import EnrolmentStore, SegmentStore
from nhip.ports.sources import SourceStore
from nhip.ports.surroundings import Clock, Doorbell, Renderer
from nhip.ports.telesales import TelesalesStore
from nhip.ports.unit import OpenStorage, Storage, Unit

__all__ = [
    "AssignmentStore",
    "AuditStore",
    "CalendarStore",
    "CallStore",
    "ChannelStore",
    "Clock",
    "CustomerStore",
    "DateStore",
    "DeliveryStore",
    "DirectoryStore",
    "Doorbell",
    "EnrolmentStore",
    "EventStore",
    "HealthStore",
    "HistoryStore",
    "IdempotencyStore",
    "KeyStore",
    "MeasureStore",
    "MergeStore",
    "OpenStorage",
    "PastEventStore",
    "PublishedStore",
    "Renderer",
    "RetentionStore",
    "RunStore",
    "ScanStore",
    "ScoreStore",
    "SecretRows",
    "SecretVault",
    "SegmentStore",
    "SourceStore",
    "StaffStore",
    "Storage",
    "TaxonomyStore",
    "TelesalesStore",
    "TemplateStore",
    "TicketMeasureStore",
    "Unit",
    "WorkflowStore",
    "WorkspaceStore",
]
