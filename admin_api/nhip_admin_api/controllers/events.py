"""``/v1/events``: what happened, what came of it, and why."""

from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.params import Body, FromPath, QueryParameter

from nhip.domain.past_events import EventFilter, Explanation
from nhip.services.history import events, explain
from nhip.services.history.events import EventStory, NamedEvent
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.ingest import EventDoor
from nhip_admin_api.pagination import Page
from nhip_admin_api.presenting import micros_of, moment
from nhip_admin_api.schemas.events import Event, EventBody, EventDetail, Receipt

TimeText = Annotated[str | None, QueryParameter(description="RFC 3339 with offset", max_length=40)]


class EventsController(Controller):
    """Events."""

    path = "/v1/events"
    tags = ("Events",)

    @post(
        guards=[requires("events:write")],
        status_code=202,
        middleware=[EventDoor],
        summary="Send events",
        response_description="Committed, with the runs they started",
    )
    async def send_events(
        self, data: Annotated[EventBody | list[EventBody], Body(description="One event, or up to 1,000 of them")]
    ) -> Receipt:
        """Take in CloudEvents: structured, batched, binary (`ce-*` headers), or plain JSON.

        A batch is stored whole or not at all. The same `source` and `id` again is a duplicate: it changes nothing and
        answers with the runs that the first one started.
        """
        raise AssertionError("the door in front of this handler answers")

    @get(guards=[requires("events:read")], summary="List events, the newest first")
    async def list_events(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        paging: ThePaging,
        kind: Annotated[str | None, QueryParameter(name="type", max_length=200)] = None,
        contact: Annotated[str | None, QueryParameter(max_length=200, description="An external id")] = None,
        since: TimeText = None,
        until: TimeText = None,
    ) -> Response[Page[Event]]:
        """Events of a type, of a contact, of a time; `since` and `until` mean the event's own time."""
        wanted = EventFilter(
            type=kind, contact=contact, since=micros_of(since, "since"), until=micros_of(until, "until")
        )
        rows = await engine.database.read(
            events.page, principal.workspace_id, wanted, after=paging.after, limit=paging.fetch
        )
        return paging.page(rows, lambda row: row.event.id, show_event)

    @get("/{event_id:str}", guards=[requires("events:read")], summary="Show an event")
    async def get_event(self, engine: TheEngine, principal: ThePrincipal, event_id: FromPath[str]) -> EventDetail:
        """One event with what its decisions read, the events derived from it, and the runs it started."""
        return show_story(await engine.database.read(events.story, principal.workspace_id, event_id))

    @get("/{event_id:str}/explain", guards=[requires("events:read")], summary="Say why")
    async def explain_event(self, engine: TheEngine, principal: ThePrincipal, event_id: FromPath[str]) -> Explanation:
        """Why an event started what it started, and why nothing else: every workflow that was active then, with the
        tests that decided and the values they saw.
        """
        return await engine.database.read(
            explain.explain, engine.versions, engine.customs, principal.workspace_id, event_id
        )

    @post("/{event_id:str}/replay", guards=[requires("events:write")], status_code=202, summary="Replay an event")
    async def replay_event(self, engine: TheEngine, principal: ThePrincipal, event_id: FromPath[str]) -> Receipt:
        """Send the same event once more, as a new one with the source `replay:<event id>`."""
        workspace = principal.workspace_id
        event = await engine.database.read(events.again, engine.intake, workspace, event_id)
        receipts = await engine.inbox.submit(workspace, [event])
        replayed, now = receipts[0].id, engine.clock.micros()
        await engine.database.transact(events.note_replay, workspace, principal.key_id, event_id, replayed, now)
        return Receipt(accepted=1, duplicates=0, events=receipts)


def show_event(named: NamedEvent) -> Event:
    """An event as it is shown."""
    return Event(**_shown(named))


def show_story(story: EventStory) -> EventDetail:
    """An event with what it led to, as it is shown."""
    return EventDetail(
        **_shown(story.event),
        facts=story.event.event.facts,
        derived=[show_event(named) for named in story.derived],
        runs=[run.id for run in story.runs],
    )


def _shown(named: NamedEvent) -> dict[str, Any]:
    event = named.event
    return {
        "id": event.id,
        "source": event.source,
        "source_id": event.source_id,
        "type": event.type,
        "subject": event.subject,
        "contact": named.contact,
        "time": moment(event.time_at),
        "received_at": moment(event.received_at),
        "data": event.data,
        "derived_from": event.root_id if event.root_id != event.id else None,
    }
