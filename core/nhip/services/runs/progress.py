"""Record what became of steps, and go on: the one place where a run moves."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.ids import earlier
from nhip.domain.runs import (
    ClaimedStep,
    OpenRun,
    RunState,
    StandingRun,
    StandingStep,
    StepKind,
    StepRow,
    StepState,
    StepUpdate,
)
from nhip.domain.times import from_micros, to_micros
from nhip.domain.workflow import Waiting, WaitWindow
from nhip.engine.conditions.decide import CustomConditions
from nhip.engine.definitions.definition import Compiled
from nhip.engine.facts.calendars import ClosedDays
from nhip.engine.journeys.advance import Advance, Finish, Position, advance
from nhip.engine.times.waits import outcome_at_end, window_opening
from nhip.ports import Unit
from nhip.services.runs.facts import RunFacts, load_run_facts
from nhip.services.runs.matching import Versions
from nhip.services.runs.step_rows import StepRows
from nhip.services.workspace.calendars import closed_days

TAKES_OUTCOME: Final = frozenset({StepState.RUNNING, StepState.UNKNOWN, StepState.READY})
"""The states in which a step takes the outcome of its last attempt."""
_WAITING: Final = frozenset({StepState.WAITING})
_BEGUN_AT_ONCE: Final = 500
_CLOCKS_APART: Final = 600_000
"""Milliseconds by which the clocks of two processes may differ."""
_SHORTEST_WINDOW: Final = 60_000_000
"""Microseconds: hours begin and end by the minute."""
_LEFT: Final = frozenset({RunState.CANCELLED, RunState.EXITED})
"""The states of a run that somebody ended while a step of it was under way."""
NOT_COMPILED: Final = "the workflow's version cannot be compiled any more: a plugin is missing or refuses it"


_Ending = tuple[str, str | None, int, str]
"""How a run ends: state, reason, time, id."""


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
    awaits: str | None = None
    """Kept as it is when ``None``."""


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
            found = held.get(change.step.id)
            mine.append(found is not None and found.epoch == change.step.epoch and found.state in expected)
        kept = [change for change, owned in zip(changes, mine, strict=True) if owned]
        self._drop_cancelled(unit, kept)
        unit.runs.record([_update(change, now) for change in kept])
        by_workspace: dict[int, list[StepChange]] = {}
        for change in kept:
            if change.state in (StepState.DONE, StepState.DEAD):
                by_workspace.setdefault(change.step.workspace_id, []).append(change)
        for workspace_id, finished in by_workspace.items():
            self._go_on(unit, workspace_id, finished, held, now)
        return mine

    def wake(self, unit: Unit, steps: Sequence[ClaimedStep], now: int) -> None:
        """Let runs go on whose wait is over. Who waited for hours that are over by now waits for the next ones."""
        by_workspace: dict[int, list[str]] = {}
        for step in steps:
            by_workspace.setdefault(step.workspace_id, []).append(step.version_id)
        compiled: dict[str, Compiled] = {}
        for workspace_id, versions in by_workspace.items():
            compiled |= self._versions.get(unit, workspace_id, versions)
        waits = {
            step.id: compiled[step.version_id].program.nodes[step.node].wait
            for step in steps
            if step.kind == StepKind.WAIT and step.version_id in compiled
        }
        openings = self._openings(unit, steps, waits, now)
        changes = []
        for step in steps:
            if step.kind != StepKind.WAIT:  # an action that waits hears of it
                changes.append(StepChange(step=step, state=StepState.READY, due_at=now))
            elif openings.get(step.id, now) > now:
                changes.append(StepChange(step=step, state=StepState.WAITING, due_at=openings[step.id]))
            else:
                outcome = outcome_at_end(waits.get(step.id))
                changes.append(StepChange(step=step, state=StepState.DONE, outcome=outcome))
        self.record(unit, changes, now, expected=_WAITING)

    def _openings(
        self, unit: Unit, steps: Sequence[ClaimedStep], waits: Mapping[str, Waiting | None], now: int
    ) -> dict[str, int]:
        """When the hours are open, now or next, for which these steps wait, where nobody was there when they began."""
        late: dict[int, list[tuple[ClaimedStep, WaitWindow]]] = {}
        for step in steps:
            wait = waits.get(step.id)
            if isinstance(wait, WaitWindow) and now - step.wanted_at >= _SHORTEST_WINDOW:
                late.setdefault(step.workspace_id, []).append((step, wait))
        found: dict[str, int] = {}
        for workspace_id, mine in late.items():
            run_ids = [step.run_id for step, _ in mine]
            runs = load_run_facts(unit, self._catalog, self._versions, workspace_id, run_ids, now)
            closed = closed_days(unit, workspace_id)
            for step, window in mine:
                if step.run_id in runs:
                    opening = window_opening(window, runs[step.run_id].facts, from_micros(now), closed)
                    found[step.id] = to_micros(opening)
        return found

    def end(
        self,
        unit: Unit,
        workspace_id: int,
        runs: Sequence[OpenRun],
        state: RunState,
        reason: str,
        now: int,
        *,
        begin_next: bool = True,
    ) -> None:
        """End runs that are not over: what they have not begun is never done. What is being sent at this moment is
        still recorded. ``begin_next`` lets runs begin that were queued behind them.
        """
        for run in runs:
            unit.runs.cancel_steps(workspace_id, run.id, reason, now)
            unit.history.suppress_pending(workspace_id, run.id, reason, now)
        unit.runs.finish([(state, reason, now, run.id) for run in runs])
        if begin_next and runs:
            standing = unit.runs.standing(workspace_id, [run.id for run in runs])
            left = [(standing[run.id], run.contact_id) for run in runs if run.id in standing]
            self._begin_queued(unit, workspace_id, self._queues(unit, workspace_id, left), now)

    def free_queued(self, unit: Unit, since: int, now: int) -> None:
        """Let the runs begin that were queued by a version published since a time, in the very moment in which the run
        before them ended in a unit that did not know this version yet.
        """
        for workspace_id, workflow, number, version_id in unit.published.published_since(since):
            if self._versions.queues(unit, workspace_id, workflow, number):
                self.begin_stranded(unit, workspace_id, workflow, now, after=earlier(version_id, _CLOCKS_APART))

    def begin_stranded(self, unit: Unit, workspace_id: int, workflow: str, now: int, *, after: str = "") -> None:
        """Let the runs of a workflow begin that are queued behind none any more, where others ended those; of those
        with greater ids only.
        """
        contacts = unit.runs.stranded(workspace_id, workflow, after)
        for start in range(0, len(contacts), _BEGUN_AT_ONCE):
            queues = {(workflow, contact) for contact in contacts[start : start + _BEGUN_AT_ONCE]}
            self._begin_queued(unit, workspace_id, queues, now)

    def left(self, unit: Unit, steps: Sequence[ClaimedStep]) -> set[str]:
        """The runs of these steps that somebody ended while the steps were under way."""
        runs: dict[int, list[str]] = {}
        for step in steps:
            runs.setdefault(step.workspace_id, []).append(step.run_id)
        states = {
            run: one.state for workspace, ids in runs.items() for run, one in unit.runs.standing(workspace, ids).items()
        }
        return {run for run, state in states.items() if state in _LEFT}

    def _drop_cancelled(self, unit: Unit, changes: Sequence[StepChange]) -> None:
        """A step that was under way when its run was ended by others is not tried again."""
        again = [change for change in changes if change.state in (StepState.READY, StepState.WAITING)]
        left = self.left(unit, [change.step for change in again])
        for change in again:
            if change.step.run_id in left:
                change.state, change.reason = StepState.CANCELLED, "run_cancelled"

    def _go_on(
        self,
        unit: Unit,
        workspace_id: int,
        finished: Sequence[StepChange],
        held: Mapping[str, StandingStep],
        now: int,
    ) -> None:
        runs = unit.runs.standing(workspace_id, [change.step.run_id for change in finished])
        # While its step was under way, a run may have been moved to another version, or its contact merged into
        # another: it goes on where it stands.
        standing = {change.step.id: held[change.step.id] for change in finished}
        compiled = self._versions.get(unit, workspace_id, [one.version_id for one in standing.values()])
        overtaken = self._overtaken(unit, workspace_id, finished, standing, compiled)
        reading = [
            change.step.run_id
            for change in finished
            if change.state is StepState.DONE
            and (one := standing[change.step.id]).version_id in compiled
            and compiled[one.version_id].program.reads_facts_after(one.node)
        ]
        facts = load_run_facts(unit, self._catalog, self._versions, workspace_id, reading, now) if reading else {}
        closed = closed_days(unit, workspace_id)
        successors: list[StepRow] = []
        ended: list[_Ending] = []
        left: list[tuple[StandingRun, str]] = []
        for change in finished:
            step, stands, run = change.step, standing[change.step.id], runs.get(change.step.run_id)
            if run is None or run.state != RunState.RUNNING or step.id in overtaken:
                continue  # it is over, or went on before this step was sent once more
            if change.state is StepState.DEAD:
                ended.append((RunState.FAILED, f"{step.path}: {change.reason}", now, step.run_id))
            elif stands.version_id not in compiled:
                ended.append((RunState.FAILED, f"{step.path}: {NOT_COMPILED}", now, step.run_id))
            else:
                position = Position(node=stands.node, iteration=stands.iteration)
                way = self._way(compiled[stands.version_id], position, facts.get(step.run_id), now, closed)
                rows = StepRows(self._catalog, workspace_id, step.run_id, stands.contact_id, stands.version_id)
                came_by_waiting = step.kind == StepKind.WAIT and change.due_at == 0
                successors += rows.of(way, now, step.wanted_at if came_by_waiting else now)
                if not isinstance(way.then, Finish):
                    continue
                ended.append((way.then.state, way.then.reason, now, step.run_id))
            left.append((run, stands.contact_id))
        unit.runs.insert_steps(successors)
        unit.runs.finish(ended)
        self._begin_queued(unit, workspace_id, self._queues(unit, workspace_id, left), now)

    def _way(
        self, compiled: Compiled, position: Position | None, run: RunFacts | None, now: int, closed: ClosedDays
    ) -> Advance:
        facts, name = run.facts if run is not None else {}, compiled.definition.name
        return advance(compiled.program, position, facts, from_micros(now), self._customs, name, closed)

    def _overtaken(
        self,
        unit: Unit,
        workspace_id: int,
        finished: Sequence[StepChange],
        standing: Mapping[str, StandingStep],
        compiled: Mapping[str, Compiled],
    ) -> set[str]:
        """The steps that were done once more after their run had gone on from them."""
        repeated = {change.step.run_id: change.step.id for change in finished if change.step.generation}
        if not repeated:
            return set()
        found = set[str]()
        for run_id, version_id, node, iteration in unit.runs.places(workspace_id, list(repeated)):
            step_id = repeated[run_id]
            stands = standing[step_id]
            if version_id == stands.version_id and version_id in compiled:
                program = compiled[version_id].program
                if program.place(node, iteration) > program.place(stands.node, stands.iteration):
                    found.add(step_id)
        return found

    def _queues(self, unit: Unit, workspace_id: int, left: Sequence[tuple[StandingRun, str]]) -> set[tuple[str, str]]:
        """Where runs may be queued behind these, of which the contacts are said: pairs of workflow and contact.

        A run may have been queued by another version than the one that the run before it is in.
        """
        newest = {run.workflow: run.newest for run, _ in left}
        queueing = {name for name, number in newest.items() if self._versions.queues(unit, workspace_id, name, number)}
        return {(run.workflow, contact_id) for run, contact_id in left if run.workflow in queueing}

    def _begin_queued(self, unit: Unit, workspace_id: int, queues: set[tuple[str, str]], now: int) -> None:
        """Let the next runs of these queues begin, where none is under way: pairs of workflow and contact."""
        while queues:
            contacts = sorted({contact_id for _, contact_id in queues})
            unit.customers.lock_contacts(workspace_id, contacts)
            next_runs: dict[tuple[str, str], OpenRun | None] = {}
            for run in unit.runs.open_runs(workspace_id, contacts):
                key = (run.workflow, run.contact_id)
                if key in queues:
                    # The oldest decides: one that is under way lets nobody begin.
                    next_runs.setdefault(key, run if run.state == RunState.QUEUED else None)
                    if run.state == RunState.RUNNING:
                        next_runs[key] = None
            begun = [run for run in next_runs.values() if run is not None]
            queues = self._begin(unit, workspace_id, begun, now)

    def _begin(self, unit: Unit, workspace_id: int, runs: Sequence[OpenRun], now: int) -> set[tuple[str, str]]:
        """Begin queued runs; answers the queues of those that were over at once."""
        if not runs:
            return set()
        # A publish may have moved or ended them since they were looked for.
        begun = unit.runs.begin(workspace_id, [run.id for run in runs])
        runs = [msgspec.structs.replace(run, version_id=begun[run.id]) for run in runs if run.id in begun]
        compiled = self._versions.get(unit, workspace_id, [run.version_id for run in runs])
        facts = load_run_facts(unit, self._catalog, self._versions, workspace_id, [run.id for run in runs], now)
        closed = closed_days(unit, workspace_id)
        steps: list[StepRow] = []
        ended: list[_Ending] = []
        over = set[tuple[str, str]]()
        for run in runs:
            if run.version_id not in compiled or run.id not in facts:
                reason = NOT_COMPILED if run.id in facts else "the run's event is gone"
                ended.append((RunState.FAILED, reason, now, run.id))
                over.add((run.workflow, run.contact_id))
                continue
            way = self._way(compiled[run.version_id], None, facts[run.id], now, closed)
            steps += StepRows(self._catalog, workspace_id, run.id, run.contact_id, run.version_id).of(way, now, now)
            if isinstance(way.then, Finish):
                ended.append((way.then.state, way.then.reason, now, run.id))
                over.add((run.workflow, run.contact_id))
        unit.runs.insert_steps(steps)
        unit.runs.finish(ended)
        return over


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
    # What an action waits with stays until it is done.
    kept = step.output if step.awaits is not None and change.state in (StepState.READY, StepState.WAITING) else None
    first = step.first_attempt_at if change.first_attempt_at is None else change.first_attempt_at or None
    return StepUpdate(
        id=step.id,
        state=change.state,
        due_at=change.due_at or now,
        attempt=step.attempt if change.attempt is None else change.attempt,
        generation=step.generation if change.generation is None else change.generation,
        alternative=step.alternative if change.alternative is None else change.alternative,
        outcome=change.outcome,
        output=encode_output(change.output) or kept,
        reason=plain(change.reason),
        finished_at=now if finished else None,
        first_attempt_at=first,
        leases_lost=step.leases_lost if change.leases_lost is None else change.leases_lost,
        awaits=step.awaits if change.awaits is None else change.awaits,
    )
