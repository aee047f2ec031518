"""What Prometheus reads at ``/metrics``: requests and events as this process saw them, and the engine's state."""

from collections.abc import Iterable
from typing import Any, Final

from litestar.types import HTTPScope
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nhip.bootstrap import Engine
from nhip.domain.events import EventReceipt
from nhip.services.workspace import health

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class _Doorbell(Collector):
    """A gauge that has no sample in a process that was given no Redis, because nothing is wrong there."""

    state: str | None = None

    def collect(self) -> Iterable[Metric]:
        """What is to be told at this moment."""
        family = GaugeMetricFamily("nhip_doorbell_up", "Whether the doorbell is reachable; no sample without Redis.")
        if self.state not in (None, "off"):
            family.add_metric((), self.state == "up")
        yield family


class Telemetry:
    """The process's metrics. A registry of its own, so that two apps in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "nhip_http_request_seconds",
            "How long requests took, by route and status.",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        events = Counter(
            "nhip_events_total", "Events that were answered, by outcome.", ("outcome",), registry=self.registry
        )
        self._accepted, self._duplicates = events.labels("accepted"), events.labels("duplicate")
        self._started = Counter("nhip_runs_started_total", "Runs that events started.", registry=self.registry)
        self._steps = Gauge("nhip_steps", "Steps that are not finished, by state.", ("state",), registry=self.registry)
        self._overdue = Gauge("nhip_steps_overdue", "Steps that are ready and due.", registry=self.registry)
        self._lag = Gauge(
            "nhip_ready_lag_seconds", "How long the longest-waiting due step has waited.", registry=self.registry
        )
        self._deliveries = Gauge(
            "nhip_deliveries_last_hour",
            "Deliveries made in the last hour, by state.",
            ("state",),
            registry=self.registry,
        )
        self._doorbell = _Doorbell()
        self.registry.register(self._doorbell)
        self._database = Gauge("nhip_database_up", "Whether the database is reachable.", registry=self.registry)
        self._children: dict[tuple[str, str, int], Any] = {}

    def observe(self, scope: HTTPScope, status: int, seconds: float) -> None:
        """Count one request."""
        key = (scope["method"], str(scope.get("path_template") or "unmatched"), status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._seconds.labels(*map(str, key))
        child.observe(seconds)

    def took_in(self, receipts: list[EventReceipt]) -> None:
        """Count what became of events."""
        duplicates = runs = 0
        for receipt in receipts:
            if receipt.duplicate:
                duplicates += 1
            else:
                runs += len(receipt.runs)
        self._accepted.inc(len(receipts) - duplicates)
        if duplicates:
            self._duplicates.inc(duplicates)
        if runs:
            self._started.inc(runs)

    async def render(self, engine: Engine) -> bytes:
        """The text that Prometheus reads, with the engine's state as it is now."""
        found = await health.look(engine.database, engine.doorbell, engine.clock)
        self._database.set(found.database_up)
        self._doorbell.state = found.doorbell.get("state")
        if found.work is not None:
            self._overdue.set(found.work.overdue)
            self._lag.set(found.work.lag_micros / 1e6)
            for state, count in found.work.steps.items():
                self._steps.labels(state).set(count)
            self._deliveries.clear()
            for state, count in found.work.deliveries.items():
                self._deliveries.labels(state).set(count)
        return generate_latest(self.registry)
