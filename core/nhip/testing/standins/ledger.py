"""What a stand-in provider accepted: the truth that tests compare the engine's own records with."""

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One effect at a provider: a message that would have reached somebody."""

    reference: str
    """Our key, as the provider got it: ``tracking_id``, ``RequestId``, ``webhook-id``, or within ``Message-ID``."""
    address: str
    provider_id: str
    at: float
    """Unix time in seconds."""
    provider: str
    fault: str | None = None
    """What the client was then made to suffer."""
    content: dict[str, Any] = msgspec.field(default_factory=dict)


class Ledger:
    """An append-only list of entries, in memory and, where a file is given, written there before the answer goes out.

    Each entry is one JSON line, appended by one ``write``: what a killed stand-in had accepted is in the file, and
    several processes may read it while it grows.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.entries: list[Entry] = []
        self._encoder = msgspec.json.Encoder()
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(
        self,
        *,
        reference: str,
        address: str,
        provider_id: str,
        provider: str,
        fault: str | None = None,
        content: dict[str, Any] | None = None,
    ) -> Entry:
        """Record one effect."""
        entry = Entry(
            reference=reference,
            address=address,
            provider_id=provider_id,
            at=time.time(),
            provider=provider,
            fault=fault,
            content=content or {},
        )
        if self._file is not None:
            os.write(self._file, self._encoder.encode(entry) + b"\n")
        self.entries.append(entry)
        return entry

    def __len__(self) -> int:
        return len(self.entries)

    def references(self) -> Counter[str]:
        """How many effects each reference had."""
        return Counter(entry.reference for entry in self.entries)

    def duplicates(self) -> dict[str, int]:
        """The references that had more than one effect."""
        return {reference: count for reference, count in self.references().items() if count > 1}

    def close(self) -> None:
        """Close the file; the entries in memory stay readable."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @staticmethod
    def load(path: str | os.PathLike[str]) -> list[Entry]:
        """Read a ledger's file; a line that is only half written is not counted."""
        file = Path(path)
        if not file.exists():
            return []
        lines = file.read_bytes().split(b"\n")
        return [msgspec.json.decode(line, type=Entry) for line in lines[:-1] if line]
