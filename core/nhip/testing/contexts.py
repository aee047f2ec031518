"""Contexts for running one plugin by itself: what a channel gets from the engine, without the engine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from nhip.adapters.http import GuardedClient
from nhip.domain.messages import Content, Message, MessageClass
from nhip.plugin_api import Channel, HttpClient

AnyChannel = TypeVar("AnyChannel", bound=Channel)


class MemorySecrets:
    """A :class:`nhip.plugin_api.SecretStore` in memory; ``saved`` lists every stored state, oldest first."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self.saved: list[dict[str, str]] = [dict(secrets or {})]
        self.reads = 0
        self._lock = asyncio.Lock()

    async def read(self) -> Mapping[str, str]:
        """The secrets as they are stored now."""
        self.reads += 1
        return dict(self.saved[-1])

    async def replace(
        self, seen: Mapping[str, str], renew: Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
    ) -> Mapping[str, str]:
        """Renew under a lock, unless somebody else did since ``seen`` was read."""
        async with self._lock:
            stored = self.saved[-1]
            if stored == dict(seen):
                stored = dict(await renew(dict(stored)))
                self.saved.append(stored)
            return dict(stored)

    def write(self, secrets: Mapping[str, str]) -> None:
        """Store other secrets, as a person or another process does."""
        self.saved.append(dict(secrets))


class StandaloneContext:
    """A :class:`nhip.plugin_api.ChannelContext` whose clock is the real one, or the ``clock`` given."""

    def __init__(
        self,
        *,
        http: HttpClient,
        secrets: MemorySecrets | None = None,
        name: str = "main",
        receipt_url: str | None = None,
        clock: Callable[[], datetime] | None = None,
        public_url: str | None = None,
    ) -> None:
        self.public_url = public_url
        self.name = name
        self.http = http
        self.secrets = secrets or MemorySecrets()
        self.receipt_url = receipt_url
        self.clock = clock or _utc_now

    def call_url(self, public_url: str | None = None) -> str | None:
        """Where providers would reach the account's call control; its token is ``token``."""
        base = (public_url or self.public_url or "").rstrip("/")
        return f"{base}/voice/{self.name}/token" if base else None

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        return self.clock()


def _utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def open_channel(
    kind: type[AnyChannel],
    config: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    *,
    http: HttpClient | None = None,
    receipt_url: str | None = None,
    clock: Callable[[], datetime] | None = None,
    name: str = "main",
    public_url: str | None = None,
) -> AsyncIterator[AnyChannel]:
    """One account of a channel, configured with plain values as over the HTTP API, and closed at the end.

    Without ``http`` it gets a client of its own that may reach private addresses. Its secrets are at
    ``channel.context.secrets``, a :class:`MemorySecrets`.

    Raises:
        msgspec.ValidationError: the configuration or the secrets do not fit the channel's types.
    """
    msgspec.convert(dict(secrets or {}), kind.secrets_type)
    own = GuardedClient(allow_private=True) if http is None else None
    context = StandaloneContext(
        http=http or own or GuardedClient(),
        secrets=MemorySecrets(secrets),
        name=name,
        receipt_url=receipt_url,
        clock=clock,
        public_url=public_url,
    )
    channel = kind(msgspec.convert(dict(config), kind.config_type), context)
    try:
        yield channel
    finally:
        await channel.close()
        if own is not None:
            await own.close()


def message(
    to: str,
    key: str = "k" * 26,
    *,
    subject: str | None = None,
    text: str | None = None,
    html: str | None = None,
    provider_template_id: str | None = None,
    params: Mapping[str, str] | None = None,
    data: Mapping[str, Any] | None = None,
    message_class: MessageClass = MessageClass.CARE,
) -> Message:
    """A rendered message, as the engine hands it to a channel."""
    return Message(
        delivery_id=f"delivery-{key}",
        idempotency_key=key,
        to=to,
        content=Content(
            subject=subject,
            text=text,
            html=html,
            provider_template_id=provider_template_id,
            params=dict(params or {}),
        ),
        message_class=message_class,
        data=dict(data or {}),
    )
