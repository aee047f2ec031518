"""Places where a test may kill the process, so that recovery is proved at exact points instead of by luck.

``NHIP_CRASH=name:nth`` kills the process with SIGKILL when the point ``name`` is passed for the ``nth`` time. Without
that variable a crash point is one comparison.
"""

import os
import signal
from typing import Final

POINTS: Final = frozenset(
    {
        "ingest.body_read",
        "ingest.before_commit",
        "ingest.after_commit",
        "ingest.after_ring",
        "worker.ring_taken",
        "step.claimed",
        "step.intent_stored",
        "step.response_read",
        "step.before_record_commit",
        "step.recorded",
        "reconcile.before_write",
        "reconcile.after_write",
        "receipt.before_commit",
        "replay.before_commit",
    }
)
"""Every crash point, in the order in which an event meets them."""

_name, _, _nth = os.environ.get("NHIP_CRASH", "").partition(":")
_armed: str | None = _name or None
_remaining: int = int(_nth or 1)

if _armed is not None and _armed not in POINTS:
    raise ValueError(f"NHIP_CRASH names no crash point: {_armed!r}")


def crashpoint(name: str) -> None:
    """Die here by SIGKILL when this is the point and the pass that ``NHIP_CRASH`` names."""
    global _remaining
    if _armed is not None and _armed == name:
        _remaining -= 1
        if _remaining <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
