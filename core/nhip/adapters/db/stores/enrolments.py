"""Enrolments: many contacts on their way into a workflow, and how far they are."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, Row, delete, insert, select, update

from nhip.adapters.db.segment_tables import enrolment_parts, enrolments
from nhip.adapters.db.statements import Statement
from nhip.domain.segments import StoredEnrolment

_COLUMNS: Final[list[Column[Any]]] = [enrolments.c[name] for name in StoredEnrolment.__struct_fields__]
_decode_counts: Final = msgspec.json.Decoder(dict[str, int]).decode
_decode_names: Final = msgspec.json.Decoder(list[str]).decode
_encode: Final = msgspec.json.Encoder().encode
_DUE: Final = Statement(
    "SELECT enrolments.workspace_id, enrolments.id FROM enrolments WHERE enrolments.due_at <= :now"
    " ORDER BY enrolments.due_at LIMIT :limit"
)
_REFUSALS: Final = Statement(
    "SELECT reason, count(*) FROM refusals WHERE workspace_id = :workspace_id AND {event_id in events} GROUP BY reason"
)


def _stored(row: Row[Any]) -> StoredEnrolment:
    values = {**row._mapping}
    values["refused"] = _decode_counts(values["refused"])
    values["unknown_contacts"] = _decode_names(values["unknown_contacts"])
    return StoredEnrolment(**values)


def _values(enrolment: StoredEnrolment) -> dict[str, Any]:
    values = msgspec.structs.asdict(enrolment)
    for name in ("refused", "unknown_contacts"):
        values[name] = _encode(values[name]).decode()
    return values


class SqlEnrolments:
    """Implements :class:`nhip.ports.EnrolmentStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(
        self, workspace_id: int, identifier: str, *, lock: bool = False, skip_locked: bool = False
    ) -> StoredEnrolment | None:
        query = select(*_COLUMNS).where(enrolments.c.workspace_id == workspace_id, enrolments.c.id == identifier)
        if lock:
            query = query.with_for_update(skip_locked=skip_locked)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _stored(row)

    def page(self, workspace_id: int, workflow: str, before: str | None, limit: int) -> Sequence[StoredEnrolment]:
        query = select(*_COLUMNS).where(enrolments.c.workspace_id == workspace_id, enrolments.c.workflow == workflow)
        if before is not None:
            query = query.where(enrolments.c.id < before)
        return [_stored(row) for row in self._connection.execute(query.order_by(enrolments.c.id.desc()).limit(limit))]

    def insert(self, enrolment: StoredEnrolment, parts: Sequence[Sequence[str]]) -> None:
        self._connection.execute(insert(enrolments).values(**_values(enrolment)))
        rows = [
            {
                "workspace_id": enrolment.workspace_id,
                "enrolment_id": enrolment.id,
                "number": number,
                "contacts": _encode(part).decode(),
            }
            for number, part in enumerate(parts)
        ]
        if rows:
            self._connection.execute(insert(enrolment_parts), rows)

    def update(self, enrolment: StoredEnrolment) -> None:
        mine = (enrolments.c.workspace_id == enrolment.workspace_id, enrolments.c.id == enrolment.id)
        self._connection.execute(update(enrolments).where(*mine).values(**_values(enrolment)))

    def part(self, workspace_id: int, identifier: str, number: int) -> Sequence[str]:
        columns = enrolment_parts.c
        query = select(columns.contacts).where(
            columns.workspace_id == workspace_id, columns.enrolment_id == identifier, columns.number == number
        )
        found = self._connection.execute(query).scalar_one_or_none()
        return [] if found is None else _decode_names(found)

    def drop_parts(self, workspace_id: int, identifier: str) -> None:
        columns = enrolment_parts.c
        self._connection.execute(
            delete(enrolment_parts).where(columns.workspace_id == workspace_id, columns.enrolment_id == identifier)
        )

    def due(self, now: int, limit: int) -> Sequence[tuple[int, str]]:
        return [(row[0], row[1]) for row in _DUE.run(self._connection, now=now, limit=limit)]

    def refusals(self, workspace_id: int, events: Sequence[str]) -> Mapping[str, int]:
        rows = _REFUSALS.run(self._connection, workspace_id=workspace_id, events=list(events))
        return {row[0]: row[1] for row in rows}
