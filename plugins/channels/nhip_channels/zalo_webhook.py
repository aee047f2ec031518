"""Zalo's webhook: its signature, and what its events mean.

Source: Zalo, "Webhook" and "ZBS Template Message webhook events". The signature is a plain SHA-256 of a concatenation,
not an HMAC. All ids and times are strings.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import msgspec

from nhip import (
    Inbound,
    InboundEvent,
    InboundRequest,
    MalformedInput,
    Receipt,
    ReceiptStatus,
    SignatureMismatch,
)


def mac_of(identity: str, body: bytes, timestamp: str, oa_secret: str) -> str:
    """``sha256(app_id + body + timestamp + OA secret)`` in hex, over the exact bytes of the body."""
    return hashlib.sha256(identity.encode() + body + timestamp.encode() + oa_secret.encode()).hexdigest()


def verify(request: InboundRequest, fields: Mapping[str, Any], oa_secret: str, *, strict: bool) -> None:
    """Check the header ``X-ZEvent-Signature`` in constant time.

    Unless ``strict`` the variants that integrations have met are accepted too: a bare or ``sha256=`` digest, the
    account's id in place of the app's, the time from the header ``X-ZEvent-Timestamp``.

    Raises:
        SignatureMismatch: no variant fits, or no OA secret is stored.
    """
    given = request.headers.get("x-zevent-signature", "").rpartition("=")[2].strip().lower()
    identities = _texts(fields, "app_id") if strict else _texts(fields, "app_id", "oa_id", "oaId")
    times = _texts(fields, "timestamp")
    if not strict and request.headers.get("x-zevent-timestamp"):
        times.append(request.headers["x-zevent-timestamp"])
    matches = 0
    for identity, timestamp in product(identities, times):
        matches += hmac.compare_digest(mac_of(identity, request.body, timestamp, oa_secret).encode(), given.encode())
    if not oa_secret or matches == 0:
        raise SignatureMismatch("the signature of Zalo's webhook does not verify")


def decode(body: bytes) -> dict[str, Any]:
    """Read the event.

    Raises:
        MalformedInput: it is not a JSON object.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise MalformedInput(f"Zalo's event cannot be read: {error}") from error


def inbound(fields: Mapping[str, Any], body: bytes) -> Inbound:
    """What a verified event means; an event that does not concern messages or followers means nothing."""
    name = str(fields.get("event_name", ""))
    message = fields.get("message")
    message = message if isinstance(message, dict) else {}
    match name:
        case "user_received_message":
            ids = _texts(message, "msg_id")
            return Inbound(receipts=tuple(_receipts(ids, ReceiptStatus.DELIVERED, message)))
        case "user_seen_message":
            many = message.get("msg_ids")
            ids = [str(each) for each in many] if isinstance(many, list) else _texts(message, "msg_id")
            return Inbound(receipts=tuple(_receipts(ids, ReceiptStatus.READ, message)))
        case "user_feedback":
            return Inbound(events=(_rating(fields, message),))
        case "follow" | "unfollow":
            person = _identity(fields.get("follower")) or _identity(fields.get("sender"))
            kind = "zalo.followed" if name == "follow" else "zalo.unfollowed"
            identity = f"{person}:{fields.get('timestamp', '')}"
            data = {"source": fields.get("source"), "oa_id": fields.get("oa_id")}
            return Inbound(events=(InboundEvent(id=identity, type=kind, contact={"zalo_user_id": person}, data=data),))
        case _ if name.startswith("user_send_"):
            return Inbound(events=(_reply(name, fields, message, body),))
        case _:
            return Inbound()


def _receipts(ids: Iterable[str], status: ReceiptStatus, message: Mapping[str, Any]) -> Iterable[Receipt]:
    reference = message.get("tracking_id")
    for identity in ids:
        yield Receipt(
            receipt_id=f"{identity}:{status.value}",
            status=status,
            provider_id=identity,
            idempotency_key=str(reference) if reference else None,
        )


def _rating(fields: Mapping[str, Any], message: Mapping[str, Any]) -> InboundEvent:
    """A rating names no person, but the message that it is about, by ``tracking_id`` and ``msg_id``."""
    rate = str(message.get("rate", ""))
    data = {
        "msg_id": message.get("msg_id"),
        "tracking_id": message.get("tracking_id"),
        "rate": int(rate) if rate.isascii() and rate.isdigit() and len(rate) < 4 else None,
        "note": message.get("note") or "",
        "feedbacks": message.get("feedbacks") or [],
        "submitted_at_ms": message.get("submit_time"),
    }
    identity = f"{message.get('msg_id', '')}:{message.get('submit_time') or fields.get('timestamp', '')}"
    key, message_id = message.get("tracking_id"), message.get("msg_id")
    return InboundEvent(
        id=identity,
        type="message.rated",
        data=data,
        idempotency_key=str(key) if key else None,
        provider_id=str(message_id) if message_id else None,
    )


def _reply(name: str, fields: Mapping[str, Any], message: Mapping[str, Any], body: bytes) -> InboundEvent:
    data = {
        "kind": name.removeprefix("user_send_"),
        "text": message.get("text") or "",
        "msg_id": message.get("msg_id"),
        "attachments": message.get("attachments") or [],
    }
    identity = str(message.get("msg_id") or hashlib.sha256(body).hexdigest())
    contact = {"zalo_user_id": _identity(fields.get("sender"))}
    return InboundEvent(id=identity, type="message.replied", contact=contact, data=data)


def _identity(person: Any) -> str:
    return str(person.get("id", "")) if isinstance(person, dict) else ""


def _texts(fields: Mapping[str, Any], *names: str) -> list[str]:
    return [str(fields[name]) for name in names if fields.get(name) not in (None, "")]
