"""Employees, as the engine reads them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, select

from nhip.adapters.db.statements import Statement
from nhip.adapters.db.tables import staff
from nhip.domain.customers import Staff
from nhip.domain.duty import Absence, Hours

_SELECT: Final = (
    "SELECT external_id, name, phone, email, department, store, active, attributes FROM staff"
    " WHERE workspace_id = :workspace_id AND "
)
_COLUMNS: Final[list[Column[Any]]] = [
    staff.c[name] for name in ("external_id", "name", "phone", "email", "department", "store", "active", "attributes")
]
_STAFF: Final = Statement(_SELECT + "{external_id in external_ids}")
_DEPARTMENT: Final = Statement(_SELECT + "department = :name")
_STORE: Final = Statement(_SELECT + "store = :name")
_DEPARTMENTS: Final = Statement(
    "SELECT DISTINCT department FROM staff WHERE workspace_id = :workspace_id AND {department in names} AND active = 1"
)


class Presence(msgspec.Struct, omit_defaults=True):
    """What the column ``attributes`` holds: when somebody works and when they are away."""

    hours: Hours | tuple[Hours, ...] | None = None
    absences: tuple[Absence, ...] = ()


_presence: Final = msgspec.json.Decoder(Presence).decode


def read_staff(row: Sequence[Any]) -> Staff:
    """An employee from the columns of a row, in the order of the struct's fields until ``active``, and attributes."""
    presence = _presence(row[7])
    return Staff(
        external_id=row[0], name=row[1], phone=row[2], email=row[3], department=row[4], store=row[5],
        active=bool(row[6]), hours=presence.hours, absences=presence.absences,
    )  # fmt: skip


def write_presence(person: Staff) -> str:
    """The column ``attributes``."""
    return msgspec.json.encode(Presence(hours=person.hours, absences=person.absences)).decode()


class SqlStaff:
    """Implements :class:`nhip.ports.StaffStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, workspace_id: int, external_ids: Sequence[str]) -> dict[str, Staff]:
        rows = _STAFF.run(self._connection, workspace_id=workspace_id, external_ids=list(external_ids))
        return {row[0]: read_staff(row) for row in rows}

    def hold(self, workspace_id: int, external_id: str) -> Staff | None:
        mine = (staff.c.workspace_id == workspace_id, staff.c.external_id == external_id)
        row = self._connection.execute(select(*_COLUMNS).where(*mine).with_for_update(read=True)).one_or_none()
        return None if row is None else read_staff(row)

    def in_department(self, workspace_id: int, name: str) -> list[Staff]:
        return [read_staff(row) for row in _DEPARTMENT.run(self._connection, workspace_id=workspace_id, name=name)]

    def in_store(self, workspace_id: int, name: str) -> list[Staff]:
        return [read_staff(row) for row in _STORE.run(self._connection, workspace_id=workspace_id, name=name)]

    def departments(self, workspace_id: int, names: Sequence[str]) -> set[str]:
        return {row[0] for row in _DEPARTMENTS.run(self._connection, workspace_id=workspace_id, names=list(names))}
