"""Contacts, records, staff and accounts as people look at them and look after them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, Select, Table, delete, insert, null, select, update

from nhip.adapters.db.scan_tables import dates
from nhip.adapters.db.segment_tables import segment_members
from nhip.adapters.db.statements import Statement
from nhip.adapters.db.stores.merging import named
from nhip.adapters.db.stores.staff import read_staff, write_presence
from nhip.adapters.db.tables import (
    accounts,
    activity,
    contact_aliases,
    contacts,
    deliveries,
    events,
    records,
    runs,
    staff,
    steps,
)
from nhip.adapters.db.telesales_tables import telesales_entries
from nhip.domain.customers import Contact, Record, Staff
from nhip.domain.directory import Account, ContactFilter, RecordFilter, TimelineItem
from nhip.domain.ids import new_id
from nhip.domain.telesales import OPEN_STATES
from nhip.engine.facts.values import name_key

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_CONTACT: Final[list[Column[Any]]] = [contacts.c[name] for name in Contact.__struct_fields__]
_RECORD: Final[list[Column[Any]]] = [records.c[name] for name in Record.__struct_fields__]
_STAFF_COLUMNS: Final = ("external_id", "name", "phone", "email", "department", "store", "active")
_STAFF: Final[list[Column[Any]]] = [staff.c[name] for name in (*_STAFF_COLUMNS, "attributes")]
_ACCOUNT: Final[list[Column[Any]]] = [accounts.c[name] for name in Account.__struct_fields__]
_LOCK_NAME: Final = Statement("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_OPEN_STEPS: Final = ("ready", "waiting", "unknown")


def _with_attributes(kind: Any, row: Sequence[Any]) -> Any:
    values = dict(zip(kind.__struct_fields__, row, strict=True))
    values["attributes"] = _decode(values["attributes"])
    return kind(**values)


class SqlDirectory:
    """Implements :class:`nhip.ports.DirectoryStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # --- contacts -----------------------------------------------------------------------------------------------------

    def contacts(self, workspace_id: int, wanted: ContactFilter, *, after: str | None, limit: int) -> list[Contact]:
        statement = select(*_CONTACT).where(contacts.c.workspace_id == workspace_id)
        for name in ContactFilter.__struct_fields__:
            value = getattr(wanted, name)
            if value is not None:
                statement = statement.where(contacts.c[name] == value)
        if after is not None:
            statement = statement.where(contacts.c.id > after)
        rows = self._connection.execute(statement.order_by(contacts.c.id).limit(limit))
        return [_with_attributes(Contact, row) for row in rows]

    def delete_contact(self, workspace_id: int, contact_id: str, reason: str, now: int) -> None:
        self._forget_days(workspace_id, contact_id)
        mine = (runs.c.workspace_id == workspace_id, runs.c.contact_id == contact_id)
        self._connection.execute(
            update(runs).where(*mine, runs.c.state == "running").values(state="cancelled", reason=reason, ended_at=now)
        )
        theirs = (steps.c.workspace_id == workspace_id, steps.c.contact_id == contact_id)
        self._connection.execute(
            update(steps)
            .where(*theirs, steps.c.state.in_(_OPEN_STEPS))
            .values(state="cancelled", reason=reason, finished_at=now)
        )
        self._connection.execute(
            update(records)
            .where(records.c.workspace_id == workspace_id, records.c.contact_id == contact_id)
            .values(contact_id=null())
        )
        self._connection.execute(
            delete(activity).where(activity.c.workspace_id == workspace_id, activity.c.contact_id == contact_id)
        )
        members = segment_members.c
        self._connection.execute(
            delete(segment_members).where(members.workspace_id == workspace_id, members.contact_id == contact_id)
        )
        calls = telesales_entries.c
        self._connection.execute(
            update(telesales_entries)
            .where(calls.workspace_id == workspace_id, calls.contact_id == contact_id, calls.state.in_(OPEN_STATES))
            .values(state="cancelled", reason=reason, closed_at=now, updated_at=now)
        )
        aliases = contact_aliases.c
        self._connection.execute(
            delete(contact_aliases).where(aliases.workspace_id == workspace_id, aliases.contact_id == contact_id)
        )
        self._connection.execute(
            delete(contacts).where(contacts.c.workspace_id == workspace_id, contacts.c.id == contact_id)
        )

    def erase_traces(self, workspace_id: int, contact_id: str) -> None:
        self._forget_days(workspace_id, contact_id)
        self._connection.execute(
            delete(records).where(records.c.workspace_id == workspace_id, records.c.contact_id == contact_id)
        )
        self._connection.execute(
            update(events)
            .where(events.c.workspace_id == workspace_id, events.c.contact_id == contact_id)
            .values(data="{}", facts=null(), subject=null())
        )
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.workspace_id == workspace_id, deliveries.c.contact_id == contact_id)
            .values(address=null(), content="{}", detail=null())
        )
        self._connection.execute(
            update(steps)
            .where(steps.c.workspace_id == workspace_id, steps.c.contact_id == contact_id)
            .values(output=null())
        )
        calls = telesales_entries.c
        self._connection.execute(
            update(telesales_entries)
            .where(calls.workspace_id == workspace_id, calls.contact_id == contact_id)
            .values(note=null(), outcome_note=null())
        )

    def _forget_days(self, workspace_id: int, contact_id: str) -> None:
        """Those of a contact and of its records."""
        their_records = select(records.c.id).where(
            records.c.workspace_id == workspace_id, records.c.contact_id == contact_id
        )
        for owner in (dates.c.owner_id.in_(their_records), dates.c.owner_id == contact_id):
            self._connection.execute(delete(dates).where(dates.c.workspace_id == workspace_id, owner))

    # --- records ------------------------------------------------------------------------------------------------------

    def records(
        self, workspace_id: int, kind: str, wanted: RecordFilter, *, after: str | None, limit: int
    ) -> list[Record]:
        statement = select(*_RECORD).where(records.c.workspace_id == workspace_id, records.c.type == kind)
        if wanted.contact is not None:
            statement = statement.where(records.c.contact_id == named(wanted.contact, workspace_id))
        if wanted.status is not None:
            statement = statement.where(records.c.status == wanted.status)
        if after is not None:
            statement = statement.where(records.c.id > after)
        rows = self._connection.execute(statement.order_by(records.c.id).limit(limit))
        return [_with_attributes(Record, row) for row in rows]

    def records_of(self, workspace_id: int, contact_id: str) -> list[Record]:
        statement = select(*_RECORD).where(records.c.workspace_id == workspace_id, records.c.contact_id == contact_id)
        rows = self._connection.execute(statement.order_by(records.c.id))
        return [_with_attributes(Record, row) for row in rows]

    def newest_of(self, workspace_id: int, contact_id: str, kind: str, limit: int) -> list[Record]:
        statement = select(*_RECORD).where(
            records.c.contact_id == contact_id, records.c.type == kind, records.c.workspace_id == workspace_id
        )
        rows = self._connection.execute(statement.order_by(records.c.id.desc()).limit(limit))
        return [_with_attributes(Record, row) for row in rows]

    def delete_record(self, workspace_id: int, record_id: str) -> None:
        self._connection.execute(
            delete(dates).where(dates.c.workspace_id == workspace_id, dates.c.owner_id == record_id)
        )
        self._connection.execute(
            delete(records).where(records.c.workspace_id == workspace_id, records.c.id == record_id)
        )

    # --- staff --------------------------------------------------------------------------------------------------------

    def staff(self, workspace_id: int, department: str | None, *, after: str | None, limit: int) -> list[Staff]:
        statement = select(*_STAFF).where(staff.c.workspace_id == workspace_id)
        if department is not None:
            statement = statement.where(staff.c.department == department)
        if after is not None:
            statement = statement.where(staff.c.external_id > after)
        return [
            read_staff(row) for row in self._connection.execute(statement.order_by(staff.c.external_id).limit(limit))
        ]

    def put_staff(self, workspace_id: int, person: Staff, now: int) -> None:
        values: dict[str, Any] = {name: getattr(person, name) for name in _STAFF_COLUMNS}
        values |= {"active": int(person.active), "attributes": write_presence(person)}
        place = (staff.c.workspace_id == workspace_id, staff.c.external_id == person.external_id)
        changed = self._connection.execute(update(staff).where(*place).values(**values, updated_at=now))
        if changed.rowcount == 0:
            self._connection.execute(
                insert(staff).values(workspace_id=workspace_id, id=new_id(), created_at=now, updated_at=now, **values)
            )

    def delete_staff(self, workspace_id: int, external_id: str) -> bool:
        place = (staff.c.workspace_id == workspace_id, staff.c.external_id == external_id)
        return self._connection.execute(delete(staff).where(*place)).rowcount > 0

    # --- accounts -----------------------------------------------------------------------------------------------------

    def account(self, workspace_id: int, external_id: str) -> Account | None:
        place = (accounts.c.workspace_id == workspace_id, accounts.c.external_id == external_id)
        row = self._connection.execute(select(*_ACCOUNT).where(*place)).first()
        found: Account | None = _with_attributes(Account, row) if row else None
        return found

    def accounts(self, workspace_id: int, *, after: str | None, limit: int) -> list[Account]:
        statement = select(*_ACCOUNT).where(accounts.c.workspace_id == workspace_id)
        if after is not None:
            statement = statement.where(accounts.c.external_id > after)
        rows = self._connection.execute(statement.order_by(accounts.c.external_id).limit(limit))
        return [_with_attributes(Account, row) for row in rows]

    def put_account(self, workspace_id: int, external_id: str, attributes: dict[str, Any], now: int) -> None:
        key = name_key(name) if isinstance(name := attributes.get("name"), str) else None
        values = {"attributes": _encode(attributes).decode(), "name_key": key, "updated_at": now}
        place = (accounts.c.workspace_id == workspace_id, accounts.c.external_id == external_id)
        if self._connection.execute(update(accounts).where(*place).values(**values)).rowcount == 0:
            self._connection.execute(
                insert(accounts).values(
                    workspace_id=workspace_id, external_id=external_id, id=new_id(), created_at=now, **values
                )
            )

    def accounts_named(self, workspace_id: int, name: str) -> list[Account]:
        named = (accounts.c.workspace_id == workspace_id, accounts.c.name_key == name_key(name))
        oldest = accounts.c.created_at, accounts.c.external_id
        return [
            _with_attributes(Account, row)
            for row in self._connection.execute(select(*_ACCOUNT).where(*named).order_by(*oldest))
        ]

    def lock_account_name(self, workspace_id: int, name: str) -> None:
        if self._connection.dialect.name == "sqlite":
            return  # the one writer holds everything
        _LOCK_NAME.run(self._connection, name=f"nhip:{workspace_id}:account:{name_key(name)}")

    def delete_account(self, workspace_id: int, external_id: str) -> bool:
        place = (accounts.c.workspace_id == workspace_id, accounts.c.external_id == external_id)
        return self._connection.execute(delete(accounts).where(*place)).rowcount > 0

    # --- everything about one contact ---------------------------------------------------------------------------------

    def timeline(self, workspace_id: int, contact_id: str, *, after: str | None, limit: int) -> list[TimelineItem]:
        # Identifiers are ordered in time over all tables, so the newest of each are enough to know the newest of all.
        found: list[TimelineItem] = []
        for kind, table, at, name, detail in _TIMELINE:
            columns: list[Column[Any]] = [table.c.id, at, name, *(table.c[one] for one in detail)]
            statement: Select[Any] = select(*columns).where(
                table.c.workspace_id == workspace_id, table.c.contact_id == contact_id
            )
            if after is not None:
                statement = statement.where(table.c.id < after)
            newest = statement.order_by(table.c.id.desc()).limit(limit)
            rows: list[Sequence[Any]] = [tuple(row) for row in self._connection.execute(newest)]
            for row in rows:
                said = {key: value for key, value in zip(detail, row[3:], strict=True) if value is not None}
                found.append(TimelineItem(kind=kind, id=row[0], at=row[1], name=row[2], detail=said))
        return sorted(found, key=lambda item: item.id, reverse=True)[:limit]


_TIMELINE: Final[Sequence[tuple[str, Table, Column[Any], Column[Any], tuple[str, ...]]]] = (
    ("event", events, events.c.time_at, events.c.type, ("source", "source_id")),
    ("run", runs, runs.c.started_at, runs.c.workflow, ("version", "state", "reason")),
    ("delivery", deliveries, deliveries.c.created_at, deliveries.c.template, ("channel", "state", "reason", "run_id")),
    (
        "telesales",
        telesales_entries,
        telesales_entries.c.created_at,
        telesales_entries.c.campaign,
        ("state", "agent", "outcome", "attempts"),
    ),
    ("record", records, records.c.created_at, records.c.type, ("external_id", "status")),
)
