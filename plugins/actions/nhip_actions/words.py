"""What a configuration says of a record in so many words, for whoever checks it against the workspace's own."""

from collections.abc import Mapping, Sequence
from typing import Any

WORDS = ("status", "type", "sub_type", "source")
"""The fields of a record whose words a workspace may choose."""


def word_references(
    record_type: str, fields: Mapping[str, Any], path: str = ""
) -> dict[str, Sequence[tuple[str, str]]]:
    """The literal words, per field: ``{"ticket.type": [("type", "complaint")]}``."""
    return {
        f"{record_type}.{name}": [(f"{path}{name}", value)]
        for name in WORDS
        if isinstance(value := fields.get(name), str) and "{{" not in value
    }
