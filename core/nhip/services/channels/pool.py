"""Living channel accounts: one instance per account and revision, with the context it works in."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from nhip.catalog import Catalog
from nhip.domain.configured import ChannelAccount
from nhip.domain.errors import ActionUnavailable, NotFound
from nhip.domain.ids import new_id
from nhip.engine.facts.decoding import convert
from nhip.plugin_api import Channel, HttpClient, SecretStore
from nhip.ports import Clock, SecretVault, Storage, Unit

log = logging.getLogger("nhip.channels")

_LOCK_SECONDS: Final = 30


class AccountSecrets:
    """One account's secrets in the database; implements :class:`nhip.plugin_api.SecretStore`."""

    def __init__(self, storage: Storage, vault: SecretVault, clock: Clock, workspace_id: int, name: str) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._workspace_id = workspace_id
        self._name = name
        self._cached: Mapping[str, str] | None = None

    async def read(self) -> Mapping[str, str]:
        """The secrets as this process knows them; renewed ones are seen when the old ones stop working."""
        if self._cached is None:
            self._cached = await self._storage.read(self._load)
        return self._cached

    async def replace(
        self, seen: Mapping[str, str], renew: Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
    ) -> Mapping[str, str]:
        """Renew under a lock in the database, unless somebody else did since ``seen``.

        Raises:
            ActionUnavailable: somebody else holds the lock, and did not finish in time.
        """
        owner = new_id()
        for _ in range(_LOCK_SECONDS * 5):
            stored = await self._storage.read(self._load)
            if dict(stored) != dict(seen):
                self._cached = stored
                return stored
            if await self._storage.transact(self._lock, owner):
                break
            await asyncio.sleep(random.uniform(0.1, 0.3))
        else:
            raise ActionUnavailable(f"the secrets of {self._name!r} are being renewed elsewhere")
        try:
            stored = await self._storage.read(self._load)
            if dict(stored) == dict(seen):
                stored = dict(await renew(stored))
                if not await self._storage.transact(self._save, stored, owner):
                    raise ActionUnavailable(f"the lock on the secrets of {self._name!r} was lost")
            self._cached = stored
            return stored
        finally:
            await self._storage.transact(self._unlock, owner)

    def _load(self, unit: Unit) -> dict[str, str]:
        sealed = unit.secrets.read(self._workspace_id, self._name)
        if sealed is None:
            raise NotFound("channel", self._name)
        return self._vault.open(self._workspace_id, self._name, sealed)

    def _lock(self, unit: Unit, owner: str) -> bool:
        now = self._clock.micros()
        return unit.secrets.lock(self._workspace_id, self._name, owner, now, now + _LOCK_SECONDS * 1_000_000)

    def _save(self, unit: Unit, secrets: Mapping[str, str], owner: str) -> bool:
        sealed = self._vault.seal(self._workspace_id, self._name, secrets)
        return unit.secrets.save(self._workspace_id, self._name, sealed, owner, self._clock.micros())

    def _unlock(self, unit: Unit, owner: str) -> None:
        unit.secrets.unlock(self._workspace_id, self._name, owner)


class AccountContext:
    """What one channel account may use; implements :class:`nhip.plugin_api.ChannelContext`."""

    def __init__(
        self,
        name: str,
        http: HttpClient,
        secrets: SecretStore,
        receipt_url: str | None,
        clock: Clock,
        *,
        call_path: str,
        public_url: str | None,
    ) -> None:
        self.name = name
        self.http = http
        self.secrets = secrets
        self.receipt_url = receipt_url
        self._clock = clock
        self._call_path = call_path
        self._public_url = public_url

    def call_url(self, public_url: str | None = None) -> str | None:
        """Below the address given, or else below ours."""
        base = (public_url or self._public_url or "").rstrip("/")
        return f"{base}{self._call_path}" if base else None

    def now(self) -> datetime:
        """Aware, in UTC."""
        return self._clock.now()


class Living:
    """One channel instance and who uses it."""

    __slots__ = ("calls", "channel", "limit", "replaced", "revision")

    def __init__(self, revision: tuple[str, int], channel: Channel) -> None:
        self.revision = revision
        self.channel = channel
        self.limit = asyncio.Semaphore(channel.capabilities.in_flight)
        """How many calls may be under way."""
        self.calls = 0
        self.replaced = False


class ChannelPool:
    """Makes channel instances when they are first needed, and replaces them when their configuration changes.

    A replaced one is closed when its last call has ended.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        vault: SecretVault,
        http: HttpClient,
        clock: Clock,
        public_url: str | None,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._vault = vault
        self._http = http
        self._clock = clock
        self._public_url = public_url.rstrip("/") if public_url else None
        self._instances: dict[tuple[int, str], Living] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def receipt_url(self, account: ChannelAccount) -> str | None:
        """Where providers reach this account's hook."""
        return f"{self._public_url}/hooks/channels/{account.name}/{account.hook_token}" if self._public_url else None

    @contextmanager
    def use(self, account: ChannelAccount) -> Iterator[Living]:
        """The living instance of an account, which stays open for as long as it is used.

        Raises:
            NotFound: its plugin is not installed.
        """
        living = self._living(account)
        living.calls += 1
        try:
            yield living
        finally:
            living.calls -= 1
            self._close_unused(living)

    def _living(self, account: ChannelAccount) -> Living:
        key, revision = (account.workspace_id, account.name), (account.id, account.revision)
        known = self._instances.get(key)
        if known is not None and known.revision == revision:
            return known
        plugin = self._catalog.channels.get(account.type)
        if plugin is None:
            raise NotFound("channel plugin", account.type)
        secrets = AccountSecrets(self._storage, self._vault, self._clock, account.workspace_id, account.name)
        context = AccountContext(
            account.name, self._http, secrets, self.receipt_url(account), self._clock,
            call_path=f"/voice/{account.name}/{account.hook_token}", public_url=self._public_url,
        )  # fmt: skip
        living = Living(revision, plugin(convert(account.config, plugin.config_type, "config"), context))
        self._instances[key] = living
        if known is not None:
            known.replaced = True
            self._close_unused(known)
        return living

    def _close_unused(self, living: Living) -> None:
        if living.replaced and not living.calls:
            task = asyncio.get_running_loop().create_task(_close(living.channel))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Release every account's connections."""
        await asyncio.gather(*self._closing)
        await asyncio.gather(*(_close(living.channel) for living in self._instances.values()))
        self._instances.clear()


async def _close(channel: Channel) -> None:
    try:
        await channel.close()
    except Exception:
        log.exception("plugin raised", extra={"type": channel.kind})
