"""The command ``nhip demo``."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from nhip.demo import scenario
from nhip.demo.performance import Result, Wish, perform
from nhip.demo.processes import DemoFailed
from nhip.demo.screen import Screen

_DATABASE: Final = "nhip.db"


@click.command()
@click.option(
    "--events",
    type=click.IntRange(scenario.SHORTEST, 1_000_000),
    default=scenario.EVENTS,
    show_default=True,
    help="How many events are sent; two in three make an accepted message.",
)
@click.option("--keep", is_flag=True, help="Stay up afterwards, with the address and a key to explore.")
@click.option(
    "--kill-after",
    type=click.IntRange(1),
    multiple=True,
    metavar="MESSAGES",
    help="Kill nhip serve (SIGKILL) once the provider has accepted so many; may be given several times.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where database, ledger and logs go, and stay; a temporary folder by default.",
)
@click.option("--port", type=click.IntRange(1, 65_535), help="The port of nhip serve; a free one by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; progress goes to the standard error.")
def demo(
    events: int, keep: bool, kill_after: tuple[int, ...], data_dir: Path | None, port: int | None, as_json: bool
) -> None:
    """Play a customer-care platform's case: ten workflows, 10,000 Zalo messages.

    Starts `nhip serve` and a stand-in for Zalo on this machine, installs the workflows over HTTP, sends events of 2,000
    made-up customers, and compares every number with the stand-in's own ledger. Nothing leaves this machine. Exits with
    1 when anything disagrees.
    """
    screen = Screen(aside=as_json)
    with _folder(data_dir) as folder:
        wish = Wish(folder=folder, events=events, port=port, kill_after=kill_after, keep=keep)
        results: list[Result] = []

        def tell(result: Result) -> None:
            results.append(result)
            if as_json:
                click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2))

        try:
            asyncio.run(_until_told(perform(wish, screen, tell)))
        except DemoFailed as failed:
            screen.say(str(failed))
            sys.exit(1)
        except asyncio.CancelledError:
            if not results:
                sys.exit(130)
    sys.exit(0 if results[0].agrees else 1)


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Do ``work`` until it ends, or until SIGTERM or SIGINT cancels it in order."""
    task = asyncio.ensure_future(work)
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    await task


@contextlib.contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The folder to work in; a temporary one is taken away at the end."""
    if named is None:
        made = Path(tempfile.mkdtemp(prefix="nhip-demo-"))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    folder = named.expanduser().resolve()
    if (folder / _DATABASE).exists():
        said = f"{folder} holds a database already; choose a new folder, or look at that one with nhip serve --data-dir"
        raise click.BadParameter(said, param_hint="--data-dir")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{folder}: {os.strerror(error.errno or 0)}", param_hint="--data-dir") from None
    yield folder
