"""Channel accounts, as they are shown and tested."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta

from nhip.domain.authored import Price, RateLimit, StoredChannel
from nhip.domain.messages import Accepted, Content, NotSent, Outcome, Rejected
from nhip.services.channels.trials import TestedMessage
from nhip_admin_api.presenting import moment


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """Where the provider reports to: receipts and inbound messages."""

    token: str
    url: str
    answer_url: str | None = None
    """Of a channel that takes calls: where its provider asks what a call does next."""
    event_url: str | None = None
    """And where it reports on calls."""


class ChannelAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A configured instance of a channel. Its secrets are never shown, only which of them are set."""

    name: str
    type: str
    config: dict[str, Any]
    secrets_set: list[str]
    rate_limit: RateLimit | None
    price: Price | None
    hook: Hook
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredChannel, secrets_set: list[str], public_url: str, *, takes_calls: bool) -> Self:
        """Show what is stored."""
        voice_url = str(stored.config.get("public_url") or public_url).rstrip("/")
        voice_url = f"{voice_url}/voice/{stored.name}/{stored.hook_token}"
        return cls(
            name=stored.name,
            type=stored.type,
            config=stored.config,
            secrets_set=secrets_set,
            rate_limit=RateLimit(per_second=stored.rate_per_second) if stored.rate_per_second else None,
            price=Price(amount=stored.price_amount, currency=stored.price_currency or "VND")
            if stored.price_amount is not None
            else None,
            hook=Hook(
                token=stored.hook_token,
                url=f"{public_url.rstrip('/')}/hooks/channels/{stored.name}/{stored.hook_token}",
                answer_url=f"{voice_url}/answer" if takes_calls else None,
                event_url=f"{voice_url}/event" if takes_calls else None,
            ),
            created_at=moment(stored.created_at),
            updated_at=moment(stored.updated_at),
        )


class ChannelTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message to send now."""

    template: str
    to: Annotated[str, Meta(max_length=500, description="An address; channels that need none ignore it")] = ""
    data: Annotated[
        dict[str, Any],
        Meta(description="What the template reads: `data.…`, and whole facts under their names (`order`, `contact`)"),
    ] = msgspec.field(default_factory=dict)


class ChannelTestOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the provider said."""

    outcome: Literal["accepted", "rejected", "not_sent", "ambiguous"]
    to: str
    content: Content
    idempotency_key: str
    provider_id: str | None = None
    price: Price | None = None
    reason: str | None = None
    code: str | None = None
    detail: str | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, tested: TestedMessage) -> Self:
        """Show what became of a test."""
        outcome: Outcome = tested.outcome
        shown: dict[str, Any] = {"to": tested.to, "content": tested.content, "idempotency_key": tested.idempotency_key}
        if isinstance(outcome, Accepted):
            price = Price(amount=outcome.price.amount, currency=outcome.price.currency) if outcome.price else None
            return cls(outcome="accepted", provider_id=outcome.provider_id, price=price, **shown)
        shown |= {"code": outcome.code, "detail": outcome.detail or None}
        if isinstance(outcome, Rejected):
            return cls(outcome="rejected", reason=outcome.reason, **shown)
        if isinstance(outcome, NotSent):
            return cls(outcome="not_sent", retry_after=outcome.retry_after, **shown)
        return cls(outcome="ambiguous", **shown)
