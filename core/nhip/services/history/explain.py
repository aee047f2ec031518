"""Why did this event start that, and why not the other: the decisions once more, over the facts that were stored."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nhip.domain.events import SILENT_DAYS
from nhip.domain.past_events import (
    Activation,
    Explanation,
    PastEvent,
    Refusal,
    StartedRun,
    TriggerFinding,
    WorkflowFinding,
)
from nhip.domain.times import format_micros, from_micros
from nhip.engine.conditions.decide import CustomConditions, judge
from nhip.engine.definitions.definition import Compiled
from nhip.engine.definitions.entry_verdict import placed_conditions
from nhip.engine.matching.index import Entry
from nhip.plugin_api import CALENDAR
from nhip.ports import Unit
from nhip.services.history import events
from nhip.services.runs.matching import Versions
from nhip.services.workspace.calendars import closed_days


def explain(
    unit: Unit,
    versions: Versions,
    customs: CustomConditions,
    workspace_id: int,
    identifier: str,
    workflow: str | None = None,
) -> Explanation:
    """What every workflow that was active then said to an event and to those derived from it.

    Of a derived event, the answer is about the incoming one that it came with. ``workflow`` asks about one alone.
    Holidays are those that the workspace's calendar has now.

    Raises:
        NotFound: no such event in this workspace.
    """
    event = events.one(unit, workspace_id, identifier)
    root = event if event.id == event.root_id else events.one(unit, workspace_id, event.root_id)
    happenings = [root, *unit.past_events.derived(workspace_id, root)]
    active = unit.past_events.active_at(workspace_id, root.received_at)
    if workflow is not None:
        active = [activation for activation in active if activation.workflow == workflow]
    compiled = versions.get(unit, workspace_id, [activation.version_id for activation in active])
    started = {run.workflow: run for run in unit.past_events.runs_of(workspace_id, root.id)}
    refused = {refusal.workflow: refusal for refusal in unit.past_events.refusals_of(workspace_id, root.id)}
    calendar = closed_days(unit, workspace_id)
    findings = [
        _finding(
            activation,
            compiled[activation.version_id],
            [(happening, {**_facts(happening, root), CALENDAR: calendar}) for happening in happenings],
            root,
            customs,
            started.get(activation.workflow),
            refused.get(activation.workflow),
        )
        for activation in active
        if activation.version_id in compiled
    ]
    return Explanation(
        event=root.id,
        types=tuple(happening.type for happening in happenings),
        reason=_reason(findings),
        workflows=tuple(sorted(findings, key=lambda finding: (_RANK[finding.outcome], finding.workflow))),
    )


_RANK = {"started": 0, "refused": 1, "conditions": 2, "not_listening": 3}


def _reason(findings: Sequence[WorkflowFinding]) -> str | None:
    """Why nothing started; ``None`` when something did."""
    if not findings:
        return "no_active_workflow"
    best = min(_RANK[finding.outcome] for finding in findings)
    return (None, "refused", "conditions", "no_trigger_listens")[best]


def _finding(
    activation: Activation,
    compiled: Compiled,
    happenings: Sequence[tuple[PastEvent, Mapping[str, Any]]],
    root: PastEvent,
    customs: CustomConditions,
    run: StartedRun | None,
    refusal: Refusal | None,
) -> WorkflowFinding:
    triggers = tuple(
        _ask(entry, compiled, happening, facts, from_micros(root.received_at), customs)
        for happening, facts in happenings
        for entry in compiled.entries
        if happening.type in entry.event_types
    )
    if run is not None:
        outcome = "started"
    elif refusal is not None:
        outcome = "refused"
    else:
        outcome = "conditions" if triggers else "not_listening"
    return WorkflowFinding(
        workflow=activation.workflow,
        version=activation.number,
        outcome=outcome,
        run=run.id if run else None,
        reason=refusal.reason if refusal and not run else None,
        triggers=triggers,
    )


def _ask(
    entry: Entry,
    compiled: Compiled,
    happening: PastEvent,
    facts: Mapping[str, Any],
    moment: datetime,
    customs: CustomConditions,
) -> TriggerFinding:
    """What a trigger and the workflow's conditions say, each with its place in the definition."""
    position, use = next(
        (number, use) for number, use in enumerate(compiled.definition.triggers) if use.id == entry.trigger_id
    )
    verdicts = [
        judge(node, facts, moment, path, customs)
        for path, node in placed_conditions(compiled, entry, f"triggers[{position}]")
    ]
    return TriggerFinding(
        trigger=entry.trigger_id,
        type=use.type,
        event=happening.type,
        event_id=happening.id,
        holds=all(verdict.holds for verdict in verdicts),
        reasons=tuple(reason for verdict in verdicts for reason in verdict.reasons),
    )


def _facts(happening: PastEvent, root: PastEvent) -> Mapping[str, Any]:
    facts = dict(root.facts or {})
    silent = facts.pop(SILENT_DAYS, {}).get(happening.id)
    return {
        **facts,
        "event": {
            "id": happening.id,
            "source": root.source,
            "source_id": root.source_id,
            "type": happening.type,
            "subject": root.subject,
            "time": format_micros(happening.time_at),
            "data": happening.data,
            **({} if silent is None else {SILENT_DAYS: silent}),
        },
    }
