"""The command ``nhip``. Each command's module is imported when it is called, so that ``nhip --help`` is quick."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "nhip.cli.running:serve",
    "api": "nhip.cli.running:api",
    "worker": "nhip.cli.running:worker",
    "demo": "nhip.demo.command:demo",
    "db": "nhip.cli.database:db",
    "config": "nhip.cli.database:config",
    "plugins": "nhip.cli.plugins:plugins",
    "keys": "nhip.cli.keys:keys",
    "workflows": "nhip.cli.workflows:workflows",
    "recipes": "nhip.cli.recipes:recipes",
    "standin": "nhip.cli.standins:standin",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what goes wrong on purpose is told, each fault with its place, and not traced."""
        from nhip.domain.errors import InvalidInput, NhipError

        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            for problem in error.problems:
                click.echo(f"{problem.path or 'input'}: {problem.message} [{problem.code}]", err=True)
            sys.exit(1)
        except NhipError as error:
            click.echo(f"{error.code}: {error.detail}", err=True)
            sys.exit(1)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nhip", prog_name="nhip")
def main() -> None:
    """Nhịp: when something happens to a customer, decide what should follow, and do it once.

    Settings come from the environment (NHIP_*) and from nhip.toml; `nhip config` shows them.
    """
