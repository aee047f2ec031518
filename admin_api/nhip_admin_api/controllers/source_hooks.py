"""``/hooks/in/{source_token}``: where other systems and browsers send to. The token is the key."""

from functools import partial
from typing import Any, cast

from litestar import Controller, HttpMethod, Request, Response, get, post, route
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from nhip.domain.errors import NhipError, NotPermitted, UnsupportedMediaType
from nhip.domain.sources import StoredSource
from nhip.services.doors.source_doors import Arrival
from nhip_admin_api.auth import public
from nhip_admin_api.dependencies import TheEngine, TheTelemetry
from nhip_admin_api.errors import PROBLEM_TYPE, answer
from nhip_admin_api.form_bodies import read_content
from nhip_admin_api.limits import OTHER_BYTES, read_body
from nhip_admin_api.schemas.events import Receipt

AnyRequest = Request[Any, Any, Any]


class SourceHooksController(Controller):
    """The hooks of sources."""

    path = "/hooks/in"
    tags = ("Sources",)

    @post("/{source_token:str}", guards=[public], status_code=202, summary="Take what another system sends")
    async def take(
        self, request: AnyRequest, engine: TheEngine, telemetry: TheTelemetry, source_token: FromPath[str]
    ) -> Response[Receipt]:
        """JSON or a form (urlencoded, or multipart without files), verified over its exact bytes, then mapped.

        The answer means that the events are committed. A source that Facebook or Zalo reports to answers 200.
        """
        source = await engine.source_doors.find(source_token)
        shared = _shared(request, source)
        try:
            if shared is None:
                raise NotPermitted("this source does not take anything from this page")
            arrival = await _arrival(request)
            receipts = await engine.source_doors.receive(source_token, arrival)
        except (NhipError, HTTPException) as error:
            if not shared:
                raise
            # Without these headers a page could not read what is wrong.
            found = answer(error, request.scope["path"])
            return Response(
                cast(Any, found.body),
                status_code=found.details.status,
                headers={**found.headers, **shared},
                media_type=PROBLEM_TYPE,
            )
        telemetry.took_in(receipts)
        duplicates = sum(1 for receipt in receipts if receipt.duplicate)
        content = Receipt(accepted=len(receipts) - duplicates, duplicates=duplicates, events=receipts)
        return Response(content, status_code=source.success_status, headers=shared or {})

    @get("/{source_token:str}", guards=[public], summary="Check the address")
    async def check(self, request: AnyRequest, engine: TheEngine, source_token: FromPath[str]) -> Response[str]:
        """Answers Facebook's challenge (`hub.challenge`) where the verify token is the source's; else says `ready`."""
        query = {name: str(value) for name, value in request.query_params.items()}
        challenge = await engine.source_doors.challenge(source_token, query)
        return Response("ready" if challenge is None else challenge, media_type="text/plain")

    @route("/{source_token:str}", http_method=[HttpMethod.OPTIONS], guards=[public], include_in_schema=False)
    async def ask_first(self, request: AnyRequest, engine: TheEngine, source_token: FromPath[str]) -> Response[None]:
        """What a browser asks before it lets a page send JSON."""
        shared = _shared(request, await engine.source_doors.find(source_token))
        headers = {"allow": "GET, OPTIONS, POST"}
        if shared:
            headers |= shared
            headers["access-control-allow-methods"] = "POST"
            headers["access-control-allow-headers"] = "content-type"
            headers["access-control-max-age"] = "600"
        return Response(None, status_code=204, headers=headers)


def _shared(request: AnyRequest, source: StoredSource) -> dict[str, str] | None:
    """The headers that let a page read the answer; none where no page asks, ``None`` where this page may not send."""
    origin = request.headers.get("origin")
    if origin is None or not source.allowed_origins:
        return {}
    if "*" not in source.allowed_origins and origin.lower() not in source.allowed_origins:
        return None
    allowed = "*" if "*" in source.allowed_origins else origin
    return {"access-control-allow-origin": allowed, "access-control-expose-headers": "retry-after", "vary": "Origin"}


async def _arrival(request: AnyRequest) -> Arrival:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without a content encoding")
    declared = headers.get("content-length", "")
    body = await read_body(request.receive, int(declared) if declared.isdigit() else None, OTHER_BYTES)
    return Arrival(headers=headers, body=body, read=partial(read_content, headers.get("content-type", ""), body))
