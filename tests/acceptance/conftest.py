"""The real command in processes of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import Command


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """`nhip`, run in an empty folder."""
    with Command(tmp_path) as command:
        yield command
