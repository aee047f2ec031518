"""What becomes of the runs of older versions when another one is published: they end there, move over, or are over.

A run moves by the id of the step that it stands on. A wait keeps the time until which it lasts; what a worker does at
this moment it does as the old version says, and goes on in the new one.
"""

from collections.abc import Mapping, Sequence

from nhip.catalog import Catalog
from nhip.domain.authored import Fate, PublishPlan, StandingRuns, StoredVersion
from nhip.domain.errors import InvalidInput, Problem
from nhip.domain.workflow import WaitEvent
from nhip.engine.definitions.definition import Compiled
from nhip.engine.definitions.program import Program, ProgramNode
from nhip.ports import Unit
from nhip.services.runs.matching import Versions
from nhip.services.runs.progress import Progress
from nhip.services.workflows.custom_conditions import custom_conditions


class VersionPlans:
    """The service; its methods run inside the unit of the publish, before the workflow's row is free."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._versions = Versions(catalog)

    def carry_out(
        self, unit: Unit, version: StoredVersion, compiled: Compiled, plan: PublishPlan, now: int
    ) -> list[StandingRuns]:
        """Do what the plan says with the runs of all older versions; answers what became of whom.

        Raises:
            InvalidInput: the plan names a step that is not there, or one that cannot take the place of the other.
        """
        workspace_id, workflow = version.workspace_id, version.workflow
        standing = [one for one in unit.workflows.standing(workspace_id, workflow) if one.version != version.number]
        if plan.runs is Fate.FINISH:
            return standing
        numbers = {one.version for one in standing}
        stored = [found for n in numbers if (found := unit.workflows.version(workspace_id, workflow, n)) is not None]
        older = {one.number: one for one in stored}
        programs = {
            number: before.program
            for number, one in older.items()
            if (before := self._versions.get(unit, workspace_id, [one.id]).get(one.id)) is not None
        }
        _refuse_unknown(plan, programs, compiled.program)
        for one in standing:
            self._decide(one, plan, programs, compiled.program)
        for one in standing:
            if one.fate is Fate.EXIT:
                reason = f"published: version {version.number}"
                unit.workflows.end_standing(workspace_id, workflow, older[one.version].id, one.step, reason, now)
            elif one.fate is Fate.MOVE:
                node = compiled.program.node_of(one.to or "")
                unit.workflows.move_standing(
                    workspace_id, workflow, older[one.version], one.step, version, node, awaits_of(node)
                )
        if any(one.fate is Fate.EXIT and one.step for one in standing):
            progress = Progress(self._catalog, self._versions, custom_conditions(self._catalog))
            progress.begin_stranded(unit, workspace_id, workflow, now)
        return standing

    def _decide(self, one: StandingRuns, plan: PublishPlan, programs: Mapping[int, Program], new: Program) -> None:
        """Set the fate of the runs on one step."""
        if plan.runs is Fate.EXIT:
            one.fate = Fate.EXIT
            return
        old = programs[one.version].node_of(one.step) if one.version in programs else None
        if not one.step:  # queued: it has not begun
            one.fate, one.to = Fate.MOVE, ""
            return
        target = plan.map.get(one.step, one.step)
        node = new.node_of(target)
        if old is not None and node is not None and _fits(programs[one.version], old, new, node):
            one.fate, one.to = Fate.MOVE, target
        else:
            one.fate = plan.otherwise


def awaits_of(node: ProgramNode | None) -> str | None:
    """What ``steps.awaits`` holds for a wait."""
    wait = node.wait if node is not None else None
    return "".join(f"|{kind}" for kind in wait.events) + "|" if isinstance(wait, WaitEvent) else None


def _fits(old_program: Program, old: ProgramNode, new_program: Program, new: ProgramNode) -> bool:
    """Whether a run that stands on one step can stand on the other: of the same sort, within loops of the same size."""
    return (
        old.kind is new.kind
        and old.action == new.action
        and type(old.wait) is type(new.wait)
        and [old_program.nodes[head].times for head in old.loops]
        == [new_program.nodes[head].times for head in new.loops]
    )


def _refuse_unknown(plan: PublishPlan, programs: Mapping[int, Program], new: Program) -> None:
    problems: list[Problem] = []
    if plan.otherwise is Fate.MOVE:
        problems.append(Problem(path="plan.otherwise", code="bad_value", message="otherwise is finish or exit"))
    known: Sequence[Program] = tuple(programs.values())
    for old, to in plan.map.items():
        path = f"plan.map.{old}"
        before = [(program, node) for program in known if (node := program.node_of(old)) is not None]
        node = new.node_of(to)
        if not before and known:
            problems.append(Problem(path=path, code="unknown_step", message=f"no run stands in a version with {old!r}"))
        elif node is None:
            message = f"the new version has no step {to!r}"
            problems.append(Problem(path=path, code="unknown_step", message=message))
        elif not all(_fits(program, one, new, node) for program, one in before):
            message = f"{to!r} is a step of another sort, or in other loops, than {old!r}"
            problems.append(Problem(path=path, code="does_not_fit", message=message))
    if problems:
        raise InvalidInput(problems)
