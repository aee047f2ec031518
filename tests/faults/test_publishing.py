"""F19: whatever a publish does with the runs under way, each ends on one version, with each of its steps done once."""

import pytest

from tests.faults.conftest import StageMaker
from tests.faults.publishing import publish_amid

full = pytest.mark.full
SMALL = [("sqlite", "finish"), ("postgres", "move"), ("sqlite", "exit")]
FULL = [(dialect, plan) for dialect in ("sqlite", "postgres") for plan in ("finish", "move", "exit")]


@pytest.mark.parametrize(
    ("dialect", "plan", "events", "publishes"),
    [
        *(pytest.param(*cell, 30, 2, id="-".join((*cell, "small"))) for cell in SMALL),
        *(pytest.param(*cell, 500, 20, id="-".join((*cell, "full")), marks=full) for cell in FULL),
    ],
)
async def test_versions_are_published_while_workers_are_killed(
    request: pytest.FixtureRequest,
    stage_over: StageMaker,
    valkey_url: str,
    dialect: str,
    plan: str,
    events: int,
    publishes: int,
) -> None:
    url = request.getfixturevalue(f"{dialect}_url")
    async with stage_over(url, valkey_url)("dedupes", max_in_flight=8, settle_seconds=2) as stage:
        versions, moved, left = await publish_amid(stage, plan=plan, events=events, publishes=publishes, seed=20261125)
        print(f"{versions} versions, {moved} runs moved, {left} left")
        assert versions > 1 or plan == "move"
        assert (moved > 0) == (plan == "move")
        assert (left > 0) == (plan == "exit")
