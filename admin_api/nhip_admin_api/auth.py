"""Who is asking, and may they: bearer keys, and scopes as guards.

A key that was seen in the last moment is known without the database. What is known is read again in the background
before it is :data:`FRESH_SECONDS` old and not trusted once it is :data:`TRUSTED_SECONDS` old, so a revocation holds
within a second in every process, and a busy key never waits for it.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any, Final, cast

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from nhip.domain.access import SCOPES, ApiKey, Principal
from nhip.domain.errors import NhipError, NotAuthenticated, NotPermitted
from nhip.ports import Clock, Storage
from nhip.services.workspace import keys

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 0.4
TRUSTED_SECONDS: Final = 0.9
REMEMBERED_KEYS: Final = 4096
LONGEST_TOKEN: Final = 300

Connection = ASGIConnection[Any, Any, Any, Any]


class _Known:
    """A key as it was in the database when ``read_at`` (monotonic) began."""

    __slots__ = ("expires_at", "key", "principal", "read_at", "refreshing")

    def __init__(self, key: ApiKey, read_at: float) -> None:
        self.key = key
        self.expires_at = key.expires_at
        self.read_at = read_at
        self.refreshing = False
        self.principal = Principal(
            key_id=key.id, workspace_id=key.workspace_id, name=key.name, scopes=frozenset(key.scopes)
        )


class Authenticator:
    """Knows keys. One in each process."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def authenticate(self, header: str | None) -> Principal:
        """The principal of an ``Authorization`` header.

        Raises:
            NotAuthenticated: no bearer key, or one that does not hold.
            StorageUnavailable: it cannot be known now.
        """
        if header is None:
            raise NotAuthenticated("send an API key: Authorization: Bearer nhip_…")
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
            raise NotAuthenticated("send an API key: Authorization: Bearer nhip_…")
        # What is looked up is a hash, so the time it takes says nothing about any token.
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        now = time.monotonic()
        if known is not None and now - known.read_at < TRUSTED_SECONDS:
            if now - known.read_at > FRESH_SECONDS and not known.refreshing:
                known.refreshing = True
                self._later(self._refresh(digest, token))
            if known.expires_at is None or known.expires_at > self._clock.micros():
                return known.principal
        return (await self._read(digest, token)).principal

    async def close(self) -> None:
        """End what is under way in the background."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self, key_id: str) -> None:
        """Trust nothing that is known of a key: it was revoked here."""
        for digest in [digest for digest, known in self._known.items() if known.key.id == key_id]:
            del self._known[digest]

    async def _refresh(self, digest: bytes, token: str) -> None:
        # A key that no longer holds is forgotten; while the database is away, what is known just grows old.
        with contextlib.suppress(NhipError):
            await self._read(digest, token)

    async def _read(self, digest: bytes, token: str) -> _Known:
        began, now = time.monotonic(), self._clock.micros()
        try:
            key = await self._storage.read(keys.authenticate, token, now)
        except NotAuthenticated:
            self._known.pop(digest, None)
            raise
        known = self._known[digest] = _Known(key, began)
        while len(self._known) > REMEMBERED_KEYS:
            self._known.popitem(last=False)
        if key.last_used_at is None or key.last_used_at + keys.TOUCH_MICROS < now:
            self._later(self._touch(key, now))
        return known

    async def _touch(self, key: ApiKey, now: int) -> None:
        with contextlib.suppress(NhipError):
            await self._storage.transact(keys.touch, key, now)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.warning("what is known of an API key could not be brought up to date", exc_info=error)


class Requires:
    """A guard: the key must have this scope."""

    def __init__(self, scope: str) -> None:
        if scope not in SCOPES:
            raise ValueError(f"there is no scope {scope!r}")
        self.scope = scope

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Let the request pass, or raise."""
        authenticator = cast(Authenticator, connection.app.state.authenticator)
        principal = await authenticator.authenticate(connection.headers.get("authorization"))
        if not principal.may(self.scope):
            raise NotPermitted(f"this needs the scope {self.scope!r}")
        connection.scope["auth"] = principal


class RequiresUnlessOpen(Requires):
    """A guard for documents that the settings may show to everybody (``docs_public``)."""

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Let the request pass, or raise."""
        if not connection.app.state.engine.settings.docs_public:
            await super().__call__(connection, handler)


class Public:
    """A guard that lets everybody pass: a route without any guard does not start."""

    async def __call__(self, _connection: Connection, _handler: BaseRouteHandler) -> None:
        """Let the request pass."""


def requires(scope: str) -> Requires:
    """Say which scope a route needs: ``guards=[requires("contacts:read")]``. After it, ``principal`` is known."""
    return Requires(scope)


public: Final = Public()
"""Say that a route needs no key: ``guards=[public]``."""
