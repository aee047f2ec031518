"""The providers that the fault tests send through, one for each delivery class, and how to read their ledgers.

Every message carries a mark, the id of the event that caused it, in its content: so what reached people is counted
without asking the engine.
"""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

from nhip.testing.standins.faults import Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.smtp import SmtpStandIn
from nhip.testing.standins.webhook import WebhookStandIn
from nhip.testing.standins.zalo import ZaloStandIn

CLASSES = ("dedupes", "traceable", "blind")
"""The delivery classes: `webhook`, `zalo_zns` with receipts, and `email`.

Only one of them has receipts: where they come, they settle what the other means would have to."""

StandIn = WebhookStandIn | ZaloStandIn | SmtpStandIn

_TEMPLATES: dict[str, dict[str, Any]] = {
    "dedupes": {"text": "{{ event.source_id }}"},
    "traceable": {"provider_template_id": "7895417", "params": {"code": "{{ event.source_id }}"}},
    "blind": {"subject": "{{ event.source_id }}", "text": "Hello"},
}


class Provider:
    """One stand-in in the role of a delivery class."""

    def __init__(self, delivery_class: str, standin: StandIn) -> None:
        self.delivery_class = delivery_class
        self.standin = standin

    @property
    def channel(self) -> dict[str, Any]:
        """The body that makes its channel account."""
        return {
            "name": "out",
            "type": self.standin.provider,
            "config": self.standin.config(),
            "secrets": self.standin.secrets(),
        }

    @property
    def template(self) -> dict[str, Any]:
        """The body that makes its template."""
        return {
            "channel_type": self.standin.provider,
            "message_class": "transactional",
            **_TEMPLATES[self.delivery_class],
        }

    def told_hook(self, url: str) -> None:
        """Let it know where receipts go, where the channel does not tell it itself."""
        if isinstance(self.standin, ZaloStandIn):
            self.standin.webhook_url = url
            # As patient as the real one, which repeats for 107 minutes.
            self.standin.pusher.retries = (0.2, 0.5, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32)

    def received(self) -> Counter[str]:
        """How many messages of each mark were accepted."""
        if isinstance(self.standin, SmtpStandIn):
            return Counter(str(message_from_bytes(raw)["Subject"]) for raw in self.standin.messages)
        if isinstance(self.standin, WebhookStandIn):
            return Counter(str(entry.content["data"]["text"]) for entry in self.standin.ledger.entries)
        return Counter(str(entry.content["template_data"]["code"]) for entry in self.standin.ledger.entries)


@contextlib.asynccontextmanager
async def running(delivery_class: str, folder: Path, faults: Faults | None = None) -> AsyncIterator[Provider]:
    """Run the provider of a delivery class; its ledger is also kept in a file."""
    ledger = Ledger(folder / "ledger.jsonl")
    standin: StandIn
    match delivery_class:
        case "dedupes":
            standin = WebhookStandIn(ledger=ledger, faults=faults)
        case "traceable":
            standin = ZaloStandIn(ledger=ledger, faults=faults)
        case _:
            standin = SmtpStandIn(ledger=ledger, faults=faults)
    try:
        async with standin:
            yield Provider(delivery_class, standin)
    finally:
        ledger.close()
