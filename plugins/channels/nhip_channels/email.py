"""The channel ``email``: mail over SMTP, as text, as HTML, or as both.

Example::

    {"name": "email-main", "type": "email",
     "config": {"host": "smtp.example.com", "port": 587, "security": "starttls", "from": "Nhịp <care@example.com>",
                "reply_to": "help@example.com", "list_domain": "news.example.com"},
     "secrets": {"username": "care@example.com", "password": "…"}}

The Message-ID is made of the idempotency key and is the same over all attempts. A message whose ``data`` carries an
``unsubscribe_url`` gets List-Unsubscribe with one click (RFC 8058), and List-Id when ``list_domain`` is set. A
connection that breaks after the content was sent leaves the outcome ambiguous, and nobody can be asked: ``blind``.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from nhip import (
    AddressKind,
    Capabilities,
    Channel,
    ChannelContext,
    Config,
    Content,
    DeliveryClass,
    Message,
    Outcome,
    Problem,
    Rejected,
    RejectionReason,
    hookimpl,
)
from nhip_channels.mime import Email, Mailbox, read_address, read_mailbox, write
from nhip_channels.smtp import Relay, SmtpSettings


class EmailConfig(Config):
    """One mail server and sender."""

    host: Annotated[str, msgspec.Meta(description="The mail server's name.", min_length=1)]
    from_: Annotated[str, msgspec.Meta(description='The sender: "Nhịp <care@example.com>".', pattern="@")] = (
        msgspec.field(name="from")
    )
    port: Annotated[int | None, msgspec.Meta(description="The port; 25, 587 or 465 by security when left out.")] = None
    security: Annotated[
        Literal["none", "starttls", "tls"], msgspec.Meta(description="How the connection is protected.")
    ] = "starttls"
    reply_to: Annotated[str | None, msgspec.Meta(description="Where answers go, if not to the sender.")] = None
    list_domain: Annotated[
        str | None, msgspec.Meta(description="The List-Id of mail that can be unsubscribed: news.example.com.")
    ] = None


class EmailSecrets(Config):
    """How to log in, where the server asks for it."""

    username: Annotated[str, msgspec.Meta(description="The user name; empty for no login.")] = ""
    password: Annotated[str, msgspec.Meta(description="The password.")] = ""


class EmailChannel(Channel):
    """Sends mail through one server over connections that are used again."""

    kind = "email"
    config_type = EmailConfig
    secrets_type = EmailSecrets
    delivery_class = DeliveryClass.BLIND
    capabilities = Capabilities(address=AddressKind.EMAIL, html=True, subject=True, in_flight=10)

    def __init__(self, config: EmailConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        port = config.port or {"none": 25, "starttls": 587, "tls": 465}[config.security]
        self._relay = Relay(SmtpSettings(config.host, port, config.security), context.secrets)
        self._sender: Mailbox | None = None

    @classmethod
    def check_content(cls, content: Content) -> Sequence[Problem]:
        """A subject, and a text or HTML, are needed."""
        problems: list[Problem] = []
        if not content.subject:
            problems.append(Problem(path="subject", code="missing", message="an email needs a subject"))
        if content.text is None and content.html is None:
            problems.append(Problem(path="text", code="missing", message="an email needs a text or html"))
        return problems

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        """Send each message to its one recipient."""
        return await asyncio.gather(*(self._send(message, timeout) for message in batch))

    async def _send(self, message: Message, timeout: float) -> Outcome:
        try:
            sender = self._sender = self._sender or read_mailbox(self.config.from_)
            reply_to = read_mailbox(self.config.reply_to).header() if self.config.reply_to else ""
        except ValueError as error:
            return Rejected(reason=RejectionReason.CONFIGURATION, code="sender", detail=str(error))
        try:
            recipient = read_address(message.to)
        except ValueError as error:
            return Rejected(reason=RejectionReason.UNREACHABLE, code="address", detail=str(error))
        content = message.content
        if content.text is None and content.html is None:
            return Rejected(reason=RejectionReason.INVALID, code="empty", detail="the email has neither text nor html")
        email = Email(
            sender=sender,
            to=recipient,
            subject=content.subject or "",
            text=content.text,
            html=content.html,
            message_id=f"{message.idempotency_key}@{sender.domain}",
            date=self.context.now(),
            reply_to=reply_to,
            list_domain=self.config.list_domain or "",
            unsubscribe_url=str(message.data.get("unsubscribe_url") or ""),
        )
        return await self._relay.send(sender.address, recipient, write(email), timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self._relay.close()


@hookimpl
def nhip_register_channels() -> list[type[Channel]]:
    """Register the channel ``email``."""
    return [EmailChannel]
