"""The channel ``voice_twilio``: telephone calls through Twilio, placed and taken.

Example::

    {"name": "hotline", "type": "voice_twilio",
     "config": {"account_sid": "AC…", "from": "+842873000000", "public_url": "https://care.example.com"},
     "secrets": {"auth_token": "…"}}

In Twilio's console the number's "A call comes in" is a webhook to ``…/voice/hotline/<token>/answer`` (POST), and its
"Call status changes" one to ``…/voice/hotline/<token>/event``. What a call does next is answered in TwiML, and each
request's signature is checked. Twilio drops no repeated call, but every report of one carries our key in its address
(``traceable``). Source: Twilio's documentation of Programmable Voice.
"""

import asyncio
import base64
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlencode, urlsplit

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
from nhip_channels import twiml
from nhip_channels.retry_after import retry_after
from nhip_channels.twilio_calls import read_answer, read_call
from nhip_channels.twilio_signature import is_genuine, read_form
from nhip_channels.voice_account import VoiceConfig, base_url, check_text, next_url, spare_plan


class TwilioVoiceConfig(VoiceConfig, kw_only=True):
    """One number at Twilio."""

    account_sid: Annotated[str, Meta(description="The account's SID, AC….", min_length=1, max_length=64)]
    base_url: Annotated[str, Meta(description="Where Twilio's REST API is.")] = "https://api.twilio.com"
    ring_seconds: Annotated[int, Meta(description="How long a call that is placed rings.", ge=5, le=600)] = 30


class TwilioVoiceSecrets(Config):
    """What Twilio and we know each other by."""

    auth_token: Annotated[str, Meta(description="The account's auth token.", min_length=1)]


class VoiceTwilio(Channel):
    """Places calls that say a text, and takes calls as workflows route them."""

    kind = "voice_twilio"
    config_type = TwilioVoiceConfig
    secrets_type = TwilioVoiceSecrets
    delivery_class = DeliveryClass.TRACEABLE
    capabilities = Capabilities(address=AddressKind.PHONE, receipts=True, inbound=True, voice=True)

    _token: str | None = None

    @classmethod
    def check_content(cls, content: Content) -> Sequence[Problem]:
        """A text is needed."""
        return check_text(content)

    async def _auth_token(self) -> str:
        if self._token is None:
            self._token = (await self.context.secrets.read()).get("auth_token", "")
        return self._token

    # --- calls that are placed ----------------------------------------------------------------------------------------

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Place one call for each message. What is said is asked for when somebody picks up."""
        return await asyncio.gather(*(self._call(message, timeout) for message in batch))

    async def _call(self, message: Message, timeout: float) -> Outcome:
        url = self.context.call_url(self.config.public_url)
        if url is None:
            detail = "Twilio cannot ask what to say: set public_url, or NHIP_PUBLIC_URL"
            return Rejected(reason=RejectionReason.CONFIGURATION, code="no_public_url", detail=detail)
        config, token = self.config, await self._auth_token()
        key = f"?key={message.idempotency_key}"
        fields = [
            ("To", message.to), ("From", config.from_), ("Url", f"{url}/answer{key}"), ("Method", "POST"),
            ("StatusCallback", f"{url}/event{key}"), ("StatusCallbackMethod", "POST"),
            *(("StatusCallbackEvent", event) for event in ("initiated", "ringing", "answered", "completed")),
            ("Timeout", str(config.ring_seconds)),
        ]  # fmt: skip
        credentials = base64.b64encode(f"{config.account_sid}:{token}".encode()).decode()
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "authorization": f"Basic {credentials}",
        }
        target = f"{config.base_url.rstrip('/')}/2010-04-01/Accounts/{config.account_sid}/Calls.json"
        try:
            answer = await self.context.http.request(
                "POST", target, headers=headers, body=urlencode(fields).encode(), timeout=timeout
            )
        except NotSentError as error:
            return NotSent(code=str(error.data.get("code", error.code)), detail=error.detail)
        except AmbiguousOutcome as error:
            return Ambiguous(code=str(error.data.get("code", error.code)), detail=error.detail)
        if answer.status in (401, 403):
            self._token = None
        return read_answer(answer, retry_after(answer.headers, self.context.now()))

    # --- calls that are taken -----------------------------------------------------------------------------------------

    async def read_call(self, request: InboundRequest) -> CallRequest:
        """Check the signature over the address as Twilio knows it, and read the request."""
        base = base_url(self.context, self.config, request)
        form = read_form(request.body) if request.method == "POST" else {}
        url = f"{base}/{request.path.rpartition('/')[2]}" + (f"?{request.query_string}" if request.query_string else "")
        said, token = request.headers.get("x-twilio-signature", ""), await self._auth_token()
        if not any(is_genuine(token, said, one, form, request.body) for one in _schemes(url)):
            raise SignatureMismatch("Twilio did not sign this; look at auth_token and public_url")
        fields = {**request.query, **{name: values[-1] for name, values in form.items()}}
        return read_call(request, fields, base)

    def answer_call(self, call: CallRequest, plan: CallPlan) -> CallAnswer:
        """The plan as TwiML."""
        body = twiml.render(plan, next_url(call), self.config.queues)
        return CallAnswer(content_type=twiml.CONTENT_TYPE, body=body)

    def spare_plan(self, occasion: Literal["unrouted", "trouble", "test"]) -> CallPlan:
        """As the account is configured."""
        return spare_plan(self.config, occasion) or super().spare_plan(occasion)


def _schemes(url: str) -> tuple[str, ...]:
    """The address, and its like where a proxy ends the encryption and does not say so."""
    parts = urlsplit(url)
    other = "https" if parts.scheme == "http" else "http"
    return (url, parts._replace(scheme=other).geturl())


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Register the channel ``voice_twilio``."""
    return [VoiceTwilio]
