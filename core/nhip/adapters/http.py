"""The guarded HTTP client: the only one that plugins get.

It reaches public addresses only (unless the process allows private ones), follows no redirect, takes no proxy or
credentials from the environment, keeps no cookies, and bounds the time and the size of every answer. Its two errors say
what an engine that must not send twice needs to know: the request surely did not go out, or nobody knows.
"""

import asyncio
import select
import socket
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from nhip.adapters.addresses import WEB_PORTS, check_url, is_public
from nhip.domain.errors import AmbiguousOutcome, NotSentError
from nhip.plugin_api import HttpResponse
from nhip.ports.surroundings import CALL_BEGINS_BEFORE

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from yarl import URL

RESPONSE_LIMIT: Final = 64 * 1024
_IDLE_SECONDS: Final = 4.0
"""How long an idle connection is kept. Common servers close theirs after 5 seconds or more; staying below means that a
connection is hardly ever closed by the other side just as it is used again."""
_CONNECTING_SHARE: Final = 0.8
"""Of the deadline, at most so much goes into waiting for a connection. What times out later has perhaps been sent."""
_CHUNK: Final = 16 * 1024


class RefusedAddress(OSError):
    """A name resolved to an address that may not be reached."""


class GuardedResolver(AbstractResolver):
    """Resolves a name and checks *every* address it has; one bad address refuses the name.

    The connector connects to exactly the addresses answered here and keeps the name for ``Host`` and TLS, so a name
    that resolves to something else a moment later gains nothing.
    """

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve ``host``.

        Raises:
            RefusedAddress: one of its addresses is not public.
            OSError: the name cannot be resolved.
        """
        results = await self._resolver.resolve(host, port, family)
        if not results:
            raise OSError(f"{host} has no address")
        for result in results:
            if not is_public(result["host"]):
                raise RefusedAddress(f"{host} resolves to {result['host']}, which is not a public address")
        return results

    async def close(self) -> None:
        """Release the resolver underneath."""
        await self._resolver.close()


class CarefulConnector(aiohttp.TCPConnector):
    """Looks at an idle connection before it is used again.

    When the other side has closed it, or has said something unasked, it is thrown away and the next one is taken: a
    request on it would break, and nobody could tell that from one that broke half-way. Asking the socket instead of the
    event loop also sees what came in since the loop looked last.
    """

    async def connect(
        self, req: aiohttp.ClientRequest, traces: "list[Trace]", timeout: aiohttp.ClientTimeout
    ) -> "Connection":
        """Get a connection that is fit to be written to, and is written to at once.

        Raises:
            NotSentError: it is too late to begin (``lease``).
        """
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used or not _is_readable(connection):
                break
            connection.close()
        if protocol is not None:
            self._used.add(protocol)
        before = CALL_BEGINS_BEFORE.get()
        if before is not None and asyncio.get_running_loop().time() > before:
            connection.release()
            raise NotSentError("the process slept too long to begin the request", code="lease")
        return connection

    @cached_property
    def _used(self) -> "WeakSet[ResponseHandler]":
        return WeakSet()


def _is_readable(connection: "Connection") -> bool:
    transport = connection.transport
    connected = None if transport is None else transport.get_extra_info("socket")
    number = -1 if connected is None else connected.fileno()
    if number < 0:
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


class GuardedClient:
    """One client for the whole process; implements :class:`nhip.plugin_api.HttpClient`.

    The session is made in the event loop that first uses it. ``ports`` are those that a URL may name unless
    ``allow_private``; ``response_limit`` is in bytes, after decompression.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        ports: frozenset[int] = WEB_PORTS,
        response_limit: int = RESPONSE_LIMIT,
        connections: int = 512,
        connections_per_host: int = 128,
        resolver: AbstractResolver | None = None,
        user_agent: str = "Nhip",
    ) -> None:
        self._allow_private = allow_private
        self._ports = ports
        self._response_limit = response_limit
        self._connections = connections
        self._connections_per_host = connections_per_host
        self._resolver = resolver
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        resolver = self._resolver
        connector = CarefulConnector(
            resolver=resolver if self._allow_private else GuardedResolver(resolver),
            limit=self._connections,
            limit_per_host=self._connections_per_host,
            keepalive_timeout=_IDLE_SECONDS,
            ttl_dns_cache=10,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            skip_auto_headers=("Content-Type",),
        )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 10.0,
    ) -> HttpResponse:
        """Send one request; ``timeout`` in seconds over all of it. A redirect is an answer like any other.

        Raises:
            NotSentError: the request surely did not go out. ``data["code"]`` is ``invalid_url``, ``refused_url``,
                ``refused_address``, ``unresolved_name``, ``tls``, ``connection_refused``, ``connect_timeout``,
                ``lease`` or ``invalid_request``.
            AmbiguousOutcome: it may have gone out, and no readable answer came: ``timeout``, ``disconnected``,
                ``response_too_long`` or ``unreadable_response``.
        """
        target = check_url(url, allow_private=self._allow_private, ports=self._ports)
        session = self._session or self._open()
        try:
            return await self._exchange(session, method, target, headers, body, timeout)
        except aiohttp.ClientConnectorError as error:
            raise _not_connected(error) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise NotSentError("no connection in time", code="connect_timeout") from error
        except aiohttp.InvalidURL as error:
            raise NotSentError("the URL cannot be used", code="invalid_url") from error
        except TimeoutError as error:
            raise AmbiguousOutcome(f"no answer within {timeout:g} s", code="timeout") from error
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError, zlib.error) as error:
            raise AmbiguousOutcome("the answer cannot be read", code="unreadable_response") from error
        except (aiohttp.ClientError, OSError) as error:
            raise AmbiguousOutcome("the connection broke before the answer", code="disconnected") from error
        except ValueError as error:
            # aiohttp refuses a header or a method with a line break before it writes anything.
            raise NotSentError(f"the request cannot be written: {error}", code="invalid_request") from error

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: "URL",
        headers: Mapping[str, str] | None,
        body: bytes | None,
        timeout: float,
    ) -> HttpResponse:
        async with session.request(
            method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout, connect=timeout * _CONNECTING_SHARE),
        ) as response:
            content = await self._read(response)
            return HttpResponse(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=content,
            )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._response_limit
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding == "identity":
            length = response.content_length
            if length is not None and length <= limit:
                return await response.read()
            unpack = None
        elif encoding in ("gzip", "x-gzip", "deflate"):
            unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
        else:
            raise AmbiguousOutcome(f"the answer is encoded as {encoding}", code="unreadable_response")
        parts = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            parts += chunk if unpack is None else unpack.decompress(chunk, limit + 1 - len(parts))
            if len(parts) > limit:
                response.close()
                raise AmbiguousOutcome(f"the answer is longer than {limit} bytes", code="response_too_long")
        return bytes(parts)


def _not_connected(error: aiohttp.ClientConnectorError) -> NotSentError:
    cause = error.os_error
    if isinstance(cause, RefusedAddress):
        return NotSentError(str(cause), code="refused_address")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NotSentError(f"the name {error.host} cannot be resolved", code="unresolved_name")
    if isinstance(error, aiohttp.ClientSSLError):
        return NotSentError(f"no TLS with {error.host}: {cause}", code="tls")
    return NotSentError(f"no connection to {error.host}:{error.port}: {cause}", code="connection_refused")
