"""Hands mail to one SMTP server over connections that are used again, and reads what became of it (RFC 5321).

Until the content has been sent, whatever goes wrong leaves the message surely unsent. Once it has been sent, only the
server's own reply counts, and without one nobody knows.
"""

import asyncio
import ssl
import time
from typing import Final, NamedTuple

import aiosmtplib
from aiosmtplib import SMTP

from nhip import Accepted, Ambiguous, NotSent, Outcome, Rejected, RejectionReason, SecretStore

_IDLE_SECONDS: Final = 30.0
_SERVICE_CLOSING: Final = 421


class SmtpSettings(NamedTuple):
    """Where the server is and how the connection is protected: ``none``, ``starttls`` or ``tls``."""

    host: str
    port: int
    security: str


class Relay:
    """One server; keeps idle connections for half a minute."""

    def __init__(self, settings: SmtpSettings, secrets: SecretStore) -> None:
        self._settings = settings
        self._secrets = secrets
        self._idle: list[tuple[SMTP, float]] = []
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    async def send(self, sender: str, recipient: str, content: bytes, timeout: float) -> Outcome:
        """Hand over one message; ``timeout`` in seconds over all of it."""
        deadline = asyncio.get_running_loop().time() + timeout
        while (connection := self._take()) is not None:
            outcome = await self._deliver(connection, sender, recipient, content, deadline)
            if not (isinstance(outcome, NotSent) and outcome.code in ("disconnected", str(_SERVICE_CLOSING))):
                return outcome
            # The server had given up this idle connection; the message is still here.
        try:
            async with asyncio.timeout_at(deadline):
                connection = await self._connect()
        except TimeoutError:
            return NotSent(code="connect_timeout", detail="no connection to the mail server in time")
        except (aiosmtplib.SMTPException, OSError) as error:
            return _not_connected(error)
        return await self._deliver(connection, sender, recipient, content, deadline)

    async def close(self) -> None:
        """Take leave of the server on every idle connection; those still at work follow when they are done."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            await _leave(connection)

    def _take(self) -> SMTP | None:
        now = time.monotonic()
        while self._idle:
            connection, since = self._idle.pop()
            if connection.is_connected and now - since <= _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self) -> SMTP:
        host, port, security = self._settings
        if security != "none" and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        secrets = await self._secrets.read()
        connection = SMTP(
            hostname=host,
            port=port,
            username=secrets.get("username") or None,
            password=secrets.get("password") or None,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=self._tls if security != "none" else None,
            timeout=None,
        )
        await connection.connect()
        return connection

    async def _deliver(self, connection: SMTP, sender: str, recipient: str, content: bytes, deadline: float) -> Outcome:
        sending = False
        try:
            async with asyncio.timeout_at(deadline):
                await connection.mail(sender)
                await connection.rcpt(recipient)
                sending = True
                response = await connection.data(content)
        except aiosmtplib.SMTPRecipientRefused as error:
            outcome = _refused(error, RejectionReason.UNREACHABLE)
            await self._give_back(connection, error.code, deadline, reset=True)
            return outcome
        except aiosmtplib.SMTPSenderRefused as error:
            await self._give_back(connection, error.code, deadline, reset=True)
            return _refused(error, RejectionReason.CONFIGURATION)
        except aiosmtplib.SMTPDataError as error:
            if error.code < 400:
                connection.close()
                return Ambiguous(code="unreadable_response", detail="the mail server's reply cannot be read")
            await self._give_back(connection, error.code, deadline, reset=False)
            about_person = error.message.startswith(("5.1.", "5.2."))
            return _refused(error, RejectionReason.UNREACHABLE if about_person else RejectionReason.INVALID)
        except (aiosmtplib.SMTPException, OSError) as error:
            connection.close()
            code, detail = _broken(error)
            return Ambiguous(code=code, detail=detail) if sending else NotSent(code=code, detail=detail)
        except BaseException:
            connection.close()
            raise
        await self._keep(connection)
        return Accepted(provider_id=response.message.partition("queued as ")[2].strip(" .") or None)

    async def _give_back(self, connection: SMTP, code: int, deadline: float, *, reset: bool) -> None:
        """Keep a connection on which the server said no, unless it said goodbye."""
        try:
            if code == _SERVICE_CLOSING or not connection.is_connected:
                connection.close()
                return
            if reset:
                async with asyncio.timeout_at(deadline):
                    await connection.rset()
        except (aiosmtplib.SMTPException, OSError):
            connection.close()
        else:
            await self._keep(connection)

    async def _keep(self, connection: SMTP) -> None:
        if self._closed:
            await _leave(connection)
        else:
            self._idle.append((connection, time.monotonic()))


def _refused(error: aiosmtplib.SMTPResponseException, reason: RejectionReason) -> Outcome:
    code, detail = str(error.code), error.message
    return Rejected(reason=reason, code=code, detail=detail) if error.code >= 500 else NotSent(code=code, detail=detail)


def _broken(error: Exception) -> tuple[str, str]:
    match error:
        case TimeoutError():
            return "timeout", "no reply from the mail server in time"
        case aiosmtplib.SMTPResponseException():
            return "unreadable_response", "the mail server's reply cannot be read"
        case _:
            return "disconnected", "the connection broke"


def _not_connected(error: Exception) -> Outcome:
    match error:
        case aiosmtplib.SMTPAuthenticationError() if error.code >= 500:
            return Rejected(reason=RejectionReason.CONFIGURATION, code=str(error.code), detail=error.message)
        case aiosmtplib.SMTPResponseException():
            return NotSent(code=str(error.code), detail=error.message)
        case aiosmtplib.SMTPConnectError() | OSError():
            code = "tls" if isinstance(error.__cause__ or error, ssl.SSLError) else "connection_refused"
            return NotSent(code=code, detail=str(error))
        case _:
            # The server has no STARTTLS, or no login of a kind that we know.
            return Rejected(reason=RejectionReason.CONFIGURATION, code="unsupported", detail=str(error))


async def _leave(connection: SMTP) -> None:
    try:
        async with asyncio.timeout(1):
            await connection.quit()
    except (aiosmtplib.SMTPException, OSError):
        connection.close()
