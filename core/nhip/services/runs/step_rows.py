"""The rows of a run's steps."""

from typing import Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.ids import new_id
from nhip.domain.runs import StepKind, StepRow, StepState
from nhip.domain.times import to_micros
from nhip.engine.definitions.program import NodeKind, ProgramNode
from nhip.engine.journeys.advance import Advance, Finish, Passed, Perform, Wait

_encode: Final = msgspec.json.Encoder().encode


class StepRows:
    """Makes the rows of one run's steps."""

    def __init__(self, catalog: Catalog, workspace_id: int, run_id: str, contact_id: str, version_id: str) -> None:
        self._catalog = catalog
        self._workspace_id = workspace_id
        self._run_id = run_id
        self._contact_id = contact_id
        self._version_id = version_id

    def of(self, way: Advance, now: int, wanted_at: int) -> list[StepRow]:
        """The rows of the way that a run goes: what it passed, for the trace, and the step it comes to.

        ``wanted_at`` is when that step should begin, which is before ``now`` where something came late.
        """
        rows = [self._passed(passed, now) for passed in way.passed]
        match way.then:
            case Finish():
                pass
            case Wait() as wait:
                awaits = "".join(f"|{kind}" for kind in wait.awaits) + "|" if wait.awaits else None
                row = self._row(wait.node, wait.iteration, StepKind.WAIT, StepState.WAITING, to_micros(wait.until), now)
                row.awaits = awaits
                row.wanted_at = row.due_at
                rows.append(row)
            case Perform() as perform:
                effect = self._catalog.actions[perform.node.action].effect
                row = self._row(perform.node, perform.iteration, effect, StepState.READY, now, now)
                row.wanted_at = min(wanted_at, now)
                rows.append(row)
        return rows

    def _passed(self, passed: Passed, now: int) -> StepRow:
        kind = StepKind.WAIT if passed.node.kind is NodeKind.WAIT else StepKind.BRANCH
        row = self._row(passed.node, passed.iteration, kind, StepState.DONE, now, now)
        row.outcome, row.finished_at = passed.outcome, now
        if passed.verdict is not None:
            row.output = _encode(passed.verdict).decode()
        return row

    def _row(self, node: ProgramNode, iteration: int, kind: str, state: StepState, due_at: int, now: int) -> StepRow:
        return StepRow(
            id=new_id(), workspace_id=self._workspace_id, run_id=self._run_id, contact_id=self._contact_id,
            version_id=self._version_id, node=node.number, path=node.id, iteration=iteration, kind=kind, state=state,
            due_at=due_at, wanted_at=due_at, created_at=now,
        )  # fmt: skip
