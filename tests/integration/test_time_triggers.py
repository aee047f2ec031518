"""What time sets off: schedules, silences, days, segments."""

from tests.support.world import World, tag

DAY = {"days": 1}


def on(kind: str, **config: object) -> dict[str, object]:
    """A trigger."""
    return {"id": kind, "type": kind, "config": config}


async def told(world: World, kind: str = "schedule.tick") -> list[tuple[str, str]]:
    """Contact and time of the events of a type, in the order of their making."""
    found = await world.rows("SELECT subject, time_at FROM events WHERE type = :kind ORDER BY id", kind=kind)
    return [(row[0], row[1]) for row in found]


async def orders(world: World, contact: str, number: int | str = 1) -> None:
    await world.happens("order.created", contact, order={"external_id": f"DH-{contact}-{number}", "status": "new"})


async def test_a_schedule_starts_for_everybody_at_each_tick(world: World) -> None:
    for name in ("KH-1", "KH-2"):
        await world.knows(name)
    await world.workflow("daily", tag("seen"), on=on("schedule", cron="0 9 * * *"))  # it is 08:00
    await world.later(minutes=59)
    assert await told(world) == []
    await world.later(minutes=1)
    assert [name for name, _ in await told(world)] == ["KH-1", "KH-2"]
    assert (await world.contact("KH-1"))["tags"] == ["seen"]
    await world.later(minutes=1)
    await world.later(hours=23, minutes=58)
    assert len(await told(world)) == 2
    await world.later(minutes=1)
    assert len(await told(world)) == 4
    assert await world.run_states() == ["completed"] * 4


async def test_a_silence_is_told_once_in_each_band_and_an_order_ends_it(world: World) -> None:
    await world.workflow("asleep", tag("asleep"), on=on("dormancy", bands=[30, 60]))
    await orders(world, "KH-1")
    await world.knows("KH-2")  # who never ordered is not dormant
    for _ in range(30):
        await world.later(**DAY)
    assert await told(world, "contact.dormant") == []  # the 30 days are over at 08:00, and it is looked at 09:00
    await world.later(hours=1)
    assert [name for name, _ in await told(world, "contact.dormant")] == ["KH-1"]
    assert (await world.contact("KH-1"))["tags"] == ["asleep"]
    for _ in range(29):
        await world.later(**DAY)
    assert len(await told(world, "contact.dormant")) == 1
    await world.later(**DAY)
    assert len(await told(world, "contact.dormant")) == 2
    for _ in range(40):
        await world.later(**DAY)
    assert len(await told(world, "contact.dormant")) == 2
    await orders(world, "KH-1", 2)
    await world.later(days=31)
    assert len(await told(world, "contact.dormant")) == 3
