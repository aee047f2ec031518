"""Runs that listen: an event lets those go on that wait for it, and ends those that it is the end of.

An event that starts a run is neither what that run waits for nor its end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nhip.catalog import Catalog
from nhip.domain.conditions import Node
from nhip.domain.runs import ClaimedStep, OpenRun, RunState, StepKind, StepState
from nhip.domain.times import from_micros
from nhip.domain.workflow import WaitEvent
from nhip.engine.conditions.decide import CustomConditions, judge, parse
from nhip.engine.definitions.definition import Compiled
from nhip.engine.journeys.advance import leaving_at
from nhip.engine.times.waits import CAME
from nhip.ports import Unit
from nhip.services.runs.entries import Happening
from nhip.services.runs.facts import load_run_facts
from nhip.services.runs.matching import Matcher, Versions
from nhip.services.runs.progress import Progress, StepChange
from nhip.services.runs.suspended import has_heard, hear, read_suspended

_WAITING = frozenset({StepState.WAITING})


class Listening:
    """The service; its methods run inside units, after the events are stored."""

    def __init__(
        self,
        catalog: Catalog,
        matcher: Matcher,
        versions: Versions,
        customs: CustomConditions,
        progress: Progress,
    ) -> None:
        self._catalog = catalog
        self._matcher = matcher
        self._versions = versions
        self._customs = customs
        self._progress = progress

    def tell(self, unit: Unit, workspace_id: int, happenings: Sequence[Happening], now: int) -> bool:
        """Tell the runs of the contacts concerned what happened, one event after the other; whether any heard it.

        What happens to different contacts is told them at once: a run listens for what happens to its own.
        """
        heard = self._matcher.heard(workspace_id)
        found = False
        for group in _apart(one for one in happenings if one.type in heard) if heard else ():
            ended = self._end(unit, workspace_id, group, now)
            woken = self._wake(unit, workspace_id, group, now)
            found = found or ended or woken
        return found

    def end_replaced(self, unit: Unit, workspace_id: int, replaced: Mapping[str, Iterable[str]], now: int) -> None:
        """End the runs of contacts that begin a workflow anew."""
        contacts = sorted({contact for mine in replaced.values() for contact in mine})
        if contacts:
            runs = [
                run
                for run in unit.runs.open_runs(workspace_id, contacts)
                if run.contact_id in replaced.get(run.workflow, ())
            ]
            self._progress.end(unit, workspace_id, runs, RunState.EXITED, "restarted", now, begin_next=False)

    def _end(self, unit: Unit, workspace_id: int, happened: Mapping[str, Happening], now: int) -> bool:
        open_runs = [
            run
            for run in unit.runs.open_runs(workspace_id, list(happened))
            if run.root_event_id != happened[run.contact_id].root.id
        ]
        compiled = self._versions.get(unit, workspace_id, [run.version_id for run in open_runs])
        concerned = [
            run
            for run in open_runs
            if run.version_id in compiled
            and happened[run.contact_id].type in compiled[run.version_id].program.leaves_at
        ]
        if not concerned:
            return False
        facts = self._facts(unit, workspace_id, concerned, happened, now)
        for run in concerned:
            program, kind = compiled[run.version_id].program, happened[run.contact_id].type
            reason = leaving_at(program, kind, facts[run.id], from_micros(now), self._customs)
            if reason is not None:
                self._progress.end(unit, workspace_id, [run], RunState.EXITED, reason, now)
        return True

    def _wake(self, unit: Unit, workspace_id: int, happened: Mapping[str, Happening], now: int) -> bool:
        steps = [
            step
            for step in unit.runs.awaiting(workspace_id, list(happened))
            if f"|{happened[step.contact_id].type}|" in (step.awaits or "") and not has_heard(step)
        ]
        if not steps:
            return False
        compiled = self._versions.get(unit, workspace_id, [step.version_id for step in steps])
        runs = {run.id: run for run in unit.runs.open_runs(workspace_id, list(happened))}
        steps = [
            step
            for step in steps
            if step.version_id in compiled
            and step.run_id in runs
            and runs[step.run_id].root_event_id != happened[step.contact_id].root.id
        ]
        conditions = {step.id: _condition(step, compiled[step.version_id]) for step in steps}
        choosy = [step for step in steps if conditions[step.id] is not None]
        facts = self._facts(unit, workspace_id, [runs[step.run_id] for step in choosy], happened, now)
        changes = []
        for step in steps:
            happening = happened[step.contact_id]
            where = conditions[step.id]
            if where is not None and not judge(where, facts[step.run_id], from_micros(now), "", self._customs).holds:
                continue
            if step.kind != StepKind.WAIT:
                heard = hear(step, happening.said())
                changes.append(StepChange(step=step, state=StepState.READY, output=heard, due_at=now))
                continue
            output = {"event": happening.id, "type": happening.type, "data": happening.data}
            changes.append(StepChange(step=step, state=StepState.DONE, outcome=CAME, output=output, due_at=now))
        if changes:
            self._progress.record(unit, changes, now, expected=_WAITING)
        return bool(changes)

    def _facts(
        self, unit: Unit, workspace_id: int, runs: Sequence[OpenRun], happened: Mapping[str, Happening], now: int
    ) -> dict[str, dict[str, Any]]:
        """Per run, its facts with those of what happened to its contact laid over them."""
        if not runs:
            return {}
        ids = list({run.id for run in runs})
        loaded = load_run_facts(unit, self._catalog, self._versions, workspace_id, ids, now)
        return {
            run.id: _laid_over(loaded[run.id].facts if run.id in loaded else {}, happened[run.contact_id].facts)
            for run in runs
        }


def _laid_over(known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """An event's facts over a run's. It may come without the contact's activity, which is looked up where somebody
    wants to know it as events come.
    """
    facts = {**known, **told}
    activity = known.get("contact", {}).get("activity")
    if activity is not None and "contact" in told:
        facts["contact"] = {"activity": activity, **told["contact"]}
    return facts


def _apart(happenings: Iterable[Happening]) -> Iterator[dict[str, Happening]]:
    """What happened, in groups in which each contact has one event: in the order of each contact's."""
    group: dict[str, Happening] = {}
    for happening in happenings:
        if happening.contact is None:
            continue
        if happening.contact.id in group:
            yield group
            group = {}
        group[happening.contact.id] = happening
    if group:
        yield group


def _condition(step: ClaimedStep, version: Compiled) -> Node | None:
    """What has to hold of the event that a step waits for."""
    if step.kind != StepKind.WAIT:
        where = read_suspended(step).where
        return parse(where, "") if where is not None else None
    wait = version.program.nodes[step.node].wait
    return wait.where if isinstance(wait, WaitEvent) else None
