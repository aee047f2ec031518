"""Every error as a problem of RFC 9457: one table from the domain's errors to statuses, and one shape on the wire."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, LitestarException, ValidationException
from litestar.status_codes import (
    HTTP_400_BAD_REQUEST,
    HTTP_401_UNAUTHORIZED,
    HTTP_403_FORBIDDEN,
    HTTP_404_NOT_FOUND,
    HTTP_405_METHOD_NOT_ALLOWED,
    HTTP_408_REQUEST_TIMEOUT,
    HTTP_409_CONFLICT,
    HTTP_412_PRECONDITION_FAILED,
    HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    HTTP_415_UNSUPPORTED_MEDIA_TYPE,
    HTTP_422_UNPROCESSABLE_ENTITY,
    HTTP_429_TOO_MANY_REQUESTS,
    HTTP_500_INTERNAL_SERVER_ERROR,
    HTTP_503_SERVICE_UNAVAILABLE,
)

from nhip.domain import errors
from nhip.domain.errors import NhipError, Problem

log = logging.getLogger(__name__)

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER_OUTAGE: Final = 2
"""Seconds after which a client may try again while the database is away."""

STATUSES: Final[Mapping[type[NhipError], int]] = {
    errors.InvalidInput: HTTP_422_UNPROCESSABLE_ENTITY,
    errors.MalformedInput: HTTP_400_BAD_REQUEST,
    errors.TooLarge: HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaType: HTTP_415_UNSUPPORTED_MEDIA_TYPE,
    errors.NotAuthenticated: HTTP_401_UNAUTHORIZED,
    errors.SignatureMismatch: HTTP_401_UNAUTHORIZED,
    errors.NotPermitted: HTTP_403_FORBIDDEN,
    errors.NotFound: HTTP_404_NOT_FOUND,
    errors.Conflict: HTTP_409_CONFLICT,
    errors.StaleRevision: HTTP_412_PRECONDITION_FAILED,
    errors.KeyReused: HTTP_422_UNPROCESSABLE_ENTITY,
    errors.TemplateError: HTTP_422_UNPROCESSABLE_ENTITY,
    errors.ActionFailed: HTTP_422_UNPROCESSABLE_ENTITY,
    errors.PluginRefused: HTTP_409_CONFLICT,
    errors.ActionUnavailable: HTTP_409_CONFLICT,
    errors.AmbiguousOutcome: HTTP_409_CONFLICT,
    errors.NotSentError: HTTP_409_CONFLICT,
    errors.Overloaded: HTTP_429_TOO_MANY_REQUESTS,
    errors.StorageUnavailable: HTTP_503_SERVICE_UNAVAILABLE,
}
"""What each of the domain's errors is over HTTP; a subclass without an entry is what its base is."""

TITLES: Final = {
    HTTP_400_BAD_REQUEST: "The request cannot be read",
    HTTP_401_UNAUTHORIZED: "No valid key or signature",
    HTTP_403_FORBIDDEN: "This is not permitted",
    HTTP_404_NOT_FOUND: "Not found",
    HTTP_405_METHOD_NOT_ALLOWED: "This method is not allowed here",
    HTTP_408_REQUEST_TIMEOUT: "The request came too slowly",
    HTTP_409_CONFLICT: "This contradicts the present state",
    HTTP_412_PRECONDITION_FAILED: "It changed since it was read",
    HTTP_413_REQUEST_ENTITY_TOO_LARGE: "The body is too large",
    HTTP_415_UNSUPPORTED_MEDIA_TYPE: "This media type is not understood here",
    HTTP_422_UNPROCESSABLE_ENTITY: "The input is not valid",
    HTTP_429_TOO_MANY_REQUESTS: "Too much at once",
    HTTP_500_INTERNAL_SERVER_ERROR: "Something went wrong here",
    HTTP_503_SERVICE_UNAVAILABLE: "Not available for the moment",
}
"""What each status means, in one line."""

