"""What is counted about runs and deliveries: one statement for each kind of number."""

from collections.abc import Sequence
from math import floor
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, case, func, literal, select, union_all

from nhip.adapters.db import tables
from nhip.domain.history import ChannelCount, Latency, SlotCount, Span, VersionTime
from nhip.domain.messages import DeliveryState

_runs, _refusals, _deliveries = tables.runs, tables.refusals, tables.deliveries
_steps = tables.steps
_PENDING = (DeliveryState.QUEUED.value, DeliveryState.DEFERRED.value, DeliveryState.SENDING.value)


def _within(
    query: Select[*tuple[Any, ...]],
    workspace_id: int,
    span: Span,
    workspace: Column[Any],
    workflow: Column[Any],
    time: Column[Any],
) -> Select[*tuple[Any, ...]]:
    query = query.where(workspace == workspace_id, time >= span.since, time < span.until)
    return query if span.workflow is None else query.where(workflow == span.workflow)


def _runs_within(query: Select[*tuple[Any, ...]], workspace_id: int, span: Span) -> Select[*tuple[Any, ...]]:
    return _within(query, workspace_id, span, _runs.c.workspace_id, _runs.c.workflow, _runs.c.started_at)


def _deliveries_within(
    query: Select[*tuple[Any, ...]], workspace_id: int, span: Span, time: Column[Any]
) -> Select[*tuple[Any, ...]]:
    return _within(query, workspace_id, span, _deliveries.c.workspace_id, _deliveries.c.workflow, time)


def _in_state(*states: str) -> ColumnElement[int]:
    return func.count(case((_deliveries.c.state.in_(states), 1)))


class SqlMeasures:
    """Implements :class:`nhip.ports.MeasureStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs_by_state(self, workspace_id: int, span: Span) -> dict[str, int]:
        query = _runs_within(select(_runs.c.state, func.count()).group_by(_runs.c.state), workspace_id, span)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def times_of_versions(self, workspace_id: int, span: Span) -> Sequence[VersionTime]:
        ended = _runs.c.state.in_(("completed", "exited"))
        counts = _runs_within(select(_runs.c.version_id, func.count()).where(ended), workspace_id, span)
        # What waits, for time to pass or for somebody's answer, is not at work.
        worked = (
            _steps.c.workspace_id == workspace_id,
            _steps.c.kind.in_(("local", "remote", "message")),
            _steps.c.finished_at.is_not(None),
            _steps.c.first_attempt_at.is_not(None),
            _steps.c.awaits.is_(None),
        )
        took = func.sum(_steps.c.finished_at - _steps.c.first_attempt_at)
        times = _runs_within(select(_runs.c.version_id, took).where(ended, *worked), workspace_id, span)
        times = times.join_from(_runs, _steps, _steps.c.run_id == _runs.c.id).group_by(_runs.c.version_id)
        machine = {row[0]: int(row[1] or 0) for row in self._connection.execute(times)}
        return [
            VersionTime(version_id=row[0], runs=row[1], machine_micros=machine.get(row[0], 0))
            for row in self._connection.execute(counts.group_by(_runs.c.version_id))
        ]

    def refusals_by_reason(self, workspace_id: int, span: Span) -> dict[str, int]:
        query = _within(
            select(_refusals.c.reason, func.count()).group_by(_refusals.c.reason),
            workspace_id,
            span,
            _refusals.c.workspace_id,
            _refusals.c.workflow,
            _refusals.c.created_at,
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def deliveries_by_channel(self, workspace_id: int, span: Span) -> Sequence[ChannelCount]:
        query = select(
            _deliveries.c.channel,
            func.count().label("total"),
            func.count(_deliveries.c.accepted_at).label("accepted"),
            func.count(_deliveries.c.delivered_at).label("delivered"),
            func.count(_deliveries.c.read_at).label("read"),
            _in_state(*_PENDING).label("pending"),
            *(_in_state(state).label(state) for state in ("unknown", "failed", "rejected", "suppressed", "expired")),
        )
        query = query.group_by(_deliveries.c.channel).order_by(_deliveries.c.channel)
        rows = self._connection.execute(_deliveries_within(query, workspace_id, span, _deliveries.c.created_at))
        return [ChannelCount(**row._mapping) for row in rows]

    def latency(self, workspace_id: int, span: Span) -> Latency:
        # The two values that each percentile lies between come from one pass; how far between them is arithmetic.
        took = _deliveries.c.accepted_at - _deliveries.c.event_received_at
        ranked = _deliveries_within(
            select(
                took.label("took"),
                (func.row_number().over(order_by=took) - 1).label("place"),
                func.count().over().label("many"),
            ).where(_deliveries.c.accepted_at.is_not(None), _deliveries.c.event_received_at.is_not(None)),
            workspace_id,
            span,
            _deliveries.c.accepted_at,
        ).subquery()
        between: list[ColumnElement[Any]] = []
        for share in (50, 99):
            # In hundredths of a place, so that no database rounds.
            wanted = (ranked.c.many - 1) * share
            between.append(func.max(case((ranked.c.place * 100 <= wanted, ranked.c.took))))
            between.append(func.min(case((ranked.c.place * 100 >= wanted, ranked.c.took))))
        count, *bounds = self._connection.execute(select(func.max(ranked.c.many), *between)).one()
        if not count:
            return Latency(count=0, p50=None, p99=None)
        p50, p99 = _between(bounds[0], bounds[1], count, 0.50), _between(bounds[2], bounds[3], count, 0.99)
        return Latency(count=count, p50=p50, p99=p99)

    def series(self, workspace_id: int, span: Span, step: int) -> Sequence[SlotCount]:
        def slots(name: str, time: Column[Any]) -> Select[*tuple[Any, ...]]:
            slot = ((time - span.since) // step).label("slot")
            return select(slot, literal(name).label("name"), func.count().label("count")).group_by(slot)

        started = _runs_within(slots("enrolled", _runs.c.started_at), workspace_id, span)
        sent = [
            _deliveries_within(slots(name, column), workspace_id, span, column)
            for name, column in (
                ("accepted", _deliveries.c.accepted_at),
                ("delivered", _deliveries.c.delivered_at),
                ("read", _deliveries.c.read_at),
            )
        ]
        rows = self._connection.execute(union_all(started, *sent))
        return [SlotCount(slot=int(row[0]), name=row[1], count=row[2]) for row in rows]


def _between(low: int, high: int, count: int, share: float) -> float:
    """Linear interpolation, as SQL's ``percentile_cont`` does it."""
    place = share * (count - 1)
    return low + (high - low) * (place - floor(place))
