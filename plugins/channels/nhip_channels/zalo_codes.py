"""What Zalo's error codes mean for a message sent through ZBS Template Message by phone (business.openapi.zalo.me).

Zalo answers business errors with HTTP 200 and ``error`` other than 0. Source: the error table of Zalo's ZBS Template
Message documentation, with readings from production integrations where it is silent.
"""

import zlib
from collections.abc import Mapping
from datetime import datetime, time, timedelta, timezone
from typing import Any, Final

import msgspec

from nhip import Accepted, Ambiguous, HttpResponse, NotSent, Outcome, Rejected, RejectionReason
from nhip_channels.retry_after import retry_after

TOKEN_CODES: Final = frozenset({-124, -216, -220})
"""The access token is refused: it is renewed once, and the message tried once more."""

VIETNAM: Final = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam has one time zone and no summer time. Zalo never states its zone; its users are in this one."""

_MORNING: Final = time(6, 5)
_RATE_PAUSE_SECONDS: Final = 5.0
_UNKNOWN: Final = -100
_RATE_LIMIT: Final = -32

_REASONS: Final[Mapping[RejectionReason, tuple[int, ...]]] = {
    # No Zalo account at this number, or none that can receive.
    RejectionReason.UNREACHABLE: (-110, -114, -118, -119),
    # The person refused: no answer to the opt-in, this sort of content, after-sales messages, this official account.
    RejectionReason.REFUSED: (-134, -139, -140, -141),
    RejectionReason.INVALID: (
        *(-107, -108, -111, -112, -1121, -1122, -1123, -1124, -113, -1131, -116, -121, -122, -123),
        *(-130, -132, -148, -149, -1491, -150, -151, -152, -153, -158, -159, -161, -162, -249),
    ),
    RejectionReason.CONFIGURATION: (
        *(-101, -102, -103, -104, -105, -106, -109, -1091, -115, -117, -120, -1201, -1202, -124, -1241),
        *(-125, -126, -127, -128, -129, -131, -135, -1351, -136, -137, -138, -1381, -142, -143, -145, -146),
    ),
}
_REASON_OF: Final[Mapping[int, RejectionReason]] = {
    code: reason for reason, codes in _REASONS.items() for code in codes
}

_MORNING_CODES: Final = frozenset({-133})
"""Not at night (22 to 6)."""
_TOMORROW_CODES: Final = frozenset({-144, -147, -1472, -160})
"""A daily quota: of the account, the template, the person."""
_NEXT_MONTH_CODES: Final = frozenset({-1441, -1471})
"""A monthly quota: of the account, the person."""


def outcome_of(code: int, detail: str, now: datetime, key: str) -> Outcome:
    """What an error code means for the message with this idempotency key at ``now`` (aware).

    A code that is not in the table is a definite no of unknown sort, which a person should look at: ``configuration``.
    """
    if code == _UNKNOWN:
        return Ambiguous(code=str(code), detail=detail)
    if code == _RATE_LIMIT:
        return NotSent(code=str(code), detail=detail, retry_after=_RATE_PAUSE_SECONDS, counts=False)
    if code in _MORNING_CODES | _TOMORROW_CODES | _NEXT_MONTH_CODES:
        wait = (_next_try(code, now.astimezone(VIETNAM)) - now).total_seconds() + zlib.crc32(key.encode()) % 600
        return NotSent(code=str(code), detail=detail, retry_after=wait, counts=False)
    return Rejected(reason=_REASON_OF.get(code, RejectionReason.CONFIGURATION), code=str(code), detail=detail)


def _next_try(code: int, here: datetime) -> datetime:
    """The morning at which the rule behind ``code`` lets messages through again."""
    morning = here.replace(hour=_MORNING.hour, minute=_MORNING.minute, second=0, microsecond=0)
    if code in _TOMORROW_CODES:
        return morning + timedelta(days=1)
    if code in _NEXT_MONTH_CODES:
        return (morning.replace(day=1) + timedelta(days=32)).replace(day=1)
    return morning if morning > here else morning + timedelta(days=1)


def read_answer(answer: HttpResponse, now: datetime) -> tuple[int, str, Outcome | None]:
    """Zalo's code and text in an answer; with an outcome where it is not the code that decides."""
    status = answer.status
    if status == 429:
        wait = retry_after(answer.headers, now)
        return 0, "", NotSent(code="429", detail="too many requests", retry_after=wait, counts=False)
    if status >= 500 or status == 408:
        return 0, "", Ambiguous(code=str(status), detail="Zalo failed while it had the message")
    try:
        fields = msgspec.json.decode(answer.body, type=dict[str, Any])
        code = int(fields["error"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        if status == 200:
            return 0, "", Ambiguous(code="unreadable_response", detail="Zalo's answer cannot be read")
        text = "what answers at base_url is not Zalo"
        return 0, "", Rejected(reason=RejectionReason.CONFIGURATION, code=str(status), detail=text)
    if code != 0:
        return code, str(fields.get("message", "")), None
    data = fields.get("data")
    identity = data.get("msg_id") if isinstance(data, dict) else None
    return 0, "", Accepted(provider_id=str(identity) if identity else None)
