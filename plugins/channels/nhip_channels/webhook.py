"""The channel ``webhook``: posts each message to a URL of yours, signed as Standard Webhooks 1.0.0.

Example::

    {"name": "crm", "type": "webhook", "config": {"url": "https://crm.example.com/hooks/nhip"},
     "secrets": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}

The body is ``{"type": "message", "timestamp": "…", "data": {"delivery_id": "…", "to": "…", "text": "…", …}}``. The
header ``webhook-id`` is the idempotency key and stays the same over all attempts; a receiver drops one that it has
seen, as the standard asks (https://www.standardwebhooks.com), and that is what makes this channel ``dedupes``.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from nhip import (
    Accepted,
    AddressKind,
    Ambiguous,
    AmbiguousOutcome,
    Capabilities,
    Channel,
    Config,
    DeliveryClass,
    HttpResponse,
    Message,
    NotSent,
    NotSentError,
    Outcome,
    Rejected,
    RejectionReason,
    hookimpl,
)
from nhip_channels.retry_after import retry_after
from nhip_channels.standard_webhooks import sign, signing_keys


class WebhookConfig(Config):
    """Where messages are posted to."""

    url: Annotated[str, msgspec.Meta(description="The https URL that messages are posted to.", min_length=1)]


class WebhookSecrets(Config):
    """What messages are signed with."""

    secret: Annotated[
        str,
        msgspec.Meta(
            description="The signing secret, whsec_ and base64. During a rotation both, separated by a space.",
            min_length=1,
        ),
    ]


class Webhook(Channel):
    """Posts messages to a URL; the receiver tells them apart by ``webhook-id``."""

    kind = "webhook"
    config_type = WebhookConfig
    secrets_type = WebhookSecrets
    delivery_class = DeliveryClass.DEDUPES
    dedupe_seconds = 86_400
    capabilities = Capabilities(address=AddressKind.NONE, html=True, subject=True)

    _keys: list[bytes] | None = None

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Post each message once."""
        return await asyncio.gather(*(self._post(message, timeout) for message in batch))

    async def _post(self, message: Message, timeout: float) -> Outcome:
        try:
            keys = await self._signing_keys()
        except ValueError as error:
            return Rejected(reason=RejectionReason.CONFIGURATION, code="secret", detail=str(error))
        now = self.context.now()
        timestamp = str(int(now.timestamp()))
        body = msgspec.json.encode({"type": "message", "timestamp": now.isoformat(), "data": body_of(message)})
        headers = {
            "content-type": "application/json",
            "webhook-id": message.idempotency_key,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(keys, message.idempotency_key, timestamp, body),
        }
        try:
            answer = await self.context.http.request(
                "POST", self.config.url, headers=headers, body=body, timeout=timeout
            )
        except NotSentError as error:
            return NotSent(code=str(error.data.get("code", error.code)), detail=error.detail)
        except AmbiguousOutcome as error:
            return Ambiguous(code=str(error.data.get("code", error.code)), detail=error.detail)
        if answer.status in (401, 403):
            self._keys = None
        return self._outcome(answer)

    async def _signing_keys(self) -> list[bytes]:
        if self._keys is None:
            self._keys = signing_keys((await self.context.secrets.read()).get("secret", ""))
        return self._keys

    def _outcome(self, answer: HttpResponse) -> Outcome:
        status, code = answer.status, str(answer.status)
        wait = retry_after(answer.headers, self.context.now())
        if 200 <= status < 300:
            return Accepted()
        if status == 429 or (status == 503 and wait is not None):
            return NotSent(code=code, detail="the receiver asks for time", retry_after=wait, counts=status != 429)
        if status in (408, 425):
            return NotSent(code=code, detail="the receiver did not take the request up", retry_after=wait)
        if status in (400, 413, 415, 422):
            return Rejected(reason=RejectionReason.INVALID, code=code, detail="the receiver refuses this message")
        if status < 500:
            return Rejected(reason=RejectionReason.CONFIGURATION, code=code, detail=_MEANINGS.get(status, ""))
        return Ambiguous(code=code, detail="the receiver failed while it had the message")


_MEANINGS: Mapping[int, str] = {
    301: "the receiver redirects; redirects are not followed",
    302: "the receiver redirects; redirects are not followed",
    307: "the receiver redirects; redirects are not followed",
    308: "the receiver redirects; redirects are not followed",
    401: "the receiver does not accept the signature",
    404: "there is no receiver at this URL",
    410: "the receiver is gone for good",
}


def body_of(message: Message) -> dict[str, Any]:
    """The ``data`` of the body: who, what, and the facts that came with the message."""
    content = message.content
    return {
        "delivery_id": message.delivery_id,
        "to": message.to,
        "message_class": message.message_class.value,
        **{
            name: value
            for name in ("subject", "text", "html", "provider_template_id", "params")
            if (value := getattr(content, name))
        },
        "data": message.data,
    }


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Register the channel ``webhook``."""
    return [Webhook]
