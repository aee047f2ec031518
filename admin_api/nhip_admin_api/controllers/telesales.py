"""``/v1/telesales-campaigns``: campaigns, and the queues of those who call."""

from typing import Annotated, Final

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from nhip.domain.errors import invalid
from nhip.domain.telesales import (
    CallReport,
    CampaignDraft,
    EntryFilter,
    EntryPlace,
    EntryState,
    Giving,
    Releasing,
    ShownEntry,
    Taking,
)
from nhip.services.desk.telesales_campaigns import TelesalesCampaigns
from nhip.services.desk.telesales_entries import TelesalesEntries
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.telesales import CountedCampaign, TelesalesCampaign, TelesalesEntry


def provide_campaigns(engine: TheEngine) -> TelesalesCampaigns:
    """The dependency ``campaigns``."""
    return engine.telesales_campaigns


def provide_entries(engine: TheEngine) -> TelesalesEntries:
    """The dependency ``entries``."""
    return engine.telesales_entries


TheCampaigns = NamedDependency[TelesalesCampaigns]
TheEntries = NamedDependency[TelesalesEntries]
DEPENDENCIES: Final = {
    "campaigns": Provide(provide_campaigns, sync_to_thread=False),
    "entries": Provide(provide_entries, sync_to_thread=False),
}


