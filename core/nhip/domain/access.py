"""Who may do what: workspaces, API keys with their scopes, and the log of what was changed."""

from typing import Any, Final

from nhip.domain.struct import Struct

SCOPES: Final = {
    "events:read": "Read events, and why they started what they started",
    "events:write": "Send events",
    "contacts:read": "Read contacts, records, accounts and staff",
    "contacts:write": "Change contacts, records, accounts and staff",
    "workflows:read": "Read workflows, and test drafts",
    "workflows:write": "Change workflow drafts",
    "workflows:publish": "Publish, pause, resume and archive workflows, and replace the score rules",
    "channels:read": "Read channel accounts and sources",
    "channels:write": "Change channel accounts and sources, and send tests",
    "templates:read": "Read templates",
    "templates:write": "Change templates",
    "runs:read": "Read runs and deliveries",
    "runs:write": "Cancel and retry runs, resolve and replay deliveries",
    "metrics:read": "Read metrics",
    "admin": "Everything in the workspace",
    "root": "Create and list workspaces",
}
"""Every scope, and what it allows. ``admin`` stands for all others but ``root``; ``root`` stands for itself alone."""


class Workspace(Struct):
    """One tenant."""

    id: int
    name: str
    title: str
    created_at: int


class ApiKey(Struct):
    """A key to one workspace; its secret is known to its holder alone."""

    id: str
    workspace_id: int
    name: str
    secret_hash: str
    """SHA-256 of the whole token, in hexadecimal. The secret has 256 bits, so a fast hash is the right one."""
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None


class Principal(Struct):
    """Who is asking: a key, and what it may do."""

    key_id: str
    workspace_id: int
    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether this key may do what ``scope`` allows."""
        return scope in self.scopes or (scope != "root" and "admin" in self.scopes)


class AuditEntry(Struct):
    """One change of the configuration: who did what to what."""

    id: str
    actor: str
    """A key's id, ``cli`` or ``engine``."""
    action: str
    """``workflow.publish``"""
    target: str
    """What was changed, by its name."""
    detail: dict[str, Any]
    created_at: int


class StoredAnswer(Struct):
    """What an ``Idempotency-Key`` answered the first time; ``status`` is ``None`` while that is still under way."""

    fingerprint: str
    status: int | None
    headers: str | None
    body: str | None
    created_at: int
