"""Runs and steps: the hot tables of the engine."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from nhip.adapters.db import tables
from nhip.adapters.db.statements import BulkInsert, BulkUpdate, Statement
from nhip.domain.runs import ClaimedStep, OpenRun, RunContext, RunRow, StandingRun, StandingStep, StepRow, StepUpdate

_decode = msgspec.json.Decoder(dict[str, Any]).decode

_RUN_COLUMNS = RunRow.__struct_fields__
_STEP_COLUMNS = StepRow.__struct_fields__
_INSERT_RUNS = BulkInsert(tables.runs, _RUN_COLUMNS)
_INSERT_STEPS = BulkInsert(tables.steps, _STEP_COLUMNS, conflict=("run_id", "node", "iteration", "version_id"))
_FINISH_RUNS = BulkUpdate(tables.runs, ("state", "reason", "ended_at"))
_RECORD_STEPS = BulkUpdate(
    tables.steps,
    ("state", "due_at", "attempt", "generation", "alternative", "outcome", "output", "reason", "finished_at",
     "first_attempt_at", "leases_lost", "lease_owner", "lease_until", "awaits"),
)  # fmt: skip

_CLAIMED: Final = (
    "id, workspace_id, run_id, contact_id, version_id, node, path, iteration, kind, epoch, attempt, generation,"
    " alternative, leases_lost, first_attempt_at, wanted_at, awaits, output"
)
_CLAIM_SET: Final = (
    "UPDATE steps SET state = 'running', epoch = epoch + 1, attempt = attempt + 1, lease_owner = :owner,"
    " lease_until = :lease_until, first_attempt_at = COALESCE(first_attempt_at, :now)"
)
_DUE: Final = (
    "SELECT s.id, s.contact_id, s.due_at FROM steps s WHERE s.state = 'ready' AND s.leases_lost = 0"
    " AND s.due_at <= :now AND NOT EXISTS"
    " (SELECT 1 FROM steps r WHERE r.contact_id = s.contact_id AND r.state = 'running')"
    " ORDER BY s.due_at LIMIT :limit"
)
_DUE_SUSPECTS: Final = _DUE.replace("leases_lost = 0", "leases_lost > 0")
_ONE_PER_CONTACT: Final = (
    "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY contact_id ORDER BY due_at, id) AS place FROM due)"
    " AS ranked WHERE place = 1"
)


def _claim_on_sqlite(due: str) -> Statement:
    return Statement(f"WITH due AS ({due}) {_CLAIM_SET} WHERE id IN ({_ONE_PER_CONTACT}) RETURNING {_CLAIMED}")


def _claim_on_postgres(due: str) -> Statement:
    """What is locked is ready, so the update does not ask again: if it did, a planner whose statistics are of a quiet
    hour would walk through everything that is ready in search of the few that are due.
    """
    return Statement(
        f"WITH due AS MATERIALIZED ({due} FOR UPDATE SKIP LOCKED) {_CLAIM_SET}"
        f" WHERE id IN ({_ONE_PER_CONTACT}) RETURNING {_CLAIMED}"
    )


_CLAIM_SQLITE: Final = {False: _claim_on_sqlite(_DUE), True: _claim_on_sqlite(_DUE_SUSPECTS)}
_CLAIM_POSTGRES: Final = {False: _claim_on_postgres(_DUE), True: _claim_on_postgres(_DUE_SUSPECTS)}
"""By whether suspects are wanted."""
_LOCK_STEPS = Statement(
    "SELECT id, epoch, state, version_id, node, iteration, contact_id FROM steps WHERE {id in ids} ORDER BY id",
    lock=True,
)
_CONTEXTS = Statement(
    "SELECT r.id, r.workflow, w.state, r.version_id, r.version, r.trigger_id, r.contact_id, r.state, r.started_at,"
    " r.depth, r.event_received_at, r.event_id, r.root_event_id, e.type, e.source, e.source_id, e.subject, e.time_at,"
    " e.data, o.facts, r.moved_from"
    " FROM runs r JOIN events e ON e.id = r.event_id JOIN events o ON o.id = r.root_event_id"
    " LEFT JOIN workflows w ON w.workspace_id = r.workspace_id AND w.name = r.workflow"
    " WHERE {r.id in ids} AND +r.workspace_id = :workspace_id"
)
_OUTPUTS = Statement(
    "SELECT s.run_id, s.path, s.outcome, CASE WHEN s.kind = 'branch' THEN NULL ELSE s.output END FROM steps s"
    " WHERE {s.run_id in run_ids} AND +s.workspace_id = :workspace_id"
    " AND s.state IN ('done', 'dead', 'unknown') ORDER BY s.created_at, s.iteration"
)
_EXPIRED = Statement(
    f"SELECT {_CLAIMED} FROM steps WHERE state = 'running' AND lease_until < :now ORDER BY lease_until LIMIT :limit"  # noqa: S608
)
_OVERDUE_UNKNOWN = Statement(
    f"SELECT {_CLAIMED} FROM steps WHERE state = 'unknown' AND due_at <= :now ORDER BY due_at LIMIT :limit"  # noqa: S608
)
_UNKNOWN = Statement(
    f"SELECT {_CLAIMED} FROM steps WHERE state = 'unknown' AND kind = 'message' ORDER BY due_at LIMIT :limit"  # noqa: S608
)
_BY_ID = Statement(f"SELECT {_CLAIMED} FROM steps WHERE {{id in ids}}")  # noqa: S608
_DUE_WAITS = Statement(
    f"SELECT {_CLAIMED} FROM steps WHERE state = 'waiting' AND due_at <= :now ORDER BY due_at LIMIT :limit"  # noqa: S608
)
_SUSPECTS = Statement("SELECT 1 FROM steps WHERE state = 'ready' AND leases_lost > 0 AND due_at <= :now LIMIT 1")
_RESUME = Statement(
    "UPDATE steps SET state = 'ready', due_at = :now, reason = NULL WHERE workspace_id = :workspace_id"
    " AND state = 'waiting' AND reason = 'paused' AND version_id IN"
    " (SELECT id FROM workflow_versions WHERE workspace_id = :workspace_id AND workflow = :workflow)"
)
_REOPEN = Statement(
    "UPDATE steps SET state = 'ready', epoch = epoch + 1, due_at = :now, generation = :generation, attempt = 0,"
    " first_attempt_at = NULL, outcome = NULL, output = NULL, finished_at = NULL, reason = :reason"
    " WHERE workspace_id = :workspace_id AND id = :step_id"
)
_CANCEL_STEPS = Statement(
    "UPDATE steps SET state = 'cancelled', reason = :reason, finished_at = :now WHERE workspace_id = :workspace_id"
    " AND run_id = :run_id AND state IN ('ready', 'waiting')"
)
_PLACES = Statement(
    "SELECT run_id, version_id, node, iteration FROM steps WHERE {run_id in run_ids} AND +workspace_id = :workspace_id"
)
_AWAITING = Statement(
    f"SELECT {_CLAIMED} FROM steps WHERE {{contact_id in contact_ids}} AND state = 'waiting'"  # noqa: S608
    " AND awaits IS NOT NULL AND +workspace_id = :workspace_id ORDER BY id"
)
_READY_LOCALS = Statement(
    f"SELECT {_CLAIMED} FROM steps WHERE {{run_id in run_ids}} AND state = 'ready' AND kind = 'local'"  # noqa: S608
    " AND due_at <= :now AND +workspace_id = :workspace_id ORDER BY id",
    lock=True,
)
_OPEN_RUNS = Statement(
    "SELECT id, workflow, version_id, contact_id, root_event_id, state FROM runs WHERE workspace_id = :workspace_id"
    " AND {contact_id in contact_ids} AND state IN ('running', 'queued') ORDER BY id"
)
_BEGIN = Statement(
    "UPDATE runs SET state = 'running' WHERE {id in ids} AND +workspace_id = :workspace_id AND state = 'queued'"
    " RETURNING id, version_id"
)
_STANDING = Statement(
    "SELECT r.id, r.state, r.workflow, w.published_version FROM runs r"
    " LEFT JOIN workflows w ON w.workspace_id = r.workspace_id AND w.name = r.workflow"
    " WHERE {r.id in ids} AND +r.workspace_id = :workspace_id"
)
_STRANDED = Statement(
    "SELECT DISTINCT q.contact_id FROM runs q WHERE q.workspace_id = :workspace_id AND q.workflow = :workflow"
    " AND q.id > :after AND q.state = 'queued' AND NOT EXISTS (SELECT 1 FROM runs r"
    " WHERE r.workspace_id = q.workspace_id AND r.contact_id = q.contact_id"
    " AND r.workflow = q.workflow AND r.state = 'running') ORDER BY q.contact_id"
)
_LAST_ENTRY = Statement(
    "SELECT contact_id, MAX(started_at), SUM(CASE WHEN state IN ('running', 'queued') THEN 1 ELSE 0 END) FROM runs"
    " WHERE workspace_id = :workspace_id AND workflow = :workflow AND {contact_id in contact_ids} GROUP BY contact_id"
)
_BEGUN_BY = Statement(
    "SELECT e.source_id, e.data FROM runs r JOIN events e ON e.id = r.event_id"
    " WHERE r.workspace_id = :workspace_id AND r.contact_id = :contact_id AND r.workflow = :workflow"
    " AND r.trigger_id = :trigger_id AND r.started_at >= :since AND e.type = :kind"
)


def _claimed(rows: Sequence[Any]) -> list[ClaimedStep]:
    return [ClaimedStep(**dict(zip(ClaimedStep.__struct_fields__, row, strict=True))) for row in rows]


class SqlRuns:
    """Implements :class:`nhip.ports.RunStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"

    def insert(self, runs: Sequence[RunRow], steps: Sequence[StepRow]) -> None:
        _INSERT_RUNS.run(self._connection, [msgspec.structs.astuple(run) for run in runs])
        self.insert_steps(steps)

    def insert_steps(self, steps: Sequence[StepRow]) -> None:
        _INSERT_STEPS.run(self._connection, [msgspec.structs.astuple(step) for step in steps])

    def finish(self, runs: Sequence[tuple[str, str | None, int, str]]) -> None:
        _FINISH_RUNS.run(self._connection, runs)

    def standing(self, workspace_id: int, run_ids: Sequence[str]) -> dict[str, StandingRun]:
        rows = _STANDING.run(self._connection, workspace_id=workspace_id, ids=list(run_ids))
        return {row[0]: StandingRun(state=row[1], workflow=row[2], newest=row[3] or 0) for row in rows}

    def places(self, workspace_id: int, run_ids: Sequence[str]) -> list[tuple[str, str, int, int]]:
        rows = _PLACES.run(self._connection, workspace_id=workspace_id, run_ids=list(run_ids))
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def awaiting(self, workspace_id: int, contact_ids: Sequence[str]) -> list[ClaimedStep]:
        return _claimed(_AWAITING.run(self._connection, workspace_id=workspace_id, contact_ids=list(contact_ids)))

    def ready_locals(self, workspace_id: int, run_ids: Sequence[str], now: int) -> list[ClaimedStep]:
        return _claimed(_READY_LOCALS.run(self._connection, workspace_id=workspace_id, run_ids=list(run_ids), now=now))

    def open_runs(self, workspace_id: int, contact_ids: Sequence[str]) -> list[OpenRun]:
        rows = _OPEN_RUNS.run(self._connection, workspace_id=workspace_id, contact_ids=list(contact_ids))
        return [OpenRun(**dict(zip(OpenRun.__struct_fields__, row, strict=True))) for row in rows]

    def begin(self, workspace_id: int, run_ids: Sequence[str]) -> dict[str, str]:
        rows = _BEGIN.run(self._connection, workspace_id=workspace_id, ids=list(run_ids))
        return {row[0]: row[1] for row in rows}

    def stranded(self, workspace_id: int, workflow: str, after: str) -> list[str]:
        rows = _STRANDED.run(self._connection, workspace_id=workspace_id, workflow=workflow, after=after)
        return [row[0] for row in rows]

    def last_entries(self, workspace_id: int, workflow: str, contact_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        rows = _LAST_ENTRY.run(
            self._connection, workspace_id=workspace_id, workflow=workflow, contact_ids=list(contact_ids)
        )
        return {row[0]: (row[1], int(row[2])) for row in rows}

    def begun_by(
        self, workspace_id: int, contact_id: str, workflow: str, trigger_id: str, kind: str, since: int
    ) -> Sequence[tuple[str, dict[str, Any]]]:
        rows = _BEGUN_BY.run(
            self._connection, workspace_id=workspace_id, contact_id=contact_id, workflow=workflow,
            trigger_id=trigger_id, kind=kind, since=since,
        )  # fmt: skip
        return [(row[0], _decode(row[1])) for row in rows]

    def claim(self, owner: str, limit: int, now: int, lease_until: int, *, suspects: bool = False) -> list[ClaimedStep]:
        statement = (_CLAIM_SQLITE if self._sqlite else _CLAIM_POSTGRES)[suspects]
        rows = statement.run(self._connection, owner=owner, limit=limit, now=now, lease_until=lease_until)
        return sorted(_claimed(rows), key=lambda step: step.id)

    def has_suspects(self, now: int) -> bool:
        return bool(_SUSPECTS.run(self._connection, now=now))

    def lock_steps(self, ids: Sequence[str]) -> dict[str, StandingStep]:
        return {
            row[0]: StandingStep(
                epoch=row[1], state=row[2], version_id=row[3], node=row[4], iteration=row[5], contact_id=row[6]
            )
            for row in _LOCK_STEPS.run(self._connection, ids=list(ids))
        }

    def steps(self, ids: Sequence[str]) -> list[ClaimedStep]:
        return _claimed(_BY_ID.run(self._connection, ids=list(ids)))

    def record(self, updates: Sequence[StepUpdate]) -> None:
        _RECORD_STEPS.run(
            self._connection,
            [
                (u.state, u.due_at, u.attempt, u.generation, u.alternative, u.outcome, u.output, u.reason,
                 u.finished_at, u.first_attempt_at, u.leases_lost, None, None, u.awaits, u.id)
                for u in updates
            ],
        )  # fmt: skip

    def contexts(self, workspace_id: int, run_ids: Sequence[str]) -> dict[str, RunContext]:
        found = {}
        for row in _CONTEXTS.run(self._connection, workspace_id=workspace_id, ids=list(run_ids)):
            found[row[0]] = RunContext(
                id=row[0], workflow=row[1], workflow_state=row[2] or "", version_id=row[3], version=row[4],
                trigger_id=row[5], contact_id=row[6], state=row[7], started_at=row[8], depth=row[9],
                event_received_at=row[10], event_id=row[11], root_event_id=row[12], event_type=row[13],
                event_source=row[14], event_source_id=row[15], event_subject=row[16], event_time_at=row[17],
                event_data=_decode(row[18]), root_facts=_decode(row[19]) if row[19] else {},
                moved_from=row[20],
            )  # fmt: skip
        return found

    def outputs(self, workspace_id: int, run_ids: Sequence[str]) -> list[tuple[str, str, str | None, str | None]]:
        rows = _OUTPUTS.run(self._connection, workspace_id=workspace_id, run_ids=list(run_ids))
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def expired(self, now: int, limit: int) -> list[ClaimedStep]:
        return _claimed(_EXPIRED.run(self._connection, now=now, limit=limit))

    def overdue_unknown(self, now: int, limit: int) -> list[ClaimedStep]:
        return _claimed(_OVERDUE_UNKNOWN.run(self._connection, now=now, limit=limit))

    def unknown_messages(self, limit: int) -> list[ClaimedStep]:
        return _claimed(_UNKNOWN.run(self._connection, limit=limit))

    def due_waits(self, now: int, limit: int) -> list[ClaimedStep]:
        return _claimed(_DUE_WAITS.run(self._connection, now=now, limit=limit))

    def resume(self, workspace_id: int, workflow: str, now: int) -> int:
        return _RESUME.execute(self._connection, workspace_id=workspace_id, workflow=workflow, now=now)

    def reopen(self, workspace_id: int, step_id: str, generation: int, reason: str, now: int) -> None:
        _REOPEN.execute(
            self._connection, workspace_id=workspace_id, step_id=step_id, generation=generation, reason=reason, now=now
        )

    def cancel_steps(self, workspace_id: int, run_id: str, reason: str, now: int) -> int:
        return _CANCEL_STEPS.execute(self._connection, workspace_id=workspace_id, run_id=run_id, reason=reason, now=now)
