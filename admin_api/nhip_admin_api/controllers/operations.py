"""``/health`` and ``/metrics``: what watches the process."""

from typing import Any

import msgspec
from litestar import Controller, Response, get

from nhip.domain.errors import StorageUnavailable
from nhip.services.workspace import health
from nhip_admin_api.auth import RequiresUnlessOpen, public
from nhip_admin_api.dependencies import TheEngine, TheTelemetry

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The process runs."""

    status: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the process can serve, and how its parts are."""

    status: str
    database: str
    doorbell: dict[str, Any]


class OperationsController(Controller):
    """Health and metrics."""

    tags = ("Operations",)

    @get("/health/live", guards=[public], summary="Is the process alive")
    async def live(self) -> Alive:
        """Answers as long as the process does; looks at nothing else."""
        return Alive(status="ok")

    @get("/health/ready", guards=[public], summary="Can the process serve")
    async def ready(self, engine: TheEngine) -> Readiness:
        """503 while the database is away. A doorbell that is away costs latency and no work, and is only told."""
        found = await health.check(engine.database, engine.doorbell)
        if not found.ready:
            raise StorageUnavailable("the database does not answer")
        return Readiness(status="ready", database="up", doorbell=found.doorbell)

    @get("/metrics", guards=[RequiresUnlessOpen("root")], summary="Metrics for Prometheus")
    async def metrics(self, engine: TheEngine, telemetry: TheTelemetry) -> Response[bytes]:
        """Requests and events of this process, and what waits over all workspaces."""
        return Response(await telemetry.render(engine), media_type=PROMETHEUS)
