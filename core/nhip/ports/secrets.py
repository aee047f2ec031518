"""Sealed secrets and what seals them."""

from collections.abc import Mapping
from typing import Protocol


class SecretRows(Protocol):
    """Sealed secrets of channel accounts."""

    def read(self, workspace_id: int, name: str) -> str | None:
        """What is sealed; ``None`` when there is no such account."""
        ...

    def lock(self, workspace_id: int, name: str, owner: str, now: int, until: int) -> bool:
        """Take the right to renew, until a time; false while somebody else has it."""
        ...

    def save(self, workspace_id: int, name: str, sealed: str, owner: str, now: int) -> bool:
        """Store renewed secrets; false when the lock was lost meanwhile."""
        ...

    def unlock(self, workspace_id: int, name: str, owner: str) -> None:
        """Give the right to renew back."""
        ...


class SecretVault(Protocol):
    """Seals secrets for the database."""

    def seal(self, workspace_id: int, name: str, secrets: Mapping[str, str]) -> str:
        """Encrypt secrets for one account of one workspace."""
        ...

    def open(self, workspace_id: int, name: str, sealed: str) -> dict[str, str]:
        """Raises ``Conflict`` when it was sealed for another place, or with an unknown key."""
        ...
