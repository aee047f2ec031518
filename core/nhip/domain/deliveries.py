"""A delivery as it is stored: one message to one recipient through one channel account."""

from typing import Final

import msgspec

from nhip.domain.messages import DeliveryState

RANK: Final = {
    DeliveryState.QUEUED: 0,
    DeliveryState.DEFERRED: 0,
    DeliveryState.SENDING: 1,
    DeliveryState.UNKNOWN: 2,
    DeliveryState.ACCEPTED: 3,
    DeliveryState.DELIVERED: 4,
    DeliveryState.READ: 5,
}
"""A delivery only climbs: a receipt of a lower rank than its state changes nothing."""


class Delivery(msgspec.Struct, kw_only=True):
    """One row of ``deliveries``."""

    id: str
    workspace_id: int
    step_id: str
    run_id: str | None
    workflow: str | None
    contact_id: str | None
    channel: str
    channel_type: str
    template: str
    message_class: str
    address: str | None
    content: str
    state: str
    reason: str | None
    detail: str | None
    idempotency_key: str
    generation: int
    attempts: int
    provider_id: str | None
    price_amount: int | None
    price_currency: str | None
    event_received_at: int | None
    created_at: int
    accepted_at: int | None
    delivered_at: int | None
    read_at: int | None
    updated_at: int
    maybe_sent_at: int | None = None
    """Since when the message may have gone out: a provider may drop a repeated key only for a while after that."""


class ReceiptRow(msgspec.Struct, kw_only=True):
    """One row of ``receipts``; ``delivery_id`` is ``None`` while its delivery is not found."""

    id: str
    workspace_id: int
    channel: str
    receipt_id: str
    delivery_id: str | None
    provider_id: str | None
    idempotency_key: str | None
    status: str
    code: str | None
    detail: str | None
    received_at: int
