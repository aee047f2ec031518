"""F17: no wait ends early and none is lost, whatever clocks do."""

from pathlib import Path

import pytest

from tests.faults.clocks import scene, turn_clocks


@pytest.mark.parametrize("seed", [20271030, *(pytest.param(n, marks=pytest.mark.full) for n in range(20))])
async def test_clocks_jump_differ_and_change(database_url: str, tmp_path: Path, seed: int) -> None:
    async with scene(database_url, tmp_path) as place:
        jumped = await turn_clocks(place, seed=seed)
        print(f"{jumped} jumps")
        assert jumped > 20
