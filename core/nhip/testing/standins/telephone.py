"""How a voice stand-in reaches the call control of its client: over HTTP, or however a test wants it."""

from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import msgspec


class Reply(msgspec.Struct, frozen=True):
    """What came back; the status is 0 where nothing did."""

    status: int
    content_type: str = ""
    body: bytes = b""


Reach = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Reply]]
"""Sends a method, a URL, headers and a body, and answers with what came back."""


async def over_http(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """One request over a connection of its own, as a provider's many servers send them."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
            session.request(method, url, headers=dict(headers), data=body or None, allow_redirects=False) as response,
        ):
            return Reply(response.status, response.headers.get("content-type", ""), await response.read())
    except (aiohttp.ClientError, OSError, TimeoutError):
        return Reply(0)
