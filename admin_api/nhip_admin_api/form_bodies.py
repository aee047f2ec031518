"""What other systems send: JSON, and forms as browsers send them.

A form is an object of texts. A name that stands several times, or that ends with ``[]``, has a list. A dot in a name is
read as ``_``, because a dotted path could not reach it.
"""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from nhip.domain.errors import MalformedInput, TooLarge, UnsupportedMediaType
from nhip_admin_api.limits import check_json, is_json

MOST_FIELDS: Final = 500
LONGEST_NAME: Final = 200
URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"

_decode: Final = msgspec.json.Decoder().decode


def read_content(content_type: str, body: bytes) -> Any:
    """What a body says.

    Raises:
        UnsupportedMediaType: neither JSON nor a form, not in UTF-8, or a form with a file.
        MalformedInput, InvalidInput: it cannot be read, or some part could not store it.
        TooLarge: a form with too many fields.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media == URLENCODED:
        _check_charset(content_type)
        return _object(_urlencoded(body))
    if media == _MULTIPART:
        return _object(_multipart(content_type, body))
    if not is_json(content_type):
        raise UnsupportedMediaType("send JSON or a form, in UTF-8")
    check_json(body)
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInput(f"not JSON: {error}") from None


def _check_charset(content_type: str) -> None:
    charset = parse_options_header(content_type)[1].get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("send forms in UTF-8")


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    if body.count(b"&") >= MOST_FIELDS:
        raise TooLarge(f"a form has at most {MOST_FIELDS} fields")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, encoding="utf-8", errors="strict")
    except ValueError as error:
        raise MalformedInput(f"not a form in UTF-8: {error}") from None


def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, bytearray]] = []
    try:
        boundary = parse_options_header(content_type)[1].get("boundary", "")
        with PushMultipartParser(boundary, max_segment_count=MOST_FIELDS, strict=True) as parser:
            for part in parser.parse(body):
                if isinstance(part, MultipartSegment):
                    if part.filename is not None:
                        raise UnsupportedMediaType("a form may not bring files here")
                    found.append((part.name or "", bytearray()))
                elif part is not None:
                    found[-1][1].extend(part)
        return [(name, value.decode()) for name, value in found]
    except (MultipartError, UnicodeDecodeError) as error:
        raise MalformedInput(f"not a multipart form in UTF-8: {error}") from None


def _object(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for raw, value in fields:
        if "\x00" in raw or "\x00" in value:
            raise MalformedInput("a text contains a NUL character", path=raw.replace("\x00", "")[:LONGEST_NAME])
        if len(raw) > LONGEST_NAME:
            raise MalformedInput(f"a field's name has at most {LONGEST_NAME} characters")
        name = raw.removesuffix("[]").replace(".", "_")
        if not name:
            continue
        known = read.get(name)
        if isinstance(known, list):
            known.append(value)
        elif known is not None:
            read[name] = [known, value]
        else:
            read[name] = [value] if raw.endswith("[]") else value
    return read
