"""The provider's side of the story: what the Zalo stand-in has in its own ledger, read while it grows."""

from collections import Counter
from pathlib import Path

import msgspec

from nhip.demo.workflows import CODE, RECIPES
from nhip.testing.standins import Entry

_WORKFLOW_OF = {recipe.zalo_template: recipe.name for recipe in RECIPES}


class ProviderLedger:
    """Follows the ledger's file. It knows nothing of Nhịp but the parameters that came with each message."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.entries: list[Entry] = []
        self.references: Counter[str] = Counter()
        """How often each of Nhịp's keys was accepted."""
        self.messages: Counter[tuple[str, str]] = Counter()
        """How often a message was accepted, by its workflow and the code of its ticket, order or deal."""
        self.accepted_at: dict[tuple[str, str], float] = {}
        """Unix seconds of the first acceptance."""

    def __len__(self) -> int:
        return len(self.entries)

    def read(self) -> int:
        """Read what came since; answers how many messages there are."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                fresh = file.read()
        except FileNotFoundError:
            return 0
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            entry = msgspec.json.decode(line, type=Entry)
            message = message_of(entry)
            self.entries.append(entry)
            self.references[entry.reference] += 1
            self.messages[message] += 1
            self.accepted_at.setdefault(message, entry.at)
        return len(self.entries)

    def repeated(self) -> list[tuple[str, str]]:
        """The messages that were accepted more than once, under whatever key."""
        return sorted(message for message, count in self.messages.items() if count > 1)

    def sent(self) -> Counter[str]:
        """How many different messages were accepted, by workflow."""
        return Counter(workflow for workflow, _ in self.messages)


def message_of(entry: Entry) -> tuple[str, str]:
    """Which message an entry is, whatever its key: its workflow, by the template, and the code that it names."""
    template = str(entry.content.get("template_id", ""))
    parameters = entry.content.get("template_data") or {}
    return _WORKFLOW_OF.get(template, template), str(parameters.get(CODE, ""))
