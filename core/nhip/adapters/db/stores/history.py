"""Runs, steps and deliveries as people look at them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, select, update

from nhip.adapters.db import tables
from nhip.domain.customers import Record
from nhip.domain.deliveries import Delivery
from nhip.domain.history import DeliveryFilter, PastDelivery, PastRun, PastStep, RunFilter
from nhip.domain.messages import DeliveryState
from nhip.domain.runs import RunState, StepState

_runs, _steps, _deliveries, _contacts = tables.runs, tables.steps, tables.deliveries, tables.contacts
_contact = _contacts.c.external_id.label("contact")
_RUN_COLUMNS = [_contact if name == "contact" else _runs.c[name] for name in PastRun.__struct_fields__]
_STEP_COLUMNS = [_steps.c[name] for name in PastStep.__struct_fields__]
_DELIVERY_COLUMNS = [_contact if name == "contact" else _deliveries.c[name] for name in PastDelivery.__struct_fields__]
_RECORD_COLUMNS = [tables.records.c[name] for name in Record.__struct_fields__]
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _past_runs(workspace_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(*_RUN_COLUMNS)
        .outerjoin_from(_runs, _contacts, _contacts.c.id == _runs.c.contact_id)
        .where(_runs.c.workspace_id == workspace_id)
    )


def _past_deliveries(workspace_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(*_DELIVERY_COLUMNS)
        .outerjoin_from(_deliveries, _contacts, _contacts.c.id == _deliveries.c.contact_id)
        .where(_deliveries.c.workspace_id == workspace_id)
    )


class SqlHistory:
    """Implements :class:`nhip.ports.HistoryStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs(self, workspace_id: int, wanted: RunFilter, before: str | None, limit: int) -> Sequence[PastRun]:
        query = _past_runs(workspace_id)
        for name in RunFilter.__struct_fields__:
            if (value := getattr(wanted, name)) is not None:
                query = query.where(_runs.c[name] == value)
        if before is not None:
            query = query.where(_runs.c.id < before)
        return [
            PastRun(**row._mapping) for row in self._connection.execute(query.order_by(_runs.c.id.desc()).limit(limit))
        ]

    def run(self, workspace_id: int, run_id: str, *, lock: bool = False) -> PastRun | None:
        query = _past_runs(workspace_id).where(_runs.c.id == run_id)
        row = self._connection.execute(query.with_for_update(of=_runs) if lock else query).one_or_none()
        return None if row is None else PastRun(**row._mapping)

    def steps(self, workspace_id: int, run_id: str) -> Sequence[PastStep]:
        rows = self._connection.execute(
            select(*_STEP_COLUMNS)
            .where(_steps.c.workspace_id == workspace_id, _steps.c.run_id == run_id)
            .order_by(_steps.c.created_at, _steps.c.node, _steps.c.iteration)
        )
        return [PastStep(**row._mapping) for row in rows]

    def revive(self, workspace_id: int, run_id: str) -> None:
        self._connection.execute(
            update(_runs)
            .where(_runs.c.workspace_id == workspace_id, _runs.c.id == run_id)
            .values(state=RunState.RUNNING.value, reason=None, ended_at=None)
        )

    def suppress_pending(self, workspace_id: int, run_id: str, reason: str, now: int) -> int:
        cancelled = select(_steps.c.id).where(
            _steps.c.workspace_id == workspace_id,
            _steps.c.run_id == run_id,
            _steps.c.state == StepState.CANCELLED.value,
        )
        pending = (DeliveryState.QUEUED.value, DeliveryState.DEFERRED.value)
        return self._connection.execute(
            update(_deliveries)
            .where(
                _deliveries.c.workspace_id == workspace_id,
                _deliveries.c.step_id.in_(cancelled),
                _deliveries.c.state.in_(pending),
            )
            .values(state=DeliveryState.SUPPRESSED.value, reason=reason, updated_at=now)
        ).rowcount

    def deliveries(
        self, workspace_id: int, wanted: DeliveryFilter, before: str | None, limit: int
    ) -> Sequence[PastDelivery]:
        query = _past_deliveries(workspace_id)
        for name in DeliveryFilter.__struct_fields__:
            if (value := getattr(wanted, name)) is not None:
                query = query.where(_deliveries.c[name] == value)
        if before is not None:
            query = query.where(_deliveries.c.id < before)
        rows = self._connection.execute(query.order_by(_deliveries.c.id.desc()).limit(limit))
        return [PastDelivery(**row._mapping) for row in rows]

    def delivery(self, workspace_id: int, delivery_id: str) -> PastDelivery | None:
        query = _past_deliveries(workspace_id).where(_deliveries.c.id == delivery_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else PastDelivery(**row._mapping)

    def deliveries_of(self, workspace_id: int, step_ids: Sequence[str]) -> Sequence[Delivery]:
        columns = [_deliveries.c[name] for name in Delivery.__struct_fields__]
        rows = self._connection.execute(
            select(*columns)
            .where(_deliveries.c.workspace_id == workspace_id, _deliveries.c.step_id.in_(step_ids))
            .order_by(_deliveries.c.id)
        )
        return [Delivery(**row._mapping) for row in rows]

    def newest_records(self, workspace_id: int, contact_id: str) -> Sequence[Record]:
        records = tables.records
        rows = self._connection.execute(
            select(*_RECORD_COLUMNS)
            .where(records.c.workspace_id == workspace_id, records.c.contact_id == contact_id)
            .order_by(records.c.type, records.c.as_of.desc(), records.c.id.desc())
            .limit(1000)
        )
        newest: dict[str, Record] = {}
        for row in rows:
            values = {**row._mapping, "attributes": _decode(row._mapping["attributes"])}
            newest.setdefault(row._mapping["type"], Record(**values))
        return list(newest.values())
