"""F2, F3, F8, F11: processes are killed at any moment, or sleep longer than they may."""

import pytest

from tests.faults.conftest import MakeStage, StageMaker
from tests.faults.killing import kill_apis, kill_everything, kill_workers, wake_the_dead

full = pytest.mark.full


@pytest.mark.parametrize(
    ("events", "kills"), [pytest.param(150, 6, id="small"), pytest.param(1000, 60, id="full", marks=full)]
)
@pytest.mark.parametrize("delivery_class", ["dedupes", "traceable"])
async def test_workers_are_killed(make_stage: MakeStage, delivery_class: str, events: int, kills: int) -> None:
    async with make_stage(delivery_class, max_in_flight=16) as stage:
        took = await kill_workers(stage, events=events, kills=kills, seed=20261121)
        print(f"settled {took:.1f} s after the last event")


@pytest.mark.parametrize(
    ("events", "kills"), [pytest.param(120, 4, id="small"), pytest.param(1000, 15, id="full", marks=full)]
)
async def test_apis_are_killed(make_stage: MakeStage, events: int, kills: int) -> None:
    async with make_stage("dedupes") as stage:
        took = await kill_apis(stage, events=events, kills=kills, seed=20261122)
        print(f"settled {took:.1f} s after the last event")


@pytest.mark.parametrize(
    ("events", "kills"), [pytest.param(120, 3, id="small"), pytest.param(2000, 20, id="full", marks=full)]
)
async def test_everything_on_one_file_is_killed(
    stage_over: StageMaker, sqlite_url: str, events: int, kills: int
) -> None:
    async with stage_over(sqlite_url, None)("dedupes", apis=2, max_in_flight=16) as stage:
        took = await kill_everything(stage, events=events, kills=kills, seed=20261123)
        print(f"settled {took:.1f} s after the last event")


@pytest.mark.parametrize("events", [pytest.param(40, id="small"), pytest.param(200, id="full", marks=full)])
@pytest.mark.parametrize(("delivery_class", "in_flight"), [("dedupes", 8), ("traceable", 8), ("blind", 24)])
async def test_a_worker_sleeps_over_its_lease(
    make_stage: MakeStage, delivery_class: str, in_flight: int, events: int
) -> None:
    async with make_stage(delivery_class, max_in_flight=in_flight) as stage:
        print(f"it held {await wake_the_dead(stage, events=events)} steps")
