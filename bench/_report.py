"""What the benchmarks share: timing that survives a busy machine, and tables of numbers with their ratios."""

import gc
import time
from collections.abc import Callable, Iterable, Sequence


def best_of(call: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the fastest of some calls: what the code costs when nobody is in its way."""
    fastest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def settle() -> None:
    """Collect garbage and leave what is there out of later collections, as a server does after it has started."""
    gc.collect()
    gc.freeze()


def number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(value: float, baseline: float) -> str:
    """How many times the baseline: ``3.2x``."""
    return f"{number(value / baseline)}x" if baseline else "-"


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table with its first column to the left and the others to the right."""
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    print(f"\n{title}")
    for position, line in enumerate(lines):
        cells = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  " + "  ".join(cells).rstrip())
        if position == 0:
            print("  " + "  ".join("-" * width for width in widths))


def print_goal(what: str, value: float, limit: float, unit: str) -> bool:
    """Print whether a measured value keeps within its goal, and answer so."""
    kept = value <= limit
    print(f"  {'kept  ' if kept else 'MISSED'}  {what}: {number(value)} {unit} (goal: at most {number(limit)} {unit})")
    return kept
