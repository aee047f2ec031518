"""Stand-ins for providers: real servers on 127.0.0.1 that speak their protocols, with their error codes and faults.

Each is an asynchronous context manager with a ``base_url``, a ``ledger`` of what it accepted and a ``faults`` plan.
Each also runs as a process of its own::

    python -m nhip.testing.standins zalo --port 0 --ledger FILE --faults timeout_after=0.1,seed=7
"""

from nhip.testing.standins.faults import Fault, Faults
from nhip.testing.standins.ledger import Entry, Ledger

__all__ = ["Entry", "Fault", "Faults", "Ledger"]
