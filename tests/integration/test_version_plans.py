"""Another version is published while runs are under way: they end where they are, move over, or are over."""

from pathlib import Path
from typing import Any

import pytest

from nhip import NotSent
from nhip.adapters.db.stores.runs import SqlRuns
from nhip.domain.authored import Fate, PublishPlan
from nhip.domain.errors import InvalidInput
from nhip.services.runs.progress import Progress
from tests.support.api import Api
from tests.support.databases import run_apart
from tests.support.invariants import check
from tests.support.world import World, open_world, send, tag, wait

MOVE = PublishPlan(runs=Fate.MOVE)


async def states(world: World) -> list[tuple[str, int, str | None]]:
    found = await world.rows("SELECT state, version, reason FROM runs ORDER BY id")
    return [tuple(row) for row in found]


async def tags(world: World) -> list[str]:
    return list((await world.contact()).get("tags", []))


async def test_without_a_plan_runs_end_on_the_version_that_they_entered(world: World) -> None:
    await world.workflow("n", wait("P1D"), tag("old"))
    await world.happens()
    published = await world.workflow("n", wait("P1D"), tag("new"))
    assert [(one.step, one.runs, one.fate) for one in published.standing] == [("pause", 1, "finish")]
    await world.later(days=1)
    assert await tags(world) == ["old"]


async def test_runs_move_by_the_id_of_their_step_and_keep_their_time(world: World) -> None:
    await world.workflow("n", wait("P2D"), tag("old"))
    await world.happens()
    await world.later(days=1)
    published = await world.workflow("n", tag("first", id="first"), wait("P9D"), tag("new"), plan=MOVE)
    assert [(one.step, one.fate, one.to) for one in published.standing] == [("pause", "move", "pause")]
    assert await states(world) == [("running", 2, None)]
    await world.later(hours=23)
    assert await tags(world) == []
    await world.later(hours=1)
    assert await tags(world) == ["new"]
    assert await states(world) == [("completed", 2, None)]


async def test_a_plan_maps_steps_that_have_another_id_and_says_what_becomes_of_the_others(world: World) -> None:
    await world.workflow("n", wait("P1D", id="one"), wait("P1D", id="two"), tag("old"))
    await world.happens()
    await world.later(days=1)
    await world.happens(contact="KH-2")
    plan = PublishPlan(runs=Fate.MOVE, map={"two": "later"}, otherwise=Fate.EXIT)
    published = await world.workflow("n", wait("P1D", id="later"), tag("new"), plan=plan)
    assert sorted((one.step, one.fate, one.to) for one in published.standing) == [
        ("one", "exit", None), ("two", "move", "later"),
    ]  # fmt: skip
    assert await states(world) == [("running", 2, None), ("exited", 1, "published: version 2")]
    await world.later(days=1)
    assert await tags(world) == ["new"]


async def test_everybody_leaves(world: World) -> None:
    script = await world.channel("zns")
    await world.template("hello")
    await world.knows("KH-2", name="Ba", phone="0987654321")
    script.answer(NotSent(code="busy"))
    await world.workflow(
        "n", {"id": "f", "if": {"field": "contact.phone", "op": "is_empty"}, "then": [wait("P1D")]}, send("zns")
    )
    await world.happens()
    await world.happens(contact="KH-2")
    await world.work()
    await world.workflow("n", tag("new"), plan=PublishPlan(runs=Fate.EXIT))
    assert await states(world) == [("exited", 1, "published: version 2")] * 2
    await world.later(days=2)
    assert len(script.sent) == 1
    assert await world.deliveries() == [("zns", "suppressed", "published: version 2")]


async def test_runs_that_wait_for_an_event_wait_for_the_new_ones(world: World) -> None:
    def hears(kind: str) -> dict[str, Any]:
        return {"id": "hears", "wait": {"event": kind, "timeout": "P9D"}}

    await world.workflow("n", hears("shop.bought"), tag("old"))
    await world.happens()
    await world.workflow("n", hears("shop.paid"), tag("new"), plan=MOVE)
    await world.happens("shop.bought")
    await world.work()
    assert await tags(world) == []
    await world.happens("shop.paid")
    await world.work()
    assert await tags(world) == ["new"]


