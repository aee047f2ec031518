"""What operators watch, over all workspaces at once. Everything reads small partial indexes or the newest ids."""

from sqlalchemy import Connection, func, literal, select

from nhip.adapters.db.stores.moments import first_id_of
from nhip.adapters.db.tables import deliveries, steps


class SqlHealth:
    """Implements :class:`nhip.ports.HealthStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ping(self) -> None:
        self._connection.execute(select(literal(1))).one()

    def open_steps(self) -> dict[str, int]:
        counted = {}
        for state in ("ready", "running", "waiting", "unknown"):
            # The state stands in the text, so that the planner may use the partial index of that state.
            statement = (
                select(func.count()).select_from(steps).where(steps.c.state == literal(state, literal_execute=True))
            )
            counted[state] = self._connection.execute(statement).scalar_one()
        return counted

    def overdue(self, now: int, *, limit: int) -> int:
        ready = steps.c.state == literal("ready", literal_execute=True)
        due = select(literal(1).label("one")).select_from(steps).where(ready, steps.c.due_at <= now).limit(limit)
        return int(self._connection.execute(select(func.count()).select_from(due.subquery())).scalar_one())

    def oldest_ready(self, now: int) -> int | None:
        ready = steps.c.state == literal("ready", literal_execute=True)
        found: int | None = self._connection.execute(
            select(func.min(steps.c.due_at)).where(ready, steps.c.due_at <= now)
        ).scalar_one()
        return found

    def deliveries_since(self, since: int) -> dict[str, int]:
        statement = (
            select(deliveries.c.state, func.count())
            .where(deliveries.c.id >= first_id_of(since))
            .group_by(deliveries.c.state)
        )
        return {row[0]: row[1] for row in self._connection.execute(statement)}
