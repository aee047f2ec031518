"""Segments: the conditions, who is in them, and who has to be judged again when."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, Row, delete, func as sql, insert, select, tuple_, update

from nhip.adapters.db.segment_tables import segment_members, segment_moments, segments
from nhip.adapters.db.statements import BulkInsert, Statement
from nhip.domain.segments import Member, StoredSegment

_COLUMNS: Final[list[Column[Any]]] = [segments.c[name] for name in StoredSegment.__struct_fields__]
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_MINE: Final = "workspace_id = :workspace_id"

_STANDING: Final = Statement(
    f"SELECT segment, contact_id FROM segment_members WHERE {_MINE}"  # noqa: S608
    " AND {segment in segments} AND {contact_id in contacts}"
)
_ENTER: Final = BulkInsert(
    segment_members, ("workspace_id", "segment", "contact_id", "entered_at", "by_definition"), conflict=()
)
_LEAVE: Final = Statement(
    f"DELETE FROM segment_members WHERE {_MINE} AND segment = :segment AND {{contact_id in contacts}}"  # noqa: S608
)
_PLANNED: Final = Statement(
    f"SELECT segment, contact_id, due_at FROM segment_moments WHERE {_MINE}"  # noqa: S608
    " AND {segment in segments} AND {contact_id in contacts}"
)
_PLAN: Final = BulkInsert(
    segment_moments,
    ("workspace_id", "segment", "contact_id", "due_at"),
    conflict=("workspace_id", "segment", "contact_id"),
    update=("due_at",),
)
_UNPLAN: Final = Statement(
    f"DELETE FROM segment_moments WHERE {_MINE} AND segment = :segment AND {{contact_id in contacts}}"  # noqa: S608
)
_DUE: Final = Statement(
    "SELECT segments.workspace_id, segments.name FROM segments WHERE segments.due_at <= :now"
    " ORDER BY segments.due_at LIMIT :limit"
)
_DUE_CONTACTS: Final = Statement(
    f"SELECT contact_id FROM segment_moments WHERE {_MINE} AND segment = :segment AND due_at <= :now"  # noqa: S608
    " ORDER BY due_at LIMIT :limit"
)
_WALK: Final = Statement(
    f"SELECT external_id, id FROM contacts WHERE {_MINE} AND external_id > :after"  # noqa: S608
    " ORDER BY external_id LIMIT :limit"
)


def _stored(row: Row[Any]) -> StoredSegment:
    values = {**row._mapping}
    values["condition"] = _decode(values["condition"])
    return StoredSegment(**values)


def _values(segment: StoredSegment) -> dict[str, Any]:
    values = msgspec.structs.asdict(segment)
    values["condition"] = msgspec.json.encode(segment.condition).decode()
    return values


class SqlSegments:
    """Implements :class:`nhip.ports.SegmentStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(
        self, workspace_id: int, name: str, *, lock: bool = False, skip_locked: bool = False
    ) -> StoredSegment | None:
        query = select(*_COLUMNS).where(segments.c.workspace_id == workspace_id, segments.c.name == name)
        if lock:
            query = query.with_for_update(skip_locked=skip_locked)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _stored(row)

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredSegment]:
        query = select(*_COLUMNS).where(segments.c.workspace_id == workspace_id)
        if after is not None:
            query = query.where(segments.c.name > after)
        return [_stored(row) for row in self._connection.execute(query.order_by(segments.c.name).limit(limit))]

    def all(self, workspace_id: int) -> Sequence[StoredSegment]:
        query = select(*_COLUMNS).where(segments.c.workspace_id == workspace_id).order_by(segments.c.name)
        return [_stored(row) for row in self._connection.execute(query)]

    def insert(self, segment: StoredSegment) -> None:
        self._connection.execute(insert(segments).values(**_values(segment)))

    def update(self, segment: StoredSegment) -> None:
        mine = (segments.c.workspace_id == segment.workspace_id, segments.c.name == segment.name)
        self._connection.execute(update(segments).where(*mine).values(**_values(segment)))

    def delete(self, workspace_id: int, name: str) -> None:
        for table in (segment_moments, segment_members):
            self._connection.execute(delete(table).where(table.c.workspace_id == workspace_id, table.c.segment == name))
        self._connection.execute(
            delete(segments).where(segments.c.workspace_id == workspace_id, segments.c.name == name)
        )

    def due(self, now: int, limit: int) -> Sequence[tuple[int, str]]:
        return [(row[0], row[1]) for row in _DUE.run(self._connection, now=now, limit=limit)]

    # --- who is in it -------------------------------------------------------------------------------------------------

    def members(self, workspace_id: int, segment: str, after: str | None, limit: int) -> Sequence[tuple[str, int]]:
        return [(one.contact_id, one.entered_at) for one in self.page_of_members(workspace_id, segment, after, limit)]

    def page_of_members(self, workspace_id: int, segment: str, after: str | None, limit: int) -> Sequence[Member]:
        columns = segment_members.c
        query = select(columns.contact_id, columns.entered_at, columns.by_definition).where(
            columns.workspace_id == workspace_id, columns.segment == segment
        )
        if after is not None:
            query = query.where(columns.contact_id > after)
        rows = self._connection.execute(query.order_by(columns.contact_id).limit(limit))
        return [Member(contact_id=row[0], entered_at=row[1], by_definition=bool(row[2])) for row in rows]

    def entered_between(
        self,
        workspace_id: int,
        segment: str,
        since: int,
        until: int,
        after: tuple[int, str] | None,
        limit: int,
        *,
        present: bool = False,
    ) -> Sequence[tuple[str, int]]:
        columns = segment_members.c
        query = select(columns.contact_id, columns.entered_at).where(
            columns.workspace_id == workspace_id,
            columns.segment == segment,
            columns.entered_at > since,
            columns.entered_at <= until,
        )
        if not present:
            query = query.where(columns.by_definition == 0)
        if after is not None:
            query = query.where(tuple_(columns.entered_at, columns.contact_id) > tuple_(*after))
        rows = self._connection.execute(query.order_by(columns.entered_at, columns.contact_id).limit(limit))
        return [(row[0], row[1]) for row in rows]

    def count(self, workspace_id: int, segment: str) -> int:
        columns = segment_members.c
        query = select(sql.count()).where(columns.workspace_id == workspace_id, columns.segment == segment)
        return self._connection.execute(query.select_from(segment_members)).scalar_one()

    def standing(self, workspace_id: int, segments: Sequence[str], contacts: Sequence[str]) -> set[tuple[str, str]]:
        rows = _STANDING.run(
            self._connection, workspace_id=workspace_id, segments=list(segments), contacts=list(contacts)
        )
        return {(row[0], row[1]) for row in rows}

    def enter(self, workspace_id: int, rows: Sequence[tuple[str, str, int, bool]]) -> None:
        _ENTER.run(self._connection, [(workspace_id, *row[:3], int(row[3])) for row in rows])

    def leave(self, workspace_id: int, gone: Mapping[str, Sequence[str]]) -> None:
        for segment, contacts in gone.items():
            _LEAVE.execute(self._connection, workspace_id=workspace_id, segment=segment, contacts=list(contacts))

    # --- who has to be judged -----------------------------------------------------------------------------------------

    def walk(self, workspace_id: int, after: str, limit: int) -> Sequence[tuple[str, str]]:
        rows = _WALK.run(self._connection, workspace_id=workspace_id, after=after, limit=limit)
        return [(row[0], row[1]) for row in rows]

    def planned(
        self, workspace_id: int, segments: Sequence[str], contacts: Sequence[str]
    ) -> Mapping[tuple[str, str], int]:
        rows = _PLANNED.run(
            self._connection, workspace_id=workspace_id, segments=list(segments), contacts=list(contacts)
        )
        return {(row[0], row[1]): row[2] for row in rows}

    def plan(self, workspace_id: int, rows: Sequence[tuple[str, str, int]]) -> None:
        _PLAN.run(self._connection, [(workspace_id, *row) for row in rows])

    def unplan(self, workspace_id: int, gone: Mapping[str, Sequence[str]]) -> None:
        for segment, contacts in gone.items():
            _UNPLAN.execute(self._connection, workspace_id=workspace_id, segment=segment, contacts=list(contacts))

    def forget_plans(self, workspace_id: int, segment: str) -> None:
        columns = segment_moments.c
        self._connection.execute(
            delete(segment_moments).where(columns.workspace_id == workspace_id, columns.segment == segment)
        )

    def due_contacts(self, workspace_id: int, segment: str, now: int, limit: int) -> Sequence[str]:
        rows = _DUE_CONTACTS.run(self._connection, workspace_id=workspace_id, segment=segment, now=now, limit=limit)
        return [row[0] for row in rows]