async def test_queued_runs_begin_in_the_new_version(world: World) -> None:
    settings = {"mode": "queued"}
    await world.workflow("n", wait("P1D"), tag("old"), settings=settings)
    await world.happens()
    await world.happens()
    await world.workflow("n", wait("P1D"), tag("new"), settings=settings, plan=MOVE)
    assert [one[1] for one in await states(world)] == [2, 2]
    await world.later(days=1)
    await world.later(days=1)
    assert [one[0] for one in await states(world)] == ["completed", "completed"]


async def test_a_run_is_freed_that_queues_behind_one_whose_end_did_not_know_of_queues(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publish, and the event after it, come between the last look of the unit that ends the run and its commit."""
    await world.workflow("n", wait("P1D"), tag("old"))
    await world.happens()
    world.clock.advance(days=1)
    await world.workflow("n", tag("new", id="new"), settings={"mode": "queued"})
    await world.happens()
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "_queues", lambda *args: set())
        await world.later()
    assert [one[0] for one in await states(world)] == ["completed", "queued"]
    await world.later(seconds=15)
    assert [one[0] for one in await states(world)] == ["completed", "completed"]
    assert await tags(world) == ["old", "new"]


async def test_a_publish_between_the_last_look_of_a_run_and_its_end_strands_nobody(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(postgres_url, tmp_path) as world:

        async def publish() -> None:
            async with open_world(postgres_url, tmp_path, clock=world.clock) as other:
                await other.workflow("n", tag("new", id="new"), settings={"mode": "queued"})
                await other.happens()

        def late(*args: Any) -> Any:
            monkeypatch.setattr(SqlRuns, "finish", finish)
            run_apart(publish)
            return finish(*args)

        await world.workflow("n", wait("P1D"))
        await world.happens()
        finish = SqlRuns.finish
        monkeypatch.setattr(SqlRuns, "finish", late)
        await world.later(days=1)
        await world.later(seconds=15)
        assert [one[0] for one in await states(world)] == ["completed", "completed"]


async def test_a_queued_run_that_moves_in_the_moment_in_which_it_begins_begins_where_it_is(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL a publish may come between looking for the next of a queue and letting it begin."""
    settings = {"mode": "queued"}
    async with open_world(postgres_url, tmp_path) as world:

        async def publish() -> None:
            async with open_world(postgres_url, tmp_path, clock=world.clock) as other:
                await other.workflow("n", tag("new", id="another"), settings=settings, plan=MOVE)

        def late(*args: Any) -> Any:
            run_apart(publish)
            return begin(*args)

        await world.workflow("n", wait("P1D"), tag("old"), settings=settings)
        for _ in range(2):
            await world.happens()
        begin = SqlRuns.begin
        monkeypatch.setattr(SqlRuns, "begin", late)
        await world.later(days=1)
        assert await states(world) == [("completed", 1, None), ("completed", 2, None)]
        assert await tags(world) == ["old", "new"]
        await check(world.engine.database, now=world.clock.micros())


async def test_a_step_that_is_under_way_ends_as_it_began_and_the_run_goes_on_in_the_new_version(world: World) -> None:
    script = await world.channel("zns")
    await world.template("hello")
    await world.knows("KH-1", name="Anh", phone="0987654321")
    await world.workflow("n", send("zns"), tag("old"))
    await world.happens()
    executor = world.engine.executor
    claimed = await world.engine.database.transact(world.engine.execution.claim, "somebody", 10, 60_000_000)
    await world.workflow("n", tag("before", id="before"), send("zns"), tag("new"), plan=MOVE)
    world.engine.performer.start(claimed, 1e12)
    await executor.settled()
    await world.work()
    assert len(script.sent) == 1
    assert await tags(world) == ["new"]


async def test_a_message_whose_worker_died_when_everybody_left_is_not_sent_again_nor_forgotten(
    world: World,
) -> None:
    """Whether it went out is not known; and that it might be sent again without harm is no reason to do so."""
    script = await world.channel("zns", "scripted_dedupes")
    await world.template("hello", "scripted_dedupes")
    await world.knows("KH-1", name="Anh", phone="0987654321")
    await world.workflow("n", send("zns"), tag("old"))
    await world.happens()
    await world.engine.database.transact(world.engine.execution.claim, "somebody", 10, 60_000_000)
    await world.workflow("n", tag("new"), plan=PublishPlan(runs=Fate.EXIT))
    await world.later(minutes=2)
    assert script.sent == []
    assert await world.deliveries() == [("zns", "unknown", "lease_expired")]
    assert [row[:2] for row in await world.steps()] == [("tell", "unknown")]
    await world.later(days=2)
    assert await world.steps() == [("tell", "done", "unknown")]
    assert await states(world) == [("exited", 1, "published: version 2")]


async def test_nobody_is_sent_the_same_step_twice_by_a_move_backwards(world: World) -> None:
    script = await world.channel("zns")
    await world.template("hello")
    await world.knows("KH-1", name="Anh", phone="0987654321")
    await world.workflow("n", send("zns"), wait("P1D"), tag("old"))
    await world.happens()
    await world.work()
    await world.workflow("n", wait("P1D"), send("zns"), tag("new"), plan=MOVE)
    await world.later(days=1)
    assert len(script.sent) == 1
    assert await tags(world) == ["new"]
    assert await states(world) == [("completed", 2, None)]


@pytest.mark.parametrize(
    ("plan", "path", "code"),
    [
        (PublishPlan(runs=Fate.MOVE, map={"nothing": "pause"}), "plan.map.nothing", "unknown_step"),
        (PublishPlan(runs=Fate.MOVE, map={"pause": "nothing"}), "plan.map.pause", "unknown_step"),
        (PublishPlan(runs=Fate.MOVE, map={"pause": "mark"}), "plan.map.pause", "does_not_fit"),
        (PublishPlan(runs=Fate.MOVE, map={"pause": "inside"}), "plan.map.pause", "does_not_fit"),
        (PublishPlan(runs=Fate.MOVE, otherwise=Fate.MOVE), "plan.otherwise", "bad_value"),
    ],
)
async def test_a_plan_that_does_not_fit_is_refused_and_nothing_is_published(
    world: World, plan: PublishPlan, path: str, code: str
) -> None:
    await world.workflow("n", wait("P1D"), tag("old"))
    await world.happens()
    loop = {"id": "loop", "repeat": {"times": 2}, "steps": [wait("P1D", id="inside")]}
    with pytest.raises(InvalidInput) as refused:
        await world.workflow("n", wait("P1D"), loop, tag("new"), plan=plan)
    assert [(one.path, one.code) for one in refused.value.problems] == [(path, code)]
    await world.later(days=1)
    assert await tags(world) == ["old"]
    assert await world.value("SELECT published_version FROM workflows") == 1


async def test_over_the_api(api: Api) -> None:
    pause = {"id": "pause", "wait": {"for": "P1D"}}
    mark = {"id": "mark", "action": "update_contact", "config": {"add_tags": ["x"]}}
    workflow = {
        "name": "n", "triggers": [{"type": "event", "config": {"type": "shop.opened"}}], "steps": [pause, mark],
    }  # fmt: skip
    await api.post("/v1/workflows", workflow, 201)
    await api.post("/v1/workflows/n/publish")
    await api.send({"id": "1", "source": "shop", "specversion": "1.0", "type": "shop.opened", "subject": "KH-1"})
    assert (await api.post("/v1/workflows/n/validate"))["running"] == [
        {"version": 1, "step": "pause", "runs": 1, "fate": "finish", "to": None}
    ]
    await api.put("/v1/workflows/n", {**workflow, "steps": [mark, pause]})
    wrong = {"plan": {"runs": "move", "map": {"pause": "no"}}}
    refused = await api.post("/v1/workflows/n/publish", wrong, 422)
    assert refused["errors"][0]["path"] == "plan.map.pause"
    answer = await api.post("/v1/workflows/n/publish", {"plan": {"runs": "move"}})
    assert answer["running"] == [{"version": 1, "step": "pause", "runs": 1, "fate": "move", "to": "pause"}]


async def test_a_publish_needs_no_body_whatever_its_client_says_of_it(api: Api) -> None:
    workflow = {
        "name": "n", "triggers": [{"type": "event", "config": {"type": "shop.opened"}}],
        "steps": [{"id": "mark", "action": "update_contact", "config": {"add_tags": ["x"]}}],
    }  # fmt: skip
    await api.post("/v1/workflows", workflow, 201)
    for kind in ("application/octet-stream", "text/plain", "application/json"):
        await api.post("/v1/workflows/n/publish", content_type=kind)
