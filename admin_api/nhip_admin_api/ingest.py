"""``POST /v1/events``, the hot path: CloudEvents in every mode, decoded and checked before the group commit.

A bare ASGI app answers this route: in front of all routes for the path as it is written, and in front of the handler
that declares the operation for other spellings of it. The OpenAPI document is the framework's, while routing, request
and response objects and injection, which would be most of what an event costs here, are left out.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes

import msgspec
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from nhip.bootstrap import Engine
from nhip.domain.errors import InvalidInput, MalformedInput, NotPermitted, Problem, UnsupportedMediaType, invalid
from nhip.domain.events import EventReceipt, IncomingEvent
from nhip.engine.facts.decoding import convert
from nhip.engine.incoming.intake import CloudEvent, Intake, decode_events
from nhip_admin_api.auth import Authenticator
from nhip_admin_api.limits import INGEST_BYTES, check_json, is_json, read_body
from nhip_admin_api.schemas.events import Receipt
from nhip_admin_api.telemetry import Telemetry

EVENTS_PATH: Final = "/v1/events"
SCOPE: Final = "events:write"
MOST_EVENTS: Final = 1000
_BATCH: Final = "application/cloudevents-batch+json"
_STRUCTURED: Final = "application/cloudevents+json"
_ATTRIBUTES: Final = frozenset({"id", "source", "type", "specversion", "subject", "time", "dataschema"})
_ARRAY: Final = re.compile(rb"\s*\[")

_encode: Final = msgspec.json.Encoder().encode
_decode_data: Final = msgspec.json.Decoder(dict[str, Any]).decode
_JSON: Final = (b"content-type", b"application/json")


class _Headers:
    """What this route reads of the headers, gathered in one pass."""

    __slots__ = ("attributes", "authorization", "content_type", "encoding", "length")

    def __init__(self, scope: HTTPScope) -> None:
        self.authorization: str | None = None
        self.content_type = ""
        self.encoding = b""
        self.length: int | None = None
        self.attributes: dict[str, bytes] | None = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                self.authorization = value.decode("latin-1")
            elif name == b"content-type":
                self.content_type = value.decode("latin-1")
            elif name == b"content-length":
                self.length = int(value) if value.isdigit() else None
            elif name == b"content-encoding":
                self.encoding = value.lower()
            elif name.startswith(b"ce-"):
                if self.attributes is None:
                    self.attributes = {}
                self.attributes[name[3:].decode("latin-1")] = value


class EventDoor:
    """Answers ``POST /v1/events``; what it wraps is never called."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry.

        Raises:
            NhipError: as the table of problems says; nothing was stored.
        """
        state = scope["litestar_app"].state
        engine = cast(Engine, state.engine)
        authenticator = cast(Authenticator, state.authenticator)
        telemetry = cast(Telemetry, state.telemetry)
        headers = _Headers(cast(HTTPScope, scope))
        principal = await authenticator.authenticate(headers.authorization)
        if not principal.may(SCOPE):
            raise NotPermitted(f"this needs the scope {SCOPE!r}")
        if headers.encoding not in (b"", b"identity"):
            raise UnsupportedMediaType("send the body without a content encoding")
        body = await read_body(receive, headers.length, INGEST_BYTES)
        events = read_events(headers.content_type, headers.attributes, body, engine.intake)
        receipts = await engine.inbox.submit(principal.workspace_id, events) if events else []
        telemetry.took_in(receipts)
        answer = _answer(receipts)
        length = (b"content-length", str(len(answer)).encode())
        await send(cast(Any, {"type": "http.response.start", "status": 202, "headers": [_JSON, length]}))
        await send(cast(Any, {"type": "http.response.body", "body": answer, "more_body": False}))


def _answer(receipts: list[EventReceipt]) -> bytes:
    duplicates = sum(1 for receipt in receipts if receipt.duplicate)
    return _encode(Receipt(accepted=len(receipts) - duplicates, duplicates=duplicates, events=receipts))


def read_events(
    content_type: str, attributes: Mapping[str, bytes] | None, body: bytes, intake: Intake
) -> list[IncomingEvent]:
    """The events of a request, checked and normalised.

    ``attributes`` are the ``ce-*`` headers without their prefix.

    Raises:
        UnsupportedMediaType: no mode of CloudEvents has this content type.
        MalformedInput: the body cannot be read.
        InvalidInput: with the place of each problem; in a batch, under the event's index.
    """
    media = content_type.lower().partition(";")[0].strip()
    if media.startswith("application/cloudevents"):
        if media not in (_BATCH, _STRUCTURED) or not is_json(content_type):
            raise UnsupportedMediaType(f"of CloudEvents, {_STRUCTURED} and {_BATCH} are understood")
        batch = media == _BATCH
    elif not is_json(content_type):
        raise UnsupportedMediaType("send application/json or CloudEvents, in UTF-8")
    elif attributes is not None:
        return [intake.event(_binary(attributes, body))]
    else:
        batch = _ARRAY.match(body) is not None
    check_json(body)
    envelopes = decode_events(body, batch=batch)
    if not batch:
        return [intake.event(envelopes[0])]
    if len(envelopes) > MOST_EVENTS:
        raise invalid("", "too_many", f"a batch has at most {MOST_EVENTS} events, this one has {len(envelopes)}")
    return [intake.event(envelope, f"[{position}]") for position, envelope in enumerate(envelopes)]


def _binary(attributes: Mapping[str, bytes], body: bytes) -> CloudEvent:
    """Binary mode: the attributes are headers, percent-encoded, and the body is the data alone."""
    raw: dict[str, Any] = {name: _decoded(name, value) for name, value in attributes.items() if name in _ATTRIBUTES}
    if body.strip():
        check_json(body)
        try:
            raw["data"] = _decode_data(body)
        except msgspec.ValidationError as error:
            raise invalid("data", "bad_value", str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedInput(f"not JSON: {error}") from None
    try:
        return convert(raw, CloudEvent)
    except InvalidInput as error:
        problems = [_of_header(problem) for problem in error.problems]
        raise InvalidInput(problems) from None


def _decoded(name: str, value: bytes) -> str:
    if value[:1] == value[-1:] == b'"' and len(value) > 1:
        value = re.sub(rb"\\(.)", rb"\1", value[1:-1])
    try:
        text = unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise invalid(f"ce-{name}", "bad_value", "this is not percent-encoded UTF-8") from None
    if "\x00" in text:
        raise MalformedInput("a header contains a NUL character", path=f"ce-{name}")
    return text


def _of_header(problem: Problem) -> Problem:
    if problem.path in _ATTRIBUTES:
        return Problem(path=f"ce-{problem.path}", code=problem.code, message=problem.message)
    return problem
