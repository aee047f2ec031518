"""The channel ``voice_asterisk``: telephone calls through an Asterisk of yours, placed and taken over ARI.

Example::

    {"name": "pbx", "type": "voice_asterisk",
     "config": {"base_url": "https://pbx.example.com/ari", "username": "nhip", "app": "nhip",
                "endpoint": "PJSIP/{number}@trunk", "from": "+842873000000"},
     "secrets": {"password": "…", "bridge_secret": "whsec_…"}}

Calls are placed over ARI's REST interface. ARI's events come over a WebSocket that somebody has to keep open: the
bridge (``python -m nhip_channels.ari_bridge``) posts them to ``…/voice/pbx/<token>/answer``, signed as Standard
Webhooks, and performs the calls of ARI that we answer. ARI refuses a second channel of the same id while the first
lives, and each event names the channel, whose id is our key (``traceable``). Source: Asterisk's documentation of ARI.
"""

import asyncio
import base64
import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta, field

from nhip import (
    Accepted,
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
    HttpResponse,
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
from nhip_channels import ari
from nhip_channels.standard_webhooks import sign, signing_keys
from nhip_channels.voice_account import VoiceConfig, base_url, check_text, is_report, spare_plan, turn_of

_TOLERANCE_SECONDS = 300
_REFUSALS: Mapping[int, RejectionReason] = {
    400: RejectionReason.UNREACHABLE,  # the endpoint cannot be called
    401: RejectionReason.CONFIGURATION,
    403: RejectionReason.CONFIGURATION,
    404: RejectionReason.CONFIGURATION,
}


class AsteriskConfig(VoiceConfig, kw_only=True):
    """One application of one Asterisk."""

    base_url: Annotated[str, Meta(description="Where ARI is, as in https://pbx.example.com/ari.", min_length=1)]
    username: Annotated[str, Meta(description="The user of ari.conf.", max_length=100)] = "nhip"
    app: Annotated[str, Meta(description="The Stasis application that the bridge listens to.", max_length=100)] = "nhip"
    endpoint: Annotated[
        str, Meta(description="How a number is dialled; {number} is it without the plus.", max_length=200)
    ] = "PJSIP/{number}@trunk"
    ring_seconds: Annotated[int, Meta(description="How long a call that is placed rings.", ge=5, le=600)] = 30
    dial_context: Annotated[str, Meta(description="The context of the dialplan that rings a number.")] = "nhip-dial"
    queue_context: Annotated[str, Meta(description="The context that takes callers into queues.")] = "nhip-queue"
    sounds: Annotated[
        dict[str, str], Meta(description="Per text, the media that says it, as in sound:custom/menu.", max_length=500)
    ] = field(default_factory=dict)
    speech_url: Annotated[
        str | None, Meta(description="A speech server for other texts; {text} and {language} are filled in.")
    ] = None


class AsteriskSecrets(Config):
    """What Asterisk, the bridge and we know each other by."""

    password: Annotated[str, Meta(description="The password of the user of ari.conf.", min_length=1)]
    bridge_secret: Annotated[str, Meta(description="What the bridge signs with, whsec_ and base64.", min_length=1)]


class VoiceAsterisk(Channel):
    """Places calls that say a text, and takes calls as workflows route them."""

    kind = "voice_asterisk"
    config_type = AsteriskConfig
    secrets_type = AsteriskSecrets
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
        """Originate one channel for each message. What is said is asked for when somebody picks up."""
        return await asyncio.gather(*(self._originate(message, timeout) for message in batch))

    async def _originate(self, message: Message, timeout: float) -> Outcome:
        config, channel_id = self.config, ari.own_channel(message.idempotency_key)
        query = {
            "endpoint": config.endpoint.replace("{number}", message.to.removeprefix("+")), "app": config.app,
            "appArgs": f"outbound,{message.idempotency_key}", "callerId": config.from_,
            "timeout": str(config.ring_seconds), "channelId": channel_id,
        }  # fmt: skip
        credentials = f"{config.username}:{(await self._secrets()).get('password', '')}".encode()
        headers = {"authorization": f"Basic {base64.b64encode(credentials).decode()}"}
        target = f"{config.base_url.rstrip('/')}/channels?{urlencode(query)}"
        try:
            answer = await self.context.http.request("POST", target, headers=headers, timeout=timeout)
        except NotSentError as error:
            return NotSent(code=str(error.data.get("code", error.code)), detail=error.detail)
        except AmbiguousOutcome as error:
            return Ambiguous(code=str(error.data.get("code", error.code)), detail=error.detail)
        if answer.status in (401, 403):
            self._known = None
        return _outcome(answer, channel_id)

    # --- calls that are taken -----------------------------------------------------------------------------------------

    async def read_call(self, request: InboundRequest) -> CallRequest:
        """Check the bridge's signature, and read the event."""
        await self._verify(request)
        base = base_url(self.context, self.config, request)
        return ari.read_event(request.body, turn_of(request.query), asks=not is_report(request), base_url=base)

    async def _verify(self, request: InboundRequest) -> None:
        headers = request.headers
        identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        try:
            keys = signing_keys((await self._secrets()).get("bridge_secret", ""))
            late = abs(self.context.now().timestamp() - int(timestamp[:12])) > _TOLERANCE_SECONDS
        except ValueError as error:
            raise SignatureMismatch(f"the bridge's signature cannot be checked: {error}") from None
        wanted = sign(keys, identity, timestamp, request.body).split()
        said = headers.get("webhook-signature", "").split()
        if late or not any(hmac.compare_digest(one.encode(), other.encode()) for one in wanted for other in said):
            raise SignatureMismatch("the bridge did not sign this, or long ago; look at bridge_secret and its clock")

    def answer_call(self, call: CallRequest, plan: CallPlan) -> CallAnswer:
        """The plan as calls of ARI, for the bridge to perform."""
        config = self.config
        way = ari.Way(
            app=config.app, number=config.from_, dial_context=config.dial_context, queue_context=config.queue_context,
            queues=config.queues, sounds=config.sounds, speech_url=config.speech_url,
        )  # fmt: skip
        answer = ari.render(plan, call, way) if call.asks and call.state != "ended" else ari.AriAnswer()
        return CallAnswer(content_type="application/json", body=msgspec.json.encode(answer))

    def spare_plan(self, occasion: Literal["unrouted", "trouble", "test"]) -> CallPlan:
        """As the account is configured."""
        return spare_plan(self.config, occasion) or super().spare_plan(occasion)


def _outcome(answer: HttpResponse, channel_id: str) -> Outcome:
    """What ARI says to a channel that is originated; 409 means that it lives already."""
    status = answer.status
    if status in (200, 201, 409):
        return Accepted(provider_id=channel_id)
    detail = answer.body[:200].decode("utf-8", "replace")
    if status >= 500 or status == 408:
        return Ambiguous(code=str(status), detail="Asterisk failed while it had the call")
    return Rejected(reason=_REFUSALS.get(status, RejectionReason.CONFIGURATION), code=str(status), detail=detail)


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Register the channel ``voice_asterisk``."""
    return [VoiceAsterisk]
