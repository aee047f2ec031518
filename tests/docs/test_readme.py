"""The README's way from nothing to a first workflow runs as it stands there."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.docs.reader import CLIENTS, ROOT, blocks_of, reading
from tests.docs.shown import differences

README = (ROOT / "README.md").read_text()
BLOCKS = blocks_of(README)


def test_every_block_is_one_that_is_followed() -> None:
    assert {block.mark for block in BLOCKS} == {None, "make", "server", "screen"}
    assert {block.language for block in BLOCKS} == {"sh", "json", "text"}
    assert len(BLOCKS) == README.count("\n```") // 2
    shown = [position for position, block in enumerate(BLOCKS) if block.language == "json"]
    assert all(BLOCKS[position - 1].language == "sh" or BLOCKS[position].mark == "screen" for position in shown)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_readme_runs(client: str, tmp_path: Path) -> None:
    with reading(tmp_path, client) as reader:
        reader.read(BLOCKS)
        assert reader.server is not None

        # "Ctrl+C stops the server. Start it again with the same two lines, and everything is still there."
        assert reader.server.interrupt() == 0, reader.server.screen.read_text()
        assert "Traceback" not in reader.server.screen.read_text()
        reader.server.again()
        reader.try_it(json.loads(BLOCKS[-2].body))
        # One message in all: neither the repeated event nor the restart sent another one.
        sent = [line for line in reader.server.screen.read_text().splitlines() if line.startswith('{"channel"')]
        assert len(sent) == 1


@pytest.mark.parametrize(
    ("shown", "found", "places"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": "…"}, {"a": [1, 2]}, []),
        ({"a": 1}, {"a": 2}, ["$.a"]),
        ({"a": 1}, {"a": True}, ["$.a"]),
        ({"a": 1}, {"a": 1, "b": 2}, ["$.b"]),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}, []),
        ({"a": 1, "b": 2}, {"a": 1}, ["$.b"]),
        ([1, {"a": 2}], [1, {"a": 3}], ["$[1].a"]),
        ([1], [1, 2], ["$"]),
        ([1, "…"], [1, 2], []),
        ("http://…/x", "http://h:1/x", []),
        ("http://…/x", "http://h:1/y", ["$"]),
    ],
)
def test_what_is_shown_is_compared(shown: Any, found: Any, places: list[str]) -> None:
    assert [said.partition(":")[0] for said in differences(shown, found)] == places
