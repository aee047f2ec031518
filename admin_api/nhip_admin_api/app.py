"""The HTTP API over a started engine."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from litestar import Litestar
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import License

from nhip import __version__
from nhip.bootstrap import Engine
from nhip_admin_api import background, openapi
from nhip_admin_api.auth import Authenticator
from nhip_admin_api.controllers import CONTROLLERS
from nhip_admin_api.dependencies import DEPENDENCIES
from nhip_admin_api.edge import Edge
from nhip_admin_api.errors import HANDLERS
from nhip_admin_api.limits import OTHER_BYTES, check_request
from nhip_admin_api.telemetry import Telemetry

DESCRIPTION = """\
An automation engine for customer care: when something happens to a customer, it decides what should follow and does it
once, on the right channel, at a permitted hour, and can say why.

Times are RFC 3339 and answered in UTC, durations ISO 8601, money an integer in the currency's minor unit. Unknown
fields are errors. Every error is a problem of RFC 9457. Lists answer pages: send `next_cursor` as `cursor`.
"""


def create_app(engine: Engine) -> Litestar:
    """Make the app. It uses the engine and does not stop it.

    Raises:
        RuntimeError: a route does not say who may call it.
    """
    return serve(routed(), engine)


def routed() -> Litestar:
    """An app with every route, that serves no engine yet.

    Raises:
        RuntimeError: a route does not say who may call it.
    """
    app = Litestar(
        route_handlers=[*CONTROLLERS],
        dependencies=DEPENDENCIES,
        exception_handlers=dict(HANDLERS),
        before_request=check_request,
        request_max_body_size=OTHER_BYTES,
        lifespan=[_watched],
        openapi_config=OpenAPIConfig(
            title="Nhịp",
            version=__version__,
            description=DESCRIPTION,
            license=License(name="Apache-2.0", identifier="Apache-2.0"),
            use_handler_docstrings=True,
            path=None,
            openapi_router=openapi.router(),
            render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        ),
        logging_config=None,
        debug=False,
    )
    _check_guards(app)
    return app


def serve(app: Litestar, engine: Engine) -> Litestar:
    """Let an app serve an engine, from its next start on."""
    authenticator = Authenticator(engine.database, engine.clock)
    telemetry = Telemetry()
    app.state = State({"engine": engine, "authenticator": authenticator, "telemetry": telemetry})
    inner = app.asgi_handler.inner if isinstance(app.asgi_handler, Edge) else app.asgi_handler
    app.asgi_handler = cast(Any, Edge(cast(Any, inner), engine, authenticator, telemetry))
    return app


@contextlib.asynccontextmanager
async def _watched(app: Litestar) -> AsyncIterator[None]:
    async with background.running(app.state.engine):
        yield
    await app.state.authenticator.close()


def _check_guards(app: Litestar) -> None:
    """A route that nobody guards does not start."""
    for route, method, handler in openapi.handlers_of(app):
        if openapi.guard_of(handler) is None:
            raise RuntimeError(f"{method} {route.path} does not say who may call it: add a guard")
