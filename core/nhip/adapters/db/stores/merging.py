"""What merged contacts were known by, and how what was theirs becomes another's."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, delete, exists, func as sql, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from nhip.adapters.db.call_tables import calls
from nhip.adapters.db.scan_tables import date_watches, dates
from nhip.adapters.db.segment_tables import segment_members, segment_moments
from nhip.adapters.db.statements import BulkInsert, Statement
from nhip.adapters.db.tables import (
    activity,
    contact_aliases as aliases,
    contacts,
    deliveries,
    events,
    records,
    refusals,
    runs,
    steps,
)
from nhip.adapters.db.telesales_tables import telesales_entries
from nhip.domain.customers import Contact
from nhip.domain.merging import NAME, Alias
from nhip.domain.telesales import OPEN_STATES

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_HOLD: Final = Statement("SELECT pg_advisory_xact_lock_shared(hashtextextended(:key, 0))")
_BEGIN: Final = Statement("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_PATIENCE: Final = Statement("SELECT set_config('lock_timeout', :most, true)")
_UNITS_PATIENCE: Final = "900ms"
"""Less than after what PostgreSQL looks for deadlocks; units that hold are shorter as a rule."""
_ROWS_PATIENCE: Final = "100ms"
_COLUMNS: Final = Contact.__struct_fields__
_FOUND: Final = Statement(
    f"SELECT a.kind, a.value, {', '.join(f'c.{name}' for name in _COLUMNS)} FROM contact_aliases a"  # noqa: S608
    " JOIN contacts c ON c.id = a.contact_id AND +c.workspace_id = a.workspace_id"
    " WHERE a.workspace_id = :workspace_id AND {a.value in values}"
)
_REMEMBER: Final = BulkInsert(
    aliases,
    ("workspace_id", "kind", "value", "contact_id", "merged_id", "created_at"),
    conflict=("workspace_id", "value", "kind"),
    update=("contact_id", "merged_id", "created_at"),
)
_ENGINE: Final = "nhip"

POINTING: Final[tuple[Table, ...]] = (events, refusals, deliveries, telesales_entries, runs)
"""Tables whose rows become the survivor's by their ``contact_id`` alone."""
MOVED: Final[Mapping[str, str]] = {
    **{f"{table.name}.contact_id": "becomes the survivor's" for table in POINTING},
    "steps.contact_id": "becomes the survivor's, with its run",
    "dates.contact_id": "becomes the survivor's, with its record; the days of the contact itself go",
    "dates.owner_id": "the days of a merged contact go; those that the survivor takes over are kept anew",
    "records.contact_id": "becomes the survivor's, as does the name in the record's attributes",
    "activity.contact_id": "is added to the survivor's",
    "segment_members.contact_id": "becomes the survivor's where that is no member; then the survivor is judged",
    "segment_moments.contact_id": "goes; the survivor is judged, and has its own",
    "contact_aliases.contact_id": "becomes the survivor's",
    "calls.contact": "names the survivor",
}
"""What points at a contact, and what a merge does with it."""
LEFT: Final[Mapping[str, str]] = {
    "contact_aliases.merged_id": "says who is gone",
    "enrolment_parts.contacts": "names are found by what the contacts were known by",
    "enrolments.unknown_contacts": "says what was not found then",
}
"""What names a contact and stays as it is, and why."""


