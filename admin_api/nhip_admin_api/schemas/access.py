"""API keys, workspaces and the log of changes as they are shown, and what may be said of them."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class ApiKeyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made."""

    name: Annotated[Name, Meta(description="What it is for")]
    scopes: Annotated[
        list[str], Meta(min_length=1, max_length=50, description="What it may do; see the list of scopes")
    ]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Meta(description="Right to the minute")]


class NewApiKey(ApiKey, frozen=True, kw_only=True):
    """A key that was just made."""

    key: Annotated[str, Meta(description="The whole key; it is shown this once and kept nowhere")]


class WorkspaceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workspace to be made."""

    name: Annotated[
        str, Meta(min_length=1, max_length=63, description="Lower-case letters, digits, dashes, underscores")
    ]
    title: Annotated[str, Meta(max_length=200)] = ""


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant."""

    name: str
    title: str
    created_at: datetime


class NewWorkspace(Workspace, frozen=True, kw_only=True):
    """A workspace that was just made, with its first key."""

    api_key: NewApiKey


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the configuration."""

    id: str
    actor: Annotated[str, Meta(description="The id of the key that asked for it, `cli` or `engine`")]
    action: str
    target: str
    detail: dict[str, Any]
    at: datetime
