"""What operators watch, and what is deleted in time."""

from collections.abc import Sequence
from typing import Protocol

from nhip.domain.past_events import OldEvent, OldRun


class HealthStore(Protocol):
    """What operators watch, over all workspaces."""

    def ping(self) -> None:
        """Raises when the database does not answer."""
        ...

    def open_steps(self) -> dict[str, int]:
        """How many steps are in each state that is not final."""
        ...

    def overdue(self, now: int, *, limit: int) -> int:
        """How many ready steps are due, counting no further than ``limit``."""
        ...

    def oldest_ready(self, now: int) -> int | None:
        """Since when the longest-waiting due step is due."""
        ...

    def deliveries_since(self, since: int) -> dict[str, int]:
        """How many deliveries were made since, by state."""
        ...


class RetentionStore(Protocol):
    """What is old, over all workspaces. ``before`` is a moment in microseconds."""

    def runs(self, after: str, before: int, limit: int) -> list[OldRun]:
        """The oldest runs that began before a moment, in the order of their ids, after an id."""
        ...

    def delete_runs(self, workspace_id: int, ids: Sequence[str]) -> int:
        """Delete those that are over and have no step under way, with steps, deliveries and receipts."""
        ...

    def events(self, after: str, before: int, limit: int) -> list[OldEvent]:
        """The oldest events that came before a moment, in the order of their ids, after an id."""
        ...

    def delete_events(self, workspace_id: int, ids: Sequence[str]) -> int:
        """Delete these events."""
        ...

    def delete_refusals(self, before: int, limit: int) -> int:
        """Delete up to ``limit`` refusals that are older."""
        ...

    def delete_telesales(self, before: int, limit: int) -> int:
        """Delete up to ``limit`` telesales entries that were made, and over, before then."""
        ...

    def delete_parked_receipts(self, before: int, limit: int) -> int:
        """Delete up to ``limit`` receipts that are older and whose delivery never became known."""
        ...
