"""How much and what a body may be: its size, its depth, and texts and numbers that every part can store."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec
from litestar import Request
from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_408_REQUEST_TIMEOUT
from litestar.types import Receive

from nhip.domain.errors import MalformedInput, TooLarge, UnsupportedMediaType, invalid
from nhip.engine.incoming.intake import MAX_NESTING, is_deep

INGEST_BYTES: Final = 1024 * 1024
OTHER_BYTES: Final = 256 * 1024
BODY_SECONDS: Final = 30.0
"""How long a client may take to send a body."""
LOCATED_BYTES: Final = 64 * 1024
"""In a larger body the place of a fault is not looked for."""
_LARGEST: Final = 2**63 - 1
_MAY_BE_NUL: Final = rb"\u0000"
_MANY_DIGITS: Final = b"0" * 19
_DIGITS_TO_0: Final = bytes(48 if 48 <= code <= 57 else code for code in range(256))
_UNCOUNTED: Final = (b" :", b"\t:", b"\n:", b"\r:", rb"\u0022")
"""What makes the end of a key look different from ``":``, or something else look like it."""
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}:,]|[^\s\[\]{}:,"]++', re.DOTALL)
"""A text (to the end of the body where nothing closes it, so that the walk stays linear), a mark, or anything else."""

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


async def read_body(receive: Receive, declared: int | None, limit: int) -> bytes:
    """The whole body.

    Raises:
        TooLarge: it is longer than ``limit``; what is declared so is not even read.
        ClientException: it came too slowly, or its sender went away.
    """
    if declared is not None and declared > limit:
        raise _too_large(limit)
    message = await receive()
    body = cast(bytes, message.get("body", b""))
    if message["type"] == "http.request" and not message.get("more_body", False):
        if len(body) > limit:
            raise _too_large(limit)
        return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_rest(message, receive, limit)
    except TimeoutError:
        raise ClientException("the body came too slowly", status_code=HTTP_408_REQUEST_TIMEOUT) from None


async def _read_rest(message: Any, receive: Receive, limit: int) -> bytes:
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientException("the body ended early")
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"a body may have {limit} bytes here")


# --- what JSON may hold -----------------------------------------------------------------------------------------------


def check_json(body: bytes) -> None:
    """Refuse what parsers read differently or some part could not store; the problem names the place.

    Refused are NUL characters, nesting past the bound, a key that stands twice in an object, integers beyond 64 bits,
    and what is no JSON in UTF-8 at all. No body at all passes.

    Raises:
        MalformedInput: it cannot be read, or not the same way by everybody.
        InvalidInput: with the place.
    """
    if not body:
        return
    if is_deep(body) or _MAY_BE_NUL in body or _MANY_DIGITS in body.translate(_DIGITS_TO_0):
        _look(body)
    try:
        again = _encode(_decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInput(f"not JSON: {error}") from None
    # A key that stands twice is decoded once. This count errs on the careful side, and the walk decides.
    if again.count(b'":') != body.count(b'":') or any(mark in body for mark in _UNCOUNTED):
        _look(body)


def _look(body: bytes) -> None:
    """Walk the tokens and raise at the first fault, with its place where the body is short enough to look."""
    locate = len(body) <= LOCATED_BYTES
    stack: list[_Level] = []
    for token in _tokens(body):
        first = token[:1]
        if first in b"[{":
            stack.append(_Level(is_object=first == b"{"))
            if len(stack) > MAX_NESTING:
                raise MalformedInput(f"nested deeper than {MAX_NESTING}", path=_path(stack) if locate else "")
        elif first in b"]}":
            if stack:
                stack.pop()
        elif first == b",":
            if stack:
                stack[-1].next()
        elif first == b'"':
            _look_at_text(token, stack, locate)
        elif first.isdigit() or first == b"-":
            _look_at_number(token, stack, locate)


class _Level:
    """An object or array that the walk is in."""

    __slots__ = ("index", "is_object", "key", "keys")

    def __init__(self, *, is_object: bool) -> None:
        self.is_object = is_object
        self.index = 0
        self.key: str | None = None
        self.keys: set[str] = set()

    def next(self) -> None:
        self.index += 1
        self.key = None


def _look_at_text(token: bytes, stack: "list[_Level]", locate: bool) -> None:
    if _MAY_BE_NUL in token and re.search(rb"(?<!\\)(?:\\\\)*\\u0000", token):
        raise MalformedInput("a text contains a NUL character", path=_path(stack) if locate else "")
    level = stack[-1] if stack else None
    if level is None or not level.is_object or level.key is not None:
        return
    try:
        level.key = str(_decode(token))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    if level.key in level.keys:
        path = _path(stack) if locate else ""
        raise MalformedInput(f"the key {level.key!r} stands twice in one object", path=path)
    level.keys.add(level.key)


def _look_at_number(token: bytes, stack: "list[_Level]", locate: bool) -> None:
    if token.lstrip(b"-").isdigit() and (len(token) > 20 or not -(2**63) <= int(token) <= _LARGEST):
        raise invalid(_path(stack) if locate else "", "out_of_range", "an integer has at most 64 bits")


def _tokens(body: bytes) -> Iterator[bytes]:
    return (match[0] for match in _TOKEN.finditer(body))


def _path(stack: "list[_Level]") -> str:
    path = ""
    for level in stack:
        if not level.is_object:
            path += f"[{level.index}]"
        elif level.key is not None:
            path += f".{level.key}" if path else level.key
    return path[:500]


# --- every other route ------------------------------------------------------------------------------------------------


def is_json(content_type: str) -> bool:
    """Whether a media type says JSON in UTF-8; none at all is taken for it."""
    media, _, parameters = content_type.lower().partition(";")
    media = media.strip()
    charset = parameters.partition("charset=")[2].strip(' "')
    return (media in ("", "application/json") or media.endswith("+json")) and charset in ("", "utf-8", "utf8")


async def check_request(request: Request[Any, Any, Any]) -> None:
    """Look at the body of a route that takes one, before anything decodes it."""
    if "data" not in request.route_handler.parsed_fn_signature.parameters:
        return
    body = await request.body()
    if not body:
        return  # a client says what it likes of a body that it does not send
    if not is_json(request.headers.get("content-type", "")):
        raise UnsupportedMediaType("send application/json in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without a content encoding")
    check_json(body)
