"""The channel ``voice_stringee``: telephone calls through Stringee, placed and taken.

Example::

    {"name": "hotline", "type": "voice_stringee",
     "config": {"key_sid": "SK…", "from": "+842873000000", "public_url": "https://care.example.com"},
     "secrets": {"key_secret": "…", "signing_secret": "…"}}

In Stringee's console the number's Answer URL is ``…/voice/hotline/<token>/answer``, and the project's Event URL
``…/voice/hotline/<token>/event``. What a call does next is answered in SCCO, and each request's signature is checked.
Stringee drops no repeated call; whoever picks up makes it fetch an address that carries our key (``traceable``).
Source: Stringee's documentation of the Call API.
"""

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from nhip import (
    AddressKind,
    Ambiguous,
    AmbiguousOutcome,
    CallAnswer,
    CallPlan,
    CallRequest,
    Capabilities,
    Channel,
    Config,
    Content,
    DeliveryClass,
    InboundRequest,
    Message,
    NotSent,
    NotSentError,
    Outcome,
    Problem,
    Rejected,
    RejectionReason,
    SignatureMismatch,
    hookimpl,
)
from nhip_channels import scco
from nhip_channels.retry_after import retry_after
from nhip_channels.stringee_calls import read_answer, read_call, sign, signed_text, token
from nhip_channels.voice_account import VoiceConfig, base_url, check_text, event_url, next_url, spare_plan


class StringeeConfig(VoiceConfig, kw_only=True):
    """One number at Stringee."""

    key_sid: Annotated[str, Meta(description="The SID of the API key, SK….", min_length=1, max_length=100)]
    base_url: Annotated[str, Meta(description="Where Stringee's REST API is.")] = "https://api.stringee.com"


class StringeeSecrets(Config):
    """What Stringee and we know each other by."""

    key_secret: Annotated[str, Meta(description="The secret of the API key.", min_length=1)]
    signing_secret: Annotated[str, Meta(description="The secret that Stringee signs its requests with.", min_length=1)]


class VoiceStringee(Channel):
    """Places calls that say a text, and takes calls as workflows route them."""

    kind = "voice_stringee"
    config_type = StringeeConfig
    secrets_type = StringeeSecrets
    delivery_class = DeliveryClass.TRACEABLE
    capabilities = Capabilities(address=AddressKind.PHONE, receipts=True, inbound=True, voice=True)

    _known: Mapping[str, str] | None = None

    @classmethod
    def check_content(cls, content: Content) -> Sequence[Problem]:
        """A text is needed."""
        return check_text(content)

    async def _secrets(self) -> Mapping[str, str]:
        if self._known is None:
            self._known = await self.context.secrets.read()
        return self._known

    # --- calls that are placed ----------------------------------------------------------------------------------------

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Place one call for each message. What is said is asked for when somebody picks up."""
        return await asyncio.gather(*(self._call(message, timeout) for message in batch))

    async def _call(self, message: Message, timeout: float) -> Outcome:
        url = self.context.call_url(self.config.public_url)
        if url is None:
            detail = "Stringee cannot ask what to say: set public_url, or NHIP_PUBLIC_URL"
            return Rejected(reason=RejectionReason.CONFIGURATION, code="no_public_url", detail=detail)
        own, other = scco.stringee_number(self.config.from_), scco.stringee_number(message.to)
        fields = {
            "from": {"type": "external", "number": own, "alias": own},
            "to": [{"type": "external", "number": other, "alias": other}],
            "answer_url": f"{url}/answer?key={message.idempotency_key}",
        }
        secret = (await self._secrets()).get("key_secret", "")
        now = self.context.now()
        headers = {
            "content-type": "application/json",
            "x-stringee-auth": token(self.config.key_sid, secret, int(now.timestamp())),
        }
        target = f"{self.config.base_url.rstrip('/')}/v1/call2/callout"
        try:
            answer = await self.context.http.request(
                "POST", target, headers=headers, body=msgspec.json.encode(fields), timeout=timeout
            )
        except NotSentError as error:
            return NotSent(code=str(error.data.get("code", error.code)), detail=error.detail)
        except AmbiguousOutcome as error:
            return Ambiguous(code=str(error.data.get("code", error.code)), detail=error.detail)
        if answer.status in (401, 403):
            self._known = None
        return read_answer(answer, retry_after(answer.headers, now))

    # --- calls that are taken -----------------------------------------------------------------------------------------

    async def read_call(self, request: InboundRequest) -> CallRequest:
        """Check the signature, and read the request."""
        base = base_url(self.context, self.config, request)
        secret = (await self._secrets()).get("signing_secret", "")
        said = request.headers.get("x-stringee-signature", "").encode("utf-8", "replace")
        # A proxy may answer below a path that we do not see.
        prefix = urlsplit(base).path.removesuffix(request.path.rpartition("/")[0])
        texts = {signed_text(request), signed_text(request, prefix)}
        if not any(hmac.compare_digest(sign(secret, text).encode(), said) for text in texts):
            raise SignatureMismatch("Stringee did not sign this; look at signing_secret")
        return read_call(request, base, self.config.from_)

    def answer_call(self, call: CallRequest, plan: CallPlan) -> CallAnswer:
        """The plan as SCCO."""
        # Whatever Stringee calls the call in what it posts, our addresses say which one it is.
        url, events = next_url(call, call=call.call_id), event_url(call, call=call.call_id, leg="connect")
        body = scco.render(plan, self.config.from_, url, events, self.config.queues)
        return CallAnswer(content_type=scco.CONTENT_TYPE, body=body)

    def spare_plan(self, occasion: Literal["unrouted", "trouble", "test"]) -> CallPlan:
        """As the account is configured."""
        return spare_plan(self.config, occasion) or super().spare_plan(occasion)


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Register the channel ``voice_stringee``."""
    return [VoiceStringee]