class TelesalesController(Controller):
    """Telesales."""

    path = "/v1/telesales-campaigns"
    tags = ("Telesales",)
    dependencies = DEPENDENCIES

    @get(guards=[requires("contacts:read")], summary="List telesales campaigns")
    async def list_campaigns(
        self, engine: TheEngine, principal: ThePrincipal, campaigns: TheCampaigns, paging: ThePaging
    ) -> Response[Page[TelesalesCampaign]]:
        """By name."""
        rows = await engine.database.read(campaigns.page, principal.workspace_id, paging.after, paging.fetch)
        return paging.page(rows, lambda row: row.name, TelesalesCampaign.of)

    @get("/{name:str}", guards=[requires("contacts:read")], summary="Show a telesales campaign")
    async def get_campaign(
        self, engine: TheEngine, principal: ThePrincipal, campaigns: TheCampaigns, name: FromPath[str]
    ) -> Response[CountedCampaign]:
        """With how many entries it has of each state."""
        now = engine.clock.micros()
        shown = await engine.database.read(campaigns.show, principal.workspace_id, name, now)
        return tagged(CountedCampaign.counted(shown), shown.campaign)

    @put("/{name:str}", guards=[requires("contacts:write")], summary="Make or replace a telesales campaign")
    async def put_campaign(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        campaigns: TheCampaigns,
        name: FromPath[str],
        data: JSONBody[CampaignDraft],
        if_match: IfMatch = None,
    ) -> Response[CountedCampaign]:
        """What is left out is as usual: calls from 08:00 to 17:00 in Vietnam, `no_answer` and `busy` tried three more
        times. Entries of agents who are not in it any more go to the others in turn, or back to all of them, in a
        second or two.
        """
        shown, created = await engine.database.transact(
            campaigns.save,
            principal.workspace_id,
            name,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        address = f"/v1/telesales-campaigns/{name}" if created else None
        return tagged(CountedCampaign.counted(shown), shown.campaign, created=address)

    @delete("/{name:str}", guards=[requires("contacts:write")], summary="Take a telesales campaign away")
    async def delete_campaign(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        campaigns: TheCampaigns,
        name: FromPath[str],
        if_match: IfMatch = None,
    ) -> None:
        """With its closed entries. Refused while somebody is still to be called, or a workflow that is published, or
        that runs stand on, names it.
        """
        now = engine.clock.micros()
        await engine.database.transact(
            campaigns.delete, principal.workspace_id, name, if_match=if_match, actor=principal.key_id, now=now
        )

    # --- entries ------------------------------------------------------------------------------------------------------

    @get("/{name:str}/entries", guards=[requires("contacts:read")], summary="List who is to be called")
    async def list_entries(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        entries: TheEntries,
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
        now = engine.clock.micros()
        rows = await engine.database.read(entries.page, principal.workspace_id, name, wanted, after, paging.fetch, now)
        return paging.page(rows, lambda row: msgspec.json.encode(row.place).decode(), TelesalesEntry.of)

    @get("/{name:str}/entries/{entry_id:str}", guards=[requires("contacts:read")], summary="Show an entry")
    async def get_entry(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        entries: TheEntries,
        name: FromPath[str],
        entry_id: FromPath[str],
    ) -> TelesalesEntry:
        """Whose it is, when it may be called, and what came of the last call."""
        now = engine.clock.micros()
        return TelesalesEntry.of(await engine.database.read(entries.show, principal.workspace_id, name, entry_id, now))

    @post(
        "/{name:str}/entries/{entry_id:str}/take",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Take an entry, or the next one",
    )
    async def take_entry(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        entries: TheEntries,
        name: FromPath[str],
        entry_id: FromPath[str],
        data: JSONBody[Taking],
    ) -> Response[TelesalesEntry | None]:
        """The agent calls now, and nobody else gets the entry. With `next` in place of the id it is the one that is due
        with the highest priority, of the agent's own and of those that are nobody's; 204 when there is none. It goes
        back after the campaign's `hold_minutes`, and earlier when the agent is away or leaves.
        """
        taken: ShownEntry | None = await engine.database.transact(
            entries.take,
            principal.workspace_id,
            name,
            entry_id,
            data.agent,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        if taken is None:
            return Response(None, status_code=204)
        return Response(TelesalesEntry.of(taken))

    @post(
        "/{name:str}/entries/{entry_id:str}/assign",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Give an entry to another agent",
    )
    async def assign_entry(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        entries: TheEntries,
        name: FromPath[str],
        entry_id: FromPath[str],
        data: JSONBody[Giving],
    ) -> TelesalesEntry:
        """With null as the agent it is anybody's again. One that was taken is not any more."""
        given = await engine.database.transact(
            entries.give,
            principal.workspace_id,
            name,
            entry_id,
            data.agent,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        return TelesalesEntry.of(given)

    @post(
        "/{name:str}/entries/{entry_id:str}/release",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Give an entry back",
    )
    async def release_entry(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        entries: TheEntries,
        name: FromPath[str],
        entry_id: FromPath[str],
        data: JSONBody[Releasing],
    ) -> TelesalesEntry:
        """The agent has it no more: it is the next one's in turn where the campaign distributes, else anybody's.
        Refused where it is somebody else's. It is an event `telesales.returned`; said again it changes nothing.
        """
        released = await engine.database.transact(
            entries.release,
            principal.workspace_id,
            name,
            entry_id,
            data.agent,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        engine.doorbell.ring()
        return TelesalesEntry.of(released)

    @post(
        "/{name:str}/entries/{entry_id:str}/outcome",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Say what came of a call",
    )
    async def report_outcome(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        entries: TheEntries,
        name: FromPath[str],
        entry_id: FromPath[str],
        data: JSONBody[CallReport],
    ) -> TelesalesEntry:
        """After `answered` and `refused` it is done; the others are called again as the campaign's rules say. Each
        report is an event `telesales.outcome`; `final` is true in the last one. The same said again changes nothing,
        and another outcome after the final one is refused. Of an entry that went back, `agent` may still report until
        somebody else takes it; then it is a conflict that names who has it.
        """
        reported = await engine.database.transact(
            entries.report,
            principal.workspace_id,
            name,
            entry_id,
            data,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        engine.doorbell.ring()
        return TelesalesEntry.of(reported)

    @post(
        "/{name:str}/entries/{entry_id:str}/cancel",
        guards=[requires("contacts:write")],
        status_code=200,
        summary="Call nobody any more",
    )
    async def cancel_entry(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        entries: TheEntries,
        name: FromPath[str],
        entry_id: FromPath[str],
    ) -> TelesalesEntry:
        """A run that waits for the call goes on with the outcome `cancelled`."""
        cancelled = await engine.database.transact(
            entries.cancel,
            principal.workspace_id,
            name,
            entry_id,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        engine.doorbell.ring()
        return TelesalesEntry.of(cancelled)


def _state(text: str | None) -> EntryState | None:
    try:
        return EntryState(text) if text is not None else None
    except ValueError:
        raise invalid("state", "bad_value", f"a state is one of {', '.join(EntryState)}") from None
