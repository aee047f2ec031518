"""The channel ``zalo_zns``: Zalo's ZBS Template Message by phone, formerly ZNS.

Example::

    {"name": "zns-main", "type": "zalo_zns",
     "config": {"app_id": "360846524940903967", "oa_id": "2893352839501541173"},
     "secrets": {"app_secret": "…", "oa_secret": "…", "access_token": "…", "refresh_token": "…"},
     "rate_limit": {"per_second": 50}, "price": {"amount": 300, "currency": "VND"}}

A template needs ``provider_template_id`` and ``params``. Zalo does not drop a repeated ``tracking_id``, but its
receipts carry it: a message with an ambiguous outcome waits for its receipt (``traceable``). Its status can be asked
for only by Zalo's own message id, which an ambiguous outcome has not got, so there is nothing to look up.
"""

import asyncio
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from nhip import (
    AddressKind,
    Ambiguous,
    AmbiguousOutcome,
    Capabilities,
    Channel,
    ChannelContext,
    Config,
    Content,
    DeliveryClass,
    HttpResponse,
    Inbound,
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
from nhip_channels import zalo_webhook
from nhip_channels.zalo_codes import TOKEN_CODES, outcome_of, read_answer
from nhip_channels.zalo_tokens import TokenRefused, ZaloTokens, appsecret_proof


class ZaloZnsConfig(Config):
    """One official account that sends template messages."""

    app_id: Annotated[str, msgspec.Meta(description="The app's id, from developers.zalo.me.")] = ""
    oa_id: Annotated[str, msgspec.Meta(description="The official account's id.")] = ""
    base_url: Annotated[str, msgspec.Meta(description="Where messages are sent to.")] = (
        "https://business.openapi.zalo.me"
    )
    oauth_url: Annotated[str, msgspec.Meta(description="Where tokens are renewed; a bare origin gets Zalo's path.")] = (
        "https://oauth.zaloapp.com/v4/oa/access_token"
    )
    mode: Annotated[
        Literal["production", "development"],
        msgspec.Meta(description="development sends only to admins of the app, free of charge."),
    ] = "production"
    appsecret_proof: Annotated[
        bool, msgspec.Meta(description="Whether to prove the app secret with each request; needs app_secret.")
    ] = True
    strict_signature: Annotated[
        bool, msgspec.Meta(description="Whether only the documented form of the webhook signature is accepted.")
    ] = False


class ZaloZnsSecrets(Config):
    """What the account authorises itself with. The channel renews the tokens and stores them here."""

    app_secret: Annotated[str, msgspec.Meta(description="The app's secret key.")] = ""
    oa_secret: Annotated[str, msgspec.Meta(description="The account's secret key, which signs webhooks.")] = ""
    access_token: Annotated[str, msgspec.Meta(description="The access token; good for 25 hours.")] = ""
    refresh_token: Annotated[str, msgspec.Meta(description="The refresh token; good for one use in 3 months.")] = ""
    expires_at: Annotated[str, msgspec.Meta(description="When the access token ends, Unix seconds; kept by us.")] = ""
    renew_at: Annotated[str, msgspec.Meta(description="When the token is renewed, Unix seconds; kept by us.")] = ""


class ZaloZns(Channel):
    """Sends approved templates to phone numbers on Zalo."""

    kind = "zalo_zns"
    config_type = ZaloZnsConfig
    secrets_type = ZaloZnsSecrets
    delivery_class = DeliveryClass.TRACEABLE
    capabilities = Capabilities(address=AddressKind.PHONE, provider_templates=True, receipts=True, inbound=True)

    def __init__(self, config: ZaloZnsConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        self._url = config.base_url.rstrip("/") + "/message/template"
        self._tokens = ZaloTokens(context.secrets, context.http, config.oauth_url, config.app_id, context.now)

    @classmethod
    def check_content(cls, content: Content) -> Sequence[Problem]:
        """A template at Zalo and at least one parameter are needed (-109, -111)."""
        problems: list[Problem] = []
        if not content.provider_template_id:
            text = "Zalo's id of the approved template is missing"
            problems.append(Problem(path="provider_template_id", code="missing", message=text))
        if not content.params:
            problems.append(Problem(path="params", code="missing", message="the template's parameters are missing"))
        return problems

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Send each message; a refused access token is renewed once."""
        return await asyncio.gather(*(self._send(message, timeout) for message in batch))

    async def _send(self, message: Message, timeout: float) -> Outcome:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        body = self._body(message)
        try:
            secrets = await self._tokens.usable(timeout)
            code, detail, outcome = read_answer(await self._post(secrets, body, deadline), self.context.now())
            if code in TOKEN_CODES:
                secrets = await self._tokens.renewed(secrets["access_token"], deadline - loop.time())
                code, detail, outcome = read_answer(await self._post(secrets, body, deadline), self.context.now())
        except TokenRefused as error:
            return Rejected(reason=RejectionReason.CONFIGURATION, code=error.code, detail=error.detail)
        except NotSentError as error:
            return NotSent(code=str(error.data.get("code", error.code)), detail=error.detail)
        except AmbiguousOutcome as error:
            return Ambiguous(code=str(error.data.get("code", error.code)), detail=error.detail)
        return outcome or outcome_of(code, detail, self.context.now(), message.idempotency_key)

    async def _post(self, secrets: Mapping[str, str], body: bytes, deadline: float) -> HttpResponse:
        remaining = deadline - asyncio.get_running_loop().time()
        if remaining <= 0:
            raise NotSentError("no time was left to send the message", code="deadline")
        token, app_secret = secrets.get("access_token", ""), secrets.get("app_secret", "")
        headers = {"access_token": token, "content-type": "application/json"}
        if self.config.appsecret_proof and app_secret:
            headers["appsecret_proof"] = appsecret_proof(app_secret, token)
        return await self.context.http.request("POST", self._url, headers=headers, body=body, timeout=remaining)

    def _body(self, message: Message) -> bytes:
        content = message.content
        fields: dict[str, Any] = {
            "phone": message.to.removeprefix("+"),
            "template_id": content.provider_template_id or "",
            "template_data": {name: unicodedata.normalize("NFC", value) for name, value in content.params.items()},
            "tracking_id": message.idempotency_key,
        }
        if self.config.mode == "development":
            fields["mode"] = "development"
        return msgspec.json.encode(fields)

    async def receive(self, request: InboundRequest) -> Inbound:
        """Read a webhook event: receipts, ratings, replies, and who follows the account."""
        fields = zalo_webhook.decode(request.body)
        strict = self.config.strict_signature
        secret = (await self._tokens.secrets()).get("oa_secret", "")
        try:
            zalo_webhook.verify(request, fields, secret, strict=strict)
        except SignatureMismatch:
            stored = (await self._tokens.reread()).get("oa_secret", "")
            if stored == secret:
                raise
            zalo_webhook.verify(request, fields, stored, strict=strict)
        return zalo_webhook.inbound(fields, request.body)

    async def close(self) -> None:
        """Wait for a token renewal that is under way."""
        await self._tokens.close()


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Register the channel ``zalo_zns``."""
    return [ZaloZns]
