"""The recipes that ship with plugins can be listed, copied, changed and tried."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nhip.catalog import Catalog
from nhip.cli import main

RECIPES = sorted(file for bundle in Catalog.load().bundles.values() for file in bundle.folder.glob("*/workflow.yaml"))


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_every_recipe_is_listed_with_its_title() -> None:
    code, output = run("recipes", "list", "--json")
    listed = {one["name"]: one["title"] for one in json.loads(output)}
    assert code == 0
    assert listed.keys() == {file.parent.name.replace("_", "-") for file in RECIPES}
    assert all(listed.values())
    assert all(name in run("recipes", "list")[1] for name in listed)


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.parent.name)
def test_a_recipe_is_valid_and_has_a_scenario(file: Path) -> None:
    assert run("workflows", "validate", str(file))[0] == 0
    assert list(file.parent.glob("*.scenario.yaml"))


def test_a_copy_is_the_whole_recipe(tmp_path: Path) -> None:
    code, output = run("recipes", "copy", "win-back", str(tmp_path / "mine"))
    assert code == 0, output
    [shipped] = [file.parent for file in RECIPES if file.parent.name == "win_back"]
    copied = {file.relative_to(tmp_path / "mine") for file in (tmp_path / "mine").rglob("*.yaml")}
    assert copied == {file.relative_to(shipped) for file in shipped.rglob("*.yaml")}


def test_nothing_is_overwritten_and_a_wrong_name_is_told(tmp_path: Path) -> None:
    assert "exists already" in run("recipes", "copy", "win-back", str(tmp_path))[1]
    code, output = run("recipes", "copy", "nothing", str(tmp_path / "a"))
    assert (code, "there is no recipe" in output) == (1, True)
