"""The ``Retry-After`` header of RFC 9110, section 10.2.3: seconds, or a date."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 86_400.0


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait from ``now``, between 0 and a day; ``None`` when the header is missing or unreadable.

    ``headers`` have names in lower case; ``now`` is aware.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        seconds = (moment - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_SECONDS)
