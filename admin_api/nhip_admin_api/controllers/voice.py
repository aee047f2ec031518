"""``/voice/{name}/{token}/answer`` and ``…/event``: where voice providers ask what a call does next, and report of it.

The token is the key; the plugin verifies the rest. What is answered is the provider's language, not ours.
"""

from typing import Any, Final, cast

from litestar import Controller, HttpMethod, Request, Response, route
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from nhip.domain.messages import InboundRequest
from nhip.services.doors.call_requests import CallRequests
from nhip.services.doors.calls import Calls
from nhip_admin_api.auth import public
from nhip_admin_api.controllers.hooks import TheHooks, provide_hooks
from nhip_admin_api.dependencies import TheEngine


def provide_calls(engine: TheEngine, request: Request[Any, Any, Any]) -> Calls:
    """The dependency ``calls``: one in each process."""
    state = request.app.state
    if "calls" not in state:
        requests = CallRequests(engine.ingest, engine.execution, engine.receipts, engine.clock)
        state["calls"] = Calls(engine.database, requests, engine.channels, engine.doorbell)
    return cast(Calls, state["calls"])


TheCalls = NamedDependency[Calls]
DEPENDENCIES: Final = {
    "hooks": Provide(provide_hooks, sync_to_thread=False),
    "calls": Provide(provide_calls, sync_to_thread=False),
}


class VoiceController(Controller):
    """Call control."""

    path = "/voice/{name:str}/{token:str}"
    tags = ("Provider hooks",)
    dependencies = DEPENDENCIES

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
        hooks: TheHooks,
        calls: TheCalls,
        name: FromPath[str],
        token: FromPath[str],
    ) -> Response[bytes]:
        """The plan of the workflow that the call concerns, in the provider's words: TwiML, SCCO, calls of ARI.

        Asked the same once more, it answers the same, and nothing happens twice.
        """
        account = await hooks.account(name, token)
        answer = await calls.take(account, await _inbound(request))
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
        hooks: TheHooks,
        calls: TheCalls,
        name: FromPath[str],
        token: FromPath[str],
    ) -> Response[bytes]:
        """How a call goes: ringing, answered, ended. A 200 means that it is committed."""
        account = await hooks.account(name, token)
        answer = await calls.take(account, await _inbound(request))
        return Response(answer.body, media_type=answer.content_type)


async def _inbound(request: Request[Any, Any, Any]) -> InboundRequest:
    return InboundRequest(
        method=request.method,
        path=request.scope["path"],
        query=dict(request.query_params.items()),
        headers={key.lower(): value for key, value in request.headers.items()},
        body=await request.body(),
        query_string=request.scope["query_string"].decode("latin-1"),
    )
