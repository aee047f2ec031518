"""The code blocks of the documentation's pages."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+\.py)\n")


def blocks(page: str, language: str) -> list[str]:
    """The blocks of one language on a page, in order."""
    return [body for name, body in _BLOCK.findall((DOCS / page).read_text()) if name == language]


def files(page: str) -> dict[str, str]:
    """The Python blocks that begin with the name of their file, by that name."""
    return {match[1]: body for body in blocks(page, "python") if (match := _FILE.match(body))}
