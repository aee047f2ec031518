"""Workers that die, hang, or come back from the dead."""

import asyncio

import pytest

from nhip import Accepted, NotSent
from nhip.services.execution.claimed import Claimed
from nhip.services.execution.execute import Sent
from tests.support.scripted_channels import Held, scripts
from tests.support.world import World, send, tag

CLASSES = ["dedupes", "traceable", "blind"]


async def shop_of(world: World, kind: str) -> World:
    await world.channel("first", f"scripted_{kind}")
    await world.template("hello", f"scripted_{kind}")
    await world.knows("KH-1", name="Anh", phone="0987654321")
    await world.workflow("greet", send("first"), tag("after"))
    return world


async def claimed(world: World, *, suspects: bool = False) -> Claimed:
    """What a worker takes that dies before it does anything."""
    engine = world.engine
    return await engine.database.transact(engine.execution.claim, "dead", 10, 30_000_000, suspects=suspects)


@pytest.mark.parametrize(
    ("kind", "step", "delivery"),
    [("dedupes", "done", "accepted"), ("traceable", "unknown", "unknown"), ("blind", "unknown", "unknown")],
)
async def test_a_lost_lease_means_what_the_provider_lets_us_know(
    world: World, kind: str, step: str, delivery: str
) -> None:
    await shop_of(world, kind)
    await world.happens()
    await claimed(world)
    await world.later(seconds=29)
    assert (await world.steps())[0][1] == "running"
    await world.later(seconds=2)
    assert (await world.steps())[0][1] == step
    assert [one[1] for one in await world.deliveries()] == [delivery]
    assert len(scripts["first"].sent) == (1 if kind == "dedupes" else 0)


async def test_a_message_that_its_provider_may_have_forgotten_is_not_repeated(world: World) -> None:
    await shop_of(world, "dedupes")
    await world.happens()
    await claimed(world)
    await world.later(hours=2)
    assert (await world.steps())[0][1] == "unknown"
    assert scripts["first"].sent == []


async def test_a_lost_lease_whose_receipt_came_is_done(world: World) -> None:
    from tests.support.world import receipt

    await shop_of(world, "traceable")
    await world.happens()
    await claimed(world)
    key = await world.value("SELECT idempotency_key FROM deliveries")
    await world.is_told("first", receipt(1, "delivered", key=key))
    await world.later(seconds=31)
    assert await world.steps() == [("tell", "done", "delivered"), ("mark", "done", "done")]
    assert [one[1] for one in await world.deliveries()] == ["delivered"]


async def test_a_remote_action_whose_worker_died_is_unknown(world: World) -> None:
    await world.workflow("call", {"id": "call", "action": "scripted_remote"})
    await world.happens()
    await claimed(world)
    await world.later(seconds=31)
    assert [tuple(one) for one in await world.rows("SELECT state, reason FROM steps")] == [("unknown", "lease_expired")]
    await world.later(minutes=11)
    assert await world.run_states() == ["completed"]


async def test_a_step_over_which_three_workers_die_alone_is_poison(world: World) -> None:
    await shop_of(world, "dedupes")
    await world.happens()
    for lost in range(1, 5):
        await claimed(world, suspects=lost > 1)
        world.clock.advance(seconds=31)
        await world.engine.database.transact(world.engine.reconcile.run)
        assert await world.value("SELECT leases_lost FROM steps WHERE path = 'tell'") == lost
    row = await world.row("SELECT state, reason FROM steps")
    assert tuple(row) == ("dead", "poison")
    assert await world.run_states() == ["failed"]
    assert [one[1:] for one in await world.deliveries()] == [("unknown", "poison")]


async def test_a_step_that_lost_a_worker_is_performed_alone(world: World) -> None:
    await shop_of(world, "dedupes")
    await world.happens()
    await claimed(world)
    world.clock.advance(seconds=31)
    await world.engine.executor.reconcile()
    await world.happens(contact={"external_id": "KH-2", "name": "Bình", "phone": "0987654322"})
    innocent = await claimed(world)
    assert [one.step.leases_lost for one in innocent.sendings] == [0]
    suspect = await claimed(world, suspects=True)
    assert [one.step.leases_lost for one in suspect.sendings] == [1]


