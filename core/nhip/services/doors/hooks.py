"""The door for providers: receipts and inbound messages of one channel account, verified by its plugin."""

import hashlib
import hmac
import logging
import time
from collections.abc import Sequence
from typing import Final

from nhip.domain.configured import ChannelAccount
from nhip.domain.errors import MalformedInput, NhipError, NotFound
from nhip.domain.messages import InboundRequest
from nhip.ports import Doorbell, Storage, Unit
from nhip.services.channels.pool import ChannelPool
from nhip.services.channels.receipts import Arrival, Receipts
from nhip.services.workspace.group_commit import GroupCommit

log = logging.getLogger("nhip.hooks")

TRUSTED_SECONDS: Final = 0.9
"""For so long an account is taken to be as it was read: a provider with many receipts needs it for each of them."""


class Hooks:
    """Takes what providers send. An answer means that it is committed; one in each process."""

    def __init__(self, storage: Storage, receipts: Receipts, channels: ChannelPool, doorbell: Doorbell) -> None:
        self._storage = storage
        self._receipts = receipts
        self._channels = channels
        self._doorbell = doorbell
        self._group: GroupCommit[Arrival, int] = GroupCommit(self._flush)
        self._known: dict[bytes, tuple[float, ChannelAccount]] = {}

    async def account(self, name: str, token: str) -> ChannelAccount:
        """The account that a hook's address belongs to, as it was at most a second ago.

        Raises:
            NotFound: there is none with this name and token.
        """
        # What is looked up is a hash, so the time it takes says nothing about any token.
        digest = hashlib.sha256(token.encode()).digest()
        read_at, account = self._known.get(digest, (0.0, None))
        now = time.monotonic()
        if account is None or now - read_at > TRUSTED_SECONDS:
            account = await self._storage.read(_by_hook, token)
            if account is None:
                self._known.pop(digest, None)
            else:
                self._known[digest] = (now, account)
        if account is None or not hmac.compare_digest(account.name.encode(), name.encode()):
            raise NotFound("hook", name)
        return account

    async def receive(self, account: ChannelAccount, request: InboundRequest) -> int:
        """Verify and store a request; answers how many of its reports were new.

        Raises:
            SignatureMismatch: it is not the provider's.
            MalformedInput: it cannot be read.
            StorageUnavailable, Overloaded: not now; the provider tries again.
        """
        try:
            with self._channels.use(account) as living:
                inbound = await living.channel.receive(request)
        except NhipError:
            raise
        except Exception as error:
            log.error("plugin raised", exc_info=error, extra={"channel": account.name, "type": account.type})
            raise MalformedInput(f"the channel {account.type!r} could not read this request") from error
        if not inbound.receipts and not inbound.events:
            return 0
        return await self._group.submit(Arrival(account, inbound))

    async def drain(self) -> None:
        """Wait until everything taken so far is committed."""
        await self._group.drain()

    async def _flush(self, arrivals: Sequence[Arrival]) -> list[int]:
        taken = await self._storage.transact(self._receipts.receive, arrivals)
        self._doorbell.ring()
        return taken


def _by_hook(unit: Unit, token: str) -> ChannelAccount | None:
    return unit.published.channel_by_hook(token)
