"""Deliveries, as they are shown and resolved."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta

from nhip.domain.authored import Price
from nhip.domain.history import PastDelivery
from nhip.services.history.deliveries import Resolution
from nhip_admin_api.presenting import moment, moment_or_none


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one recipient through one channel account."""

    id: str
    run: str | None
    workflow: str | None
    contact: str | None
    """The contact's external id."""
    channel: str
    channel_type: str
    template: str
    message_class: str
    to: str | None
    state: str
    reason: str | None
    detail: str | None
    attempts: int
    generation: int
    idempotency_key: str
    provider_id: str | None
    price: Price | None
    created_at: datetime
    accepted_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, past: PastDelivery) -> Self:
        """Show a delivery."""
        return cls(**_fields(past))


class DeliveryDetail(DeliveryView, frozen=True, kw_only=True):
    """A delivery with the content that was rendered for it."""

    content: dict[str, Any]

    @classmethod
    def of_past(cls, past: PastDelivery) -> Self:
        """Show a delivery with its content."""
        return cls(**_fields(past), content=msgspec.json.decode(past.content))


class Resolve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of an unknown delivery."""

    outcome: Literal["sent", "not_sent"]
    """``sent``: its run goes on. ``not_sent``: it is sent again, as a new generation."""


class ResolveItem(Resolve, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of one of several unknown deliveries."""

    id: str

    def resolution(self) -> Resolution:
        """In the service's words."""
        return Resolution(id=self.id, sent=self.outcome == "sent")


class ResolveMany(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of several unknown deliveries; all of them are taken, or none."""

    items: Annotated[list[ResolveItem], Meta(min_length=1, max_length=500)]


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """Several deliveries, as they are now."""

    items: list[DeliveryView]


def _fields(past: PastDelivery) -> dict[str, Any]:
    price = None
    if past.price_amount is not None:
        price = Price(amount=past.price_amount, currency=past.price_currency or "VND")
    return {
        "id": past.id,
        "run": past.run_id,
        "workflow": past.workflow,
        "contact": past.contact,
        "channel": past.channel,
        "channel_type": past.channel_type,
        "template": past.template,
        "message_class": past.message_class,
        "to": past.address,
        "state": past.state,
        "reason": past.reason,
        "detail": past.detail,
        "attempts": past.attempts,
        "generation": past.generation,
        "idempotency_key": past.idempotency_key,
        "provider_id": past.provider_id,
        "price": price,
        "created_at": moment(past.created_at),
        "accepted_at": moment_or_none(past.accepted_at),
        "delivered_at": moment_or_none(past.delivered_at),
        "read_at": moment_or_none(past.read_at),
        "updated_at": moment(past.updated_at),
    }
