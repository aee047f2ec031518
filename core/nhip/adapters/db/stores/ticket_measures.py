"""What is counted of tickets, each number over an index of its span."""

from collections.abc import Sequence
from math import floor
from typing import Any, Final

from sqlalchemy import JSON, Column, ColumnElement, Connection, case, cast, func, select, type_coerce

from nhip.adapters.db.tables import records
from nhip.domain.history import Span
from nhip.domain.ticket_numbers import Handling, Opened, Satisfaction

_TICKET: Final = "ticket"
_CONTENT: Final = 4
"""From how many stars on a customer is content."""


def _within(workspace_id: int, span: Span, time: Column[Any]) -> tuple[ColumnElement[bool], ...]:
    return (
        records.c.workspace_id == workspace_id, records.c.type == _TICKET, time >= span.since, time < span.until
    )  # fmt: skip


class SqlTicketMeasures:
    """Implements :class:`nhip.ports.TicketMeasureStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        text = records.c.attributes
        is_postgres = connection.dialect.name == "postgresql"
        self._said: Any = cast(text, JSON) if is_postgres else type_coerce(text, JSON)

    def opened(self, workspace_id: int, span: Span) -> Sequence[Opened]:
        said = [self._said[name].as_string().label(name) for name in ("type", "sub_type", "source")]
        each = select(*said, records.c.closed_at).where(*_within(workspace_id, span, records.c.created_at)).subquery()
        keys = (each.c.type, each.c.sub_type, each.c.source)
        query = select(*keys, func.count(), func.count(each.c.closed_at)).group_by(*keys)
        return [
            Opened(type=row[0], sub_type=row[1], source=row[2], count=row[3], resolved=row[4])
            for row in self._connection.execute(query)
        ]

    def handling(self, workspace_id: int, span: Span) -> Handling:
        # A system may say only later what was resolved before we knew of it.
        took = case((records.c.closed_at > records.c.created_at, records.c.closed_at - records.c.created_at), else_=0)
        ranked = (
            select(
                took.label("took"),
                (func.row_number().over(order_by=took) - 1).label("place"),
                func.count().over().label("many"),
            )
            .where(*_within(workspace_id, span, records.c.closed_at))
            .subquery()
        )
        bounds: list[ColumnElement[Any]] = []
        for share in (50, 90):
            wanted = (ranked.c.many - 1) * share
            bounds.append(func.max(case((ranked.c.place * 100 <= wanted, ranked.c.took))))
            bounds.append(func.min(case((ranked.c.place * 100 >= wanted, ranked.c.took))))
        query = select(func.max(ranked.c.many), func.sum(ranked.c.took), *bounds)
        row: list[Any] = list(self._connection.execute(query).one())
        count, found = row[0], row[2:]
        if not count:
            return Handling(count=0, mean=None, p50=None, p90=None)
        return Handling(
            count=count,
            mean=int(row[1]) / count,
            p50=_between(found[0], found[1], count, 0.50),
            p90=_between(found[2], found[3], count, 0.90),
        )

    def satisfaction(self, workspace_id: int, span: Span) -> Satisfaction:
        stars = self._said["rating"].as_integer().label("stars")
        each = select(stars).where(*_within(workspace_id, span, records.c.closed_at)).subquery()
        query = select(func.count(each.c.stars), func.count(case((each.c.stars >= _CONTENT, 1))))
        rated, content = self._connection.execute(query).one()
        return Satisfaction(rated=rated, content=content)


def _between(low: int, high: int, count: int, share: float) -> float:
    """Linear interpolation, as SQL's ``percentile_cont`` does it."""
    place = share * (count - 1)
    return int(low) + (int(high) - int(low)) * (place - floor(place))
