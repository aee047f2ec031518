"""The page on testing: its files run as they stand there, and it names every word that there is."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from nhip.cli import main
from nhip.testing import World
from nhip.testing.scenario_file import Expect, Given, ScenarioText, Then
from tests.docs.pages import DOCS, blocks, files

pytest_plugins = ["pytester"]

NAME = "testing.md"
PAGE = (DOCS / NAME).read_text()
_FILE = re.compile(r"# (\S+\.yaml)\n")


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Path:
    """The page's files."""
    yaml = {match[1]: body for body in blocks(NAME, "yaml") if (match := _FILE.match(body))}
    assert len(yaml) == len(blocks(NAME, "yaml"))
    assert len(files(NAME)) == len(blocks(NAME, "python"))
    for name, body in {**yaml, **files(NAME)}.items():
        (pytester.path / name).write_text(body)
    return pytester.path


def test_the_tests_of_the_page_pass(folder: Path, pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    done.assert_outcomes(passed=blocks(NAME, "python")[0].count("\ndef test_") + 1)


def test_the_command_of_the_page_says_what_it_shows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NHIP_DATA_DIR", str(folder / "data"))
    (command,) = blocks(NAME, "sh")
    words = command.split()[1:]
    assert CliRunner().invoke(main, words).exit_code == 0

    scenario = folder / words[-1]
    scenario.write_text(scenario.read_text().replace('text: "Chào Bình, cảm ơn bạn!"', 'text: "Chào Bình!"'))
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    (shown,) = blocks(NAME, "text")
    assert _timeless(done.output) == _timeless(shown)


def _timeless(text: str) -> str:
    return re.sub(r"\d+\.\d\d s", "… s", text)


@pytest.mark.parametrize(("table", "struct"), [("given", Given), ("then", Then), ("expect", Expect)])
def test_the_tables_have_every_word_and_no_other(table: str, struct: type[Given | Then | Expect]) -> None:
    match = re.search(rf"^\| `{table}` \| \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert match
    words = [word for row in match[1].splitlines() for word in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert words == [*dict.fromkeys(words)]
    assert set(words) == set(struct.__struct_fields__)


def test_the_parts_of_a_file_are_named() -> None:
    for name in ScenarioText.__struct_fields__:
        assert f"`{name}`" in PAGE


def test_every_word_of_a_world_that_is_named_exists() -> None:
    named = set(re.findall(r"\bworld\.(\w+)", PAGE))
    assert {name for name in named if not hasattr(World, name)} == set()
