"""``/v1/calendar``: the days on which the workspace is closed."""

import asyncio
from typing import Annotated

from litestar import Controller, Response, get, put
from litestar.params import FromPath, JSONBody, QueryParameter

from nhip.domain.calendars import Calendar
from nhip.services.workspace import calendars
from nhip.services.workspace.public_holidays import FIRST_YEAR, LAST_YEAR, public_holidays
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePrincipal
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.calendars import HolidayProposal, ShownCalendar

Year = Annotated[int, QueryParameter(ge=FIRST_YEAR, le=LAST_YEAR, description="The year")]


class CalendarController(Controller):
    """The calendar."""

    path = "/v1/calendar"
    tags = ("Customers",)

    @get("", guards=[requires("workflows:read")], summary="Show the days on which the workspace is closed")
    async def get_calendar(self, engine: TheEngine, principal: ThePrincipal) -> Response[ShownCalendar]:
        """None, with `revision` 0, until it has said some."""
        stored = await engine.database.read(calendars.find, principal.workspace_id)
        return tagged(ShownCalendar.of(stored), stored)

    @put("", guards=[requires("workflows:write")], summary="Choose the days on which the workspace is closed")
    async def put_calendar(
        self, engine: TheEngine, principal: ThePrincipal, data: JSONBody[Calendar], if_match: IfMatch = None
    ) -> Response[ShownCalendar]:
        """On these days, and on no others, nobody is at work, nothing falls due on the next working day, stores are
        closed to callers, and telesales agents do not call, unless the hours in question also hold on holidays.

        What fell due before stays when it was; telesales entries move out of holidays whenever they are looked at.
        """
        stored = await engine.database.transact(
            calendars.save,
            principal.workspace_id,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        return tagged(ShownCalendar.of(stored), stored)

    @get(
        "/public-holidays/{country:str}",
        guards=[requires("workflows:read")],
        summary="Propose the public holidays of a country",
    )
    async def propose_holidays(self, country: FromPath[str], year: Year) -> HolidayProposal:
        """The country's public holidays in that year with their days in lieu, as the library `holidays` knows them;
        nothing is stored. Compare them with what the government announced, and put them with the workspace's own.
        """
        found = await asyncio.to_thread(public_holidays, country, year)
        return HolidayProposal(country=country, year=year, holidays=list(found))
