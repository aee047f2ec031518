"""Scans, who asks them, and where they look."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db import scan_tables
from nhip.adapters.db.statements import BulkInsert, Statement
from nhip.domain.scans import Scan
from nhip.domain.standing import AskedScan, StandingScan

_decode: Final = msgspec.json.Decoder(Scan).decode
_decode_said: Final = msgspec.json.Decoder(dict[str, Any]).decode
_encode: Final = msgspec.json.Encoder().encode

_ASKED = Statement("SELECT key FROM workflow_scans WHERE workspace_id = :workspace_id AND workflow = :workflow")
_INSERT_ASKED = BulkInsert(scan_tables.workflow_scans, ("workspace_id", "workflow", "key"), conflict=())
_DELETE_ASKED = Statement(
    "DELETE FROM workflow_scans WHERE workspace_id = :workspace_id AND workflow = :workflow AND {key in keys}"
)
_EVERY_ASKED = Statement("SELECT workflow, key FROM workflow_scans WHERE workspace_id = :workspace_id")
_ASKERS = Statement(
    "SELECT s.key, MAX(CASE WHEN w.state = 'active' THEN 1 ELSE 0 END) FROM workflow_scans s"
    " JOIN workflows w ON w.workspace_id = s.workspace_id AND w.name = s.workflow"
    " WHERE s.workspace_id = :workspace_id AND {s.key in keys} GROUP BY s.key"
)
_REST = Statement("UPDATE scans SET due_at = NULL WHERE workspace_id = :workspace_id AND {key in keys}")
_KNOWN = Statement("SELECT key FROM scans WHERE workspace_id = :workspace_id AND {key in keys}")
_INSERT = BulkInsert(
    scan_tables.scans,
    ("workspace_id", "key", "spec", "watch", "due_at", "since_at", "until_at", "cursor", "created_at"),
    conflict=(),
)
_DELETE = Statement("DELETE FROM scans WHERE workspace_id = :workspace_id AND {key in keys}")
_DUE = Statement("SELECT workspace_id, key FROM scans WHERE due_at <= :now ORDER BY due_at LIMIT :limit")
_COLUMNS: Final = "SELECT workspace_id, key, spec, watch, due_at, since_at, until_at, cursor, created_at FROM scans"
_WRITTEN = Statement(
    "SELECT key, spec, since_at, until_at, cursor, created_at FROM scans"
    " WHERE workspace_id = :workspace_id AND {key in keys} ORDER BY key",
    lock=True,
)
_RESTING = Statement(
    _COLUMNS
    + " WHERE workspace_id = :workspace_id AND {key in keys} AND due_at IS NULL AND watch IS NULL ORDER BY key",
    lock=True,
)
_TAKE: Final = _COLUMNS + " WHERE workspace_id = :workspace_id AND key = :key AND due_at <= :now"
_TAKE_SQLITE = Statement(_TAKE)
_TAKE_POSTGRES = Statement(_TAKE + " FOR UPDATE SKIP LOCKED")
_SAVE = Statement(
    "UPDATE scans SET due_at = :due_at, since_at = :since_at, until_at = :until_at, cursor = :cursor"
    " WHERE workspace_id = :workspace_id AND key = :key"
)
_WAKE = Statement(
    "UPDATE scans SET due_at = :now WHERE workspace_id = :workspace_id AND watch = :watch AND due_at > :now"
)
_RELEASE = Statement(
    "UPDATE scans SET due_at = :now WHERE workspace_id = :workspace_id AND watch = :watch AND due_at IS NULL"
)
_SILENT_TEXT: Final = (
    "SELECT a.contact_id, c.external_id, a.last_at FROM activity a"
    " JOIN contacts c ON c.id = a.contact_id AND +c.workspace_id = a.workspace_id"
    " WHERE a.workspace_id = :workspace_id AND a.kind = :kind AND a.last_at <= :until"
    " AND a.last_at >= :after_at AND (a.last_at, a.contact_id) > (:after_at, :after_id){more}"
    " ORDER BY a.last_at, a.contact_id LIMIT :limit"
)
"""The bound on ``last_at`` alone repeats what the pair says: PostgreSQL guesses by it how little that is."""
_SILENT = Statement(_SILENT_TEXT.replace("{more}", ""))
_QUIET = Statement(
    _SILENT_TEXT.replace(
        "{more}",
        " AND NOT EXISTS (SELECT 1 FROM activity b WHERE b.contact_id = a.contact_id"
        " AND +b.workspace_id = a.workspace_id AND b.last_at > a.last_at)",
    )
)
_NEXT_KIND = Statement("SELECT MIN(kind) FROM activity WHERE workspace_id = :workspace_id AND kind > :after")
_CONTACTS = Statement(
    "SELECT id, external_id FROM contacts WHERE workspace_id = :workspace_id AND external_id > :after"
    " ORDER BY external_id LIMIT :limit"
)
_EXTERNAL_IDS = Statement(
    "SELECT id, external_id FROM contacts WHERE +workspace_id = :workspace_id AND {id in contact_ids}"
)


def _standing(row: Any) -> StandingScan:
    return StandingScan(
        workspace_id=row[0], key=row[1], scan=_decode(row[2]), watch=row[3], due_at=row[4], since_at=row[5],
        until_at=row[6], cursor=row[7], created_at=row[8],
    )  # fmt: skip


class SqlScans:
    """Implements :class:`nhip.ports.ScanStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"

    def ask(self, workspace_id: int, workflow: str, keys: Iterable[str]) -> set[str]:
        wanted = set(keys)
        asked = self.asked_by(workspace_id, workflow)
        _INSERT_ASKED.run(self._connection, [(workspace_id, workflow, key) for key in sorted(wanted - asked)])
        left = asked - wanted
        if left:
            _DELETE_ASKED.execute(self._connection, workspace_id=workspace_id, workflow=workflow, keys=sorted(left))
        return left

    def asked(self, workspace_id: int) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for workflow, key in _EVERY_ASKED.run(self._connection, workspace_id=workspace_id):
            found.setdefault(workflow, set()).add(key)
        return found

    def asked_by(self, workspace_id: int, workflow: str) -> set[str]:
        return {row[0] for row in _ASKED.run(self._connection, workspace_id=workspace_id, workflow=workflow)}

    def written(self, workspace_id: int, keys: Sequence[str]) -> Sequence[AskedScan]:
        rows = _WRITTEN.run(self._connection, workspace_id=workspace_id, keys=list(keys))
        return [
            AskedScan(
                key=row[0], said=_decode_said(row[1]), since_at=row[2], until_at=row[3], cursor=row[4],
                created_at=row[5],
            )
            for row in rows
        ]  # fmt: skip

    def askers(self, workspace_id: int, keys: Iterable[str]) -> dict[str, bool]:
        rows = _ASKERS.run(self._connection, workspace_id=workspace_id, keys=sorted(keys))
        return {row[0]: bool(row[1]) for row in rows}

    def rest(self, workspace_id: int, keys: Iterable[str]) -> None:
        _REST.execute(self._connection, workspace_id=workspace_id, keys=sorted(keys))

    def resting(self, workspace_id: int, keys: Sequence[str]) -> Sequence[StandingScan]:
        return [_standing(row) for row in _RESTING.run(self._connection, workspace_id=workspace_id, keys=list(keys))]

    def known(self, workspace_id: int, keys: Sequence[str]) -> set[str]:
        return {row[0] for row in _KNOWN.run(self._connection, workspace_id=workspace_id, keys=list(keys))}

    def insert(self, scans: Sequence[StandingScan]) -> None:
        _INSERT.run(
            self._connection,
            [
                (one.workspace_id, one.key, _encode(one.scan).decode(), one.watch, one.due_at, one.since_at,
                 one.until_at, one.cursor, one.created_at)
                for one in scans
            ],
        )  # fmt: skip

    def delete(self, workspace_id: int, keys: Iterable[str]) -> None:
        _DELETE.execute(self._connection, workspace_id=workspace_id, keys=sorted(keys))

    def due(self, now: int, limit: int) -> list[tuple[int, str]]:
        return [(row[0], row[1]) for row in _DUE.run(self._connection, now=now, limit=limit)]

    def take(self, workspace_id: int, key: str, now: int) -> StandingScan | None:
        statement = _TAKE_SQLITE if self._sqlite else _TAKE_POSTGRES
        rows = statement.run(self._connection, workspace_id=workspace_id, key=key, now=now)
        if not rows:
            return None
        [row] = rows
        return _standing(row)

    def save(self, scan: StandingScan) -> None:
        _SAVE.execute(
            self._connection, workspace_id=scan.workspace_id, key=scan.key, due_at=scan.due_at,
            since_at=scan.since_at, until_at=scan.until_at, cursor=scan.cursor,
        )  # fmt: skip

    def wake(self, workspace_id: int, watch: str, now: int) -> None:
        _WAKE.execute(self._connection, workspace_id=workspace_id, watch=watch, now=now)

    def release(self, workspace_id: int, watch: str, now: int) -> None:
        _RELEASE.execute(self._connection, workspace_id=workspace_id, watch=watch, now=now)

    def silent(
        self, workspace_id: int, kind: str, since: int, until: int, after: tuple[int, str], limit: int
    ) -> Sequence[tuple[str, str, int]]:
        return self._silences(_SILENT, workspace_id, kind, since, until, after, limit)

    def quiet(
        self, workspace_id: int, kind: str, since: int, until: int, after: tuple[int, str], limit: int
    ) -> Sequence[tuple[str, str, int]]:
        return self._silences(_QUIET, workspace_id, kind, since, until, after, limit)

    def _silences(
        self,
        statement: Statement,
        workspace_id: int,
        kind: str,
        since: int,
        until: int,
        after: tuple[int, str],
        limit: int,
    ) -> Sequence[tuple[str, str, int]]:
        after_at, after_id = max(after, (since + 1, ""))
        return statement.run(
            self._connection, workspace_id=workspace_id, kind=kind, until=until, after_at=after_at, after_id=after_id,
            limit=limit,
        )  # fmt: skip

    def activity_kinds(self, workspace_id: int) -> list[str]:
        found: list[str] = []
        while True:
            after = found[-1] if found else ""
            rows: Sequence[Any] = _NEXT_KIND.run(self._connection, workspace_id=workspace_id, after=after)
            if not rows or rows[0][0] is None:
                return found
            found.append(rows[0][0])

    def contacts(self, workspace_id: int, after: str, limit: int) -> list[tuple[str, str]]:
        rows = _CONTACTS.run(self._connection, workspace_id=workspace_id, after=after, limit=limit)
        return [(row[0], row[1]) for row in rows]

    def external_ids(self, workspace_id: int, ids: Sequence[str]) -> dict[str, str]:
        rows = _EXTERNAL_IDS.run(self._connection, workspace_id=workspace_id, contact_ids=list(ids))
        return {row[0]: row[1] for row in rows}
