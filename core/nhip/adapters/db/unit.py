"""One open transaction with its stores."""

from functools import cached_property

from sqlalchemy import Connection

from nhip.adapters.db.stores.access import SqlIdempotency, SqlKeys, SqlWorkspaces
from nhip.adapters.db.stores.assignments import SqlAssignments
from nhip.adapters.db.stores.audit import SqlAudit
from nhip.adapters.db.stores.authoring import SqlWorkflows
from nhip.adapters.db.stores.calendars import SqlCalendars
from nhip.adapters.db.stores.calls import SqlCalls
from nhip.adapters.db.stores.channels import SqlChannels
from nhip.adapters.db.stores.customers import SqlCustomers
from nhip.adapters.db.stores.dates import SqlDates
from nhip.adapters.db.stores.deliveries import SqlDeliveries
from nhip.adapters.db.stores.directory import SqlDirectory
from nhip.adapters.db.stores.enrolments import SqlEnrolments
from nhip.adapters.db.stores.events import SqlEvents
from nhip.adapters.db.stores.health import SqlHealth
from nhip.adapters.db.stores.history import SqlHistory
from nhip.adapters.db.stores.measures import SqlMeasures
from nhip.adapters.db.stores.merging import SqlMerging
from nhip.adapters.db.stores.past_events import SqlPastEvents
from nhip.adapters.db.stores.retention import SqlRetention
from nhip.adapters.db.stores.runs import SqlRuns
from nhip.adapters.db.stores.scans import SqlScans
from nhip.adapters.db.stores.scores import SqlScores
from nhip.adapters.db.stores.secrets import SqlSecrets
from nhip.adapters.db.stores.segments import SqlSegments
from nhip.adapters.db.stores.sources import SqlSources
from nhip.adapters.db.stores.staff import SqlStaff
from nhip.adapters.db.stores.taxonomies import SqlTaxonomies
from nhip.adapters.db.stores.telesales import SqlTelesales
from nhip.adapters.db.stores.templates import SqlTemplates
from nhip.adapters.db.stores.ticket_measures import SqlTicketMeasures
from nhip.adapters.db.stores.workflows import SqlPublished


class SqlUnit:
    """Implements :class:`nhip.ports.Unit` over one SQLAlchemy connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @cached_property
    def events(self) -> SqlEvents:
        return SqlEvents(self.connection)

    @cached_property
    def customers(self) -> SqlCustomers:
        return SqlCustomers(self.connection)

    @cached_property
    def runs(self) -> SqlRuns:
        return SqlRuns(self.connection)

    @cached_property
    def merging(self) -> SqlMerging:
        return SqlMerging(self.connection)

    @cached_property
    def deliveries(self) -> SqlDeliveries:
        return SqlDeliveries(self.connection)

    @cached_property
    def published(self) -> SqlPublished:
        return SqlPublished(self.connection)

    @cached_property
    def staff(self) -> SqlStaff:
        return SqlStaff(self.connection)

    @cached_property
    def assignments(self) -> SqlAssignments:
        return SqlAssignments(self.connection)

    @cached_property
    def taxonomies(self) -> SqlTaxonomies:
        return SqlTaxonomies(self.connection)

    @cached_property
    def calendars(self) -> SqlCalendars:
        return SqlCalendars(self.connection)

    @cached_property
    def workspaces(self) -> SqlWorkspaces:
        return SqlWorkspaces(self.connection)

    @cached_property
    def keys(self) -> SqlKeys:
        return SqlKeys(self.connection)

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self.connection)

    @cached_property
    def idempotency(self) -> SqlIdempotency:
        return SqlIdempotency(self.connection)

    @cached_property
    def directory(self) -> SqlDirectory:
        return SqlDirectory(self.connection)

    @cached_property
    def past_events(self) -> SqlPastEvents:
        return SqlPastEvents(self.connection)

    @cached_property
    def health(self) -> SqlHealth:
        return SqlHealth(self.connection)

    @cached_property
    def retention(self) -> SqlRetention:
        return SqlRetention(self.connection)

    @cached_property
    def secrets(self) -> SqlSecrets:
        return SqlSecrets(self.connection)

    @cached_property
    def channels(self) -> SqlChannels:
        return SqlChannels(self.connection)

    @cached_property
    def sources(self) -> SqlSources:
        return SqlSources(self.connection)

    @cached_property
    def templates(self) -> SqlTemplates:
        return SqlTemplates(self.connection)

    @cached_property
    def workflows(self) -> SqlWorkflows:
        return SqlWorkflows(self.connection)

    @cached_property
    def segments(self) -> SqlSegments:
        return SqlSegments(self.connection)

    @cached_property
    def enrolments(self) -> SqlEnrolments:
        return SqlEnrolments(self.connection)

    @cached_property
    def scores(self) -> SqlScores:
        return SqlScores(self.connection)

    @cached_property
    def calls(self) -> SqlCalls:
        return SqlCalls(self.connection)

    @cached_property
    def telesales(self) -> SqlTelesales:
        return SqlTelesales(self.connection)

    @cached_property
    def history(self) -> SqlHistory:
        return SqlHistory(self.connection)

    @cached_property
    def scans(self) -> SqlScans:
        return SqlScans(self.connection)

    @cached_property
    def dates(self) -> SqlDates:
        return SqlDates(self.connection)

    @cached_property
    def ticket_measures(self) -> SqlTicketMeasures:
        return SqlTicketMeasures(self.connection)

    @cached_property
    def measures(self) -> SqlMeasures:
        return SqlMeasures(self.connection)
