"""How commands answer: tables for people, JSON for programs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--json`` to a command; it comes in as ``machine``."""
    return click.option("--json", "machine", is_flag=True, help="Answer as JSON.")(command)


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())


def show_rows(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(soft_wrap=True).print(table)


def show_mapping(values: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        click.echo(f"{name:<{width}}  {'' if value is None else value}")
