"""What a remote action sees of its step, while it runs outside of any unit."""

from typing import Any

from nhip.domain.ids import idempotency_key
from nhip.domain.times import from_micros
from nhip.plugin_api import Facts, HttpClient
from nhip.ports import Renderer
from nhip.services.execution.claimed import Calling


class StepRemoteContext:
    """What a remote action may use; implements :class:`nhip.plugin_api.RemoteContext`."""

    def __init__(self, calling: Calling, now: int, timeout: float, http: HttpClient, renderer: Renderer) -> None:
        step = calling.step
        self.now = from_micros(now)
        self.facts: Facts = calling.facts
        self.idempotency_key = idempotency_key(
            step.workspace_id, step.run_id, step.path, step.iteration, step.generation
        )
        self.timeout = timeout
        self.http = http
        self._renderer = renderer

    def render(self, value: Any) -> Any:
        """Fill in every text inside ``value``; raises ``TemplateError``."""
        return self._renderer.render_value(value, self.facts)
