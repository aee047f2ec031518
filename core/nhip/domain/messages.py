"""Messages on their way out, what became of them, and what providers report later."""

from enum import StrEnum
from typing import Any

import msgspec

from nhip.domain.struct import Struct


class Money(Struct):
    """An amount in the currency's minor unit: 150 000 đ is ``Money(amount=150000, currency="VND")``."""

    amount: int
    currency: str = "VND"
    """ISO 4217."""


class MessageClass(StrEnum):
    """What a message is for; governance asks this first."""

    TRANSACTIONAL = "transactional"
    CARE = "care"
    MARKETING = "marketing"


class Content(Struct, omit_defaults=True):
    """A template's parts, as source text in a template or as rendered text in a message."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None
    provider_template_id: str | None = None
    params: dict[str, str] = msgspec.field(default_factory=dict)


class Intent(Content):
    """What a message says and carries, kept so that it says the same whenever it goes out."""

    data: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def content(self) -> Content:
        """The words."""
        return Content(**{name: getattr(self, name) for name in Content.__struct_fields__})


class Message(Struct):
    """One rendered message to one address, ready for a channel."""

    delivery_id: str
    idempotency_key: str
    """At most 26 characters, the same over all retries of this delivery. Goes to the provider as its reference."""
    to: str
    """The address in the form the engine keeps: E.164 for a phone, lower-case for an email."""
    content: Content
    message_class: MessageClass = MessageClass.CARE
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    """Facts a generic channel may pass on as they are (the ``webhook`` channel's body)."""


class RejectionReason(StrEnum):
    """Why a provider said a definite no. The class decides what the engine does next."""

    UNREACHABLE = "unreachable"
    """This person cannot be reached here (no such account, number or mailbox): the fallback is tried."""
    REFUSED = "refused"
    """This person does not want messages here: the fallback is tried."""
    INVALID = "invalid"
    """The message itself is wrong (a missing parameter, too long): no fallback mends it, the step ends ``dead``."""
    CONFIGURATION = "configuration"
    """The account must be mended by a person (balance, permission, unapproved template): the fallback is tried."""


class Accepted(Struct, tag="accepted"):
    """The provider took the message."""

    provider_id: str | None = None
    price: Money | None = None


class Rejected(Struct, tag="rejected"):
    """The provider definitely did not take the message, and would not if asked again."""

    reason: RejectionReason
    code: str
    """The provider's own code: ``-118``."""
    detail: str = ""


class NotSent(Struct, tag="not_sent"):
    """The message surely did not go out (refused connection, rate limit, night rule): try again later."""

    code: str
    detail: str = ""
    retry_after: float | None = None
    """Seconds, where the provider or its rules say so."""
    counts: bool = True
    """Whether this attempt counts against the limit of attempts; a rate limit or a night rule does not."""


class Ambiguous(Struct, tag="ambiguous"):
    """Nobody knows whether the message went out (time-out after sending, reset, 5xx, unreadable 200)."""

    code: str
    detail: str = ""


Outcome = Accepted | Rejected | NotSent | Ambiguous


class DeliveryClass(StrEnum):
    """What a provider lets us know after an ambiguous outcome."""

    DEDUPES = "dedupes"
    """It drops a repeated key, so an ambiguous attempt is repeated with the same key."""
    TRACEABLE = "traceable"
    """It can be asked, or its receipts carry our reference: the delivery waits as ``unknown`` until one comes."""
    BLIND = "blind"
    """Neither: the delivery stays ``unknown`` until a person resolves it."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    DEFERRED = "deferred"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"


class ReceiptStatus(StrEnum):
    """What a provider reports about a message."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


class Receipt(Struct):
    """One report about one message; found again by the provider's id or by our reference."""

    receipt_id: str
    """Unique per channel account: a second receipt with the same id has no effect."""
    status: ReceiptStatus
    provider_id: str | None = None
    idempotency_key: str | None = None
    code: str | None = None
    detail: str | None = None


class InboundEvent(Struct):
    """Something a person did that a channel reports: a reply, a click, a rating. It becomes an event."""

    id: str
    """Unique per channel account and type."""
    type: str
    """``message.replied``, ``link.clicked``, …"""
    contact: dict[str, Any] = msgspec.field(default_factory=dict)
    """What identifies the person: ``{"zalo_user_id": "…"}`` or ``{"phone": "+84…"}``."""
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    idempotency_key: str | None = None
    """The key of our message that it is about, where the provider brings it back."""
    provider_id: str | None = None
    """The provider's id of that message."""


class InboundRequest(Struct):
    """A provider's HTTP request to one channel account's hook, as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    query_string: str = ""
    """The query as it was written: what some providers sign."""


class Inbound(Struct):
    """What a channel read out of an inbound request."""

    receipts: tuple[Receipt, ...] = ()
    events: tuple[InboundEvent, ...] = ()
