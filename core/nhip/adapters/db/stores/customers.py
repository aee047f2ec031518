"""Contacts, records and activity on the way of an event."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db import tables
from nhip.adapters.db.statements import BulkInsert, BulkUpdate, Statement
from nhip.domain.customers import ActivityCount, Contact, Record
from nhip.domain.errors import Conflict

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode

_CONTACT = (
    "SELECT id, external_id, attributes, score, revision, created_at, updated_at, score_state, score_due_at"
    " FROM contacts"
    " WHERE workspace_id = :workspace_id AND "
)
_CONTACTS_BY_ID = Statement(_CONTACT.replace("WHERE workspace_id", "WHERE +workspace_id") + "{id in ids}")
_CONTACTS_BY_EXTERNAL_ID = Statement(_CONTACT + "{external_id in external_ids}")
_CONTACTS_BY_PHONE = Statement(_CONTACT + "{phone in values}")
_CONTACTS_BY_EMAIL = Statement(_CONTACT + "{email in values}")
_CONTACTS_BY_ZALO = Statement(_CONTACT + "{zalo_user_id in values}")
_LOCK_CONTACTS = Statement(
    "SELECT id FROM contacts WHERE workspace_id = :workspace_id AND {id in ids} ORDER BY id", lock=True
)
_LOCK_ADDRESS = Statement("SELECT pg_advisory_xact_lock(hashtextextended(:address, 0))")
_INSERT_CONTACTS = BulkInsert(
    tables.contacts,
    ("id", "workspace_id", "external_id", "phone", "email", "zalo_user_id", "lifecycle", "status", "owner", "score",
     "attributes", "revision", "created_at", "updated_at", "score_state", "score_due_at"),
)  # fmt: skip
_UPDATE_CONTACTS = BulkUpdate(
    tables.contacts,
    ("external_id", "phone", "email", "zalo_user_id", "lifecycle", "status", "owner", "attributes", "revision",
     "updated_at", "score", "score_state", "score_due_at"),
    key=("id", "workspace_id", "revision"),
)  # fmt: skip
_RECORD_BY_ID = Statement(
    "SELECT id, type, external_id, contact_id, attributes, as_of, revision, created_at, updated_at, closed_at,"
    " workspace_id FROM records WHERE id = :id AND type = :type"
)
_RECORDS = Statement(
    "SELECT id, type, external_id, contact_id, attributes, as_of, revision, created_at, updated_at, closed_at"
    " FROM records WHERE {external_id in external_ids} AND type = :type AND +workspace_id = :workspace_id"
)
_ACCOUNTS = Statement(
    "SELECT external_id, attributes FROM accounts WHERE workspace_id = :workspace_id AND {external_id in external_ids}"
)
_INSERT_RECORDS = BulkInsert(
    tables.records,
    ("id", "workspace_id", "type", "external_id", "contact_id", "status", "attributes", "as_of", "revision",
     "created_at", "updated_at", "assignee", "closed_at"),
)  # fmt: skip
_UPDATE_RECORDS = BulkUpdate(
    tables.records,
    ("contact_id", "status", "attributes", "as_of", "revision", "updated_at", "assignee", "closed_at"),
    key=("id", "workspace_id", "revision"),
)
_ACTIVITY = Statement(
    "SELECT contact_id, kind, count, first_at, last_at, total FROM activity WHERE {contact_id in contact_ids}"
    " AND +workspace_id = :workspace_id"
)
_BUMP = BulkInsert(
    tables.activity,
    ("workspace_id", "contact_id", "kind", "count", "first_at", "last_at", "total"),
    conflict=("workspace_id", "contact_id", "kind"),
    expressions=(
        "count = activity.count + excluded.count",
        "total = activity.total + excluded.total",
        "first_at = CASE WHEN excluded.first_at < activity.first_at THEN excluded.first_at ELSE activity.first_at END",
        "last_at = CASE WHEN excluded.last_at > activity.last_at THEN excluded.last_at ELSE activity.last_at END",
    ),
)


def _contact(row: Any) -> Contact:
    return Contact(
        id=row[0], external_id=row[1], attributes=_decode(row[2]), score=row[3], revision=row[4], created_at=row[5],
        updated_at=row[6], score_state=row[7], score_due_at=row[8],
    )  # fmt: skip


def _record(row: Any) -> Record:
    return Record(
        id=row[0], type=row[1], external_id=row[2], contact_id=row[3], attributes=_decode(row[4]), as_of=row[5],
        revision=row[6], created_at=row[7], updated_at=row[8], closed_at=row[9],
    )  # fmt: skip


def _assignee(record: Record) -> str | None:
    said = record.attributes.get("assignee")
    return said if isinstance(said, str) else None


class SqlCustomers:
    """Implements :class:`nhip.ports.CustomerStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def contacts(self, workspace_id: int, ids: Sequence[str]) -> list[Contact]:
        return [
            _contact(row) for row in _CONTACTS_BY_ID.run(self._connection, workspace_id=workspace_id, ids=list(ids))
        ]

    def contacts_by_external_id(self, workspace_id: int, external_ids: Sequence[str]) -> list[Contact]:
        rows = _CONTACTS_BY_EXTERNAL_ID.run(
            self._connection, workspace_id=workspace_id, external_ids=list(external_ids)
        )
        return [_contact(row) for row in rows]

    def contacts_by_address(self, workspace_id: int, field: str, values: Sequence[str]) -> list[Contact]:
        statement = {"phone": _CONTACTS_BY_PHONE, "email": _CONTACTS_BY_EMAIL, "zalo_user_id": _CONTACTS_BY_ZALO}[field]
        rows = statement.run(self._connection, workspace_id=workspace_id, values=list(values))
        return sorted((_contact(row) for row in rows), key=lambda contact: contact.id)

    def lock_addresses(self, workspace_id: int, addresses: Sequence[str]) -> None:
        if self._connection.dialect.name == "sqlite":
            return  # the one writer holds everything
        for address in sorted(set(addresses)):
            _LOCK_ADDRESS.run(self._connection, address=f"nhip:{workspace_id}:{address}")

    def lock_contacts(self, workspace_id: int, ids: Sequence[str]) -> None:
        _LOCK_CONTACTS.run(self._connection, workspace_id=workspace_id, ids=sorted(ids))

    def insert_contacts(self, workspace_id: int, contacts: Sequence[Contact]) -> None:
        rows = []
        for contact in contacts:
            a = contact.attributes
            rows.append(
                (contact.id, workspace_id, contact.external_id, a.get("phone"), a.get("email"), a.get("zalo_user_id"),
                 a.get("lifecycle", "lead"), a.get("status"), a.get("owner"), contact.score, _encode(a).decode(),
                 contact.revision, contact.created_at, contact.updated_at, contact.score_state, contact.score_due_at)
            )  # fmt: skip
        _INSERT_CONTACTS.run(self._connection, rows)

    def update_contacts(self, workspace_id: int, contacts: Sequence[Contact]) -> None:
        rows = []
        for contact in contacts:
            a = contact.attributes
            rows.append(
                (contact.external_id, a.get("phone"), a.get("email"), a.get("zalo_user_id"), a.get("lifecycle", "lead"),
                 a.get("status"), a.get("owner"), _encode(a).decode(), contact.revision + 1, contact.updated_at,
                 contact.score, contact.score_state, contact.score_due_at, contact.id, workspace_id, contact.revision)
            )  # fmt: skip
        if _UPDATE_CONTACTS.run(self._connection, rows) != len(rows):
            raise Conflict("a contact changed meanwhile", retry=True)

    def accounts(self, workspace_id: int, external_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        if not external_ids:
            return {}
        rows = _ACCOUNTS.run(self._connection, workspace_id=workspace_id, external_ids=list(external_ids))
        return {row[0]: {**_decode(row[1]), "external_id": row[0]} for row in rows}

    def records(self, workspace_id: int, kind: str, external_ids: Sequence[str]) -> list[Record]:
        rows = _RECORDS.run(self._connection, workspace_id=workspace_id, type=kind, external_ids=list(external_ids))
        return [_record(row) for row in rows]

    def record_by_id(self, kind: str, record_id: str) -> tuple[int, Record] | None:
        rows = _RECORD_BY_ID.run(self._connection, id=record_id, type=kind)
        return (rows[0][10], _record(rows[0])) if rows else None

    def insert_records(self, workspace_id: int, records: Sequence[Record]) -> None:
        _INSERT_RECORDS.run(
            self._connection,
            [
                (r.id, workspace_id, r.type, r.external_id, r.contact_id, r.attributes.get("status"),
                 _encode(r.attributes).decode(), r.as_of, r.revision, r.created_at, r.updated_at,
                 _assignee(r), r.closed_at)
                for r in records
            ],
        )  # fmt: skip

    def update_records(self, workspace_id: int, records: Sequence[Record]) -> None:
        rows = [
            (r.contact_id, r.attributes.get("status"), _encode(r.attributes).decode(), r.as_of, r.revision + 1,
             r.updated_at, _assignee(r), r.closed_at, r.id, workspace_id, r.revision)
            for r in records
        ]  # fmt: skip
        if _UPDATE_RECORDS.run(self._connection, rows) != len(rows):
            raise Conflict("a record changed meanwhile", retry=True)

    def activity(self, workspace_id: int, contact_ids: Sequence[str]) -> list[ActivityCount]:
        rows = _ACTIVITY.run(self._connection, workspace_id=workspace_id, contact_ids=list(contact_ids))
        return [
            ActivityCount(contact_id=row[0], kind=row[1], count=row[2], first_at=row[3], last_at=row[4], total=row[5])
            for row in rows
        ]

    def bump_activity(self, workspace_id: int, counts: Sequence[ActivityCount]) -> None:
        _BUMP.run(
            self._connection,
            [(workspace_id, c.contact_id, c.kind, c.count, c.first_at, c.last_at, c.total) for c in counts],
        )
