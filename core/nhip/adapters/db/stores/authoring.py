"""Workflows as admins keep them: drafts, versions, and when which version was active."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    delete,
    func,
    insert,
    literal,
    select,
    union,
    union_all,
    update,
)

from nhip.adapters.db import tables
from nhip.domain.authored import StandingRuns, StoredVersion, StoredWorkflow
from nhip.domain.ids import new_id
from nhip.domain.messages import DeliveryState
from nhip.domain.runs import RunState, StepState
from nhip.engine.definitions.program import ProgramNode

_workflows, _versions, _activations = tables.workflows, tables.workflow_versions, tables.workflow_activations
_steps, _runs, _workspaces = tables.steps, tables.runs, tables.workspaces
_WORKFLOW_COLUMNS = [_workflows.c[name] for name in StoredWorkflow.__struct_fields__]
_VERSION_COLUMNS = [_versions.c[name] for name in StoredVersion.__struct_fields__]
_OPEN = (StepState.READY, StepState.RUNNING, StepState.WAITING, StepState.UNKNOWN)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _workflow(row: Row[Any]) -> StoredWorkflow:
    return StoredWorkflow(**{**row._mapping, "draft": _decode(row._mapping["draft"])})


def _version(row: Row[Any]) -> StoredVersion:
    return StoredVersion(**{**row._mapping, "definition": _decode(row._mapping["definition"])})


def _values(workflow: StoredWorkflow) -> dict[str, Any]:
    return {**msgspec.structs.asdict(workflow), "draft": msgspec.json.encode(workflow.draft).decode()}


class SqlWorkflows:
    """Implements :class:`nhip.ports.WorkflowStore`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # --- drafts ------------------------------------------------------------------------------------------------------

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredWorkflow | None:
        query = select(*_WORKFLOW_COLUMNS).where(_workflows.c.workspace_id == workspace_id, _workflows.c.name == name)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _workflow(row)

    def page(self, workspace_id: int, state: str | None, after: str | None, limit: int) -> Sequence[StoredWorkflow]:
        query = select(*_WORKFLOW_COLUMNS).where(_workflows.c.workspace_id == workspace_id)
        if state is not None:
            query = query.where(_workflows.c.state == state)
        if after is not None:
            query = query.where(_workflows.c.name > after)
        return [_workflow(row) for row in self._connection.execute(query.order_by(_workflows.c.name).limit(limit))]

    def insert(self, workflow: StoredWorkflow) -> None:
        self._connection.execute(insert(_workflows).values(**_values(workflow)))

    def update(self, workflow: StoredWorkflow) -> None:
        self._connection.execute(
            update(_workflows)
            .where(_workflows.c.workspace_id == workflow.workspace_id, _workflows.c.name == workflow.name)
            .values(**_values(workflow))
        )

    def delete(self, workspace_id: int, name: str) -> None:
        self._connection.execute(
            delete(_workflows).where(_workflows.c.workspace_id == workspace_id, _workflows.c.name == name)
        )

    # --- versions ----------------------------------------------------------------------------------------------------

    def raise_publish_version(self, workspace_id: int) -> int:
        version: int = self._connection.execute(
            update(_workspaces)
            .where(_workspaces.c.id == workspace_id)
            .values(publish_version=_workspaces.c.publish_version + 1)
            .returning(_workspaces.c.publish_version)
        ).scalar_one()
        return version

    def insert_version(self, version: StoredVersion) -> None:
        values = {**msgspec.structs.asdict(version), "definition": msgspec.json.encode(version.definition).decode()}
        self._connection.execute(insert(_versions).values(**values))

    def last_number(self, workspace_id: int, workflow: str) -> int:
        newest = select(func.max(_versions.c.number)).where(
            _versions.c.workspace_id == workspace_id, _versions.c.workflow == workflow
        )
        return self._connection.execute(newest).scalar_one() or 0

    def version(self, workspace_id: int, workflow: str, number: int) -> StoredVersion | None:
        row = self._connection.execute(
            select(*_VERSION_COLUMNS).where(
                _versions.c.workspace_id == workspace_id,
                _versions.c.workflow == workflow,
                _versions.c.number == number,
            )
        ).one_or_none()
        return None if row is None else _version(row)

    def versions(self, workspace_id: int, workflow: str, before: int | None, limit: int) -> Sequence[StoredVersion]:
        query = select(*_VERSION_COLUMNS).where(
            _versions.c.workspace_id == workspace_id, _versions.c.workflow == workflow
        )
        if before is not None:
            query = query.where(_versions.c.number < before)
        rows = self._connection.execute(query.order_by(_versions.c.number.desc()).limit(limit))
        return [_version(row) for row in rows]

    def open_activation(self, workspace_id: int, workflow: str, version_id: str, now: int) -> None:
        self._connection.execute(
            insert(_activations).values(
                id=new_id(), workspace_id=workspace_id, workflow=workflow, version_id=version_id, from_at=now
            )
        )

    def close_activations(self, workspace_id: int, workflow: str, now: int) -> None:
        self._connection.execute(
            update(_activations)
            .where(
                _activations.c.workspace_id == workspace_id,
                _activations.c.workflow == workflow,
                _activations.c.until_at.is_(None),
            )
            .values(until_at=now)
        )

    # --- what stands on them -----------------------------------------------------------------------------------------

    def standing(self, workspace_id: int, workflow: str) -> Sequence[StandingRuns]:
        # One branch per state, so that each is found through its partial index.
        held = union_all(
            *(
                select(_steps.c.version_id, _steps.c.path).where(
                    _steps.c.workspace_id == workspace_id, _steps.c.state == literal(state.value, literal_execute=True)
                )
                for state in _OPEN
            )
        ).subquery()
        rows = self._connection.execute(
            select(_versions.c.number, held.c.path, func.count())
            .join_from(held, _versions, _versions.c.id == held.c.version_id)
            .where(_versions.c.workspace_id == workspace_id, _versions.c.workflow == workflow)
            .group_by(_versions.c.number, held.c.path)
            .order_by(_versions.c.number, held.c.path)
        )
        queued = self._connection.execute(
            select(_runs.c.version, func.count())
            .where(
                _runs.c.workspace_id == workspace_id,
                _runs.c.workflow == workflow,
                _runs.c.state == RunState.QUEUED.value,
            )
            .group_by(_runs.c.version)
        )
        return [
            *(StandingRuns(version=row[0], step=row[1], runs=row[2]) for row in rows),
            *(StandingRuns(version=row[0], step="", runs=row[1]) for row in queued),
        ]

    def move_standing(
        self,
        workspace_id: int,
        workflow: str,
        old: StoredVersion,
        step: str,
        new: StoredVersion,
        node: ProgramNode | None,
        awaits: str | None,
    ) -> int:
        mine = (_runs.c.workspace_id == workspace_id, _runs.c.workflow == workflow, _runs.c.version_id == old.id)
        moved = {"version_id": new.id, "version": new.number, "moved_from": old.number}
        if node is None:
            queued = update(_runs).where(*mine, _runs.c.state == RunState.QUEUED.value)
            return self._connection.execute(queued.values(**moved)).rowcount
        for state in _OPEN:
            self._connection.execute(
                update(_steps)
                .where(*self._standing_on(workspace_id, old.id, step, state))
                .values(version_id=new.id, node=node.number, path=node.id, awaits=awaits)
            )
        standing = self._runs_on(workspace_id, new.id, node.id)
        found = update(_runs).where(*mine, _runs.c.state == RunState.RUNNING.value, _runs.c.id.in_(standing))
        return self._connection.execute(found.values(**moved)).rowcount

    def end_standing(self, workspace_id: int, workflow: str, version_id: str, step: str, reason: str, now: int) -> int:
        mine = (_runs.c.workspace_id == workspace_id, _runs.c.workflow == workflow, _runs.c.version_id == version_id)
        over = {"state": RunState.EXITED.value, "reason": reason, "ended_at": now}
        if not step:
            queued = update(_runs).where(*mine, _runs.c.state == RunState.QUEUED.value)
            return self._connection.execute(queued.values(**over)).rowcount
        standing = self._runs_on(workspace_id, version_id, step)
        ended = self._connection.execute(
            update(_runs).where(*mine, _runs.c.state == RunState.RUNNING.value, _runs.c.id.in_(standing)).values(**over)
        ).rowcount
        deliveries = tables.deliveries
        self._connection.execute(
            update(deliveries)
            .where(
                deliveries.c.workspace_id == workspace_id,
                deliveries.c.workflow == workflow,
                deliveries.c.state.in_((DeliveryState.QUEUED.value, DeliveryState.DEFERRED.value)),
                deliveries.c.run_id.in_(standing),
            )
            .values(state=DeliveryState.SUPPRESSED.value, reason=reason, updated_at=now)
        )
        for state in (StepState.READY, StepState.WAITING):
            self._connection.execute(
                update(_steps)
                .where(*self._standing_on(workspace_id, version_id, step, state))
                .values(state=StepState.CANCELLED.value, reason=reason, finished_at=now)
            )
        return ended

    def _standing_on(
        self, workspace_id: int, version_id: str, step: str, state: StepState
    ) -> tuple[ColumnElement[bool], ...]:
        """Open steps of one place; the state is literal, so that they are found through its partial index."""
        return (
            _steps.c.workspace_id == workspace_id,
            _steps.c.state == literal(state.value, literal_execute=True),
            _steps.c.version_id == version_id,
            _steps.c.path == step,
        )

    def _runs_on(self, workspace_id: int, version_id: str, step: str) -> CompoundSelect[str]:
        return union_all(
            *(
                select(_steps.c.run_id).where(*self._standing_on(workspace_id, version_id, step, state))
                for state in _OPEN
            )
        )

    def versions_in_use(self, workspace_id: int) -> Sequence[str]:
        published = select(_workflows.c.published_version_id).where(
            _workflows.c.workspace_id == workspace_id,
            _workflows.c.published_version_id.is_not(None),
            _workflows.c.state.in_(("active", "paused")),
        )
        held = (
            select(_steps.c.version_id).where(
                _steps.c.workspace_id == workspace_id, _steps.c.state == literal(state.value, literal_execute=True)
            )
            for state in _OPEN
        )
        return [row[0] for row in self._connection.execute(union(published, *held))]

    def cancel_runs(self, workspace_id: int, workflow: str, reason: str, now: int) -> int:
        versions = select(_versions.c.id).where(
            _versions.c.workspace_id == workspace_id, _versions.c.workflow == workflow
        )
        for state in (StepState.READY, StepState.WAITING):
            self._connection.execute(
                update(_steps)
                .where(
                    _steps.c.workspace_id == workspace_id,
                    _steps.c.state == literal(state.value, literal_execute=True),
                    _steps.c.version_id.in_(versions),
                )
                .values(state=StepState.CANCELLED.value, reason=reason, finished_at=now)
            )
        deliveries = tables.deliveries
        self._connection.execute(
            update(deliveries)
            .where(
                deliveries.c.workspace_id == workspace_id,
                deliveries.c.workflow == workflow,
                deliveries.c.state.in_((DeliveryState.QUEUED.value, DeliveryState.DEFERRED.value)),
            )
            .values(state=DeliveryState.SUPPRESSED.value, reason=reason, updated_at=now)
        )
        return self._connection.execute(
            update(_runs)
            .where(
                _runs.c.workspace_id == workspace_id,
                _runs.c.workflow == workflow,
                _runs.c.state.in_((RunState.RUNNING.value, RunState.QUEUED.value)),
            )
            .values(state=RunState.CANCELLED.value, reason=reason, ended_at=now)
        ).rowcount

    def seen_types(self, workspace_id: int, types: Sequence[str]) -> set[str]:
        events = tables.events
        asked = [
            select(literal(one).label("type")).where(
                select(events.c.id).where(events.c.workspace_id == workspace_id, events.c.type == one).exists()
            )
            for one in types
        ]
        return {row[0] for row in self._connection.execute(union_all(*asked))} if asked else set()
