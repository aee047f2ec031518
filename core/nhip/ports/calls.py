"""What telephone calls need to be stored."""

from collections.abc import Sequence
from typing import Protocol

from nhip.domain.calls import Call


class CallStore(Protocol):
    """Calls of channel accounts, and what was answered in them."""

    def hold(self, calls: Sequence[Call]) -> list[Call]:
        """These calls of one account as they are stored, in order, and held until the unit ends. New ones are stored as
        they are given. Each is one object for all of the unit, and what changes of it is stored by :meth:`update`.
        """
        ...

    def find(self, workspace_id: int, channel: str, call_id: str) -> Call | None:
        """A call, held until the unit ends; ``None`` where there is none."""
        ...

    def ended(self, workspace_id: int, channel: str, call_ids: Sequence[str]) -> list[Call]:
        """Those of these calls that we placed and that are over; not held."""
        ...

    def update(self, calls: Sequence[Call]) -> None:
        """Store what is known of held calls now."""
        ...

    def leave(self, workspace_id: int, channel: str, call_id: str, run_id: str, plan: str) -> None:
        """Leave a run's plan for the next answer. Where the unit holds the call already, :meth:`update` stores it."""
        ...

    def answered(self, workspace_id: int, channel: str, call_ids: Sequence[str]) -> dict[tuple[str, int], str]:
        """What was answered in these calls, by call and turn."""
        ...

    def keep_answers(self, workspace_id: int, channel: str, answers: Sequence[tuple[str, int, str]], now: int) -> None:
        """Keep what is answered: tuples of call, turn and plan."""
        ...

    def last_stores(self, workspace_id: int, contact_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Per contact, the store of the youngest record that names one, and when that was."""
        ...

    def forget(self, workspace_id: int, contact: str, phone: str | None) -> None:
        """Delete the calls of a contact, named by its external id, and of its number."""
        ...

    def delete_old(self, before: int, limit: int) -> int:
        """Delete up to ``limit`` calls that began before a moment, over all workspaces, with what was answered."""
        ...
