"""Runs as people look at them, cancel them and try them again."""

from collections.abc import Mapping, Sequence

from nhip.domain.deliveries import Delivery
from nhip.domain.errors import Conflict, InvalidInput, NotFound
from nhip.domain.history import PastRun, PastStep, RunFilter
from nhip.domain.runs import RunState, StepState
from nhip.domain.struct import Struct
from nhip.engine.definitions.program import ProgramNode
from nhip.ports import Unit
from nhip.services.runs.matching import Versions
from nhip.services.runs.naming import contact_named
from nhip.services.runs.progress import Progress


class Trace(Struct):
    """A run with all that it went through."""

    run: PastRun
    steps: tuple[PastStep, ...]
    nodes: Mapping[int, ProgramNode]
    """The places of the run's version; none where it does not compile any more."""
    deliveries: Mapping[str, Sequence[Delivery]]
    """By step."""


class Runs:
    """The service; its methods run inside units. Ring the doorbell after :meth:`retry`."""

    def __init__(self, versions: Versions, progress: Progress) -> None:
        self._versions = versions
        self._progress = progress

    def page(
        self,
        unit: Unit,
        workspace_id: int,
        *,
        workflow: str | None,
        contact: str | None,
        state: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[PastRun]:
        """Runs, the newest first; ``contact`` is an external id, and of an unknown one there are none."""
        contact_id = contact_id_of(unit, workspace_id, contact)
        if contact is not None and contact_id is None:
            return []
        return unit.history.runs(
            workspace_id, RunFilter(workflow=workflow, contact_id=contact_id, state=state), before, limit
        )

    def trace(self, unit: Unit, workspace_id: int, run_id: str) -> Trace:
        """One run with its steps and messages.

        Raises:
            NotFound: there is no such run.
        """
        run = self._find(unit, workspace_id, run_id)
        steps = unit.history.steps(workspace_id, run_id)
        deliveries: dict[str, list[Delivery]] = {}
        for delivery in unit.history.deliveries_of(workspace_id, [step.id for step in steps]):
            deliveries.setdefault(delivery.step_id, []).append(delivery)
        return Trace(
            run=run, steps=tuple(steps), nodes=self._nodes(unit, workspace_id, run.version_id), deliveries=deliveries
        )

    def cancel(self, unit: Unit, workspace_id: int, run_id: str, *, actor: str, now: int) -> PastRun:
        """End a run that is under way. What is being sent at this moment is still recorded.

        Raises:
            NotFound: there is no such run.
            Conflict: it is over.
        """
        run = self._find(unit, workspace_id, run_id, lock=True)
        if run.state not in (RunState.RUNNING, RunState.QUEUED):
            raise Conflict(f"the run is {run.state}", state=run.state)
        under_way = [one for one in unit.runs.open_runs(workspace_id, [run.contact_id]) if one.id == run_id]
        self._progress.end(unit, workspace_id, under_way, RunState.CANCELLED, "run_cancelled", now)
        unit.audit.write(workspace_id, actor, "run.cancel", run_id, now, {"workflow": run.workflow})
        return self._find(unit, workspace_id, run_id)

    def retry(self, unit: Unit, workspace_id: int, run_id: str, *, actor: str, now: int) -> PastRun:
        """Let a failed run go on: its dead step is tried again as a new generation.

        Raises:
            NotFound: there is no such run.
            Conflict: no step of it is dead.
        """
        run = self._find(unit, workspace_id, run_id, lock=True)
        dead = [step for step in unit.history.steps(workspace_id, run_id) if step.state == StepState.DEAD]
        if run.state != RunState.FAILED or not dead:
            raise Conflict(f"the run is {run.state}: only a failed one can be tried again", state=run.state)
        unit.history.revive(workspace_id, run_id)
        for step in dead:
            unit.runs.reopen(workspace_id, step.id, step.generation + 1, f"retried by {actor}", now)
        said = {"workflow": run.workflow, "steps": [step.path for step in dead]}
        unit.audit.write(workspace_id, actor, "run.retry", run_id, now, said)
        return self._find(unit, workspace_id, run_id)

    def _find(self, unit: Unit, workspace_id: int, run_id: str, *, lock: bool = False) -> PastRun:
        run = unit.history.run(workspace_id, run_id, lock=lock)
        if run is None:
            raise NotFound("run", run_id)
        return run

    def _nodes(self, unit: Unit, workspace_id: int, version_id: str) -> Mapping[int, ProgramNode]:
        try:
            compiled = self._versions.get(unit, workspace_id, [version_id]).get(version_id)
        except InvalidInput:  # a plugin that the version uses is not installed any more
            return {}
        return {node.number: node for node in compiled.program.nodes} if compiled is not None else {}


def contact_id_of(unit: Unit, workspace_id: int, external_id: str | None) -> str | None:
    """The id of the contact that goes by an external id, where there is one."""
    found = contact_named(unit, workspace_id, external_id) if external_id is not None else None
    return found.id if found is not None else None
