"""Why one workflow did or did not start: for an event, or for what happened to a contact lately."""

from typing import Final

from nhip.domain.errors import NotFound, invalid
from nhip.domain.past_events import EventFilter, Explanation
from nhip.domain.struct import Struct
from nhip.engine.conditions.decide import CustomConditions
from nhip.ports import Unit
from nhip.services.history import events
from nhip.services.history.explain import explain
from nhip.services.runs.matching import Versions

_LOOKED_THROUGH: Final = 200
_TOLD: Final = 20


class WorkflowHistory(Struct):
    """What a workflow said to events, the newest first."""

    workflow: str
    events: tuple[Explanation, ...]


def explain_workflow(
    unit: Unit,
    versions: Versions,
    customs: CustomConditions,
    workspace_id: int,
    name: str,
    contact: str | None,
    event: str | None,
) -> WorkflowHistory:
    """Explain one event, or the newest ones of a contact (an external id).

    Raises:
        InvalidInput: neither or both were named.
        NotFound: no such workflow, or no such event.
    """
    if (contact is None) == (event is None):
        raise invalid("event", "bad_value", "name either an event or a contact")
    if unit.workflows.find(workspace_id, name) is None:
        raise NotFound("workflow", name)
    asked = [event] if event is not None else _newest(unit, workspace_id, contact)
    told = tuple(explain(unit, versions, customs, workspace_id, one, name) for one in asked)
    return WorkflowHistory(workflow=name, events=told)


def _newest(unit: Unit, workspace_id: int, contact: str | None) -> list[str]:
    """Incoming events only: what the engine derived from one is told with it."""
    wanted = EventFilter(contact=contact)
    rows = events.page(unit, workspace_id, wanted, after=None, limit=_LOOKED_THROUGH)
    return [row.event.id for row in rows if row.event.id == row.event.root_id][:_TOLD]
