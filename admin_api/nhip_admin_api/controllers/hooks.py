"""``/hooks/channels/{name}/{token}``: where providers report to. The token is the key; the plugin verifies the rest."""

from typing import Any

from litestar import Controller, HttpMethod, Request, route
from litestar.params import FromPath

from nhip.domain.messages import InboundRequest
from nhip_admin_api.auth import public
from nhip_admin_api.dependencies import TheEngine


class HooksController(Controller):
    """Provider hooks."""

    path = "/hooks/channels"
    tags = ("Provider hooks",)

    @route(
        "/{name:str}/{token:str}",
        http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT],
        guards=[public],
        status_code=200,
        summary="Take a provider's report",
    )
    async def take_report(
        self, request: Request[Any, Any, Any], engine: TheEngine, name: FromPath[str], token: FromPath[str]
    ) -> dict[str, int]:
        """Receipts and inbound messages, verified by the channel's plugin. A 200 means that they are committed."""
        account = await engine.hooks.account(name, token)
        return {"taken": await engine.hooks.receive(account, await inbound(request))}


async def inbound(request: Request[Any, Any, Any]) -> InboundRequest:
    """A provider's request, as plugins read it."""
    return InboundRequest(
        method=request.method,
        path=request.scope["path"],
        query=dict(request.query_params.items()),
        headers={key.lower(): value for key, value in request.headers.items()},
        body=await request.body(),
        query_string=request.scope["query_string"].decode("latin-1"),
    )
