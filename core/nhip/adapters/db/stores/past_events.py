"""Stored events as people look at them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, or_, select

from nhip.adapters.db.stores.merging import named
from nhip.adapters.db.stores.moments import first_id_of
from nhip.adapters.db.tables import contacts, events, refusals, runs, workflow_activations, workflow_versions
from nhip.domain.past_events import Activation, EventFilter, PastEvent, Refusal, StartedRun

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_decode_ids = msgspec.json.Decoder(tuple[str, ...]).decode
_COLUMNS: Final[list[Column[Any]]] = [events.c[name] for name in PastEvent.__struct_fields__]
_RUN_COLUMNS: Final[list[Column[Any]]] = [runs.c[name] for name in StartedRun.__struct_fields__]
_REFUSAL_COLUMNS: Final[list[Column[Any]]] = [refusals.c[name] for name in Refusal.__struct_fields__]


def _event(row: Sequence[Any]) -> PastEvent:
    values: dict[str, Any] = dict(zip(PastEvent.__struct_fields__, row, strict=True))
    values["data"] = _decode(values["data"])
    values["facts"] = _decode(values["facts"]) if values["facts"] else None
    values["derived"] = _decode_ids(values["derived"]) if values["derived"] else ()
    return PastEvent(**values)


class SqlPastEvents:
    """Implements :class:`nhip.ports.PastEventStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def one(self, workspace_id: int, identifier: str) -> PastEvent | None:
        statement = select(*_COLUMNS).where(events.c.workspace_id == workspace_id, events.c.id == identifier)
        row = self._connection.execute(statement).first()
        return _event(row) if row else None

    def page(self, workspace_id: int, wanted: EventFilter, *, after: str | None, limit: int) -> list[PastEvent]:
        statement = select(*_COLUMNS).where(events.c.workspace_id == workspace_id)
        if wanted.type is not None:
            statement = statement.where(events.c.type == wanted.type)
        if wanted.contact is not None:
            statement = statement.where(events.c.contact_id == named(wanted.contact, workspace_id))
        if wanted.since is not None:
            # No event is stored before it happens, so the ids, which are ordered in time, bound the search.
            statement = statement.where(events.c.time_at >= wanted.since, events.c.id >= first_id_of(wanted.since))
        if wanted.until is not None:
            statement = statement.where(events.c.time_at < wanted.until)
        if after is not None:
            statement = statement.where(events.c.id < after)
        return [_event(row) for row in self._connection.execute(statement.order_by(events.c.id.desc()).limit(limit))]

    def derived(self, workspace_id: int, root: PastEvent) -> list[PastEvent]:
        statement = select(*_COLUMNS).where(events.c.workspace_id == workspace_id, events.c.id.in_(root.derived))
        found = {row[0]: _event(row) for row in self._connection.execute(statement)}
        return [found[identifier] for identifier in root.derived if identifier in found]

    def contact_names(self, workspace_id: int, contact_ids: Sequence[str]) -> dict[str, str]:
        statement = select(contacts.c.id, contacts.c.external_id).where(
            contacts.c.workspace_id == workspace_id, contacts.c.id.in_(list(contact_ids))
        )
        return {row[0]: row[1] for row in self._connection.execute(statement)}

    def runs_of(self, workspace_id: int, root_id: str) -> list[StartedRun]:
        statement = select(*_RUN_COLUMNS).where(runs.c.workspace_id == workspace_id, runs.c.root_event_id == root_id)
        return [
            StartedRun(**dict(zip(StartedRun.__struct_fields__, row, strict=True)))
            for row in self._connection.execute(statement.order_by(runs.c.id))
        ]

    def refusals_of(self, workspace_id: int, root_id: str) -> list[Refusal]:
        statement = select(*_REFUSAL_COLUMNS).where(
            refusals.c.workspace_id == workspace_id, refusals.c.event_id == root_id
        )
        return [
            Refusal(**dict(zip(Refusal.__struct_fields__, row, strict=True)))
            for row in self._connection.execute(statement.order_by(refusals.c.id))
        ]

    def active_at(self, workspace_id: int, moment: int) -> list[Activation]:
        spans = workflow_activations.c
        statement = (
            select(spans.workflow, spans.version_id, workflow_versions.c.number)
            .join_from(workflow_activations, workflow_versions, workflow_versions.c.id == spans.version_id)
            .where(
                spans.workspace_id == workspace_id,
                workflow_versions.c.workspace_id == workspace_id,
                spans.from_at <= moment,
                or_(spans.until_at.is_(None), spans.until_at > moment),
            )
            .order_by(spans.workflow)
        )
        return [
            Activation(workflow=row[0], version_id=row[1], number=row[2]) for row in self._connection.execute(statement)
        ]
