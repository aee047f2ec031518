"""The channel ``sms_esms``: text messages through eSMS.vn, with a registered brand name (customer care).

Example::

    {"name": "sms-main", "type": "sms_esms", "config": {"brandname": "NHIP", "unicode": false},
     "secrets": {"api_key": "…", "secret_key": "…"}, "price": {"amount": 850, "currency": "VND"}}

eSMS blocks a repeated ``RequestId`` for 24 hours with code 124, so an ambiguous attempt is repeated with the same key
(``dedupes``). Its delivery callback has no signature: the token in the hook's path is the secret. Advertising needs at
least 30 numbers in one request and is not sent by this channel. Source: eSMS.vn API documentation.
"""

import asyncio
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

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
    Inbound,
    InboundRequest,
    Message,
    NotSent,
    NotSentError,
    Outcome,
    Problem,
    Rejected,
    hookimpl,
)
from nhip_channels.esms_codes import read_answer, read_callback
from nhip_channels.sms_text import strip_diacritics

_PATH: Final = "/MainService.svc/json"


class EsmsConfig(Config):
    """One brand name at eSMS."""

    base_url: Annotated[str, msgspec.Meta(description="Where eSMS is; a bare origin gets its path.")] = (
        "https://rest.esms.vn/MainService.svc/json"
    )
    brandname: Annotated[str, msgspec.Meta(description="The registered brand name; needed for sms_type 2.")] = ""
    sms_type: Annotated[
        Literal["2", "8", 2, 8], msgspec.Meta(description="2: customer care with a brand name; 8: a fixed number.")
    ] = "2"
    unicode: Annotated[
        bool, msgspec.Meta(description="Whether to keep Vietnamese diacritics, at 70 instead of 160 letters a part.")
    ] = False
    sandbox: Annotated[bool, msgspec.Meta(description="Whether eSMS only checks messages and sends none.")] = False


class EsmsSecrets(Config):
    """What eSMS knows the account by."""

    api_key: Annotated[str, msgspec.Meta(description="The ApiKey of the account.", min_length=1)]
    secret_key: Annotated[str, msgspec.Meta(description="The SecretKey of the account.", min_length=1)]


class SmsEsms(Channel):
    """Sends text messages to Vietnamese phones."""

    kind = "sms_esms"
    config_type = EsmsConfig
    secrets_type = EsmsSecrets
    delivery_class = DeliveryClass.DEDUPES
    dedupe_seconds = 86_400
    capabilities = Capabilities(address=AddressKind.PHONE, receipts=True)

    def __init__(self, config: EsmsConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        base = config.base_url.rstrip("/")
        self._url = f"{base}{'' if urlsplit(base).path else _PATH}/SendMultipleMessage_V4_post_json/"
        self._secrets: Mapping[str, str] | None = None

    @classmethod
    def check_content(cls, content: Content) -> Sequence[Problem]:
        """A text is needed."""
        return [] if content.text else [Problem(path="text", code="missing", message="a text message needs a text")]

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Send each message under its own ``RequestId``."""
        return await asyncio.gather(*(self._send(message, timeout) for message in batch))

    async def _send(self, message: Message, timeout: float) -> Outcome:
        if self._secrets is None:
            self._secrets = await self.context.secrets.read()
        body = msgspec.json.encode(self._fields(message, self._secrets))
        headers = {"content-type": "application/json"}
        try:
            answer = await self.context.http.request("POST", self._url, headers=headers, body=body, timeout=timeout)
        except NotSentError as error:
            return NotSent(code=str(error.data.get("code", error.code)), detail=error.detail)
        except AmbiguousOutcome as error:
            return Ambiguous(code=str(error.data.get("code", error.code)), detail=error.detail)
        outcome = read_answer(answer)
        if isinstance(outcome, Rejected) and outcome.code == "101":
            self._secrets = None
        return outcome

    def _fields(self, message: Message, secrets: Mapping[str, str]) -> dict[str, str]:
        config, text = self.config, message.content.text or ""
        fields = {
            "ApiKey": secrets.get("api_key", ""),
            "SecretKey": secrets.get("secret_key", ""),
            "Phone": f"0{message.to[3:]}" if message.to.startswith("+84") else message.to.removeprefix("+"),
            "Content": unicodedata.normalize("NFC", text) if config.unicode else strip_diacritics(text),
            "Brandname": config.brandname,
            "SmsType": str(config.sms_type),
            "IsUnicode": "1" if config.unicode else "0",
            "RequestId": message.idempotency_key,
        }
        if config.sandbox:
            fields["Sandbox"] = "1"
        if self.context.receipt_url:
            fields["CallbackUrl"] = self.context.receipt_url
        return fields

    async def receive(self, request: InboundRequest) -> Inbound:
        """Read a delivery callback, a GET whose query says how the message fared."""
        return Inbound(receipts=read_callback(request.query))


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Register the channel ``sms_esms``."""
    return [SmsEsms]
