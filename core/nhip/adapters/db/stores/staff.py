"""Employees, as the engine reads them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from nhip.adapters.db.statements import Statement
from nhip.domain.customers import Staff

_STAFF = Statement(
    "SELECT external_id, name, phone, email, department, store, active FROM staff"
    " WHERE workspace_id = :workspace_id AND {external_id in external_ids}"
)


class SqlStaff:
    """Implements :class:`nhip.ports.StaffStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, workspace_id: int, external_ids: Sequence[str]) -> dict[str, Staff]:
        rows = _STAFF.run(self._connection, workspace_id=workspace_id, external_ids=list(external_ids))
        return {
            row[0]: Staff(
                external_id=row[0], name=row[1], phone=row[2], email=row[3], department=row[4], store=row[5],
                active=bool(row[6]),
            )
            for row in rows
        }  # fmt: skip
