"""Who may do what, and who did: workspaces, keys, the audit log, kept answers."""

from collections.abc import Mapping
from typing import Any, Protocol

from nhip.domain.access import ApiKey, AuditEntry, StoredAnswer, Workspace


class AuditStore(Protocol):
    """Who changed what."""

    def write(
        self, workspace_id: int, actor: str, action: str, target: str, now: int, detail: Mapping[str, Any] | None = None
    ) -> None:
        """``action`` is a verb on a kind (``workflow.publish``), ``target`` a name, ``actor`` a key's id."""
        ...

    def entries(
        self, workspace_id: int, *, after: str | None, limit: int, action: str | None, target: str | None
    ) -> list[AuditEntry]:
        """The newest first; ``after`` is the id of the last one that was seen."""
        ...


class WorkspaceStore(Protocol):
    """The tenants."""

    def by_name(self, name: str) -> Workspace | None:
        """The workspace of that name."""
        ...

    def all(self, *, after: int | None, limit: int) -> list[Workspace]:
        """In the order of their ids; ``after`` is the last id that was seen."""
        ...

    def insert(self, name: str, title: str, now: int) -> Workspace:
        """Store a new workspace."""
        ...


class KeyStore(Protocol):
    """API keys. An id is unique over all workspaces, because it is how a request says which workspace it means."""

    def by_id(self, identifier: str) -> ApiKey | None:
        """A key, of whatever workspace: it says which."""
        ...

    def all(self, workspace_id: int, *, after: str | None, limit: int) -> list[ApiKey]:
        """A workspace's keys, in order of their ids."""
        ...

    def insert(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    def revoke(self, workspace_id: int, identifier: str, now: int) -> None:
        """End a key."""
        ...

    def touch(self, workspace_id: int, identifier: str, now: int) -> None:
        """Set when the key was last used."""
        ...


class IdempotencyStore(Protocol):
    """What requests with an ``Idempotency-Key`` answered."""

    def find(self, workspace_id: int, route: str, key: str) -> StoredAnswer | None:
        """What was answered under a key."""
        ...

    def insert(self, workspace_id: int, route: str, key: str, fingerprint: str, now: int) -> None:
        """Note that a request is under way."""
        ...

    def finish(self, workspace_id: int, route: str, key: str, status: int, headers: str, body: str) -> None:
        """Keep a request's answer."""
        ...

    def forget(self, workspace_id: int, route: str, key: str) -> None:
        """Drop a request that came to nothing."""
        ...

    def prune(self, before: int, limit: int) -> int:
        """Drop up to ``limit`` answers that are older, of all workspaces; answers how many."""
        ...
