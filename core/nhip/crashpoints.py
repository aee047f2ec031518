"""Places where a test may kill the process, so that recovery is proved at exact points instead of by luck.

``NHIP_CRASH=name:nth`` kills the process with SIGKILL when the point ``name`` is passed for the ``nth`` time. Without
that variable a crash point is one comparison.
"""

import itertools
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
if _name and _name not in POINTS:
    raise ValueError(f"NHIP_CRASH names no crash point: {_name!r}")
_passes = itertools.count(1)
_last = int(_nth or 1)


def crashpoint(name: str) -> None:
    """Die here by SIGKILL when this is the point and the pass that ``NHIP_CRASH`` names."""
    if _name and _name == name and next(_passes) >= _last:
        os.kill(os.getpid(), signal.SIGKILL)
