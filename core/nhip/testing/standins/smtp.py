"""A stand-in for a mail server: a real SMTP server (aiosmtpd), with mailboxes that refuse and connections that break.

Mailboxes by name, before the ``@``: ``unknown`` 550, ``full`` 552, ``greylisted`` 451, ``closing`` 421, ``spam`` 554 to
the content, ``later`` 452 to the content, and ``drop`` accepts and breaks the connection before it replies.

It needs the package ``aiosmtpd``, which comes with the extra ``dev``.
"""

import asyncio
import email.policy
import ssl
import warnings
from collections.abc import Mapping
from email import message_from_bytes
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from nhip.testing.standins.faults import Fault, Faults
from nhip.testing.standins.ledger import Ledger

if TYPE_CHECKING:
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, Session

RECIPIENTS: Final[Mapping[str, str]] = {
    "unknown": "550 5.1.1 The mailbox does not exist",
    "full": "552 5.2.2 The mailbox is full",
    "greylisted": "451 4.7.1 Try again later",
    "closing": "421 4.3.2 The service is closing",
}
"""What a recipient is answered with, by the part before the ``@``."""
CONTENTS: Final[Mapping[str, str]] = {
    "spam": "554 5.7.1 The message looks like spam",
    "later": "452 4.3.1 Not enough room just now",
}
"""What the content is answered with, by the recipient."""


class SmtpStandIn:
    """A mail server on 127.0.0.1. With ``tls`` it offers STARTTLS, or speaks TLS from the start when ``implicit_tls``.

    With ``username`` it wants a login. ``messages`` has the raw bytes of everything accepted.
    """

    provider = "email"

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Ledger | None = None,
        faults: Faults | None = None,
        username: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
    ) -> None:
        self.port = port
        self.ledger = Ledger() if ledger is None else ledger
        self.faults = faults or Faults()
        self.username, self.password = username, password
        self.tls, self.implicit_tls = tls, implicit_tls
        self.messages: list[bytes] = []
        self.connections = 0
        """How many connections were opened."""
        self._sessions: set[SMTP] = set()
        self._server: asyncio.Server | None = None

    @property
    def host(self) -> str:
        """Where it listens."""
        return "127.0.0.1"

    @property
    def base_url(self) -> str:
        """Where it listens, as a URL."""
        return f"smtp://{self.host}:{self.port}"

    def config(self) -> dict[str, Any]:
        """A configuration for the channel ``email`` that comes here."""
        security = "none" if self.tls is None else "tls" if self.implicit_tls else "starttls"
        return {"host": self.host, "port": self.port, "security": security, "from": "Nhịp <care@nhip.example>"}

    def secrets(self) -> dict[str, str]:
        """The secrets that belong to :meth:`config`."""
        return {"username": self.username, "password": self.password}

    def parsed(self) -> "list[EmailMessage]":
        """Everything accepted, as email messages."""
        return [message_from_bytes(raw, policy=email.policy.default) for raw in self.messages]

    async def __aenter__(self) -> Self:
        try:
            from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
        except ImportError as error:
            raise RuntimeError("the mail stand-in needs aiosmtpd: pip install 'nhip[dev]'") from error

        def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> Any:
            wanted = LoginPassword(self.username.encode(), self.password.encode())
            return AuthResult(success=given == wanted, handled=False)

        def session() -> SMTP:
            self.connections += 1
            with warnings.catch_warnings():
                # It warns that a login without TLS is unsafe, which it is not on the loopback.
                warnings.simplefilter("ignore")
                made = SMTP(
                    _Handler(self),
                    hostname="standin.nhip.example",
                    ident="Nhip stand-in",
                    loop=asyncio.get_running_loop(),
                    tls_context=None if self.implicit_tls else self.tls,
                    require_starttls=self.tls is not None and not self.implicit_tls,
                    authenticator=authenticate,
                    auth_required=bool(self.username),
                    auth_require_tls=False,
                )
            self._sessions.add(made)
            return made

        self._server = await asyncio.get_running_loop().create_server(
            session, self.host, self.port, ssl=self.tls if self.implicit_tls else None, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self.drop_connections()
            await server.wait_closed()
        await asyncio.sleep(0)

    def drop_connections(self) -> None:
        """Close every open connection, as a server does with idle ones."""
        for session in tuple(self._sessions):
            if session.transport is not None:
                session.transport.close()
        self._sessions.clear()


class _Handler:
    def __init__(self, standin: SmtpStandIn) -> None:
        self._standin = standin
        self._fault: Fault | None = None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: "SMTP", _session: "Session", envelope: "Envelope", address: str, _options: list[str]
    ) -> str:
        self._fault = self._standin.faults.draw()
        if self._fault is Fault.RESET_BEFORE:
            _abort(server)
        if self._fault is Fault.ERROR_BEFORE:
            return "451 4.3.0 Internal error"
        reply = RECIPIENTS.get(address.partition("@")[0])
        if reply is not None:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: "SMTP", _session: "Session", envelope: "Envelope") -> str:  # noqa: N802
        content = envelope.original_content or b""
        address = envelope.rcpt_tos[0]
        mailbox = address.partition("@")[0]
        if mailbox in CONTENTS:
            return CONTENTS[mailbox]
        fault = Fault.RESET_AFTER if mailbox == "drop" else self._fault
        headers = message_from_bytes(content)
        message_id = str(headers.get("Message-ID", "")).strip().strip("<>")
        self._standin.messages.append(content)
        entry = self._standin.ledger.append(
            reference=message_id.partition("@")[0],
            address=address,
            provider_id=f"Q{len(self._standin.ledger):08X}",
            provider=self._standin.provider,
            fault=fault,
            content={"message_id": message_id},
        )
        match fault:
            case Fault.TIMEOUT_AFTER:
                await asyncio.sleep(self._standin.faults.hang_seconds)
            case Fault.SLOW:
                await asyncio.sleep(self._standin.faults.slow_seconds)
            case Fault.RESET_AFTER | Fault.ERROR_AFTER:
                # A reply of 4xx after accepting would be a lie that no client can see through; a lost one is common.
                _abort(server)
            case Fault.GARBAGE:
                return "It works!"
            case _:
                pass
        return f"250 2.0.0 Ok: queued as {entry.provider_id}"


def _abort(server: "SMTP") -> None:
    if server.transport is not None:
        cast(asyncio.WriteTransport, server.transport).abort()
