"""Many waits that end at the same moment: all of them go on, at once, and nothing else is held up meanwhile."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from nhip.adapters.db.statements import fetch
from nhip.adapters.db.stores import runs
from nhip.adapters.db.unit import SqlUnit
from nhip.services.execution import reconcile
from tests.support.world import World, open_world, tag, wait

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


@pytest.mark.parametrize("suspects", [False, True])
async def test_a_claim_walks_through_what_is_ready_only_once(postgres_url: str, tmp_path: Path, suspects: bool) -> None:
    """Whatever PostgreSQL believes: it last counted when nothing was ready, and now everything is."""
    plan: list[str] = []

    def explain(unit: SqlUnit) -> None:
        values = {"owner": "somebody", "limit": 10, "now": 2**60, "lease_until": 2**60}
        text, said = runs._CLAIM_POSTGRES[suspects]._prepared(unit.connection, values)
        unit.connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # as if there were many
        plan.extend(row[0] for row in fetch(unit.connection, f"EXPLAIN {text}", said))

    async with open_world(postgres_url, tmp_path) as world:
        await world.workflow("n", wait("P1D"), tag("woken"))
        said = [world.event(contact=f"KH-{number}") for number in range(CONTACTS)]
        await world.engine.inbox.submit(world.workspace_id, said)
        await world.change("ANALYZE steps")
        await world.change("UPDATE steps SET state = 'ready'")
        await world.engine.database.transact(cast(Any, explain))
    used = [line.partition("using ")[2].partition(" ")[0] for line in plan if "Index Scan using" in line]
    assert len([name for name in used if name in ("ix_steps_ready", "ix_steps_suspect")]) == 1, "\n".join(plan)
    assert "pk_steps" in used
