"""The real clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements :class:`nhip.ports.Clock`."""

    def now(self) -> datetime:
        """Aware, in UTC."""
        return datetime.now(UTC)

    def micros(self) -> int:
        """Microseconds since 1970, in UTC."""
        return time.time_ns() // 1_000
