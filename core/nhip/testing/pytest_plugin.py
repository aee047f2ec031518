"""The plugin for pytest: ``*.scenario.yaml`` files are tests, and ``world`` is a fixture.

pytest imports this module wherever Nhịp is installed, so it imports nothing else before it is needed.
``pytest -p no:nhip`` leaves it out.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from nhip.testing.world import World

SUFFIX = ".scenario.yaml"


@pytest.fixture
def world() -> "Iterator[World]":
    """A world with nothing in it yet: see :class:`nhip.testing.World`."""
    from nhip.testing.world import World

    with World() as world:
        yield world


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    """Take scenario files for tests."""
    return ScenarioFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None


class ScenarioFile(pytest.File):
    """A file with one scenario."""

    def collect(self) -> Iterable["ScenarioItem"]:
        """The scenario. It is read when it runs, so that a fault in it fails one test."""
        yield ScenarioItem.from_parent(self, name=self.path.name.removesuffix(SUFFIX))


class ScenarioItem(pytest.Item):
    """A scenario as a test."""

    def runtest(self) -> None:
        """Tell the story."""
        from nhip.testing.scenario import Scenario

        Scenario(self.path).run()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What differs, or which part of the file is at fault; everything else as it is."""
        from nhip.domain.errors import InvalidInput
        from nhip.testing.scenario import ScenarioFailed

        if isinstance(excinfo.value, ScenarioFailed):
            return str(excinfo.value)
        if isinstance(excinfo.value, InvalidInput):
            return "\n".join(f"{problem.path}: {problem.message}" for problem in excinfo.value.problems)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it stands, and what it is called."""
        return self.path, None, f"scenario: {self.name}"
