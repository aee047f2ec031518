"""``nhip plugins``: what is installed, whether it keeps the rules, and a start for one's own."""

from pathlib import Path
from typing import Any

import click

from nhip.catalog import Catalog, PluginStatus
from nhip.cli.output import as_json, show_json, show_rows
from nhip.cli.skeleton import KINDS, write_project
from nhip.domain.errors import NhipError
from nhip.plugin_rules import BASES
from nhip.settings import load


@click.group()
def plugins() -> None:
    """List, check and start plugins."""


def _load(modules: tuple[str, ...] = ()) -> Catalog:
    settings = load()
    return Catalog.load(allow=settings.plugins_allow, deny=settings.plugins_deny, extra_modules=modules)


@plugins.command("list")
@as_json
def list_command(machine: bool) -> None:
    """List every plugin that was found, and why one is not loaded."""
    found = _load().plugins
    if machine:
        show_json(found)
    else:
        names = ("name", "from", "state", "kinds", "reason")
        show_rows(names, [(s.name, _origin(s), s.state, " ".join(s.kinds), s.reason) for s in found])


@plugins.command()
@click.argument("modules", nargs=-1)
@as_json
def check(modules: tuple[str, ...], machine: bool) -> None:
    """Load every plugin, and MODULES beside the installed ones, and hold each against the rules; exits 1 on a fault."""
    catalog = _load(modules)
    findings = [*_failed(catalog), *_nonconforming(catalog)]
    if machine:
        show_json([{"plugin": name, "finding": text} for name, text in findings])
    else:
        for name, text in findings:
            click.echo(f"{name}: {text}")
        loaded = sum(1 for status in catalog.plugins if status.state == "loaded")
        click.echo(f"{loaded} plugins loaded, {len(findings)} faults")
    if findings:
        raise SystemExit(1)


@plugins.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), default="trigger", show_default=True)
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where it is made.")
def new(name: str, kind: str, directory: Path) -> None:
    """Make a project with a plugin that works, and its test: NAME is snake_case, such as order_refunded."""
    for path in write_project(name, kind, directory):
        click.echo(str(path))


def _origin(status: PluginStatus) -> str:
    return f"{status.distribution} {status.version}" if status.distribution else status.module


def _failed(catalog: Catalog) -> list[tuple[str, str]]:
    return [(s.name, s.reason or "failed") for s in catalog.plugins if s.state == "failed"]


def _nonconforming(catalog: Catalog) -> list[tuple[str, str]]:
    from nhip.testing import conformance

    findings = []
    for sort in BASES:
        conforms: Any = getattr(conformance, f"check_{sort}")
        for kind, cls in catalog.of(sort).items():
            try:
                conforms(cls)
            except conformance.Nonconforming as error:
                findings += [(f"{sort}.{kind}", text) for text in error.findings]
            except NhipError as error:
                findings.append((f"{sort}.{kind}", error.detail))
    return findings
