"""The days and minutes that scans look for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db import scan_tables
from nhip.adapters.db.statements import BulkInsert, Statement
from nhip.domain.standing import KeptDate, MetDate, Owner

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode

_WATCHES = Statement("SELECT watch, state FROM date_watches WHERE workspace_id = :workspace_id AND {watch in keys}")
_SET_WATCH = BulkInsert(
    scan_tables.date_watches,
    ("workspace_id", "watch", "state", "cursor"),
    conflict=("workspace_id", "watch"),
    update=("state", "cursor"),
)
_UNUSED = Statement(
    "SELECT w.watch FROM date_watches w WHERE w.workspace_id = :workspace_id AND w.state <> 'leaving' AND NOT EXISTS"
    " (SELECT 1 FROM scans s WHERE s.workspace_id = w.workspace_id AND s.watch = w.watch)"
)
_UNSETTLED = Statement("SELECT workspace_id, watch FROM date_watches WHERE state <> 'kept' LIMIT :limit")
_TAKE: Final = (
    "SELECT state, cursor FROM date_watches WHERE workspace_id = :workspace_id AND watch = :watch AND state <> 'kept'"
)
_TAKE_SQLITE = Statement(_TAKE)
_TAKE_POSTGRES = Statement(_TAKE + " FOR UPDATE SKIP LOCKED")
_MOVE = Statement("UPDATE date_watches SET cursor = :cursor WHERE workspace_id = :workspace_id AND watch = :watch")
_REMOVE_WATCH = Statement("DELETE FROM date_watches WHERE workspace_id = :workspace_id AND watch = :watch")
_REMOVE_ZONES = Statement("DELETE FROM date_zones WHERE workspace_id = :workspace_id AND watch = :watch")
_SOME = Statement("SELECT owner_id FROM dates WHERE workspace_id = :workspace_id AND watch = :watch LIMIT :limit")
_CONTACTS = Statement(
    "SELECT id, external_id, id, attributes FROM contacts WHERE workspace_id = :workspace_id"
    " AND external_id > :after ORDER BY external_id LIMIT :limit"
)
_RECORDS = Statement(
    "SELECT id, external_id, contact_id, attributes FROM records WHERE workspace_id = :workspace_id AND type = :type"
    " AND external_id > :after ORDER BY external_id LIMIT :limit"
)
_RECORDS_OF = Statement(
    "SELECT id, external_id, contact_id, attributes FROM records WHERE {contact_id in contact_ids} AND type = :type"
    " AND +workspace_id = :workspace_id"
)
_ATTRIBUTES = Statement(
    "SELECT id, attributes FROM contacts WHERE +workspace_id = :workspace_id AND {id in contact_ids}"
)
_KEEP = BulkInsert(
    scan_tables.dates,
    ("workspace_id", "owner_id", "watch", "contact_id", "timezone", "slot", "day"),
    conflict=("owner_id", "watch", "workspace_id"),
    update=("contact_id", "timezone", "slot", "day"),
)
_DROP = Statement("DELETE FROM dates WHERE {owner_id in owners} AND watch = :watch AND +workspace_id = :workspace_id")
_ZONES = Statement("SELECT timezone FROM date_zones WHERE workspace_id = :workspace_id AND watch = :watch")
_ADD_ZONES = BulkInsert(scan_tables.date_zones, ("workspace_id", "watch", "timezone"), conflict=())
_CONTACT_OF: Final = (
    "SELECT d.owner_id, c.external_id, c.id, c.external_id, d.slot, d.day FROM dates d"
    " JOIN contacts c ON c.id = d.contact_id AND +c.workspace_id = d.workspace_id"
)
_RECORD_OF: Final = (
    "SELECT d.owner_id, r.external_id, c.id, c.external_id, d.slot, d.day FROM dates d"
    " JOIN records r ON r.id = d.owner_id AND +r.workspace_id = d.workspace_id"
    " JOIN contacts c ON c.id = d.contact_id AND +c.workspace_id = d.workspace_id"
)
_OF_WATCH: Final = " WHERE d.workspace_id = :workspace_id AND d.watch = :watch AND d.timezone = :timezone"
_MET: Final = (
    " AND d.slot = :slot AND d.owner_id > :after AND d.day <= :until_day{open} ORDER BY d.owner_id LIMIT :limit"
)
_BETWEEN: Final = (
    " AND d.slot >= :after_slot AND d.slot <= :until_slot AND (d.slot, d.owner_id) > (:after_slot, :after_id){open}"
    " ORDER BY d.slot, d.owner_id LIMIT :limit"
)
"""The bound on the slot alone repeats what the pair says: PostgreSQL guesses by it how little that is."""


def _of_owners(found: str) -> tuple[Statement, Statement, Statement]:
    """A statement for contacts, one for records, and one for records that are not over."""
    every, unfinished = found.replace("{open}", ""), found.replace("{open}", " AND r.closed_at IS NULL")
    return (
        Statement(_CONTACT_OF + _OF_WATCH + every),
        Statement(_RECORD_OF + _OF_WATCH + every),
        Statement(_RECORD_OF + _OF_WATCH + unfinished),
    )


_MET_OWNERS: Final = _of_owners(_MET)
_OWNERS_BETWEEN: Final = _of_owners(_BETWEEN)


class SqlDates:
    """Implements :class:`nhip.ports.DateStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"

    # --- watches ------------------------------------------------------------------------------------------------------

    def watches(self, workspace_id: int, keys: Sequence[str]) -> dict[str, str]:
        rows = _WATCHES.run(self._connection, workspace_id=workspace_id, keys=list(keys))
        return {row[0]: row[1] for row in rows}

    def set_watch(self, workspace_id: int, key: str, state: str) -> None:
        _SET_WATCH.run(self._connection, [(workspace_id, key, state, "")])

    def unused(self, workspace_id: int) -> list[str]:
        return [row[0] for row in _UNUSED.run(self._connection, workspace_id=workspace_id)]

    def unsettled(self, limit: int) -> list[tuple[int, str]]:
        return [(row[0], row[1]) for row in _UNSETTLED.run(self._connection, limit=limit)]

    def take(self, workspace_id: int, key: str) -> tuple[str, str] | None:
        statement = _TAKE_SQLITE if self._sqlite else _TAKE_POSTGRES
        rows = statement.run(self._connection, workspace_id=workspace_id, watch=key)
        return (rows[0][0], rows[0][1]) if rows else None

    def move(self, workspace_id: int, key: str, cursor: str) -> None:
        _MOVE.execute(self._connection, workspace_id=workspace_id, watch=key, cursor=cursor)

    def remove_watch(self, workspace_id: int, key: str) -> None:
        _REMOVE_ZONES.execute(self._connection, workspace_id=workspace_id, watch=key)
        _REMOVE_WATCH.execute(self._connection, workspace_id=workspace_id, watch=key)

    def empty(self, workspace_id: int, key: str, limit: int) -> int:
        some = [row[0] for row in _SOME.run(self._connection, workspace_id=workspace_id, watch=key, limit=limit)]
        return _DROP.execute(self._connection, workspace_id=workspace_id, watch=key, owners=some) if some else 0

    # --- owners -------------------------------------------------------------------------------------------------------

    def owners(self, workspace_id: int, root: str, after: str, limit: int) -> list[Owner]:
        if root == "contact":
            rows = _CONTACTS.run(self._connection, workspace_id=workspace_id, after=after, limit=limit)
            found = [(*row[:3], _decode(row[3])) for row in rows]
            return [_owner(row, row[3].get("timezone")) for row in found]
        rows = _RECORDS.run(self._connection, workspace_id=workspace_id, type=root, after=after, limit=limit)
        return self._with_zones(workspace_id, rows)

    def records_of(self, workspace_id: int, kind: str, contact_ids: Sequence[str]) -> list[Owner]:
        rows = _RECORDS_OF.run(self._connection, workspace_id=workspace_id, type=kind, contact_ids=list(contact_ids))
        return self._with_zones(workspace_id, rows)

    def _with_zones(self, workspace_id: int, rows: Sequence[Any]) -> list[Owner]:
        contacts = sorted({row[2] for row in rows if row[2] is not None})
        zones = self.timezones(workspace_id, contacts) if contacts else {}
        return [_owner((*row[:3], _decode(row[3])), zones.get(row[2])) for row in rows]

    def timezones(self, workspace_id: int, contact_ids: Sequence[str]) -> dict[str, str | None]:
        rows = _ATTRIBUTES.run(self._connection, workspace_id=workspace_id, contact_ids=list(contact_ids))
        return {row[0]: _decode(row[1]).get("timezone") for row in rows}

    # --- days ---------------------------------------------------------------------------------------------------------

    def keep(self, workspace_id: int, dates: Sequence[KeptDate]) -> None:
        _KEEP.run(
            self._connection,
            [(workspace_id, d.owner_id, d.watch, d.contact_id, d.timezone, d.slot, d.day) for d in dates],
        )

    def drop(self, workspace_id: int, owners: Mapping[str, Sequence[str]]) -> None:
        for watch, ids in owners.items():
            _DROP.execute(self._connection, workspace_id=workspace_id, watch=watch, owners=list(ids))

    def zones(self, workspace_id: int, key: str) -> set[str]:
        return {row[0] for row in _ZONES.run(self._connection, workspace_id=workspace_id, watch=key)}

    def add_zones(self, workspace_id: int, key: str, zones: Iterable[str]) -> None:
        _ADD_ZONES.run(self._connection, [(workspace_id, key, one) for one in sorted(zones)])

    def met(
        self,
        workspace_id: int,
        watch: str,
        timezone: str,
        slot: int,
        until_day: int,
        after: str,
        limit: int,
        *,
        is_open: bool,
    ) -> list[MetDate]:
        rows = _choice(_MET_OWNERS, watch, is_open=is_open).run(
            self._connection, workspace_id=workspace_id, watch=watch, timezone=timezone, slot=slot,
            until_day=until_day, after=after, limit=limit,
        )  # fmt: skip
        return [_met(row) for row in rows]

    def between(
        self,
        workspace_id: int,
        watch: str,
        timezone: str,
        until_slot: int,
        after: tuple[int, str],
        limit: int,
        *,
        is_open: bool,
    ) -> list[MetDate]:
        rows = _choice(_OWNERS_BETWEEN, watch, is_open=is_open).run(
            self._connection, workspace_id=workspace_id, watch=watch, timezone=timezone, until_slot=until_slot,
            after_slot=after[0], after_id=after[1], limit=limit,
        )  # fmt: skip
        return [_met(row) for row in rows]


def _choice(statements: tuple[Statement, Statement, Statement], watch: str, *, is_open: bool) -> Statement:
    of_contacts, of_records, of_unfinished = statements
    if watch.startswith("contact."):
        return of_contacts
    return of_unfinished if is_open else of_records


def _met(row: Sequence[Any]) -> MetDate:
    return MetDate(owner_id=row[0], owner=row[1], contact_id=row[2], contact=row[3], slot=row[4], day=row[5])


def _owner(row: Sequence[Any], timezone: Any) -> Owner:
    return Owner(
        id=row[0], external_id=row[1], contact_id=row[2], attributes=row[3],
        timezone=timezone if isinstance(timezone, str) else None,
    )  # fmt: skip
