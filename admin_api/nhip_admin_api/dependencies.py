"""What handlers may ask for by name: ``engine: TheEngine``, ``principal: ThePrincipal`` and the others.

A service that there is one of in each process is a part of the engine: ``engine.segments``. One that is made for a
request is a dependency of its controller.
"""

from typing import Annotated, Any, cast

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from nhip.bootstrap import Engine
from nhip.domain.access import Principal
from nhip_admin_api.auth import Authenticator
from nhip_admin_api.pagination import Paging
from nhip_admin_api.telemetry import Telemetry

TheEngine = NamedDependency[Engine]
"""The process's engine."""
ThePrincipal = NamedDependency[Principal]
"""Who is asking; known behind a guard that requires a scope."""
TheAuthenticator = NamedDependency[Authenticator]
"""What this process knows of keys."""
TheTelemetry = NamedDependency[Telemetry]
"""The process's metrics."""
ThePaging = NamedDependency[Paging]
"""Which page of a list is asked for."""

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="How many items to answer at most")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=2000, description="`next_cursor` of the page before, to go on from there")
]


def provide_engine(state: State) -> Engine:
    """The dependency ``engine``."""
    return cast(Engine, state.engine)


def provide_authenticator(state: State) -> Authenticator:
    """The dependency ``authenticator``."""
    return cast(Authenticator, state.authenticator)


def provide_telemetry(state: State) -> Telemetry:
    """The dependency ``telemetry``."""
    return cast(Telemetry, state.telemetry)


def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    """The dependency ``principal``; the route's guard found out."""
    return cast(Principal, request.auth)


def provide_paging(
    request: Request[Any, Any, Any],
    engine: TheEngine,
    principal: ThePrincipal,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Paging:
    """The dependency ``paging``."""
    return Paging(request, engine, principal.workspace_id, limit, cursor)


DEPENDENCIES = {
    "engine": Provide(provide_engine, sync_to_thread=False),
    "authenticator": Provide(provide_authenticator, sync_to_thread=False),
    "telemetry": Provide(provide_telemetry, sync_to_thread=False),
    "principal": Provide(provide_principal, sync_to_thread=False),
    "paging": Provide(provide_paging, sync_to_thread=False),
}
