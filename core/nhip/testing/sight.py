"""What a world can be asked about: runs, deliveries, events and facts, as plain values in the order they came about."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from nhip.domain.directory import RecordFilter
from nhip.domain.history import DeliveryFilter, PastDelivery, PastRun, PastStep, RunFilter
from nhip.domain.past_events import EventFilter
from nhip.domain.runs import PARKED_UNTIL, StepState
from nhip.domain.struct import Struct
from nhip.engine.customers.snapshots import contact_facts, record_facts
from nhip.ports import Unit
from nhip.services.customers import contacts, records
from nhip.services.history import events
from nhip.services.history.runs import contact_id_of

_PAGE: Final = 500
_OVER: Final = frozenset({StepState.DONE, StepState.DEAD, StepState.CANCELLED})

Shown = Callable[[int], datetime]
"""Puts a stored time into the zone in which it is shown."""


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=_Named)


class SeenStep(Struct):
    """One step of a run."""

    step: str
    """Its id in the definition."""
    iteration: int
    """How often the run had come to it before: of steps that are repeated."""
    kind: str
    """``local``, ``remote``, ``message``, ``wait`` or ``branch``."""
    state: str
    """``ready``, ``running``, ``waiting``, ``unknown``, ``done``, ``dead`` or ``cancelled``."""
    outcome: str | None
    reason: str | None
    due_at: datetime | None
    """When it goes on by itself, of one that is not over and not held back by a pause."""


class SeenRun(Struct):
    """One contact's pass through a workflow."""

    id: str
    workflow: str
    version: int
    trigger: str
    contact: str | None
    state: str
    """``running``, ``completed``, ``exited``, ``failed`` or ``cancelled``."""
    reason: str | None
    started_at: datetime
    ended_at: datetime | None
    steps: tuple[SeenStep, ...]
    """In the order in which the run came to them."""

    @property
    def stands_on(self) -> tuple[str, ...]:
        """The ids of the steps that are not over."""
        return tuple(step.step for step in self.steps if step.state not in _OVER)


class SeenDelivery(Struct):
    """One message, sent or not, with its state and reason."""

    channel: str
    contact: str | None
    template: str
    workflow: str | None
    to: str | None
    state: str
    reason: str | None
    detail: str | None
    at: datetime


class SeenEvent(Struct):
    """Something that happened: what came in, and what the engine made of it."""

    id: str
    type: str
    source: str
    """``nhip`` where the engine derived it, or an action emitted it."""
    contact: str | None
    data: dict[str, Any]
    at: datetime


def find_runs(
    unit: Unit, workspace_id: int, shown: Shown, *, workflow: str | None, contact: str | None, state: str | None
) -> list[SeenRun]:
    """Runs with their steps, the oldest first."""
    contact_id = contact_id_of(unit, workspace_id, contact)
    if contact is not None and contact_id is None:
        return []
    wanted = RunFilter(workflow=workflow, contact_id=contact_id, state=state)
    found: list[PastRun] = _all(lambda before: unit.history.runs(workspace_id, wanted, before, _PAGE))
    return [_run(run, unit.history.steps(workspace_id, run.id), shown) for run in reversed(found)]


def find_deliveries(
    unit: Unit, workspace_id: int, shown: Shown, *, channel: str | None, contact: str | None, workflow: str | None
) -> list[SeenDelivery]:
    """Deliveries, the oldest first."""
    contact_id = contact_id_of(unit, workspace_id, contact)
    if contact is not None and contact_id is None:
        return []
    wanted = DeliveryFilter(workflow=workflow, contact_id=contact_id, channel=channel)
    found: list[PastDelivery] = _all(lambda before: unit.history.deliveries(workspace_id, wanted, before, _PAGE))
    return [
        SeenDelivery(
            channel=one.channel, contact=one.contact, template=one.template, workflow=one.workflow, to=one.address,
            state=one.state, reason=one.reason, detail=one.detail, at=shown(one.created_at),
        )
        for one in reversed(found)
    ]  # fmt: skip


def find_events(
    unit: Unit,
    workspace_id: int,
    shown: Shown,
    *,
    type: str | None,  # noqa: A002
    contact: str | None,
) -> list[SeenEvent]:
    """Events, the oldest first."""
    wanted = EventFilter(type=type, contact=contact)
    found: list[events.NamedEvent] = []
    after: str | None = None
    while page := events.page(unit, workspace_id, wanted, after=after, limit=_PAGE):
        found += page
        after = page[-1].event.id
    return [
        SeenEvent(
            id=one.event.id, type=one.event.type, source=one.event.source, contact=one.contact, data=one.event.data,
            at=shown(one.event.time_at),
        )
        for one in reversed(found)
    ]  # fmt: skip


def find_contact(unit: Unit, workspace_id: int, external_id: str) -> dict[str, Any]:
    """A contact as conditions and templates see it.

    Raises:
        NotFound: there is no such contact.
    """
    story = contacts.one(unit, workspace_id, external_id)
    return contact_facts(story.contact, {count.kind: count for count in story.activity})


def find_records(
    unit: Unit, workspace_id: int, kind: str, *, contact: str | None, status: str | None
) -> list[dict[str, Any]]:
    """Records of a type as conditions and templates see them, with their contact's external id; the oldest first."""
    wanted = RecordFilter(contact=contact, status=status)
    found = _all(lambda after: records.page(unit, workspace_id, kind, wanted, after=after, limit=_PAGE))
    owners = list({record.contact_id for record in found if record.contact_id is not None})
    names = unit.past_events.contact_names(workspace_id, owners) if owners else {}
    return [{**record_facts(record), "contact": names.get(record.contact_id or "")} for record in found]


def _all(fetch: Callable[[str | None], Sequence[Item]]) -> list[Item]:
    found: list[Item] = []
    last: str | None = None
    while page := fetch(last):
        found += page
        last = page[-1].id
    return found


def _run(run: PastRun, steps: Sequence[PastStep], shown: Shown) -> SeenRun:
    return SeenRun(
        id=run.id, workflow=run.workflow, version=run.version, trigger=run.trigger_id, contact=run.contact,
        state=run.state, reason=run.reason, started_at=shown(run.started_at),
        ended_at=None if run.ended_at is None else shown(run.ended_at),
        steps=tuple(
            SeenStep(
                step=step.path, iteration=step.iteration, kind=step.kind, state=step.state, outcome=step.outcome,
                reason=step.reason,
                due_at=None if step.state in _OVER or step.due_at >= PARKED_UNTIL else shown(step.due_at),
            )
            for step in steps
        ),
    )  # fmt: skip
