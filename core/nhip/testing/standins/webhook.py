"""A stand-in for somebody's webhook endpoint: Standard Webhooks 1.0.0, recording raw bytes and verifying signatures.

The ledger has each ``webhook-id`` once, because a receiver that follows the standard drops a repeated one;
``deliveries`` has every request with its raw body.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections import deque
from collections.abc import Mapping

import msgspec

from nhip.testing.standins.faults import Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.server import Answer, Request, StandIn, spoiled

TOLERANCE_SECONDS = 300
EXAMPLE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the one of the standard's own examples


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the endpoint."""

    id: str
    timestamp: str
    headers: Mapping[str, str]
    body: bytes
    """The raw bytes; the signature is over them."""
    verified: bool
    repeated: bool
    """Whether an earlier request with this id had been accepted."""


class WebhookStandIn(StandIn):
    """An endpoint that answers 204, or what :meth:`answer_next` says.

    A request whose signature does not verify gets 401 and has no effect.
    """

    provider = "webhook"

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Ledger | None = None,
        faults: Faults | None = None,
        secret: str = EXAMPLE_SECRET,
        verify: bool = True,
    ) -> None:
        super().__init__(port=port, ledger=ledger, faults=faults)
        self.secret = secret
        self.verify = verify
        self.deliveries: list[WebhookDelivery] = []
        self._answers: deque[Answer] = deque()
        self._accepted: set[str] = set()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"{self.base_url}/hook"

    def config(self) -> dict[str, str]:
        """A configuration for the channel ``webhook`` that comes here."""
        return {"url": self.url}

    def secrets(self) -> dict[str, str]:
        """The secrets that belong to :meth:`config`."""
        return {"secret": self.secret}

    def answer_next(self, *statuses: int | Answer, headers: Mapping[str, str] | None = None) -> None:
        """Script the next answers: 200, 301, 410, 429, 500 …, or a whole :class:`Answer` (``Answer(hang=True)``).

        Only a 2xx accepts.
        """
        for status in statuses:
            self._answers.append(status if isinstance(status, Answer) else Answer(status=status, headers=headers or {}))

    def handle(self, request: Request) -> Answer:
        """Take one delivery."""
        identity = request.headers.get("webhook-id", "")
        timestamp = request.headers.get("webhook-timestamp", "")
        verified = not self.verify or verifies(
            self.secret, identity, timestamp, request.body, request.headers.get("webhook-signature", "")
        )
        self.deliveries.append(
            WebhookDelivery(
                id=identity,
                timestamp=timestamp,
                headers=request.headers,
                body=request.body,
                verified=verified,
                repeated=identity in self._accepted,
            )
        )
        if not verified:
            return Answer(status=401)
        if self._answers:
            scripted = self._answers.popleft()
            if 200 <= scripted.status < 300 and not scripted.reset:
                self._accept(identity, request, None)
            return scripted
        fault = self.faults.draw()
        if fault is None or fault.accepts:
            self._accept(identity, request, fault)
        return spoiled(Answer(status=204), fault, self.faults)

    def _accept(self, identity: str, request: Request, fault: str | None) -> None:
        if identity in self._accepted:
            return
        self._accepted.add(identity)
        try:
            content = msgspec.json.decode(request.body, type=dict[str, object])
        except msgspec.DecodeError:
            content = {}
        data = content.get("data")
        address = str(data.get("to", "")) if isinstance(data, dict) else ""
        self.ledger.append(
            reference=identity,
            address=address,
            provider_id=identity,
            provider=self.provider,
            fault=fault,
            content=content,
        )


def verifies(
    secret: str,
    identity: str,
    timestamp: str,
    body: bytes,
    signatures: str,
    now: float | None = None,
    tolerance: float = TOLERANCE_SECONDS,
) -> bool:
    """Check a Standard Webhooks signature header: any of its ``v1,`` entries must be over ``id.timestamp.body``."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        age = (time.time() if now is None else now) - int(timestamp)
    except (ValueError, binascii.Error):
        return False
    expected = base64.b64encode(hmac.new(key, f"{identity}.{timestamp}.".encode() + body, hashlib.sha256).digest())
    return abs(age) <= tolerance and any(
        hmac.compare_digest(expected, entry.removeprefix("v1,").encode())
        for entry in signatures.split()
        if entry.startswith("v1,")
    )
