"""``nhip keys``: API keys, by whoever has the database."""

from datetime import UTC, datetime, timedelta
from functools import partial

import click

from nhip.adapters.db import Database
from nhip.cli.database import over_database
from nhip.cli.output import as_json, show_json, show_rows
from nhip.domain.access import SCOPES, ApiKey, Principal
from nhip.domain.times import format_micros, parse_duration, to_micros
from nhip.ports import Unit
from nhip.services.workspace import keys as service
from nhip.services.workspace.keys import NewKey

ACTOR = "cli"
_workspace = click.option("--workspace", default=service.DEFAULT_WORKSPACE, show_default=True, help="Its name.")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(list(SCOPES)), help="Repeatable.")
@click.option("--expires-in", metavar="P90D", help="An ISO 8601 duration; by default it does not expire.")
@_workspace
@as_json
def create(name: str, scopes: tuple[str, ...], expires_in: str | None, workspace: str, machine: bool) -> None:
    """Make a key and print it: this once, it is kept nowhere."""
    now = datetime.now(UTC)
    expires = None if expires_in is None else to_micros(now + _duration(expires_in))
    made = over_database(partial(_create, name, scopes, expires, workspace, to_micros(now)))
    if machine:
        show_json({"id": made.key.id, "name": made.key.name, "scopes": made.key.scopes, "key": made.token})
    else:
        click.echo(made.token)


@keys.command("list")
@_workspace
@as_json
def list_command(workspace: str, machine: bool) -> None:
    """List keys, without their secrets."""
    found = over_database(partial(_list, workspace))
    rows = [(key.id, key.name, " ".join(key.scopes), format_micros(key.created_at), _state(key)) for key in found]
    names = ("id", "name", "scopes", "created_at", "state")
    if machine:
        show_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        show_rows(names, rows)


@keys.command()
@click.argument("key_id")
@_workspace
def revoke(key_id: str, workspace: str) -> None:
    """End a key. Running processes notice within a second."""
    over_database(partial(_revoke, key_id, workspace, to_micros(datetime.now(UTC))))
    click.echo(f"revoked {key_id}")


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires-in") from None


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= to_micros(datetime.now(UTC)):
        return "expired"
    return "valid"


async def _create(
    name: str, scopes: tuple[str, ...], expires: int | None, workspace: str, now: int, database: Database
) -> NewKey:
    def work(unit: Unit) -> NewKey:
        home = service.workspace(unit, workspace)
        maker = Principal(key_id=ACTOR, workspace_id=home.id, name=ACTOR, scopes=frozenset(SCOPES))
        return service.create_key(unit, maker, name=name, scopes=scopes, expires_at=expires, now=now)

    return await database.transact(work)


async def _list(workspace: str, database: Database) -> list[ApiKey]:
    def work(unit: Unit) -> list[ApiKey]:
        return service.keys(unit, service.workspace(unit, workspace).id, after=None, limit=10_000)

    return await database.read(work)


async def _revoke(key_id: str, workspace: str, now: int, database: Database) -> None:
    def work(unit: Unit) -> None:
        service.revoke_key(unit, service.workspace(unit, workspace).id, ACTOR, key_id, now)

    await database.transact(work)