_CODES: Final = {
    HTTP_400_BAD_REQUEST: "malformed_input",
    HTTP_404_NOT_FOUND: "not_found",
    HTTP_405_METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTP_408_REQUEST_TIMEOUT: "too_slow",
    HTTP_413_REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTP_415_UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong with a request (RFC 9457)."""

    type: str
    """A URN that names the kind of problem: ``urn:nhip:problem:not_found``."""
    title: str
    status: int
    detail: str
    instance: str
    """The path of the request, or of an internal error the URN by which it is found in the log."""
    code: str
    """The last part of ``type``."""
    errors: Sequence[Problem] = ()
    """For bad input: each fault with its place in the input."""


class Answer(msgspec.Struct, frozen=True):
    """A problem, ready to be sent."""

    details: ProblemDetails
    headers: dict[str, str]

    @property
    def body(self) -> bytes:
        """The problem as JSON."""
        return _encode(self.details)


_encode: Final = msgspec.json.Encoder().encode


def answer(error: Exception, path: str) -> Answer:
    """Translate any error; what is nobody's on purpose is logged, and answered without its details."""
    if isinstance(error, NhipError):
        return _of_domain(error, path)
    if isinstance(error, HTTPException) and error.status_code < HTTP_500_INTERNAL_SERVER_ERROR:
        return _of_litestar(error, path)
    reference = f"urn:uuid:{uuid4()}"
    log.error("unexpected error at %s (%s)", path, reference, exc_info=error)
    detail = "an unexpected error; the log has it under the reference in 'instance'"
    return _make(HTTP_500_INTERNAL_SERVER_ERROR, "internal_error", detail, reference)


def status_of(error: NhipError) -> int:
    """The status of a domain error."""
    for kind in type(error).__mro__:
        status = STATUSES.get(kind)
        if status is not None:
            return status
    return HTTP_400_BAD_REQUEST


def _of_domain(error: NhipError, path: str) -> Answer:
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == HTTP_401_UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    retry_after = getattr(error, "retry_after", None)
    if status == HTTP_503_SERVICE_UNAVAILABLE:
        retry_after = retry_after or RETRY_AFTER_OUTAGE
    if retry_after is not None:
        headers["retry-after"] = str(max(1, round(retry_after)))
    problems: Sequence[Problem] = error.problems if isinstance(error, errors.InvalidInput) else ()
    if not problems and isinstance(error.data.get("path"), str):
        problems = [Problem(path=error.data["path"], code=error.code, message=error.detail)]
    return _make(status, error.code, error.detail, path, problems, headers)


def _of_litestar(error: HTTPException, path: str) -> Answer:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if isinstance(error, ValidationException):
        problems = [_problem(item) for item in error.extra if isinstance(item, dict)] if error.extra else []
        first = f"{problems[0].path}: {problems[0].message}" if problems else error.detail
        return _make(HTTP_422_UNPROCESSABLE_ENTITY, "invalid_input", first.removeprefix(": "), path, problems, headers)
    code = _CODES.get(error.status_code, "refused")
    return _make(error.status_code, code, error.detail, path, (), headers)


_UNKNOWN: Final = re.compile(r"^Object contains unknown field `(?P<field>.*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>.*)`$")


def _problem(item: Mapping[str, Any]) -> Problem:
    """One of Litestar's validation messages as a problem with its place."""
    key, message = str(item.get("key", "")), str(item.get("message", ""))
    if item.get("source") in ("body", None) and (key == "data" or key.startswith("data[")):
        key = key.removeprefix("data")
    if message == "'data'":
        return Problem(path="", code="missing", message="a JSON body is needed")
    for pattern, code in ((_UNKNOWN, "unknown_field"), (_MISSING, "missing")):
        match = pattern.match(message)
        if match:
            return Problem(path=f"{key}.{match['field']}".removeprefix("."), code=code, message=message)
    return Problem(path=key, code="bad_value", message=message)


def _make(
    status: int,
    code: str,
    detail: str,
    instance: str,
    problems: Sequence[Problem] = (),
    headers: dict[str, str] | None = None,
) -> Answer:
    details = ProblemDetails(
        type=f"urn:nhip:problem:{code}",
        title=TITLES.get(status, "The request was refused"),
        status=status,
        detail=detail,
        instance=instance,
        code=code,
        errors=problems,
    )
    return Answer(details, headers or {})


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler, for every exception there is."""
    found = answer(error, request.scope["path"])
    return Response(
        content=found.body, status_code=found.details.status, headers=found.headers, media_type=PROBLEM_TYPE
    )


HANDLERS: Final[Mapping[int | type[Exception], Any]] = {
    Exception: handle,
    HTTPException: handle,
    LitestarException: handle,
}
