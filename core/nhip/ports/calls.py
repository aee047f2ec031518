"""What telephone calls need to be stored."""

from typing import Protocol

from nhip.domain.calls import Call


class CallStore(Protocol):
    """Calls, and what was answered in them."""

    def hold(self, call: Call) -> tuple[Call, bool]:
        """The call as it is stored, held until the unit ends, and whether it is new: then it is stored as given."""
        ...

    def find(self, workspace_id: int, channel: str, call_id: str) -> Call | None:
        """A call, held until the unit ends; ``None`` where there is none."""
        ...

    def update(self, call: Call) -> None:
        """Store what is known of a call now, but not who answers it with what."""
        ...

    def leave(self, workspace_id: int, channel: str, call_id: str, run_id: str, plan: str) -> None:
        """Leave a run's plan for the next answer, unless another run answers the call."""
        ...

    def clear_plan(self, workspace_id: int, channel: str, call_id: str) -> None:
        """What was left for an answer is taken."""
        ...

    def answered(self, workspace_id: int, channel: str, call_id: str, turn: int) -> str | None:
        """What was answered to that turn."""
        ...

    def keep_answer(self, workspace_id: int, channel: str, call_id: str, turn: int, plan: str, now: int) -> None:
        """Keep what is answered to a turn."""
        ...

    def last_store(self, workspace_id: int, contact_id: str) -> tuple[str, int] | None:
        """The store of the youngest record of a contact that names one, and when that was."""
        ...

    def delete_old(self, before: int, limit: int) -> int:
        """Delete up to ``limit`` calls that began before a moment, over all workspaces, and as many of the answers."""
        ...
