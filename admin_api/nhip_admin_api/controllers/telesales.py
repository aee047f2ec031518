"""``/v1/telesales-campaigns``: whom agents call, when, and how often again."""

from litestar import Controller, Response, delete, get, put
from litestar.params import FromPath, JSONBody

from nhip.domain.telesales import CampaignDraft
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.telesales import CountedCampaign, TelesalesCampaign


class TelesalesController(Controller):
    """Telesales."""

    path = "/v1/telesales-campaigns"
    tags = ("Telesales",)

    @get(guards=[requires("contacts:read")], summary="List telesales campaigns")
    async def list_campaigns(
        self, engine: TheEngine, principal: ThePrincipal, paging: ThePaging
    ) -> Response[Page[TelesalesCampaign]]:
        """By name."""
        rows = await engine.database.read(
            engine.telesales_campaigns.page, principal.workspace_id, paging.after, paging.fetch
        )
        return paging.page(rows, lambda row: row.name, TelesalesCampaign.of)

    @get("/{name:str}", guards=[requires("contacts:read")], summary="Show a telesales campaign")
    async def get_campaign(
        self, engine: TheEngine, principal: ThePrincipal, name: FromPath[str]
    ) -> Response[CountedCampaign]:
        """With how many entries it has of each state."""
        now = engine.clock.micros()
        shown = await engine.database.read(engine.telesales_campaigns.show, principal.workspace_id, name, now)
        return tagged(CountedCampaign.counted(shown), shown.campaign)

    @put("/{name:str}", guards=[requires("contacts:write")], summary="Make or replace a telesales campaign")
    async def put_campaign(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        data: JSONBody[CampaignDraft],
        if_match: IfMatch = None,
    ) -> Response[CountedCampaign]:
        """What is left out is as usual: calls from 08:00 to 17:00 in Vietnam, `no_answer` and `busy` tried three more
        times. Entries of agents who are not in it any more go to the others in turn, or back to all of them, in a
        second or two.
        """
        shown, created = await engine.database.transact(
            engine.telesales_campaigns.save,
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
        name: FromPath[str],
        if_match: IfMatch = None,
    ) -> None:
        """With its closed entries. Refused while somebody is still to be called, or a workflow that is published, or
        that runs stand on, names it.
        """
        now = engine.clock.micros()
        await engine.database.transact(
            engine.telesales_campaigns.delete,
            principal.workspace_id,
            name,
            if_match=if_match,
            actor=principal.key_id,
            now=now,
        )
