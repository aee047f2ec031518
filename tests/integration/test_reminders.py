"""Reminders by the hour and the minute, told as stories: once each, moved with their time, silent after it."""

import asyncio
from typing import Any

import msgspec
import pytest

from nhip.adapters.db.due import next_due
from nhip.domain.times import format_micros
from nhip.services.scans import looks, scheduler
from tests.support.world import World, tag


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of tasks already takes several units."""
    monkeypatch.setattr(looks, "PAGE", 3)
    monkeypatch.setattr(scheduler, "_FILL", 2)


def before(*offsets: str, field: str = "task.due_at", **config: Any) -> dict[str, Any]:
    return {"id": "due", "type": "date_reminder", "config": {"field": field, "offsets": offsets, **config}}


async def told(world: World) -> list[tuple[str, int, str]]:
    """Contact, minutes from its time, and the time of the reminder, in the order of their making."""
    found = await world.rows("SELECT subject, data, time_at FROM events WHERE type = 'date.reached' ORDER BY id")
    return [(row[0], msgspec.json.decode(row[1])["minutes"], format_micros(row[2])[11:16]) for row in found]


async def task(world: World, contact: str = "KH-1", number: int | str = 1, **fields: Any) -> None:
    await world.happens("task.noted", contact, task={"external_id": f"CV-{contact}-{number}", **fields})


async def minutes_pass(world: World, count: int) -> None:
    for _ in range(count):
        await world.later(minutes=1)


async def test_whoever_has_a_task_is_reminded_once_at_each_offset_and_not_of_what_is_done(world: World) -> None:
    await world.channel("desk")
    await world.workflow(  # it is 01:00
        "remind",
        {"id": "tell", "action": "notify_staff", "config": {
            "channel": "desk", "to": "{{ task.assignee }}", "text": "{{ task.title }} {{ event.data.moment }}"}},
        on=before("-PT15M", "PT0M", "PT1H"),
    )  # fmt: skip
    for number in range(4):
        await task(world, f"KH-{number}", title=f"Gọi {number}", status="open", due_at="2026-11-21T01:30:20Z")
    await task(world, "KH-9", status="open")
    await minutes_pass(world, 15)
    assert await told(world) == []  # to the minute, and never early
    await minutes_pass(world, 1)
    assert await told(world) == [(f"KH-{number}", -15, "01:16") for number in range(4)]
    await task(world, "KH-0", status="done")
    await minutes_pass(world, 15)
    assert (await told(world))[4:] == [(f"KH-{number}", 0, "01:31") for number in range(1, 4)]
    await task(world, "KH-1", status="cancelled")
    await task(world, "KH-2", due_at=None)
    await minutes_pass(world, 61)
    assert (await told(world))[7:] == [("KH-3", 60, "02:31")]
    [data] = {
        row[0] for row in await world.rows("SELECT data FROM events WHERE type = 'date.reached' AND subject = 'KH-0'")
    }
    said = msgspec.json.decode(data)
    assert {name: said[name] for name in ("field", "moment", "minutes")} == {
        "field": "task.due_at", "moment": "2026-11-21T01:31:00Z", "minutes": -15,
    }  # fmt: skip


async def test_a_task_that_moves_is_told_anew_and_one_that_is_known_late_is_not(world: World) -> None:
    await world.workflow("remind", tag("r"), on=before("-PT30M"))
    await task(world, due_at="2026-11-21T02:00:00Z")
    await task(world, "KH-2", due_at="2026-11-21T01:20:00Z")  # it is 01:00, and 00:50 is over
    await world.later(minutes=20)
    await task(world, due_at="2026-11-21T03:00:00Z")
    await minutes_pass(world, 30)
    assert await told(world) == []
    await world.later(minutes=40)
    await task(world, due_at="2026-11-21T04:00:00Z")
    await world.later(minutes=60)
    await task(world, due_at="2026-11-21T04:00:00Z", title="the same time")
    await world.later(minutes=2)
    assert [time for _, _, time in await told(world)] == ["02:30", "03:30"]


async def test_what_came_before_the_workflow_is_found_and_nobody_is_told_what_is_stale(world: World) -> None:
    for number, due in enumerate(("01:10", "01:40", "02:40", "04:05", "04:30")):
        await task(world, f"KH-{number}", due_at=f"2026-11-21T{due}:00Z")
    await world.workflow("early", tag("early"), on=before("-PT20M"))
    await world.workflow("late", tag("late"), on=before("PT10M", stale_after="PT90M"))
    await world.later(seconds=1)
    world.clock.advance(hours=2, minutes=59, seconds=30)
    await world.later(seconds=30)  # nobody was there until 04:00
    assert sorted(await told(world)) == [("KH-2", 10, "02:50"), ("KH-3", -20, "03:45")]
    await minutes_pass(world, 45)
    assert sorted(await told(world))[2:] == [("KH-3", 10, "04:15"), ("KH-4", -20, "04:10"), ("KH-4", 10, "04:40")]


async def test_two_workers_of_which_one_dies_tell_each_once(world: World, second: World) -> None:
    await world.workflow("remind", tag("r"), on=before("-PT1H", "-PT45M"))
    for number in range(8):
        await task(world, f"KH-{number}", due_at="2026-11-21T02:10:00Z")
    engine, storage = second.engine, second.engine.database
    for minute in range(30):
        world.clock.advance(minutes=1)
        jobs = await storage.read(engine.scheduler.due)
        if minute % 2 and jobs:

            def dying(unit: Any, job: Any = jobs[0]) -> None:
                engine.scheduler.perform(unit, job)
                raise RuntimeError("killed before the commit")

            with pytest.raises(RuntimeError):
                await storage.transact(dying)
        await asyncio.gather(world.engine.executor.reconcile(), engine.executor.reconcile())
    found = await told(world)
    assert sorted(found) == sorted(
        (f"KH-{number}", *rest) for number in range(8) for rest in ((-60, "01:10"), (-45, "01:25"))
    )
    await world.work()


async def test_hours_and_days_of_any_field_by_the_clocks_of_its_contact(world: World) -> None:
    await world.workflow(
        "visit", tag("v"), on=[
            {**before("-PT2H", field="appointment.starts_at"), "id": "hours"},
            {**before("PT8H", field="contact.custom.trial", timezone="contact"), "id": "date"},
        ],
    )  # fmt: skip
    await world.knows("KH-1", timezone="Europe/Paris", custom={"trial": "2026-11-21"})  # 07:00 there is 06:00 in UTC
    await world.happens(
        "appointment.created", "KH-2",
        appointment={"external_id": "LH-1", "status": "booked", "starts_at": "2026-11-21T13:00:00+07:00"},
    )  # fmt: skip
    await world.later(hours=3)
    await world.later(hours=3)
    assert await told(world) == [("KH-2", -120, "04:00"), ("KH-1", 480, "07:00")]


async def test_a_look_costs_what_is_due(world: World) -> None:
    """A time that no column of minutes can hold is no reason to fail, and what nobody asks is not kept."""
    await world.workflow("remind", tag("r"), on=before("-PT15M"))
    await task(world, due_at="9999-12-31T23:59:59Z")
    await task(world, "KH-2", due_at="2026-11-21T05:00:00Z")
    assert await world.rows("SELECT watch, timezone FROM dates") == [("task.due_at|moment|contact", "UTC")]
    await world.later(minutes=1)
    look: Any = lambda unit: next_due(unit.connection, world.workspace_id)  # noqa: E731
    due = await world.engine.database.read(look)
    assert format_micros(due) == "2026-11-21T04:45:00Z"  # whoever moves a clock need not look every minute
    await world.pause("remind")
    await world.later(minutes=1)
    assert await world.value("SELECT COUNT(*) FROM dates") == 0
    await world.resume("remind")
    await world.later(hours=3, minutes=43)
    assert [name for name, *_ in await told(world)] == ["KH-2"]
