"""``nhip workflows test``: scenarios, told in worlds of their own. They touch no database and reach no provider."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nhip.cli.output import as_json, show_json
from nhip.domain.errors import InvalidInput
from nhip.domain.struct import Struct

if TYPE_CHECKING:
    from nhip.settings import Settings


class Told(Struct):
    """One scenario, and what became of it."""

    file: str
    title: str
    passed: bool
    seconds: float
    problems: list[dict[str, str]]
    """What differs (``place``, ``expected``, ``seen``), or what is wrong with the file (``place``, ``message``)."""

    def lines(self) -> Iterator[str]:
        """For a screen."""
        yield f"{'passed' if self.passed else 'FAILED'}  {self.file}  {self.title}  ({self.seconds:.2f} s)"
        for one in self.problems:
            yield f"  {one['place']}: " + (one.get("message") or f"expected {one['expected']}, seen {one['seen']}")


@click.command("test")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@as_json
def test(paths: tuple[Path, ...], machine: bool) -> None:
    """Run scenarios: PATHS are files, or folders with files *.scenario.yaml; exits 1 when one fails.

    Each is told on a virtual clock, with channels that send nothing.
    """
    from nhip.settings import load
    from nhip.testing.scenario import find_scenarios

    settings = load()
    told = []
    for path in find_scenarios(paths):
        told.append(_tell(path, settings))
        if not machine:
            click.echo("\n".join(told[-1].lines()))
    failed = sum(not one.passed for one in told)
    if machine:
        show_json(told)
    else:
        click.echo(f"{len(told) - failed} passed, {failed} failed")
    if failed:
        raise SystemExit(1)


def _tell(path: Path, settings: "Settings") -> Told:
    from nhip.testing.scenario import Scenario, ScenarioFailed

    began = time.perf_counter()
    title, passed, problems = "", False, []
    try:
        scenario = Scenario(path)
        title = scenario.title
        scenario.run(allow=settings.plugins_allow, deny=settings.plugins_deny)
        passed = True
    except ScenarioFailed as error:
        problems = [{"place": one.place, "expected": one.expected, "seen": one.seen} for one in error.failures]
    except InvalidInput as error:
        problems = [
            {"place": one.path.removeprefix(f"{path}: "), "message": f"{one.message} [{one.code}]"}
            for one in error.problems
        ]
    return Told(
        file=str(path),
        title=title,
        passed=passed,
        seconds=round(time.perf_counter() - began, 3),
        problems=problems,
    )
