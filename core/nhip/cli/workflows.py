"""``nhip workflows``: definitions as JSON or YAML files, checked, brought in and written out over the local database,
and scenarios that test them.
"""

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from nhip.adapters.db import Database
from nhip.catalog import Catalog
from nhip.cli.database import over_database
from nhip.cli.output import as_json, show_json
from nhip.cli.scenarios import test
from nhip.domain.errors import InvalidInput, Problem, invalid
from nhip.domain.times import to_micros
from nhip.engine.definitions.definition import compile_definition
from nhip.engine.definitions.next_times import NextTimes, next_times
from nhip.ports import Unit
from nhip.services.workflows.workflows import Workflows
from nhip.services.workspace import keys
from nhip.settings import load
from nhip.testing.plain_yaml import read_yaml

ACTOR = "cli"
_file = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
_workspace = click.option("--workspace", default=keys.DEFAULT_WORKSPACE, show_default=True, help="Its name.")


@click.group()
def workflows() -> None:
    """Validate, test, import and export workflow definitions."""


workflows.add_command(test)


@workflows.command()
@click.argument("files", nargs=-1, required=True, type=_file)
@as_json
def validate(files: tuple[Path, ...], machine: bool) -> None:
    """Check definitions without a database; each fault is told with its place, and when time sets them off next.

    Whether the channels and templates that they name exist is asked when they are published.
    """
    catalog = _catalog()
    now = datetime.now(UTC)
    found = {str(file): _judged(file, catalog, now) for file in files}
    if machine:
        show_json(
            [
                {"file": file, "valid": not faults, "errors": faults, "next_times": times}
                for file, (faults, times) in found.items()
            ]
        )
    else:
        for file, (faults, times) in found.items():
            click.echo(f"{file}: {'valid' if not faults else f'{len(faults)} errors'}")
            for fault in faults:
                click.echo(f"  {fault.path or 'input'}: {fault.message} [{fault.code}]")
            for one in times:
                click.echo(f"  {one.trigger} ({one.timezone}): {', '.join(one.times) or 'never'}")
    if any(faults for faults, _ in found.values()):
        raise SystemExit(1)


@workflows.command("import")
@click.argument("files", nargs=-1, required=True, type=_file)
@click.option("--publish", is_flag=True, help="Publish each of them, too.")
@_workspace
@as_json
def import_command(files: tuple[Path, ...], publish: bool, workspace: str, machine: bool) -> None:
    """Make or replace drafts: all of the files, or none when one is not valid."""
    catalog = _catalog()
    definitions = [_read(file) for file in files]
    done = over_database(partial(_import, Workflows(catalog), definitions, publish, workspace))
    if machine:
        show_json(done)
    else:
        for one in done:
            click.echo(f"{one['name']}: {one['state']}, version {one['published_version'] or '-'}")


@workflows.command()
@click.argument("names", nargs=-1)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="A folder; one file for each workflow."
)
@_workspace
def export(names: tuple[str, ...], output: Path | None, workspace: str) -> None:
    """Write drafts as JSON: those that are named, or all."""
    found = over_database(partial(_export, Workflows(_catalog()), names, workspace))
    if output is None:
        show_json(found[0] if len(names) == 1 else found)
        return
    output.mkdir(parents=True, exist_ok=True)
    for definition in found:
        path = output / f"{definition['name']}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(definition), indent=2) + b"\n")
        click.echo(str(path))


def _catalog() -> Catalog:
    settings = load()
    return Catalog.load(allow=settings.plugins_allow, deny=settings.plugins_deny)


def _read(file: Path) -> dict[str, Any]:
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        if file.suffix in (".yaml", ".yml"):
            return msgspec.convert(read_yaml(content.decode(), str(file)), dict[str, Any])
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise invalid(str(file), "malformed_input", str(error)) from None


def _judged(file: Path, catalog: Catalog, now: datetime) -> tuple[tuple[Problem, ...], tuple[NextTimes, ...]]:
    """The faults of a definition; where it has none, when time sets it off next."""
    try:
        return (), next_times(compile_definition(_read(file), catalog), now)
    except InvalidInput as error:
        return error.problems, ()


async def _import(
    service: Workflows, definitions: list[dict[str, Any]], publish: bool, workspace: str, database: Database
) -> list[dict[str, Any]]:
    now = to_micros(datetime.now(UTC))

    def work(unit: Unit) -> list[dict[str, Any]]:
        home = keys.workspace(unit, workspace).id
        done = []
        for definition in definitions:
            name = str(definition.get("name", ""))
            stored, _, _ = service.save(unit, home, name, definition, if_match=None, actor=ACTOR, now=now)
            if publish:
                stored = service.publish(unit, home, name, if_match=None, actor=ACTOR, now=now).workflow
            done.append({"name": name, "state": stored.state, "published_version": stored.published_version})
        return done

    return await database.transact(work)


async def _export(
    service: Workflows, names: tuple[str, ...], workspace: str, database: Database
) -> list[dict[str, Any]]:
    def work(unit: Unit) -> list[dict[str, Any]]:
        home = keys.workspace(unit, workspace).id
        if names:
            return [service.find(unit, home, name).draft for name in names]
        return [stored.draft for stored in service.page(unit, home, None, None, 100_000)]

    return await database.read(work)
