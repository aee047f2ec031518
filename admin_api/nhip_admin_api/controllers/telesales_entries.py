"""``/v1/telesales-campaigns/{name}/entries``: who is to be called, and what agents do with it."""

from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from nhip.bootstrap import Engine
from nhip.domain.access import Principal
from nhip.domain.errors import invalid
from nhip.domain.telesales import CallReport, EntryFilter, EntryPlace, EntryState, Giving, Releasing, ShownEntry, Taking
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.schemas.telesales import TelesalesEntry

Shown = TypeVar("Shown", bound=ShownEntry | None)


class Desk:
    """One entry, before whoever does something with it."""

    def __init__(self, engine: Engine, principal: Principal, name: str, entry_id: str) -> None:
        self._engine = engine
        self._principal = principal
        self._place = (principal.workspace_id, name, entry_id)
        self.entries = engine.telesales_entries

    async def act(self, verb: Callable[..., Shown], *said: object) -> Shown:
        """Do with the entry what a verb of :attr:`entries` does."""
        now = self._engine.clock.micros()
        return await self._engine.database.transact(verb, *self._place, *said, actor=self._principal.key_id, now=now)

    async def tell(self, verb: Callable[..., ShownEntry], *said: object) -> TelesalesEntry:
        """The same, where it may be an event: the workers hear of it at once."""
        shown = await self.act(verb, *said)
        self._engine.doorbell.ring()
        return TelesalesEntry.of(shown)


def provide_desk(engine: TheEngine, principal: ThePrincipal, name: FromPath[str], entry_id: FromPath[str]) -> Desk:
    """The dependency ``desk``."""
    return Desk(engine, principal, name, entry_id)


TheDesk = NamedDependency[Desk]
DEPENDENCIES: Final = {"desk": Provide(provide_desk, sync_to_thread=False)}


class TelesalesEntriesController(Controller):
    """Those who are to be called in a campaign."""

    path = "/v1/telesales-campaigns/{name:str}/entries"
    tags = ("Telesales",)
    dependencies = DEPENDENCIES

    @get(guards=[requires("contacts:read")], summary="List who is to be called")
    async def list_entries(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        paging: ThePaging,
        standing: Annotated[
            str | None, QueryParameter(name="state", max_length=20, description="`waiting`, `open`, …")
        ] = None,
        agent: Annotated[str | None, QueryParameter(max_length=200, description="Whose queue")] = None,
    ) -> Response[Page[TelesalesEntry]]:
        """First who is being called, then who is due, the highest priority first, then who is not due yet, and last who
        is done with.
        """
        wanted = EntryFilter(state=_state(standing), agent=agent)
        after = msgspec.json.decode(paging.after, type=EntryPlace) if paging.after is not None else None
        page, now = engine.telesales_entries.page, engine.clock.micros()
        rows = await engine.database.read(page, principal.workspace_id, name, wanted, after, paging.fetch, now)
        return paging.page(rows, lambda row: msgspec.json.encode(row.place).decode(), TelesalesEntry.of)

    @get("/{entry_id:str}", guards=[requires("contacts:read")], summary="Show an entry")
    async def get_entry(
        self, engine: TheEngine, principal: ThePrincipal, name: FromPath[str], entry_id: FromPath[str]
    ) -> TelesalesEntry:
        """Whose it is, when it may be called, and what came of the last call."""
        show, now = engine.telesales_entries.show, engine.clock.micros()
        return TelesalesEntry.of(await engine.database.read(show, principal.workspace_id, name, entry_id, now))

    @post(
        "/{entry_id:str}/take",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Take an entry, or the next one",
    )
    async def take_entry(self, desk: TheDesk, data: JSONBody[Taking]) -> Response[TelesalesEntry | None]:
        """The agent calls now, and nobody else gets the entry. With `next` in place of the id it is the one that is due
        with the highest priority, of the agent's own and of those that are nobody's; 204 when there is none. It goes
        back after the campaign's `hold_minutes`, and earlier when the agent is away or leaves.
        """
        taken = await desk.act(desk.entries.take, data.agent)
        if taken is None:
            return Response(None, status_code=204)
        return Response(TelesalesEntry.of(taken))

    @post(
        "/{entry_id:str}/assign",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Give an entry to another agent",
    )
    async def assign_entry(self, desk: TheDesk, data: JSONBody[Giving]) -> TelesalesEntry:
        """With null as the agent it is anybody's again. One that was taken is not any more."""
        return TelesalesEntry.of(await desk.act(desk.entries.give, data.agent))

    @post(
        "/{entry_id:str}/release",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Give an entry back",
    )
    async def release_entry(self, desk: TheDesk, data: JSONBody[Releasing]) -> TelesalesEntry:
        """The agent has it no more: it is the next one's in turn where the campaign distributes, else anybody's.
        Refused where it is somebody else's. It is an event `telesales.returned`; said again it changes nothing.
        """
        return await desk.tell(desk.entries.release, data.agent)

    @post(
        "/{entry_id:str}/outcome",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Say what came of a call",
    )
    async def report_outcome(self, desk: TheDesk, data: JSONBody[CallReport]) -> TelesalesEntry:
        """After `answered` and `refused` it is done; the others are called again as the campaign's rules say. Each
        report is an event `telesales.outcome`; `final` is true in the last one. The same said again changes nothing,
        and another outcome after the final one is refused. Of an entry that went back, `agent` may still report until
        somebody else takes it; then it is a conflict that names who has it.
        """
        return await desk.tell(desk.entries.report, data)

    @post(
        "/{entry_id:str}/cancel",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Call nobody any more",
    )
    async def cancel_entry(self, desk: TheDesk) -> TelesalesEntry:
        """A run that waits for the call goes on with the outcome `cancelled`."""
        return await desk.tell(desk.entries.cancel)


def _state(text: str | None) -> EntryState | None:
    try:
        return EntryState(text) if text is not None else None
    except ValueError:
        raise invalid("state", "bad_value", f"a state is one of {', '.join(EntryState)}") from None
