"""Events as people look at them: lists, one with all it led to, and the same once more."""

from collections.abc import Sequence

from nhip.domain.errors import Conflict, NotFound
from nhip.domain.events import IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.past_events import EventFilter, PastEvent, StartedRun
from nhip.domain.struct import Struct
from nhip.domain.times import format_micros
from nhip.engine.incoming.intake import CloudEvent, Intake
from nhip.ports import Unit
from nhip.services.events.ingest import ENGINE_SOURCE

REPLAY_SOURCE = "replay:"


class NamedEvent(Struct):
    """An event with its contact's external id."""

    event: PastEvent
    contact: str | None


class EventStory(Struct):
    """An event with what it led to."""

    event: NamedEvent
    derived: tuple[NamedEvent, ...]
    runs: tuple[StartedRun, ...]


def page(unit: Unit, workspace_id: int, wanted: EventFilter, *, after: str | None, limit: int) -> list[NamedEvent]:
    """Stored events, the newest first."""
    return _named(unit, workspace_id, unit.past_events.page(workspace_id, wanted, after=after, limit=limit))


def story(unit: Unit, workspace_id: int, identifier: str) -> EventStory:
    """One event, the events derived from it, and the runs it started.

    Raises:
        NotFound: no such event in this workspace.
    """
    event = one(unit, workspace_id, identifier)
    derived = unit.past_events.derived(workspace_id, event) if event.id == event.root_id else []
    runs = unit.past_events.runs_of(workspace_id, event.root_id)
    mine = runs if event.id == event.root_id else [run for run in runs if run.event_id == event.id]
    first, *others = _named(unit, workspace_id, [event, *derived])
    return EventStory(event=first, derived=tuple(others), runs=tuple(mine))


def one(unit: Unit, workspace_id: int, identifier: str) -> PastEvent:
    """One event.

    Raises:
        NotFound: no such event in this workspace.
    """
    event = unit.past_events.one(workspace_id, identifier)
    if event is None:
        raise NotFound("event", identifier)
    return event


def again(unit: Unit, intake: Intake, workspace_id: int, identifier: str) -> IncomingEvent:
    """The same happening as a new event, at the time at which it first happened, so that it overwrites nothing younger.

    Raises:
        NotFound: no such event in this workspace.
        Conflict: the engine derived it; what it was derived from can be replayed.
    """
    event = one(unit, workspace_id, identifier)
    if event.source == ENGINE_SOURCE:
        raise Conflict(f"the engine derived this event; replay {event.root_id!r}, or send the change again")
    envelope = CloudEvent(
        id=new_id(),
        source=f"{REPLAY_SOURCE}{event.id}",
        type=event.type,
        subject=event.subject,
        time=format_micros(event.time_at),
        data=event.data,
    )
    return intake.event(envelope)


def note_replay(unit: Unit, workspace_id: int, actor: str, original: str, replayed: str, now: int) -> None:
    """Write down who had an event replayed."""
    unit.audit.write(workspace_id, actor, "event.replay", original, now, {"event": replayed})


def _named(unit: Unit, workspace_id: int, events: Sequence[PastEvent]) -> list[NamedEvent]:
    wanted = list({event.contact_id for event in events if event.contact_id is not None})
    names = unit.past_events.contact_names(workspace_id, wanted) if wanted else {}
    return [NamedEvent(event=event, contact=names.get(event.contact_id or "")) for event in events]
