"""F26: each fault test fails on a build in which the promise that it guards is broken."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.faults.canaries import broken
from tests.faults.clocks import scene, turn_clocks
from tests.faults.conftest import StageMaker
from tests.faults.crashing import IN_FLIGHT, crash_once
from tests.faults.disrupting import lie, storm
from tests.faults.killing import kill_apis, wake_the_dead
from tests.faults.oracle import Stuck, Violation
from tests.faults.publishing import publish_amid
from tests.faults.stage import Stage

Attack = Callable[[Stage], Awaitable[object]]


def at(point: str, nth: int = 1) -> Attack:
    """The crash at one point."""
    return lambda stage: crash_once(stage, point, nth)


CANARIES: dict[str, tuple[str, Attack, str]] = {
    "no_epoch_guard": ("dedupes", lambda stage: wake_the_dead(stage, events=16), "a sleeper overwrote"),
    "no_reconciler": ("dedupes", at("step.intent_stored"), "nothing moved"),
    "attempt_in_key": ("dedupes", at("step.response_read"), "messages went out more often"),
    "blind_resend": ("blind", lambda stage: lie(stage, events=30, seed=1), "messages went out more often"),
    "blind_reclaim": ("blind", at("step.response_read"), "messages went out more often"),
    "acknowledge_early": ("dedupes", lambda stage: kill_apis(stage, events=40, kills=2, seed=1), "lost|another event"),
    "successor_apart": ("dedupes", at("step.recorded"), "under way"),
    "stale_version": (
        "dedupes",
        lambda stage: publish_amid(stage, plan="move", events=20, publishes=1, seed=1, kill=False),
        "version that is not theirs",
    ),
}
"""What is broken: the delivery class, the fault test that must notice, and what it says."""


@pytest.mark.parametrize("canary", CANARIES)
async def test_a_broken_build_is_noticed(stage_over: StageMaker, sqlite_url: str, valkey_url: str, canary: str) -> None:
    delivery_class, attack, complaint = CANARIES[canary]
    async with stage_over(sqlite_url, valkey_url)(delivery_class, canary=canary, max_in_flight=IN_FLIGHT) as stage:
        stage.patience = 6.0
        with pytest.raises((Violation, Stuck), match=complaint):
            await attack(stage)


async def test_a_build_without_the_unique_key_is_noticed(
    stage_over: StageMaker, postgres_url: str, valkey_url: str
) -> None:
    """On SQLite the one writer alone would keep duplicates out, so this needs PostgreSQL and two API processes."""
    async with stage_over(postgres_url, valkey_url)("dedupes", canary="no_unique_key", apis=2) as stage:
        with pytest.raises(Violation, match="stored more than once"):
            await storm(stage, keys=5, copies=8, clients=8)


@pytest.mark.parametrize(("canary", "complaint"), [("hasty_waits", "ended early"), ("sleepy_waits", "did not end")])
async def test_a_build_that_misreads_the_clock_is_noticed(
    sqlite_url: str, tmp_path: Path, canary: str, complaint: str
) -> None:
    async with scene(sqlite_url, tmp_path) as place:
        with broken(canary), pytest.raises(Violation, match=complaint):
            await turn_clocks(place, seed=1, jumps=0)
