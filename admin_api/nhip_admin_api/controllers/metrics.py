"""``/v1/metrics``: what was counted."""

from typing import Annotated, Final

from litestar import Controller, get
from litestar.params import FromPath, QueryParameter

from nhip.bootstrap import Engine
from nhip.domain.access import Principal
from nhip.domain.errors import invalid
from nhip.domain.history import Span
from nhip.domain.times import parse_duration
from nhip.services.history.measures import measure
from nhip.services.history.ticket_measures import measure_tickets
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePrincipal
from nhip_admin_api.presenting import micros_of
from nhip_admin_api.schemas.metrics import Numbers
from nhip_admin_api.schemas.ticket_metrics import TicketMetrics

USUAL_SPAN: Final = 30 * 24 * 3600 * 1_000_000
"""Without ``since``, the last 30 days."""

Since = Annotated[str | None, QueryParameter(max_length=40, description="RFC 3339 with offset; 30 days before `until`")]
Until = Annotated[str | None, QueryParameter(max_length=40, description="RFC 3339 with offset, not included; now")]
Step = Annotated[str | None, QueryParameter(max_length=40, description="ISO 8601 duration: asks for a series as well")]


class MetricsController(Controller):
    """Metrics."""

    path = "/v1/metrics"
    tags = ("Metrics",)

    @get("/summary", guards=[requires("metrics:read")], summary="Count over all workflows")
    async def get_summary(
        self, engine: TheEngine, principal: ThePrincipal, since: Since = None, until: Until = None, step: Step = None
    ) -> Numbers:
        """Matches, runs, messages by channel account, and how fast they were accepted."""
        return await _measure(engine, principal, None, since, until, step)

    @get("/workflows/{name:str}", guards=[requires("metrics:read")], summary="Count one workflow")
    async def get_workflow_metrics(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        since: Since = None,
        until: Until = None,
        step: Step = None,
    ) -> Numbers:
        """The same of one workflow, over all its versions."""
        return await _measure(engine, principal, name, since, until, step)

    @get("/tickets", guards=[requires("metrics:read")], summary="Count tickets")
    async def get_ticket_metrics(
        self, engine: TheEngine, principal: ThePrincipal, since: Since = None, until: Until = None
    ) -> TicketMetrics:
        """What was opened and resolved, about what, how long it took, and how content customers were."""
        span = _span(engine, None, since, until)
        return TicketMetrics.of(await engine.database.read(measure_tickets, principal.workspace_id, span), span)


async def _measure(
    engine: Engine, principal: Principal, workflow: str | None, since: str | None, until: str | None, step: str | None
) -> Numbers:
    span, interval = _span(engine, workflow, since, until), _interval(step)
    return Numbers.of(await engine.database.read(measure, principal.workspace_id, span, interval), interval)


def _span(engine: Engine, workflow: str | None, since: str | None, until: str | None) -> Span:
    end = micros_of(until, "until")
    # Now is not over yet, and what happened in it counts.
    end = engine.clock.micros() + 1 if end is None else end
    begin = micros_of(since, "since")
    return Span(workflow=workflow, since=max(end - USUAL_SPAN, 0) if begin is None else begin, until=end)


def _interval(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as error:
        raise invalid("step", "bad_value", str(error)) from None
    if seconds < 1:
        raise invalid("step", "too_small", "a step is at least one second")
    return int(seconds * 1_000_000)
