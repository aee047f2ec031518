"""``/rate/{token}``: where customers rate a ticket. The token, which was signed when a message was written, is the key.

Programs that check links for viruses, or fetch pages early, follow links in messages; so a GET shows and never rates.
"""

from typing import Any, Final

from litestar import Controller, HttpMethod, MediaType, Request, Response, get, post, route
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from nhip.domain.errors import MalformedInput, NhipError, NotFound, TooLarge, UnsupportedMediaType
from nhip.domain.ratings import LONGEST_WORDS, RatingReply
from nhip.services.doors.ratings import RatingFinal
from nhip_admin_api import rating_pages as pages
from nhip_admin_api.auth import public
from nhip_admin_api.dependencies import TheEngine, TheTelemetry
from nhip_admin_api.errors import answer
from nhip_admin_api.form_bodies import URLENCODED, read_content
from nhip_admin_api.limits import read_body

FORM_BYTES: Final = 32 * 1024
"""Four bytes for a character, percent-encoded, are twelve: as much as the longest remark needs."""

AnyRequest = Request[Any, Any, Any]
Page = Response[str]


class RatingsController(Controller):
    """The page of a ticket."""

    path = "/rate"
    tags = ("Ratings",)

    @get("/{token:str}", guards=[public], media_type=MediaType.HTML, summary="Show a customer the page of a ticket")
    async def show(self, request: AnyRequest, engine: TheEngine, token: FromPath[str]) -> Page:
        """A form with five stars and room for a remark. It never rates: `?stars=4` only chooses.

        What cannot be rated, or no longer, answers the same page with 404, whyever.
        """
        try:
            asked = await engine.ratings.look(token)
        except NhipError as error:
            return _refused(error)
        return _page(pages.form(token, asked, stars=_stars(request.query_params.get("stars"))))

    @route("/{token:str}", http_method=[HttpMethod.HEAD], guards=[public], include_in_schema=False)
    async def probe(self, engine: TheEngine, token: FromPath[str]) -> Response[None]:
        """What GET would answer, without the page."""
        status = 200
        try:
            await engine.ratings.look(token)
        except NhipError as error:
            status = answer(error, RatingsController.path).details.status
        return Response(None, status_code=status, media_type=MediaType.HTML, headers=pages.HEADERS)

    @post(
        "/{token:str}", guards=[public], status_code=200, media_type=MediaType.HTML, summary="Take a customer's rating"
    )
    async def rate(self, request: AnyRequest, engine: TheEngine, telemetry: TheTelemetry, token: FromPath[str]) -> Page:
        """The page's form: `stars`, 1 to 5, and `words`. It becomes `ticket.rated`, and the page thanks.

        The same once more changes nothing, another rating replaces what was said. Where something is wrong, the form
        comes back with what was sent.
        """
        try:
            asked = await engine.ratings.look(token)
        except NhipError as error:
            return _refused(error)
        stars, words = None, ""
        try:
            stars, words = await _reply(request)
            if stars is None:
                return _page(pages.form(token, asked, words=words[:LONGEST_WORDS], wrong="choose"), 422)
            if len(words) > LONGEST_WORDS:
                return _page(pages.form(token, asked, stars=stars, words=words, wrong="too_long"), 422)
            receipts = await engine.ratings.rate(token, RatingReply(rating=stars, words=words))
        except (NhipError, HTTPException) as error:
            if isinstance(error, NotFound):
                return _refused(error)
            found = answer(error, RatingsController.path)
            body = pages.form(token, asked, stars=stars, words=words, wrong=_wrong(error))
            return _page(body, found.details.status, found.headers)
        telemetry.took_in(receipts)
        return _page(pages.thanks(token, asked, stars))


def _page(body: str, status: int = 200, headers: dict[str, str] | None = None) -> Page:
    return Response(body, status_code=status, media_type=MediaType.HTML, headers={**pages.HEADERS, **(headers or {})})


def _refused(error: NhipError) -> Page:
    found = answer(error, RatingsController.path)
    body = pages.gone() if isinstance(error, NotFound) else pages.unavailable()
    return _page(body, found.details.status, found.headers)


def _wrong(error: Exception) -> str:
    if isinstance(error, RatingFinal):
        return "final"
    if isinstance(error, TooLarge):
        return "too_long"
    is_unread = isinstance(error, MalformedInput | UnsupportedMediaType | HTTPException)
    return "unread" if is_unread else "later"


async def _reply(request: AnyRequest) -> tuple[int | None, str]:
    """The stars and the words of the form; no stars where they are none of 1 to 5."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != URLENCODED:
        raise UnsupportedMediaType("send the page's form")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without a content encoding")
    declared = request.headers.get("content-length", "")
    body = await read_body(request.receive, int(declared) if declared.isdigit() else None, FORM_BYTES)
    said = read_content(content_type, body)
    words = said.get("words", "")
    return _stars(said.get("stars")), words.replace("\r\n", "\n").strip() if isinstance(words, str) else ""


def _stars(said: Any) -> int | None:
    return int(said) if said in ("1", "2", "3", "4", "5") else None
