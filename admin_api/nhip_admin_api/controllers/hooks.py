"""``/hooks/channels/{name}/{token}``: where providers report to. The token is the key; the plugin verifies the rest."""

from typing import Any, Final, cast

from litestar import Controller, HttpMethod, Request, route
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from nhip.domain.messages import InboundRequest
from nhip.services.doors.hooks import Hooks
from nhip_admin_api.auth import public
from nhip_admin_api.dependencies import TheEngine


def provide_hooks(engine: TheEngine, request: Request[Any, Any, Any]) -> Hooks:
    """The dependency ``hooks``: one in each process, so that reports that come together are committed together."""
    state = request.app.state
    if "hooks" not in state:
        state["hooks"] = Hooks(engine.database, engine.receipts, engine.channels, engine.doorbell)
    return cast(Hooks, state["hooks"])


TheHooks = NamedDependency[Hooks]
DEPENDENCIES: Final = {"hooks": Provide(provide_hooks, sync_to_thread=False)}


class HooksController(Controller):
    """Provider hooks."""

    path = "/hooks/channels"
    tags = ("Provider hooks",)
    dependencies = DEPENDENCIES

    @route(
        "/{name:str}/{token:str}",
        http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT],
        guards=[public],
        status_code=200,
        summary="Take a provider's report",
    )
    async def take_report(
        self, request: Request[Any, Any, Any], hooks: TheHooks, name: FromPath[str], token: FromPath[str]
    ) -> dict[str, int]:
        """Receipts and inbound messages, verified by the channel's plugin. A 200 means that they are committed."""
        account = await hooks.account(name, token)
        taken = await hooks.receive(
            account,
            InboundRequest(
                method=request.method,
                path=request.scope["path"],
                query=dict(request.query_params.items()),
                headers={key.lower(): value for key, value in request.headers.items()},
                body=await request.body(),
            ),
        )
        return {"taken": taken}
