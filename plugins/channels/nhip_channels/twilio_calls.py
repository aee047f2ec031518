"""What Twilio asks and reports about calls, and what it answers to a call that is placed.

Source: Twilio's documentation, "TwiML Voice: request parameters" and "Call resource". Numbers of errors: Twilio's
"Error and Warning Dictionary".
"""

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

_ENDED: Final[Mapping[str, CallOutcome]] = {
    "completed": CallOutcome.ANSWERED,
    "busy": CallOutcome.BUSY,
    "no-answer": CallOutcome.NO_ANSWER,
    "canceled": CallOutcome.CANCELLED,
    "failed": CallOutcome.FAILED,
}
"""``CallStatus`` and ``DialCallStatus`` of what is over."""
_QUEUED: Final[Mapping[str, CallOutcome]] = {
    "bridged": CallOutcome.ANSWERED,
    "bridging-in-process": CallOutcome.ANSWERED,
    "redirected": CallOutcome.ANSWERED,
    "redirected-from-bridged": CallOutcome.ANSWERED,
    "hangup": CallOutcome.CANCELLED,
    "leave": CallOutcome.NO_ANSWER,
    "queue-full": CallOutcome.BUSY,
}
"""``QueueResult``; every other is a failure."""
_REASONS: Final[Mapping[str, RejectionReason]] = {
    "13223": RejectionReason.UNREACHABLE,  # the number's format
    "13224": RejectionReason.UNREACHABLE,  # not a number that can be called
    "21211": RejectionReason.UNREACHABLE,
    "21214": RejectionReason.UNREACHABLE,
    "21217": RejectionReason.UNREACHABLE,
    "21401": RejectionReason.UNREACHABLE,
}
"""What concerns the person. Every other code is a matter of the account (20003 credentials, 21210 and 21212 sender,
21215 the country is not allowed …), and for a person to look at."""


def read_call(request: InboundRequest, form: Mapping[str, str], base_url: str) -> CallRequest:
    """A request of Twilio's; ``form`` has its parameters, wherever they stood.

    Raises:
        MalformedInput: it does not say which call it is about.
    """
    call_id = form.get("CallSid")
    if not call_id:
        raise MalformedInput("a request of Twilio's has a CallSid")
    outbound = form.get("Direction", "").startswith("outbound") or "key" in request.query
    state, outcome = _state(request, form, outbound)
    seconds = form.get("CallDuration", "")
    return CallRequest(
        call_id=call_id,
        state=state,
        caller=caller_number(form.get("From")),
        called=dialled_number(form.get("To", "")),
        direction="outbound" if outbound else "inbound",
        digits=form.get("Digits", ""),
        turn=turn_of(request.query),
        asks=not is_report(request),
        outcome=outcome,
        duration=int(seconds[:9]) if seconds.isascii() and seconds.isdigit() else None,
        recording=form.get("RecordingUrl") or None,
        reference=request.query.get("key") or None,
        detail=form.get("SipResponseCode") or form.get("ErrorCode") or None,
        base_url=base_url,
    )


def _state(request: InboundRequest, form: Mapping[str, str], outbound: bool) -> tuple[CallState, CallOutcome | None]:
    status = form.get("CallStatus", "")
    if is_report(request):
        if "RecordingStatus" in form:
            return CallState.RECORDING, None
        if status in _ENDED:
            return CallState.ENDED, _ENDED[status]
        return (CallState.ANSWERED if status in ("in-progress", "answered") else CallState.RINGING), None
    if "DialCallStatus" in form:
        # A dialled leg that was answered ends as "completed"; "answered" is said of one that goes on.
        status = form["DialCallStatus"]
        answered = status == "answered"
        return CallState.TRANSFERRED, CallOutcome.ANSWERED if answered else _ENDED.get(status, CallOutcome.FAILED)
    if "QueueResult" in form:
        return CallState.TRANSFERRED, _QUEUED.get(form["QueueResult"], CallOutcome.FAILED)
    if "RecordingUrl" in form:
        return CallState.RECORDING, None
    if turn_of(request.query):
        return CallState.KEYPRESS, None
    return (CallState.ANSWERED if outbound else CallState.RINGING), None


def read_answer(answer: HttpResponse, wait: float | None) -> Outcome:
    """What Twilio says to a call that is placed; ``wait`` is its Retry-After."""
    status = answer.status
    try:
        fields = msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.DecodeError:
        fields = {}
    code, detail = str(fields.get("code") or status), str(fields.get("message") or "")
    if status in (200, 201):
        sid = fields.get("sid")
        if not isinstance(sid, str):
            return Ambiguous(code="unreadable_response", detail="Twilio's answer cannot be read")
        return Accepted(provider_id=sid)
    if status == 429:
        return NotSent(code=code, detail=detail or "too many calls", retry_after=wait or 1.0, counts=False)
    if status >= 500 or status == 408:
        return Ambiguous(code=str(status), detail="Twilio failed while it had the call")
    return Rejected(reason=_REASONS.get(code, RejectionReason.CONFIGURATION), code=code, detail=detail)
