"""``nhip recipes``: workflows that ship with plugins, to be looked at, tested and copied."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from nhip.catalog import Catalog
from nhip.cli.output import as_json, show_json
from nhip.domain.struct import Struct
from nhip.settings import load
from nhip.testing.plain_yaml import read_yaml


class Recipe(Struct):
    """One recipe of a bundle."""

    name: str
    bundle: str
    title: str
    folder: str


@click.group()
def recipes() -> None:
    """List and copy workflows that ship with plugins, each with scenarios that prove it."""


@recipes.command("list")
@as_json
def list_command(machine: bool) -> None:
    """Every recipe of every installed bundle."""
    found = list(shipped())
    if machine:
        show_json(found)
        return
    for one in found:
        click.echo(f"{one.name:24}{one.bundle:12}{one.title}")


@recipes.command()
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def copy(name: str, folder: Path | None) -> None:
    """Copy the recipe NAME into FOLDER (by default one of its name), to be changed, tested and imported from there."""
    recipe = next((one for one in shipped() if one.name == name), None)
    if recipe is None:
        raise click.ClickException(f"there is no recipe {name!r}; `nhip recipes list` shows those that there are")
    target = folder or Path(name)
    if target.exists():
        raise click.ClickException(f"{target} exists already")
    shutil.copytree(recipe.folder, target)
    click.echo(f"copied to {target}; try it with: nhip workflows test {target}")


def shipped() -> Iterator[Recipe]:
    """The recipes of the installed bundles, by name."""
    settings = load()
    catalog = Catalog.load(allow=settings.plugins_allow, deny=settings.plugins_deny)
    found = []
    for kind, bundle in catalog.bundles.items():
        for file in sorted(bundle.folder.glob("*/workflow.yaml")):
            definition: Any = read_yaml(file.read_text(encoding="utf-8"), str(file))
            found.append(
                Recipe(
                    name=file.parent.name.replace("_", "-"), bundle=kind, title=definition.get("title", ""),
                    folder=str(file.parent),
                )
            )  # fmt: skip
    yield from sorted(found, key=lambda one: one.name)
