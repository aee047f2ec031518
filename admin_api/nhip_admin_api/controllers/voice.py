"""``/voice/{name}/{token}/answer`` and ``…/event``: where voice providers ask what a call does next, and report of it.

The token is the key; the plugin verifies the rest. What is answered is the provider's language, not ours.
"""

from typing import Any

from litestar import Controller, HttpMethod, Request, Response, route
from litestar.params import FromPath

from nhip_admin_api.auth import public
from nhip_admin_api.controllers.hooks import inbound
from nhip_admin_api.dependencies import TheEngine


class VoiceController(Controller):
    """Call control."""

    path = "/voice/{name:str}/{token:str}"
    tags = ("Provider hooks",)

    @route(
        "/answer",
        http_method=[HttpMethod.GET, HttpMethod.POST],
        guards=[public],
        status_code=200,
        summary="Say what a call does next",
    )
    async def answer_call(
        self,
        request: Request[Any, Any, Any],
        engine: TheEngine,
        name: FromPath[str],
        token: FromPath[str],
    ) -> Response[bytes]:
        """The plan of the workflow that the call concerns, in the provider's words: TwiML, SCCO, calls of ARI.

        Asked the same once more, it answers the same, and nothing happens twice.
        """
        account = await engine.hooks.account(name, token)
        answer = await engine.calls.take(account, await inbound(request))
        return Response(answer.body, media_type=answer.content_type)

    @route(
        "/event",
        http_method=[HttpMethod.GET, HttpMethod.POST],
        guards=[public],
        status_code=200,
        summary="Take a report on a call",
    )
    async def take_event(
        self,
        request: Request[Any, Any, Any],
        engine: TheEngine,
        name: FromPath[str],
        token: FromPath[str],
    ) -> Response[bytes]:
        """How a call goes: ringing, answered, ended. A 200 means that it is committed."""
        account = await engine.hooks.account(name, token)
        answer = await engine.calls.take(account, await inbound(request))
        return Response(answer.body, media_type=answer.content_type)
