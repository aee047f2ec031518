"""One open transaction with its stores."""

from functools import cached_property

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from nhip.adapters.db.stores.access import SqlIdempotency, SqlKeys, SqlWorkspaces
from nhip.adapters.db.stores.audit import SqlAudit
from nhip.adapters.db.stores.authoring import SqlWorkflows
from nhip.adapters.db.stores.channels import SqlChannels
from nhip.adapters.db.stores.customers import SqlCustomers
from nhip.adapters.db.stores.deliveries import SqlDeliveries
from nhip.adapters.db.stores.events import SqlEvents
from nhip.adapters.db.stores.runs import SqlRuns
from nhip.adapters.db.stores.secrets import SqlSecrets
from nhip.adapters.db.stores.staff import SqlStaff
from nhip.adapters.db.stores.templates import SqlTemplates
from nhip.adapters.db.stores.workflows import SqlPublished
from nhip.domain.errors import Conflict


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
    def deliveries(self) -> SqlDeliveries:
        return SqlDeliveries(self.connection)

    @cached_property
    def published(self) -> SqlPublished:
        return SqlPublished(self.connection)

    @cached_property
    def staff(self) -> SqlStaff:
        return SqlStaff(self.connection)

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
    def secrets(self) -> SqlSecrets:
        return SqlSecrets(self.connection)

    @cached_property
    def channels(self) -> SqlChannels:
        return SqlChannels(self.connection)

    @cached_property
    def templates(self) -> SqlTemplates:
        return SqlTemplates(self.connection)

    @cached_property
    def workflows(self) -> SqlWorkflows:
        return SqlWorkflows(self.connection)

    def savepoint(self) -> "Savepoint":
        """A part of the unit that can be undone alone: ``with unit.savepoint(): …`` undoes it when it raises."""
        return Savepoint(self.connection)


class Savepoint:
    """A nested transaction as a context manager."""

    def __init__(self, connection: Connection) -> None:
        self._transaction = connection.begin_nested()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if kind is None:
            self._transaction.commit()
            return
        if isinstance(error, DBAPIError):
            # The database itself interrupted the unit: the whole of it is run again.
            raise Conflict(f"the unit was interrupted: {type(error).__name__}", retry=True) from error
        self._transaction.rollback()
