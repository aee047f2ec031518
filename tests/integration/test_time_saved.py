"""What a workflow saves: what people would have needed, less what the machine did."""

from typing import Any

import pytest

from nhip.domain.errors import InvalidInput
from nhip.domain.history import Span
from nhip.services.history.measures import Measures, SavedTime, measure
from tests.support.api import Api
from tests.support.world import World, send, tag, wait


async def measured(world: World) -> Measures:
    now = world.clock.micros()
    span = Span(workflow="w", since=0, until=now + 1)
    return await world.engine.database.read(measure, world.workspace_id, span, None)


async def test_each_run_counts_by_its_own_version(world: World) -> None:
    await world.channel("main")
    await world.template("hello")
    await world.workflow("w", tag("x"))
    await world.happens()
    await world.work()
    assert (await measured(world)).time_saved is None
    settings = {"time_saved": {"minutes": 12, "waste_percent": 25}}
    await world.workflow("w", tag("y"), wait("P1D"), send("main"), settings=settings)
    saved = (await measured(world)).time_saved
    assert saved == SavedTime(runs=0, human_minutes=0, machine_seconds=0)
    for _ in range(3):
        await world.happens()
    await world.later()
    await world.later(days=1)
    await world.happens()
    await world.work()
    # A message takes the machine two seconds, of those whom it was sent to.
    await world.change("UPDATE steps SET finished_at = first_attempt_at + 2000000 WHERE path = 'tell'")
    saved = (await measured(world)).time_saved
    assert saved == SavedTime(runs=3, human_minutes=45, machine_seconds=6)
    assert saved is not None
    assert saved.saved_minutes == pytest.approx(44.9)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"minutes": 0}, ".minutes"),
        ({"minutes": "12"}, ".minutes"),
        ({"waste_percent": 20}, ".minutes"),
        ({"minutes": True}, ".minutes"),
        ({"minutes": 12, "waste_percent": -1}, ".waste_percent"),
        ({"minutes": 12, "hours": 1}, ".hours"),
        (12, ""),
    ],
)
async def test_what_cannot_be_reckoned_with(world: World, said: Any, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await world.workflow("w", tag("x"), settings={"time_saved": said})
    assert [problem.path for problem in caught.value.problems] == [f"settings.time_saved{path}"]


async def test_over_http(api: Api) -> None:
    trigger = {"id": "t", "type": "event", "config": {"type": "a.b"}}
    definition = {"name": "w", "triggers": [trigger], "steps": [tag("x")], "settings": {
        "time_saved": {"minutes": 10, "waste_percent": 20}}}  # fmt: skip
    await api.post("/v1/workflows", definition, 201)
    await api.post("/v1/workflows/w/publish")
    await api.send({"id": "1", "source": "s", "type": "a.b", "data": {"contact": {"external_id": "KH-1"}}})
    await api.work()
    saved = (await api.get("/v1/metrics/workflows/w"))["time_saved"]
    assert (saved["runs"], saved["human_minutes"]) == (1, 12.0)
    assert saved["saved_minutes"] == round(12 - saved["machine_seconds"] / 60, 2)
    assert "time_saved" not in await api.get("/v1/metrics/summary")
