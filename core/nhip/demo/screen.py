"""What people see of a demonstration: progress, live on a terminal and in plain lines without one, and the table."""

import asyncio
import time
from typing import Final

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from nhip.demo.play import Play
from nhip.demo.reckoning import Reckoning

_REFRESH_SECONDS: Final = 0.2
_LINE_SECONDS: Final = 2.0
_PLAIN_WIDTH: Final = 120
_BARS: Final = ("events acknowledged", "ZNS accepted by Zalo", "receipts: delivered")
_COUNTS: Final = ("triggered", "sent", "delivered", "suppressed", "failed", "ledger")
_WIDE: Final = 108
_NARROW: Final = {"suppressed": "sup-\npressed"}
_SECTIONS: Final = {"ticket": "Tickets", "order": "Orders", "deal": "Deals"}


class Screen:
    """Writes to the standard output, or where ``aside`` to the standard error, which leaves the other to JSON."""

    def __init__(self, *, aside: bool = False) -> None:
        self._console = Console(stderr=aside, highlight=False)
        if not self._console.is_terminal:
            self._console = Console(stderr=aside, highlight=False, width=_PLAIN_WIDTH, color_system=None)

    def say(self, text: str) -> None:
        """One line; long ones are not broken, so that addresses and keys can be copied."""
        self._console.print(text, markup=False, soft_wrap=True)

    async def follow(self, play: Play) -> None:
        """Show how far a play has come, until cancelled."""
        if self._console.is_terminal:
            await self._show_bars(play)
        else:
            await self._say_lines(play)

    async def _show_bars(self, play: Play) -> None:
        columns = (
            TextColumn("{task.description:<21}"), BarColumn(bar_width=40), MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>7.0f}/s"), TimeElapsedColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self._console, auto_refresh=False) as progress:
            totals = (len(play.plan.events), play.plan.messages, play.plan.messages)
            bars = [progress.add_task(name, total=total, rate=0.0) for name, total in zip(_BARS, totals, strict=True)]
            began = time.monotonic()
            try:
                while True:
                    _advance(progress, bars, play, began)
                    progress.refresh()
                    await asyncio.sleep(_REFRESH_SECONDS)
            finally:
                _advance(progress, bars, play, began)
                progress.refresh()

    async def _say_lines(self, play: Play) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(_LINE_SECONDS)
            counts = zip(_BARS, _standing(play), strict=True)
            self.say(f"{time.monotonic() - began:6.1f} s  " + ", ".join(f"{count:,} {name}" for name, count in counts))

    def table(self, reckoning: Reckoning) -> None:
        """The table of all workflows with their sums."""
        is_wide = self._console.width >= _WIDE
        table = Table(
            show_footer=True,
            header_style="bold",
            footer_style="bold",
            box=box.SIMPLE_HEAD if is_wide else None,
            pad_edge=False,
            padding=(0, 1) if is_wide else (0, 1, 0, 0),
        )
        table.add_column("workflow", footer="all", no_wrap=True)
        for name in _COUNTS:
            header = name if is_wide else _NARROW.get(name, name)
            table.add_column(header, justify="right", footer=f"{reckoning.total(name):,}", no_wrap=True)
        for name in ("p50 s", "p99 s"):
            table.add_column(name, justify="right", no_wrap=True)
        section = ""
        for row in reckoning.rows:
            if row.record != section:
                section = row.record
                table.add_row(f"[bold]{_SECTIONS[section]}[/bold]")
            name = row.workflow if is_wide else row.workflow.removeprefix(f"{row.record}-")
            numbers = [f"{getattr(row, count):,}" for count in _COUNTS]
            table.add_row(name, *numbers, _seconds(row.p50_s), _seconds(row.p99_s))
        self._console.print(table)

    def verdict(self, reckoning: Reckoning) -> None:
        """Whether all agrees."""
        for line in reckoning.disagreements:
            self._console.print(f"disagreement: {line}", style="bold red", markup=False, soft_wrap=True)
        if not reckoning.disagreements:
            text = (
                f"Nhịp and the provider's ledger agree: {reckoning.ledger_entries:,} ZNS sent, "
                f"{reckoning.repeated} of them twice."
            )
            self._console.print(text, style="bold green", markup=False, soft_wrap=True)


def _standing(play: Play) -> tuple[int, int, int]:
    return play.acknowledged, len(play.ledger), play.delivered


def _advance(progress: Progress, bars: list[TaskID], play: Play, began: float) -> None:
    for bar, count in zip(bars, _standing(play), strict=True):
        progress.update(bar, completed=count, rate=count / max(time.monotonic() - began, 0.001))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
