"""Prepare claimed steps inside their unit: run the local ones, render messages, store the intent of each call."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from nhip.domain.errors import ActionFailed, InvalidInput, TemplateError
from nhip.domain.runs import PARKED_UNTIL, ClaimedStep, OpenRun, RunState, StepKind, StepState
from nhip.engine.definitions.program import ProgramNode
from nhip.engine.facts.decoding import convert
from nhip.plugin_api import LocalAction, MessageRequest, Result
from nhip.ports import Unit
from nhip.services.desk.assigning import Assigning
from nhip.services.execution.claimed import Calling, Claimed, Parts, bug, expired, untried
from nhip.services.execution.local_context import UnitLocalContext
from nhip.services.execution.outgoing import Outgoing
from nhip.services.runs.facts import RunFacts, load_run_facts
from nhip.services.runs.progress import NOT_COMPILED, StepChange, encode_output
from nhip.services.runs.suspended import read_suspended, suspend

if TYPE_CHECKING:
    from nhip.domain.events import IncomingEvent


_MICROSECOND: Final = timedelta(microseconds=1)


class Preparation:
    """The work on the claimed steps of one workspace in one unit."""

    def __init__(self, service: Parts, unit: Unit, workspace_id: int, now: int, claimed: Claimed) -> None:
        self.service = service
        self.unit = unit
        self.workspace_id = workspace_id
        self.now = now
        self.claimed = claimed
        self.changes: list[StepChange] = []
        self.assigning = Assigning(unit, workspace_id, now)
        self.outgoing = Outgoing(service, unit, workspace_id, now, claimed, self.changes, self.assigning)
        self.paused: dict[str, bool] = {}
        self.effects: list[IncomingEvent] = []
        self.ended: list[tuple[str, list[OpenRun]]] = []

    def run(self, steps: Sequence[ClaimedStep]) -> None:
        """Prepare these steps, and record those that are done with it."""
        service = self.service
        compiled = service.versions.get(self.unit, self.workspace_id, [step.version_id for step in steps])
        local = [step.contact_id for step in steps if step.kind == StepKind.LOCAL]
        if local:
            # What a local action lays over a contact builds on what is read here.
            self.unit.customers.lock_contacts(self.workspace_id, local)
        runs = load_run_facts(
            self.unit, service.catalog, service.versions, self.workspace_id, [step.run_id for step in steps], self.now
        )
        messages: list[tuple[ClaimedStep, ProgramNode, RunFacts, MessageRequest]] = []
        for step in steps:
            if step.run_id not in runs or step.version_id not in compiled:
                reason = "the run's event is gone" if step.run_id not in runs else NOT_COMPILED
                self.changes.append(StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=reason))
                continue
            run = runs[step.run_id]
            version = compiled[step.version_id]
            node = version.program.nodes[step.node]
            if run.context.workflow_state == "paused" and self.is_paused(run.context.workflow):
                self.changes.append(untried(step, self.now, StepState.WAITING, PARKED_UNTIL, "paused"))
                continue
            expires_after = node.expires_after or version.definition.settings.expires_after
            late = (
                expires_after is not None
                and step.awaits is None
                and self.now - step.wanted_at > expires_after // _MICROSECOND
            )
            match step.kind:
                case StepKind.LOCAL | StepKind.REMOTE if late:
                    self.changes.append(expired(step))
                case StepKind.LOCAL:
                    self.changes.append(self.do_local(step, node, run))
                case StepKind.REMOTE:
                    self.claimed.callings.append(Calling(step=step, node=node, facts=run.facts))
                case _:
                    if late:
                        self.outgoing.late.add(step.id)
                    request = self.outgoing.request(step, node, run)
                    if request is not None:
                        messages.append((step, node, run, request))
        if messages:
            self.outgoing.prepare(messages)
        self.outgoing.store()
        self.assigning.store()
        if self.effects:
            service.ingest.ingest(self.unit, self.workspace_id, self.effects, self.now)
        for reason, runs_over in self.ended:
            service.progress.end(self.unit, self.workspace_id, runs_over, RunState.EXITED, reason, self.now)
        if self.changes:
            service.progress.record(self.unit, self.changes, self.now)

    def is_paused(self, workflow: str) -> bool:
        """Whether a workflow is paused still. A resume that comes meanwhile waits, and then finds the parked step."""
        if workflow not in self.paused:
            self.paused[workflow] = self.unit.published.lock_workflow(self.workspace_id, workflow) == "paused"
        return self.paused[workflow]

    # --- local ------------------------------------------------------------------------------------------------------

    def do_local(self, step: ClaimedStep, node: ProgramNode, run: RunFacts) -> StepChange:
        """Run a local action. What it wants to happen is kept when it succeeds, and forgotten when it raises."""
        service = self.service
        action = service.catalog.actions[node.action]()
        assert isinstance(action, LocalAction)
        context = UnitLocalContext(
            self.unit, step, run, self.now, service.intake, service.renderer, self.assigning, service.taxonomies
        )
        self.assigning.forget()
        try:
            result = _performed(action, context, convert(node.config, action.config_type, "config"), step)
            encode_output(result.output)
        except (ActionFailed, TemplateError, InvalidInput) as error:
            return StepChange(step=step, state=StepState.DEAD, outcome="failed", reason=str(error))
        except Exception as error:  # a plugin's bug stops its own step, and nobody else's
            if error is context.interruption:
                raise
            return bug(step, node, error)
        self.effects += context.effects
        for write in context.writes:
            write()
        self.assigning.keep()
        context.keep_call_plan()
        if context.ended:
            self.ended.append((f"stopped by {run.context.workflow}", context.ended))
        if result.wait is None:
            return StepChange(step=step, state=StepState.DONE, outcome=result.outcome, output=result.output)
        held, awaits = suspend(result.output, result.wait)
        due_at = self.now + result.wait.timeout // _MICROSECOND
        return StepChange(step=step, state=StepState.WAITING, output=held, awaits=awaits, due_at=due_at, attempt=0)


def _is_late(step: ClaimedStep, expires_after: timedelta | None, now: int) -> bool:
    """Whether a step comes later than it may begin; one that began and waits is not late."""
    if expires_after is None or step.awaits is not None:
        return False
    return now - step.wanted_at > expires_after // _MICROSECOND


def _performed(action: LocalAction, context: UnitLocalContext, config: Any, step: ClaimedStep) -> Result:
    """Begin an action, or tell one that waited what came, or that nothing did."""
    answer: Mapping[str, Any] | Result
    if step.awaits is None:
        answer = action.run(context, config)
    elif (held := read_suspended(step)).event is not None:
        answer = action.heard(context, config, held.output, held.event)
    else:
        answer = action.timed_out(context, config, held.output)
    return answer if isinstance(answer, Result) else Result(output=dict(answer))
