"""Workspaces and the API keys that open them."""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Collection
from typing import Final

from nhip.domain.access import SCOPES, ApiKey, Principal, Workspace
from nhip.domain.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, NotPermitted, Problem, invalid
from nhip.domain.struct import Struct
from nhip.ports import Unit

log = logging.getLogger(__name__)

DEFAULT_WORKSPACE: Final = "default"
ENVIRONMENT_KEY: Final = "NHIP_ADMIN_KEY"
"""The name of the key that comes from the environment."""
FIRST_SCOPES: Final = ("admin", "root")
SHORTEST_ADMIN_KEY: Final = 8
TOUCH_MICROS: Final = 60_000_000
"""``last_used_at`` is right to the minute."""
_TOKEN: Final = re.compile(r"nhip_(?P<id>[0-9a-f]{8,40})_[A-Za-z0-9_-]{20,200}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class NewKey(Struct):
    """A key that was just made, with the only copy of its token."""

    key: ApiKey
    token: str


def hash_token(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def key_id(token: str) -> str:
    """The id under which a token's key is stored; a token that somebody chose freely has an id made from its hash."""
    match = _TOKEN.fullmatch(token)
    return match["id"] if match else f"e{hash_token(token)[:24]}"


def _new_token() -> str:
    return f"nhip_{secrets.token_hex(8)}_{secrets.token_urlsafe(32)}"


# --- who is asking ----------------------------------------------------------------------------------------------------


def authenticate(unit: Unit, token: str, now: int) -> ApiKey:
    """The key of a token.

    Raises:
        NotAuthenticated: there is no such key, or it is expired or revoked; which of them is not said.
    """
    key = unit.keys.by_id(key_id(token))
    expected = key.secret_hash if key is not None else "0" * 64
    same = hmac.compare_digest(hash_token(token), expected)
    if key is None or not same or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise NotAuthenticated("the API key is not valid")
    return key


def touch(unit: Unit, key: ApiKey, now: int) -> None:
    """Note that a key is in use."""
    unit.keys.touch(key.workspace_id, key.id, now)


# --- keys -------------------------------------------------------------------------------------------------------------


def create_key(
    unit: Unit,
    principal: Principal,
    *,
    name: str,
    scopes: Collection[str],
    expires_at: int | None,
    now: int,
) -> NewKey:
    """Make a key to the workspace of whoever asks.

    Raises:
        InvalidInput: an unknown scope, or a time of expiry that has passed.
        NotPermitted: it would be able to do what its maker is not.
    """
    problems = [
        Problem(path=f"scopes[{position}]", code="unknown_scope", message=f"there is no scope {scope!r}")
        for position, scope in enumerate(scopes)
        if scope not in SCOPES
    ]
    if not scopes:
        problems.append(Problem(path="scopes", code="missing", message="name at least one scope"))
    if expires_at is not None and expires_at <= now:
        problems.append(Problem(path="expires_at", code="in_the_past", message="this time has passed"))
    if problems:
        raise InvalidInput(problems)
    beyond = sorted(scope for scope in scopes if not principal.may(scope))
    if beyond:
        raise NotPermitted(f"a key cannot be given scopes that its maker lacks: {', '.join(beyond)}")
    return _store(unit, principal.workspace_id, principal.key_id, _new_token(), name, scopes, expires_at, now)


def keys(unit: Unit, workspace_id: int, *, after: str | None, limit: int) -> list[ApiKey]:
    """The keys of a workspace, the revoked ones too."""
    return unit.keys.all(workspace_id, after=after, limit=limit)


def revoke_key(unit: Unit, workspace_id: int, actor: str, identifier: str, now: int) -> None:
    """End a key; to end one twice changes nothing.

    Raises:
        NotFound: no such key in this workspace.
    """
    key = unit.keys.by_id(identifier)
    if key is None or key.workspace_id != workspace_id:
        raise NotFound("API key", identifier)
    if key.revoked_at is None:
        unit.keys.revoke(workspace_id, identifier, now)
        unit.audit.write(workspace_id, actor, "api_key.revoke", identifier, now, {"name": key.name})


def _store(
    unit: Unit,
    workspace_id: int,
    actor: str,
    token: str,
    name: str,
    scopes: Collection[str],
    expires_at: int | None,
    now: int,
) -> NewKey:
    key = ApiKey(
        id=key_id(token),
        workspace_id=workspace_id,
        name=name,
        secret_hash=hash_token(token),
        scopes=tuple(dict.fromkeys(scopes)),
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    unit.keys.insert(key)
    detail = {"name": name, "scopes": list(key.scopes)}
    unit.audit.write(workspace_id, actor, "api_key.create", key.id, now, detail)
    return NewKey(key=key, token=token)


# --- workspaces -------------------------------------------------------------------------------------------------------


def create_workspace(unit: Unit, actor: str, *, name: str, title: str, now: int) -> tuple[Workspace, NewKey]:
    """Make a workspace and its first key.

    Raises:
        InvalidInput: not a name.
        Conflict: there is one of that name.
    """
    if not _NAME.fullmatch(name):
        message = "a name is 1 to 63 lower-case letters, digits, dashes and underscores"
        raise invalid("name", "bad_value", message)
    if unit.workspaces.by_name(name) is not None:
        raise Conflict(f"there is a workspace named {name!r} already")
    workspace = unit.workspaces.insert(name, title, now)
    made = _store(unit, workspace.id, actor, _new_token(), "first key", ("admin",), None, now)
    unit.audit.write(workspace.id, actor, "workspace.create", name, now)
    return workspace, made


def workspaces(unit: Unit, *, after: int | None, limit: int) -> list[Workspace]:
    """All workspaces, in the order of their making."""
    return unit.workspaces.all(after=after, limit=limit)


def workspace(unit: Unit, name: str) -> Workspace:
    """The workspace of a name.

    Raises:
        NotFound: there is none.
    """
    found = unit.workspaces.by_name(name)
    if found is None:
        raise NotFound("workspace", name)
    return found


def ensure_first_key(unit: Unit, admin_key: str | None, now: int) -> str | None:
    """See to it that somebody can come in: a default workspace, and a key to it that may do everything.

    With ``admin_key`` (``NHIP_ADMIN_KEY``) that token opens, and the one that the variable held before no longer does.
    Without it, a token is made at the first start and answered, to be printed once.

    Raises:
        InvalidInput: ``admin_key`` is too short to be a secret.
    """
    home = unit.workspaces.by_name(DEFAULT_WORKSPACE) or unit.workspaces.insert(DEFAULT_WORKSPACE, "", now)
    present = unit.keys.all(home.id, after=None, limit=10_000)
    if admin_key is None:
        usable = [key for key in present if key.revoked_at is None and set(FIRST_SCOPES) <= set(key.scopes)]
        if usable:
            return None
        return _store(unit, home.id, "engine", _new_token(), "first key", FIRST_SCOPES, None, now).token
    if len(admin_key) < SHORTEST_ADMIN_KEY:
        message = f"it must have at least {SHORTEST_ADMIN_KEY} characters, better nhip_<id>_<secret>"
        raise invalid(ENVIRONMENT_KEY, "too_short", message)
    wanted = key_id(admin_key)
    for key in present:
        if key.name == ENVIRONMENT_KEY and key.id != wanted and key.revoked_at is None:
            unit.keys.revoke(home.id, key.id, now)
            unit.audit.write(home.id, "engine", "api_key.revoke", key.id, now, {"name": key.name})
    known = unit.keys.by_id(wanted)
    if known is None:
        _store(unit, home.id, "engine", admin_key, ENVIRONMENT_KEY, FIRST_SCOPES, None, now)
    elif known.revoked_at is not None:
        log.warning("the key in NHIP_ADMIN_KEY was revoked and stays so; set another one")
    elif not hmac.compare_digest(known.secret_hash, hash_token(admin_key)):
        raise invalid(ENVIRONMENT_KEY, "taken", "another key has this id; choose another one")
    return None