class SqlMerging:
    """Implements :class:`nhip.ports.MergeStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"

    # --- who is whom --------------------------------------------------------------------------------------------------

    def hold(self, workspace_id: int) -> None:
        if not self._sqlite:  # there, the one writer holds everything
            _HOLD.run(self._connection, key=_key(workspace_id))

    def begin(self, workspace_id: int) -> None:
        if not self._sqlite:
            _PATIENCE.run(self._connection, most=_UNITS_PATIENCE)
            _BEGIN.run(self._connection, key=_key(workspace_id))
            _PATIENCE.run(self._connection, most=_ROWS_PATIENCE)

    def found(self, workspace_id: int, known_by: Collection[tuple[str, str]]) -> dict[tuple[str, str], Contact]:
        if not known_by:
            return {}
        values = sorted({value for _, value in known_by})
        contacts: dict[str, Contact] = {}
        found: dict[tuple[str, str], Contact] = {}
        for kind, value, *row in _FOUND.run(self._connection, workspace_id=workspace_id, values=values):
            if (kind, value) in known_by:
                said = {**dict(zip(_COLUMNS, row, strict=True))}
                said["attributes"] = _decode(said["attributes"])
                found[kind, value] = contacts.setdefault(said["id"], Contact(**said))
        return found

    def aliases(self, workspace_id: int, contact_id: str) -> list[Alias]:
        mine = (aliases.c.workspace_id == workspace_id, aliases.c.contact_id == contact_id)
        columns = [aliases.c[name] for name in Alias.__struct_fields__]
        order = (aliases.c.created_at, aliases.c.kind, aliases.c.value)
        rows = self._connection.execute(select(*columns).where(*mine).order_by(*order))
        return [Alias(**row._mapping) for row in rows]

    def remember(
        self, workspace_id: int, survivor_id: str, merged_id: str, known_by: Collection[tuple[str, str]], now: int
    ) -> None:
        theirs = (aliases.c.workspace_id == workspace_id, aliases.c.contact_id == merged_id)
        self._connection.execute(update(aliases).where(*theirs).values(contact_id=survivor_id))
        _REMEMBER.run(
            self._connection,
            [(workspace_id, kind, value, survivor_id, merged_id, now) for kind, value in sorted(set(known_by))],
        )

    # --- what was theirs ----------------------------------------------------------------------------------------------

    def performing(self, workspace_id: int, contact_ids: Sequence[str]) -> set[str]:
        mine = (steps.c.contact_id.in_(contact_ids), steps.c.workspace_id == workspace_id)
        # The literal condition is that of the partial index.
        query = select(steps.c.contact_id).where(*mine, steps.c.state == literal_column("'running'"))
        return set(self._connection.execute(query).scalars())

    def open_entries(self, workspace_id: int, contact_ids: Sequence[str]) -> list[tuple[str, str]]:
        entries = telesales_entries.c
        query = select(entries.campaign, entries.id).where(
            entries.workspace_id == workspace_id,
            entries.contact_id.in_(contact_ids),
            entries.closed_at.is_(None),
            entries.state.in_(OPEN_STATES),
        )
        return [(row[0], row[1]) for row in self._connection.execute(query.order_by(entries.id))]

    def move(self, workspace_id: int, survivor: Contact, merged: Contact) -> dict[str, int]:
        self._let_nobody_fill(workspace_id)
        self._count_as_told(workspace_id, survivor.id, merged.id)
        their_runs = select(runs.c.id).where(*_of(runs, workspace_id, merged.id))
        self._change(
            steps, [steps.c.workspace_id == workspace_id, steps.c.run_id.in_(their_runs)], contact_id=survivor.id
        )
        their_records = select(records.c.id).where(*_of(records, workspace_id, merged.id))
        self._change(
            dates, [dates.c.workspace_id == workspace_id, dates.c.owner_id.in_(their_records)], contact_id=survivor.id
        )
        self._drop(dates, [dates.c.workspace_id == workspace_id, dates.c.owner_id == merged.id])
        moved = {
            table.name: self._change(table, _of(table, workspace_id, merged.id), contact_id=survivor.id)
            for table in POINTING
        }
        self._join_segments(workspace_id, survivor.id, merged.id)
        self._drop(activity, _of(activity, workspace_id, merged.id))
        self._change(
            calls,
            [calls.c.workspace_id == workspace_id, calls.c.contact == merged.external_id],
            contact=survivor.external_id,
        )
        self._drop(contacts, [contacts.c.workspace_id == workspace_id, contacts.c.id == merged.id])
        return {name: moved[name] for name in ("events", "runs", "deliveries")}

    def _let_nobody_fill(self, workspace_id: int) -> None:
        """Whoever fills in the days of a watched field, from what was stored before, holds its row."""
        mine = (date_watches.c.workspace_id == workspace_id, date_watches.c.state != "kept")
        self._connection.execute(select(date_watches.c.watch).where(*mine).with_for_update()).all()

    def _count_as_told(self, workspace_id: int, survivor_id: str, merged_id: str) -> None:
        """What a scan or an enrolment told of the merged contact, it has told of the survivor: it is not told again."""
        told = sql.replace(events.c.source_id, merged_id, survivor_id)
        other = events.alias()
        known = exists().where(
            other.c.workspace_id == workspace_id, other.c.source == _ENGINE, other.c.source_id == told
        )
        theirs = _of(events, workspace_id, merged_id)
        self._change(
            events,
            [*theirs, events.c.source == _ENGINE, events.c.source_id.contains(merged_id), ~known],
            source_id=told,
        )

    def _join_segments(self, workspace_id: int, survivor_id: str, merged_id: str) -> None:
        other = segment_members.alias()
        known = exists().where(
            other.c.workspace_id == workspace_id,
            other.c.segment == segment_members.c.segment,
            other.c.contact_id == survivor_id,
        )
        theirs = _of(segment_members, workspace_id, merged_id)
        self._change(segment_members, [*theirs, ~known], contact_id=survivor_id)
        self._drop(segment_members, theirs)
        self._drop(segment_moments, _of(segment_moments, workspace_id, merged_id))

    def _change(self, table: Table, where: Sequence[ColumnElement[bool]], **values: Any) -> int:
        return self._connection.execute(update(table).where(*where).values(**values)).rowcount

    def _drop(self, table: Table, where: Sequence[ColumnElement[bool]]) -> None:
        self._connection.execute(delete(table).where(*where))


def named(name: str, workspace_id: int) -> ColumnElement[str]:
    """The id of the contact of an external id, or of the one that took it in: for lists that are filtered by it."""
    of_name = select(contacts.c.id).where(contacts.c.workspace_id == workspace_id, contacts.c.external_id == name)
    of_alias = select(aliases.c.contact_id).where(
        aliases.c.workspace_id == workspace_id, aliases.c.value == name, aliases.c.kind == NAME
    )
    return sql.coalesce(of_name.scalar_subquery(), of_alias.scalar_subquery())


def _of(table: Table, workspace_id: int, contact_id: str) -> list[ColumnElement[bool]]:
    return [table.c.workspace_id == workspace_id, table.c.contact_id == contact_id]


def _key(workspace_id: int) -> str:
    return f"nhip:{workspace_id}:merges"
