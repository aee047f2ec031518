"""What Stringee asks and reports about calls, its signature, and its tokens. Source: Stringee's documentation.

A request is signed in ``X-STRINGEE-SIGNATURE``: HMAC-SHA1 in base64, over the body of a POST, or over the path and
query of a GET.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from nhip import (
    Accepted,
    Ambiguous,
    CallOutcome,
    CallRequest,
    CallState,
    HttpResponse,
    InboundRequest,
    MalformedInput,
    NotSent,
    Outcome,
    Rejected,
    RejectionReason,
    caller_number,
    dialled_number,
)
from nhip_channels.voice_account import is_report, turn_of

_CAUSES: Final[Mapping[str, CallOutcome]] = {
    "486": CallOutcome.BUSY,
    "600": CallOutcome.BUSY,
    "480": CallOutcome.NO_ANSWER,
    "408": CallOutcome.NO_ANSWER,
    "487": CallOutcome.CANCELLED,
    "603": CallOutcome.REFUSED,
}
"""How the SIP code at the beginning of ``endCallCause`` is meant; every other is a failure."""


def sign(secret: str, text: bytes) -> str:
    """The signature over a body, or over a path and query."""
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha1).digest()).decode()


def signed_text(request: InboundRequest, path_prefix: str = "") -> bytes:
    """What Stringee signs of a request."""
    if request.method != "GET":
        return request.body
    query = f"?{request.query_string}" if request.query_string else ""
    return f"{path_prefix}{request.path}{query}".replace("+", "%20").encode()


def token(key_sid: str, key_secret: str, now: int) -> str:
    """A JWT for the REST API, good for an hour; ``now`` in Unix seconds."""
    header = {"typ": "JWT", "alg": "HS256", "cty": "stringee-api;v=1"}
    claims = {"jti": f"{key_sid}-{now}", "iss": key_sid, "exp": now + 3600, "rest_api": True}
    text = b".".join(_base64url(msgspec.json.encode(part)) for part in (header, claims))
    return (text + b"." + _base64url(hmac.new(key_secret.encode(), text, hashlib.sha256).digest())).decode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def read_call(request: InboundRequest, base_url: str, number: str) -> CallRequest:
    """A request of Stringee's; ``number`` is the account's own, which calls that we place come from.

    Raises:
        MalformedInput: it cannot be read.
    """
    if request.method == "GET":
        return _question(request, base_url)
    try:
        fields = msgspec.json.decode(request.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedInput(f"Stringee posts JSON: {error}") from None
    return _told(request, fields, base_url, number)


def _question(request: InboundRequest, base_url: str) -> CallRequest:
    """The answer URL: what shall this call do?"""
    query = request.query
    call_id = query.get("call") or query.get("uuid") or query.get("callId") or query.get("call_id") or ""
    reference = query.get("key") or None
    return CallRequest(
        call_id=call_id,
        state=CallState.ANSWERED if reference else CallState.RINGING,
        caller=caller_number(_plus(query.get("from"))),
        called=dialled_number(query.get("to", "")),
        direction="outbound" if reference else "inbound",
        turn=turn_of(query),
        asks=not is_report(request),
        reference=reference,
        base_url=base_url,
    )


def _told(request: InboundRequest, fields: Mapping[str, Any], base_url: str, number: str) -> CallRequest:
    """The result of an ``input``, of a ``recordMessage`` or of a ``connect``, or a report."""
    status = str(fields.get("call_status") or "")
    cause = str(fields.get("endCallCause") or "")
    seconds = fields.get("answerDuration")
    duration = int(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None
    state, outcome = CallState.RINGING, None
    leg, caller = request.query.get("leg"), caller_number(_plus(_number(fields.get("from"))))
    connecting = leg == "connect"
    if "dtmf" in fields:
        state = CallState.KEYPRESS
    elif leg == "record":
        state = CallState.RECORDING
    elif connecting and status == "answered":
        state, outcome = CallState.TRANSFERRED, CallOutcome.ANSWERED
    elif not is_report(request):
        state, outcome = CallState.TRANSFERRED, _outcome(cause, None)
    elif status == "answered":
        state = CallState.ANSWERED
    elif status == "ended" and not connecting:
        state, outcome = CallState.ENDED, _outcome(cause, duration)
    return CallRequest(
        call_id=request.query.get("call") or str(fields.get("call_id") or ""),
        state=state,
        caller=caller,
        called=dialled_number(_number(fields.get("to")) or ""),
        direction="outbound" if caller is not None and caller == dialled_number(number) else "inbound",
        digits=str(fields.get("dtmf") or ""),
        turn=turn_of(request.query),
        asks=not is_report(request),
        outcome=outcome,
        duration=duration if state is CallState.ENDED else None,
        recording=_recording(fields),
        reference=request.query.get("key") or None,
        detail=cause or None,
        base_url=base_url,
    )


def _outcome(cause: str, duration: int | None) -> CallOutcome:
    if duration:
        return CallOutcome.ANSWERED
    if not cause:
        return CallOutcome.NO_ANSWER
    return _CAUSES.get(cause[:3], CallOutcome.FAILED if cause[:1].isdigit() else CallOutcome.CANCELLED)


def _recording(fields: Mapping[str, Any]) -> str | None:
    found = fields.get("recording_url") or fields.get("recordingUrl") or fields.get("record_url")
    return str(found) if found else None


def _number(party: Any) -> str | None:
    return str(party.get("number") or "") if isinstance(party, dict) else None


def _plus(number: str | None) -> str | None:
    """Stringee writes foreign numbers in full and without the plus."""
    return f"+{number}" if number and number.isdigit() and len(number) >= 10 and number[0] not in "01" else number


def read_answer(answer: HttpResponse, wait: float | None) -> Outcome:
    """What Stringee says to a call that is placed: HTTP 200, and ``r`` other than 0 for a no."""
    status = answer.status
    try:
        fields = msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.DecodeError:
        fields = {}
    detail = str(fields.get("message") or "")
    if status == 429:
        return NotSent(code="429", detail=detail or "too many calls", retry_after=wait or 1.0, counts=False)
    if status >= 500 or status == 408:
        return Ambiguous(code=str(status), detail="Stringee failed while it had the call")
    if "r" not in fields:
        if status == 200:
            return Ambiguous(code="unreadable_response", detail="Stringee's answer cannot be read")
        return Rejected(reason=RejectionReason.CONFIGURATION, code=str(status), detail=detail)
    if fields["r"] == 0:
        call_id = fields.get("call_id") or fields.get("callId")
        return Accepted(provider_id=str(call_id) if call_id else None)
    return Rejected(reason=RejectionReason.CONFIGURATION, code=str(fields["r"]), detail=detail)
