"""Many waits that end at the same moment: all of them go on, at once, and nothing else is held up meanwhile."""

import asyncio
from typing import Any

import pytest

from nhip.services import reconcile
from tests.support.world import World, tag, wait

CONTACTS = 40


@pytest.fixture
async def crowd(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Forty contacts who all wait for the same moment, and a reconciler that takes three at a time."""
    monkeypatch.setattr(reconcile, "_LIMIT", 3)
    await world.workflow("n", wait("P1D"), tag("woken"))
    said = [world.event(contact=f"KH-{number}") for number in range(CONTACTS)]
    await world.engine.inbox.submit(world.workspace_id, said)
    return world


async def test_one_look_around_wakes_all_of_them(crowd: World) -> None:
    await crowd.later(days=1)
    assert await crowd.run_states() == ["completed"] * CONTACTS


async def test_what_was_woken_first_is_done_before_the_last_is_woken(
    crowd: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without a pause in between: the reconciler of this engine rests for an hour after each look around."""
    engine = crowd.engine
    happened: list[str] = []

    def noted(owner: Any, name: str, count: Any) -> None:
        whole = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = whole(*args, **kwargs)
            happened.extend([name] * bool(count(answer)))
            return answer

        monkeypatch.setattr(owner, name, call)

    noted(engine.reconcile, "run", lambda answer: answer.woken)
    noted(engine.execution, "claim", lambda answer: answer.count)
    monkeypatch.setattr(engine.executor, "_reconcile_seconds", 3_600.0)
    crowd.clock.advance(days=1)
    working = asyncio.create_task(engine.executor.run())
    async with asyncio.timeout(20):
        while set(await crowd.run_states()) != {"completed"}:  # noqa: ASYNC110  (the database tells nobody)
            await asyncio.sleep(0.02)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert happened.count("run") == CONTACTS // 3 + 1
    last = max(place for place, what in enumerate(happened) if what == "run")
    assert happened[:last].count("claim") > 3
