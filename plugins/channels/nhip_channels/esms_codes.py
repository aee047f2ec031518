"""What eSMS.vn answers and reports: ``CodeResult`` and the delivery callback. Source: eSMS.vn API documentation."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from nhip import (
    Accepted,
    Ambiguous,
    HttpResponse,
    MalformedInput,
    NotSent,
    Outcome,
    Receipt,
    ReceiptStatus,
    Rejected,
    RejectionReason,
)

_REASON_OF: Final[Mapping[str, RejectionReason]] = {
    "99": RejectionReason.UNREACHABLE,  # the number is blocked
    "108": RejectionReason.UNREACHABLE,  # not a phone number
    "110": RejectionReason.INVALID,
    "201": RejectionReason.INVALID,  # a forbidden word
    "210": RejectionReason.INVALID,
}
"""What concerns the person or the text. Every other code is a matter of the account (101 credentials, 103 balance,
104 brand name, 140 address, 146 template …) or unknown, and for a person to look at."""


def read_answer(answer: HttpResponse) -> Outcome:
    """What eSMS's answer means; like others it says no with HTTP 200."""
    status = answer.status
    if status == 429:
        return NotSent(code="429", detail="too many requests", retry_after=1.0, counts=False)
    if status >= 500 or status == 408:
        return Ambiguous(code=str(status), detail="eSMS failed while it had the message")
    try:
        fields = msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.DecodeError:
        fields = {}
    code, detail = str(fields.get("CodeResult", "")), str(fields.get("ErrorMessage") or fields.get("error") or "")
    match code:
        case "100" | "124":
            identity = fields.get("SMSID")
            return Accepted(provider_id=str(identity) if identity else None)
        case "160":
            return NotSent(code=code, detail=detail or "too many messages a second", retry_after=1.0, counts=False)
        case "199":
            return Ambiguous(code=code, detail=detail or "eSMS is still at work on this message")
        case "" if "error" in fields:
            return Rejected(reason=RejectionReason.INVALID, code="invalid_request", detail=detail)
        case "" if status == 200:
            return Ambiguous(code="unreadable_response", detail="eSMS's answer cannot be read")
        case "":
            detail = "what answers at base_url is not eSMS"
            return Rejected(reason=RejectionReason.CONFIGURATION, code=str(status), detail=detail)
        case _:
            return Rejected(reason=_REASON_OF.get(code, RejectionReason.CONFIGURATION), code=code, detail=detail)


def read_callback(query: Mapping[str, str]) -> tuple[Receipt, ...]:
    """What a callback reports: a GET whose query says how the message fared.

    Raises:
        MalformedInput: it lacks the status, or what it is about.
    """
    identity, reference = query.get("SMSID"), query.get("RequestId")
    status = query.get("SendStatus")
    if not (identity or reference) or status is None:
        raise MalformedInput("an eSMS callback needs SendStatus, and SMSID or RequestId")
    succeeded, failed = _count(query.get("SendSuccess")), _count(query.get("SendFailed"))
    if status == "5" and (succeeded or failed):
        state = ReceiptStatus.DELIVERED if succeeded else ReceiptStatus.FAILED
    elif status == "4":
        state = ReceiptStatus.FAILED
    elif status in ("1", "2", "5", "7"):
        state = ReceiptStatus.ACCEPTED
    else:
        return ()
    receipt = Receipt(
        receipt_id=f"{identity or reference}:{status}:{succeeded}:{failed}",
        status=state,
        provider_id=identity or None,
        idempotency_key=reference or None,
        code=status,
        detail=query.get("error_info") or None,
    )
    return (receipt,)


def _count(text: str | None) -> int:
    return int(text[:9]) if text and text.isascii() and text.isdigit() else 0
