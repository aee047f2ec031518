"""What is older than it is kept goes, with all that belongs to it, and nothing else does."""

import asyncio
from datetime import UTC, datetime

import pytest

from nhip.adapters.db.tables import metadata
from nhip.services.execution import retention
from nhip.services.execution.retention import Place
from tests.support.clocks import StandingClock
from tests.support.world import World, receipt, send, tag, wait

GOING = ("events", "runs", "steps", "deliveries", "receipts", "refusals", "idempotent_requests")


@pytest.fixture
def clock() -> StandingClock:
    """Rows are old by the time in their ids, which the system's clock puts there."""
    return StandingClock(datetime.now(UTC))


async def sizes(world: World, tables: tuple[str, ...] = GOING) -> dict[str, int]:
    return {name: await world.value(f"SELECT COUNT(*) FROM {name}") for name in tables}


async def full(world: World) -> None:
    """A run with a message and receipts, one that waits, a refusal, an event without a run, and a parked receipt."""
    await world.channel("first")
    await world.template("hello")
    await world.knows("KH-1", name="Anh", phone="0987654321")
    await world.workflow("greet", send("first"), tag("after"), settings={"reentry": "once"})
    await world.workflow("patient", wait("P300D"), tag("later"), on="shop.left")
    await world.happens()
    await world.work()
    key = await world.value("SELECT idempotency_key FROM deliveries")
    await world.is_told("first", receipt(1, "accepted", key=key), receipt(2, "delivered", key=key))
    await world.is_told("first", receipt(3, "delivered", provider_id="nobody"))
    await world.happens()
    await world.happens("shop.left")
    await world.happens("nothing.listens")

    def answered(unit: object) -> None:
        unit.idempotency.insert(world.workspace_id, "POST /x", "k", "f", world.clock.micros())  # type: ignore[attr-defined]

    await world.engine.database.transact(answered)


async def test_nothing_goes_before_its_time(world: World) -> None:
    await full(world)
    before = await sizes(world)
    assert all(before.values()), before
    world.clock.advance(hours=23)
    assert await world.clean() == 0
    world.clock.advance(days=178)
    assert await world.clean() == 1  # an answer is kept for a day
    assert await sizes(world) == {**before, "idempotent_requests": 0}


async def test_what_is_old_goes_and_what_is_under_way_stays(world: World) -> None:
    await full(world)
    others = tuple(name for name in metadata.tables if name not in GOING)
    kept = await sizes(world, others)
    world.clock.advance(days=181)
    assert await world.clean() > 0
    assert await sizes(world) == {
        "events": 1, "runs": 1, "steps": 1, "deliveries": 0, "receipts": 0, "refusals": 0, "idempotent_requests": 0,
    }  # fmt: skip
    assert await sizes(world, others) == kept
    assert await world.run_states() == ["running"]
    await world.later(days=120)
    assert await world.run_states() == ["completed"]
    await world.clean()
    assert await world.run_states() == ["completed"]
    await world.later(days=181)
    await world.clean()
    assert not any((await sizes(world)).values())


async def test_an_event_stays_with_those_derived_from_it_for_as_long_as_a_run_of_one(world: World) -> None:
    await world.knows("KH-1")
    await world.workflow("patient", wait("P300D"), on="order.status_changed")
    await world.happens("order.updated", order={"external_id": "O-1", "status": "new"})
    await world.happens("order.updated", order={"external_id": "O-1", "status": "done"})
    assert len(await world.run_states()) == 1
    events = await world.rows("SELECT id FROM events WHERE root_id = (SELECT root_event_id FROM runs)")
    assert len(events) > 1
    world.clock.advance(days=181)
    await world.clean()
    assert sorted(await world.rows("SELECT id FROM events")) == sorted(events)


async def test_a_run_one_of_whose_messages_is_sent_once_more_stays(world: World) -> None:
    await full(world)
    world.clock.advance(days=181)
    delivery = await world.value("SELECT id FROM deliveries")
    await world.engine.database.transact(
        lambda unit: world.engine.receipts.replay(unit, world.workspace_id, delivery, actor="tester")
    )
    await world.clean()
    assert (await sizes(world))["deliveries"] == 1
    await world.work()
    assert (await sizes(world))["deliveries"] == 2
    await world.clean()
    assert (await sizes(world))["deliveries"] == 0


async def test_a_sweep_goes_on_where_the_last_unit_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_RUNS", "_EVENTS", "_ROWS"):
        monkeypatch.setattr(retention, name, 2)
    await world.knows("KH-1")
    await world.workflow("mark", tag("seen"))
    await world.workflow("patient", wait("P300D"), on="shop.left")
    for number in range(7):
        await world.happens("shop.left" if number in (0, 1, 4) else "shop.opened")
    await world.work()
    world.clock.advance(days=181)
    await world.clean()
    assert await world.run_states() == ["running"] * 3
    assert await sizes(world, ("events", "runs", "steps")) == {"events": 3, "runs": 3, "steps": 3}


async def test_several_processes_sweep_at_once(world: World, second: World) -> None:
    await world.knows("KH-1")
    await world.workflow("mark", tag("seen"))
    for _ in range(5):
        await world.happens()
    await world.work()
    world.clock.advance(days=181)
    there = sum((await sizes(world, ("events", "runs"))).values())
    assert sum(await asyncio.gather(world.clean(), second.clean())) == there
    assert not any((await sizes(world)).values())


@pytest.mark.parametrize("story_url", ["sqlite"], indirect=True)
async def test_old_rows_are_found_by_an_index(world: World) -> None:
    """No statement of a sweep reads a whole table, once there is something in it."""
    plans: list[str] = []
    statements: list[str] = []
    world.whole = False
    await full(world)
    world.clock.advance(days=181)

    def sweep(unit: object) -> None:
        connection = unit.connection.connection.driver_connection  # type: ignore[attr-defined]
        connection.set_trace_callback(statements.append)
        try:
            place, over = Place(), False
            while not over:
                place, over = world.engine.retention.step(unit, place)  # type: ignore[arg-type]
        finally:
            connection.set_trace_callback(None)
        for statement in statements:
            if statement.startswith(("SELECT", "DELETE")):
                plans.extend(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement))

    await world.engine.database.transact(sweep)
    assert len(plans) > 10
    assert [
        plan for plan in plans if plan.startswith("SCAN") and "json_each" not in plan and "VIRTUAL" not in plan
    ] == []


async def test_telesales_entries_that_are_over_go_and_others_stay(world: World) -> None:
    await world.change(
        "INSERT INTO telesales_campaigns (workspace_id, name, id, object, agents, auto_distribution, hours, retry,"
        " created_at, updated_at) VALUES (:ws, 'c', 'c', 'lead', '[]', 0, '{}', '{}', 0, 0)",
        ws=world.workspace_id,
    )
    young = world.clock.micros()
    for name, state, closed_at in (("a", "done", 1), ("b", "cancelled", young), ("c", "open", None)):
        await world.change(
            "INSERT INTO telesales_entries (id, workspace_id, campaign, contact_id, state, due_at, created_at,"
            " updated_at, closed_at) VALUES (:id, :ws, 'c', :id, :state, 0, 0, 0, :closed)",
            id=f"00000000-0000-7000-8000-00000000000{name}",
            ws=world.workspace_id,
            state=state,
            closed=closed_at,
        )
    assert await world.clean() == 1
    left = await world.rows("SELECT state FROM telesales_entries ORDER BY id")
    assert [row[0] for row in left] == ["cancelled", "open"]