async def test_suspects_are_found_and_done(world: World) -> None:
    await shop_of(world, "dedupes")
    await world.happens()
    await claimed(world)
    await world.later(seconds=31)
    assert [one[1] for one in await world.deliveries()] == ["accepted"]


class TestZombies:
    async def late(self, world: World, taken: object, outcome: object) -> bool:
        engine = world.engine
        (sending,) = taken.sendings  # type: ignore[attr-defined]
        result = Sent(sending=sending, outcome=outcome)  # type: ignore[arg-type]
        return (await engine.database.transact(engine.execution.record_sent, [result]))[0]

    async def test_a_late_word_is_refused_when_the_step_is_somebody_elses(self, world: World) -> None:
        await shop_of(world, "dedupes")
        await world.happens()
        first = await claimed(world)
        world.clock.advance(seconds=31)
        await world.engine.database.transact(world.engine.reconcile.run)
        second = await claimed(world, suspects=True)
        assert not await self.late(world, first, NotSent(code="late"))
        assert (await world.steps())[0][1] == "running"
        assert await self.late(world, second, Accepted())
        assert [one[1] for one in await world.deliveries()] == ["accepted"]
        assert not await self.late(world, first, Accepted())

    @pytest.mark.parametrize("kind", CLASSES)
    async def test_a_late_word_is_taken_while_nobody_else_has_the_step(self, world: World, kind: str) -> None:
        await shop_of(world, kind)
        await world.happens()
        taken = await claimed(world)
        world.clock.advance(seconds=31)
        await world.engine.database.transact(world.engine.reconcile.run)
        assert (await world.steps())[0][1] == ("ready" if kind == "dedupes" else "unknown")
        assert await self.late(world, taken, Accepted(provider_id="p-1"))
        await world.work()
        assert await world.run_states() == ["completed"]
        assert scripts["first"].sent == []
        assert [one[1] for one in await world.deliveries()] == ["accepted"]

    async def test_the_reconciler_changes_only_what_is_still_as_it_read_it(self, world: World) -> None:
        """Between its look and its lock, the worker recorded that the message did not go out and is due again."""
        await shop_of(world, "traceable")
        await world.happens()
        taken = await claimed(world)
        world.clock.advance(seconds=31)
        engine = world.engine
        expired = await engine.database.read(lambda unit: unit.runs.expired(world.clock.micros(), 10))
        assert await self.late(world, taken, NotSent(code="busy"))
        await engine.database.transact(lambda unit: engine.reconcile._free(unit, expired, world.clock.micros()))
        assert [one[1] for one in await world.steps()] == ["ready"]
        assert [one[1] for one in await world.deliveries()] == ["deferred"]

    async def test_a_call_is_not_begun_when_its_lease_is_nearly_over(self, world: World) -> None:
        """A worker that was stopped between its claim and its call finds out when it wakes."""
        await shop_of(world, "traceable")
        await world.happens()
        taken = await claimed(world)
        executor = world.engine.executor
        world.engine.performer.start(taken, lease_ends=asyncio.get_running_loop().time() + 5)
        await executor.settled()
        assert scripts["first"].sent == []
        assert [one[1:] for one in await world.deliveries()] == [("deferred", "lease")]
        await world.later(seconds=2)
        assert await world.run_states() == ["completed"]

    async def test_a_worker_that_is_asked_to_stop_records_what_it_is_doing(self, world: World) -> None:
        await shop_of(world, "blind")
        held = Held()
        scripts["first"].answer(held)
        working = world.engine.work()
        await world.happens()
        await held.entered.wait()
        working.cancel()
        held.end(Accepted(provider_id="p-1"))
        await asyncio.gather(working, return_exceptions=True)
        assert (await world.steps())[0] == ("tell", "done", "accepted")

    async def test_one_that_is_stopped_while_it_claims_performs_what_it_took(self, world: World) -> None:
        await shop_of(world, "blind")
        await world.happens()
        drain = asyncio.create_task(world.engine.executor.drain())
        await asyncio.sleep(0)
        drain.cancel()
        await asyncio.gather(drain, return_exceptions=True)
        await world.engine.executor.settled()
        assert (await world.steps())[0][1] in ("done", "ready")
        assert len(scripts["first"].sent) == (await world.steps()).count(("tell", "done", "accepted"))
