"""What scores need to be stored."""

from collections.abc import Sequence
from typing import Protocol

from nhip.domain.scores import StoredScoreRules


class ScoreStore(Protocol):
    """Score rules, and the contacts whose score has to be looked at. Contacts themselves are a ``CustomerStore``'s."""

    def rules(self, workspace_id: int, *, lock: bool = False) -> StoredScoreRules | None:
        """A workspace's rules; ``lock`` holds them until the unit ends."""
        ...

    def insert(self, rules: StoredScoreRules) -> None:
        """Store a workspace's first rules."""
        ...

    def update(self, rules: StoredScoreRules) -> None:
        """The caller holds them."""
        ...

    def is_due(self, now: int) -> bool:
        """Whether any contact's score has to be looked at."""
        ...

    def due(self, now: int, limit: int) -> list[tuple[int, str]]:
        """Contacts whose score may have changed by itself, the longest due first: workspace and id.

        They are held until the unit ends; those that somebody else holds are left to them.
        """
        ...

    def recounting(self) -> StoredScoreRules | None:
        """Rules that have not been carried into all scores yet, held as :meth:`due` holds contacts."""
        ...

    def scored(self, workspace_id: int, after: str, limit: int) -> Sequence[str]:
        """Contacts with a score's state, in the order of their ids, held until the unit ends."""
        ...
