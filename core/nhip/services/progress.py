"""Record what became of steps, and go on: the one place where a run moves."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.runs import ClaimedStep, RunState, StepRow, StepState, StepUpdate
from nhip.domain.times import from_micros
from nhip.engine.advance import Finish, advance
from nhip.engine.conditions import CustomConditions
from nhip.ports import Unit
from nhip.services.ingest import step_rows
from nhip.services.matching import Versions
from nhip.services.run_facts import load_run_facts

TAKES_OUTCOME: Final = frozenset({StepState.RUNNING, StepState.UNKNOWN, StepState.READY})
"""The states in which a step takes the outcome of its last attempt."""
NOT_COMPILED: Final = "the workflow's version cannot be compiled any more: a plugin is missing or refuses it"


class StepChange(msgspec.Struct, kw_only=True):
    """What shall be recorded of one step."""

    step: ClaimedStep
    state: StepState
    outcome: str | None = None
    output: Any = None
    reason: str | None = None
    due_at: int = 0
    attempt: int | None = None
    generation: int | None = None
    alternative: int | None = None
    leases_lost: int | None = None
    first_attempt_at: int | None = None
    """Kept as it is when ``None``; a new generation starts anew with 0."""


class Progress:
    """The service; its method runs inside a unit."""

    def __init__(self, catalog: Catalog, versions: Versions, customs: CustomConditions) -> None:
        self._catalog = catalog
        self._versions = versions
        self._customs = customs

    def record(
        self, unit: Unit, changes: Sequence[StepChange], now: int, *, expected: frozenset[str] = TAKES_OUTCOME
    ) -> list[bool]:
        """Write these changes with their successor steps; answers which were still this process's to write.

        A step whose epoch rose meanwhile belongs to somebody else, and nothing of the late change is kept. One that the
        reconciler made ``unknown`` or ready without giving it away still takes a late answer; the reconciler itself
        changes only what is still as it read it (``expected``).
        """
        held = unit.runs.lock_steps([change.step.id for change in changes])
        mine: list[bool] = []
        for change in changes:
            epoch, state = held.get(change.step.id, (-1, ""))
            mine.append(epoch == change.step.epoch and state in expected)
        kept = [change for change, owned in zip(changes, mine, strict=True) if owned]
        self._drop_cancelled(unit, kept)
        unit.runs.record([_update(change, now) for change in kept])
        by_workspace: dict[int, list[StepChange]] = {}
        for change in kept:
            if change.state in (StepState.DONE, StepState.DEAD):
                by_workspace.setdefault(change.step.workspace_id, []).append(change)
        for workspace_id, finished in by_workspace.items():
            self._go_on(unit, workspace_id, finished, now)
        return mine

    def _drop_cancelled(self, unit: Unit, changes: Sequence[StepChange]) -> None:
        """A step that was under way when its run was cancelled is not tried again."""
        again: dict[int, list[StepChange]] = {}
        for change in changes:
            if change.state in (StepState.READY, StepState.WAITING):
                again.setdefault(change.step.workspace_id, []).append(change)
        for workspace_id, mine in again.items():
            states = unit.runs.states(workspace_id, [change.step.run_id for change in mine])
            for change in mine:
                if states.get(change.step.run_id) == RunState.CANCELLED:
                    change.state, change.reason = StepState.CANCELLED, "run_cancelled"

    def _go_on(self, unit: Unit, workspace_id: int, finished: Sequence[StepChange], now: int) -> None:
        states = unit.runs.states(workspace_id, [change.step.run_id for change in finished])
        compiled = self._versions.get(unit, workspace_id, [change.step.version_id for change in finished])
        repeated = [change.step.run_id for change in finished if change.step.generation]
        furthest = unit.runs.furthest_nodes(workspace_id, repeated) if repeated else {}
        reading = [
            change.step.run_id
            for change in finished
            if change.state is StepState.DONE
            and change.step.version_id in compiled
            and compiled[change.step.version_id].program.reads_facts_after(change.step.node)
        ]
        facts = load_run_facts(unit, self._catalog, self._versions, workspace_id, reading) if reading else {}
        successors: list[StepRow] = []
        ended: list[tuple[str, str | None, int, str]] = []
        for change in finished:
            step = change.step
            if states.get(step.run_id) != RunState.RUNNING or furthest.get(step.run_id, step.node) > step.node:
                continue  # it is over, or went on before this step was sent once more
            if change.state is StepState.DEAD:
                ended.append((RunState.FAILED, f"{step.path}: {change.reason}", now, step.run_id))
                continue
            if step.version_id not in compiled:
                ended.append((RunState.FAILED, f"{step.path}: {NOT_COMPILED}", now, step.run_id))
                continue
            program = compiled[step.version_id].program
            known = facts[step.run_id].facts if step.run_id in facts else {}
            way = advance(program, step.node, known, from_micros(now), self._customs)
            successors += step_rows(
                way, self._catalog, workspace_id, step.run_id, step.contact_id, step.version_id, now
            )
            if isinstance(way.then, Finish):
                ended.append((way.then.state, way.then.reason, now, step.run_id))
        unit.runs.insert_steps(successors)
        unit.runs.finish(ended)


def plain(text: str | None, limit: int = 2000) -> str | None:
    """A text from outside as every database stores it: not too long, and without the NUL that PostgreSQL refuses."""
    return text[:limit].replace("\0", "\ufffd") if text else None


def encode_output(output: Any) -> str | None:
    """What a step left, as JSON.

    Raises:
        TypeError: it has no form in JSON.
    """
    return msgspec.json.encode(output).decode() if output is not None else None


def _update(change: StepChange, now: int) -> StepUpdate:
    step = change.step
    finished = change.state in (StepState.DONE, StepState.DEAD, StepState.CANCELLED)
    first = step.first_attempt_at if change.first_attempt_at is None else change.first_attempt_at or None
    return StepUpdate(
        id=step.id,
        state=change.state,
        due_at=change.due_at or now,
        attempt=step.attempt if change.attempt is None else change.attempt,
        generation=step.generation if change.generation is None else change.generation,
        alternative=step.alternative if change.alternative is None else change.alternative,
        outcome=change.outcome,
        output=encode_output(change.output),
        reason=plain(change.reason),
        finished_at=now if finished else None,
        first_attempt_at=first,
        leases_lost=step.leases_lost if change.leases_lost is None else change.leases_lost,
    )
