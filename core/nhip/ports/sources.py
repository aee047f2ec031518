"""The store of sources."""

from collections.abc import Sequence
from typing import Protocol

from nhip.domain.sources import StoredSource


class SourceStore(Protocol):
    """Sources, as admins keep them and as what comes in finds them."""

    def find(self, workspace_id: int, name: str, *, lock: bool = False) -> StoredSource | None:
        """``lock`` holds the row until the unit ends."""
        ...

    def by_token(self, token: str) -> StoredSource | None:
        """The source whose hook has this token, in whatever workspace."""
        ...

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredSource]:
        """By name, after a name."""
        ...

    def insert(self, source: StoredSource) -> None:
        """Store a new source."""
        ...

    def update(self, source: StoredSource) -> None:
        """The caller holds the row."""
        ...

    def delete(self, workspace_id: int, name: str) -> None:
        """Remove a source."""
        ...

    def lock_rate(self, workspace_id: int, name: str) -> int | None:
        """Hold a source's rate until the unit ends; answers its ``free_at``, ``None`` where there is no such source."""
        ...

    def set_rate(self, workspace_id: int, name: str, free_at: int) -> None:
        """The caller holds the rate."""
        ...
