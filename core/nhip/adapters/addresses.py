"""Which URLs and which network addresses the engine may reach on behalf of somebody who configured them.

A name is judged twice: its spelling when a request is made, and every address it resolves to when a connection is
opened. A redirect, a proxy from the environment or a second answer from DNS therefore opens no door. Pure.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from yarl import URL

from nhip.domain.errors import NotSentError

WEB_PORTS: Final = frozenset({80, 443})
_LONGEST_URL: Final = 8_192
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_HOST: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMBER: Final = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)")

_SPECIAL_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata service of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""IANA IPv4 Special-Purpose Address Registry, and multicast. Listed here, because what ``ipaddress`` calls global
differs between Python versions."""

_GLOBAL_V6: Final = IPv6Network("2000::/3")
_SPECIAL_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Say whether an IP address belongs to the open internet.

    An IPv4 address inside IPv6 (mapped, or behind the well-known NAT64 prefix) is judged as what it is; tunnels that
    embed one (6to4, Teredo) are never public. What is not an address is not public either.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if parsed in _MAPPED or parsed in _NAT64:
            parsed = IPv4Address(int(parsed) & 0xFFFF_FFFF)
        else:
            return parsed in _GLOBAL_V6 and not any(parsed in network for network in _SPECIAL_V6)
    return not any(parsed in network for network in _SPECIAL_V4)


def is_ip_literal(host: str) -> bool:
    """Say whether a resolver could read a host as an address: ``127.1``, ``0x7f.0.0.1``, ``2130706433``, ``::1``.

    As in the WHATWG URL standard, a name whose last label is a number is an address, or nothing.
    """
    labels = host.rstrip(".").split(".")
    return ":" in host or _NUMBER.fullmatch(labels[-1]) is not None


@lru_cache(maxsize=512)
def check_url(text: str, *, allow_private: bool = False, ports: frozenset[int] = WEB_PORTS) -> URL:
    """Read a URL once, refuse it by its spelling, and answer with what the client shall connect to.

    Without ``allow_private`` only ``https`` to a name on one of ``ports`` passes. User names and passwords never do.

    Raises:
        NotSentError: with ``code`` ``invalid_url`` or ``refused_url``.
    """
    if len(text) > _LONGEST_URL or _UNSAFE.search(text):
        raise NotSentError("the URL is too long or has a space, a control character or a backslash", code="invalid_url")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError as error:
        raise NotSentError(f"the URL cannot be read: {error}", code="invalid_url") from error
    if url.scheme not in ("http", "https") or not host:
        raise NotSentError("the URL is not an absolute http or https one", code="invalid_url")
    if "@" in _AUTHORITY_END.split(text.partition("//")[2], maxsplit=1)[0] or url.raw_user or url.raw_password:
        raise NotSentError("the URL carries a user name or a password", code="refused_url")
    if allow_private:
        return url
    if url.scheme != "https":
        raise NotSentError("the URL is not https", code="refused_url")
    if port not in ports:
        raise NotSentError(f"the URL names port {port}", code="refused_url")
    if is_ip_literal(host):
        raise NotSentError("the URL names an address instead of a host", code="refused_url")
    if len(host) > 253 or _HOST.fullmatch(host) is None:
        raise NotSentError("the URL's host is not a domain name", code="invalid_url")
    return url
