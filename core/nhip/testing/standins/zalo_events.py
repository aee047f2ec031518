"""What Zalo pushes to a webhook, and how it signs it."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec


class ZaloAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One app and one official account at the stand-in, with the pair of tokens it begins with."""

    app_id: str = "360846524940903967"
    app_secret: str = "app-secret"  # noqa: S105 - a stand-in keeps no secret
    oa_id: str = "2893352839501541173"
    oa_secret: str = "oa-secret"  # noqa: S105
    access_token: str = "access-1"  # noqa: S105
    refresh_token: str = "refresh-1"  # noqa: S105
    token_seconds: int = 90_000
    """For how long an access token is good."""


class ZaloEvents:
    """Makes the events of one account; ``clock`` gives Unix seconds."""

    def __init__(self, account: ZaloAccount, clock: Callable[[], float]) -> None:
        self._account = account
        self._clock = clock

    def sign(self, body: bytes) -> dict[str, str]:
        """The headers of a push: ``mac = sha256(app_id + body + timestamp + OA secret)``, a plain hash and no HMAC."""
        fields: Mapping[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
        head, tail = str(fields.get("app_id", "")), f"{fields['timestamp']}{self._account.oa_secret}"
        digest = hashlib.sha256(head.encode() + body + tail.encode()).hexdigest()
        return {"X-ZEvent-Signature": f"mac={digest}", "X-ZEvent-Server": "ZNS"}

    def frame(self, name: str, **fields: Any) -> dict[str, Any]:
        """What all events share."""
        return {"app_id": self._account.app_id, "event_name": name, **fields, "timestamp": millis(self._clock())}

    def delivered(self, phone: str, message_id: str, tracking_id: str) -> dict[str, Any]:
        """``user_received_message``: the message reached the phone."""
        return self.frame(
            "user_received_message",
            sender={"id": self._account.oa_id},
            recipient={"id": phone},
            message={"delivery_time": millis(self._clock()), "msg_id": message_id, "tracking_id": tracking_id},
        )

    def seen(self, user_id: str, *message_ids: str) -> dict[str, Any]:
        """``user_seen_message``: the person looked at it."""
        return self.frame(
            "user_seen_message",
            sender={"id": self._account.oa_id},
            recipient={"id": user_id},
            message={"msg_ids": list(message_ids)},
        )

    def rated(self, message_id: str, tracking_id: str, rate: int, note: str = "") -> dict[str, Any]:
        """``user_feedback``: the person rated. There is no user id in it."""
        message = {
            "note": note,
            "rate": rate,
            "submit_time": millis(self._clock()),
            "feedbacks": None,
            "msg_id": message_id,
            "tracking_id": tracking_id,
        }
        return self.frame("user_feedback", oa_id=self._account.oa_id, message=message)

    def text(self, user_id: str, text: str) -> dict[str, Any]:
        """``user_send_text``: the person wrote to the official account."""
        return self.frame(
            "user_send_text",
            sender={"id": user_id},
            recipient={"id": self._account.oa_id},
            message={"text": text, "msg_id": secrets.token_hex(10)},
        )

    def followed(self, user_id: str) -> dict[str, Any]:
        """``follow``."""
        return self.frame("follow", oa_id=self._account.oa_id, follower={"id": user_id})

    def unfollowed(self, user_id: str) -> dict[str, Any]:
        """``unfollow``."""
        return self.frame("unfollow", oa_id=self._account.oa_id, follower={"id": user_id})


def millis(seconds: float) -> str:
    """Milliseconds since the epoch as a string, Zalo's form of a time."""
    return str(int(seconds * 1_000))
