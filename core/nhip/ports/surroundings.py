"""What else the services need: a doorbell, a renderer, a clock."""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final, Protocol

from nhip.domain.errors import Problem
from nhip.domain.messages import Content

CALL_BEGINS_BEFORE: Final[ContextVar[float | None]] = ContextVar("call_begins_before", default=None)
"""When the time of the call that is now under way ends: a moment of the event loop's clock, in seconds.

A client that is about to write a request later than that does not: the process has slept meanwhile, and the step may be
somebody else's.
"""


class Doorbell(Protocol):
    """Tells workers that there is work. Losing a ring costs latency, never work."""

    def ring(self) -> None:
        """There is work. Never blocks, never raises."""
        ...

    async def run(self, answer: Callable[[], Awaitable[None]]) -> None:
        """Call ``answer`` at each ring, until cancelled; survives the loss of whatever carries the rings."""
        ...

    async def health(self) -> Mapping[str, Any]:
        """What an operator should know: ``{"state": "up" | "down", …}``."""
        ...


class Renderer(Protocol):
    """Templates."""

    def render(self, content: Content, facts: Mapping[str, Any]) -> Content:
        """Raises ``TemplateError``."""
        ...

    def render_value(self, value: Any, facts: Mapping[str, Any]) -> Any:
        """Raises ``TemplateError``."""
        ...

    def check(
        self, content: Content, *, roots: frozenset[str], known: Mapping[str, frozenset[str] | None]
    ) -> list[Problem]:
        """The faults of a template before it is stored."""
        ...

    def missing(self, content: Content, facts: Mapping[str, Any]) -> list[str]:
        """The names that a template uses and these facts lack."""
        ...


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> datetime:
        """Aware, in UTC."""
        ...

    def micros(self) -> int:
        """The same, as the database keeps it."""
        ...
