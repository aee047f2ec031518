"""Who gets what, on real databases and between two processes."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from nhip.domain.customers import Staff
from nhip.domain.errors import InvalidInput
from nhip.engine.desk.assignment import DAYS
from nhip.services.desk import staff
from tests.support.world import World


async def works(world: World, name: str, **said: Any) -> None:
    person = msgspec.convert({"external_id": name, "name": name, **said}, Staff)
    person = staff.change(world.engine.intake, person)
    await world.engine.database.transact(staff.put, world.workspace_id, "tester", person, world.clock.micros())


async def team(world: World, *names: str, **said: Any) -> None:
    for name in names:
        await works(world, name, department="care", **said)


def task(assign: Any, **more: Any) -> dict[str, Any]:
    return {"id": "do", "action": "create_task", "config": {"title": "Gọi", "assign": assign, **more}}


async def assignees(world: World, kind: str = "task") -> list[str | None]:
    rows = await world.rows("SELECT assignee FROM records WHERE type = :kind ORDER BY id", kind=kind)
    return [row[0] for row in rows]


async def output(world: World) -> dict[str, Any]:
    raw = await world.value("SELECT output FROM steps WHERE path = 'do'")
    return msgspec.json.decode(raw, type=dict[str, Any])


async def test_tasks_go_round_a_department(world: World) -> None:
    await team(world, "NV-1", "NV-2", "NV-3")
    await works(world, "NV-4", department="sales")
    await world.workflow("care", task("department:care"))
    for number in range(7):
        await world.happens(contact=f"KH-{number}")
    await world.work()

    assert Counter(await assignees(world)) == {"NV-1": 3, "NV-2": 2, "NV-3": 2}


async def test_the_turn_goes_on_over_units(world: World) -> None:
    await team(world, "NV-1", "NV-2", "NV-3")
    await world.workflow("care", task({"to": "department:care"}))
    for number in range(4):
        await world.happens(contact=f"KH-{number}")
        await world.work()

    assert await assignees(world) == ["NV-1", "NV-2", "NV-3", "NV-1"]


async def test_two_workers_at_once_give_everybody_as_much(world: World, second: World) -> None:
    await team(world, *(f"NV-{number}" for number in range(5)))
    await world.workflow("turns", task("department:care"))
    await world.workflow("least", task({"to": "department:care", "how": "least_busy"}), on="shop.called")

    async def worker(each: World) -> None:
        """A few steps at a time, so that the units of the others come in between."""
        engine = each.engine
        while (await engine.database.transact(engine.execution.claim, "worker", 3, 60_000_000)).count:
            pass

    for kind, given in (("shop.opened", 8), ("shop.called", 16)):
        for number in range(40):
            await world.happens(kind, contact=f"KH-{number}")
        await asyncio.gather(*(worker(each) for each in (world, second) for _ in range(3)))
        assert Counter(await assignees(world)) == {f"NV-{number}": given for number in range(5)}


async def test_a_failed_step_takes_no_turn(world: World) -> None:
    await team(world, "NV-1", "NV-2")
    await world.workflow("bad", task("department:care", due_at="{{ event.data.due }}"))
    for number, due in enumerate(["P1D", "soon", "P1D"]):
        await world.happens(contact=f"KH-{number}", due=due)
        await world.work()

    assert await assignees(world) == ["NV-1", "NV-2"]


async def test_whoever_is_away_or_off_duty_is_passed_over_and_named(world: World) -> None:
    now = world.clock.now()
    away = [{"from": now.isoformat(), "until": now.replace(year=now.year + 1).isoformat()}]
    await team(world, "NV-1", absences=away)
    await team(world, "NV-2", active=False)
    await team(world, "NV-3", hours={"days": [DAYS[(now.weekday() + 3) % 7]]})
    await works(world, "NV-9", department="desk")
    rule = {"to": "department:care", "working_hours": True, "fallback": {"to": "department:desk"}}
    await world.workflow("care", task(rule))
    await world.happens()
    await world.work()

    assert (await output(world))["assignment"] == {
        "staff": "NV-9",
        "to": "department:desk",
        "passed": [
            {"staff": "NV-1", "reason": "absent"},
            {"staff": "NV-2", "reason": "left"},
            {"staff": "NV-3", "reason": "out_of_hours"},
        ],
    }


async def test_least_busy_counts_what_is_open(world: World) -> None:
    await team(world, "NV-1", "NV-2")
    for number, status in enumerate(["open", "done", "done", "done"]):
        assignee = "NV-1" if status == "open" else "NV-2"
        await world.happens("x.y", task={"external_id": f"CV-{number}", "status": status, "assignee": assignee})
    await world.workflow("care", task({"to": "department:care", "how": "least_busy"}))
    for _ in range(2):
        await world.happens()
        await world.work()

    assert [one["assignee"] for one in await newest(world, 2)] == ["NV-2", "NV-1"]


async def newest(world: World, many: int) -> list[dict[str, Any]]:
    rows = await world.rows("SELECT attributes FROM records WHERE type = 'task' ORDER BY id")
    return [msgspec.json.decode(row[0]) for row in rows][-many:]


async def test_the_store_is_the_last_one(world: World) -> None:
    await works(world, "NV-1", store="CH-1")
    await works(world, "NV-2", store="CH-2")
    await world.knows("KH-1", store="CH-1")
    await world.happens("x.y", order={"external_id": "DH-1", "store": "CH-2"})
    await world.workflow("home", task("store"))
    await world.workflow("last", task("last_store"), on="shop.called")
    await world.happens()
    await world.work()
    await world.happens("shop.called")
    await world.work()

    assert await assignees(world) == ["NV-1", "NV-2"]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param(None, "NV-7", id="kept elsewhere"),
        pytest.param({"active": True}, "NV-7", id="works here"),
        pytest.param({"active": False}, None, id="left"),
    ],
)
async def test_the_owner(world: World, known: dict[str, Any] | None, expected: str | None) -> None:
    await world.knows("KH-1", owner="NV-7")
    if known is not None:
        await works(world, "NV-7", **known)
    await world.workflow("care", task("owner"))
    await world.happens()
    await world.work()

    assert await assignees(world) == [expected]


async def test_an_employee_who_does_not_exist_is_refused_before_and_in_time(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        await world.workflow("care", task({"to": "owner", "fallback": "staff:NV-9"}))
    assert [(one.path, one.code) for one in refused.value.problems] == [
        ("steps[0].config.assign.fallback", "unknown_staff")
    ]

    await world.workflow("care", task("{{ event.data.who }}"))
    await world.happens(who="NV-9")
    await world.work()
    assert await world.value("SELECT reason FROM steps") == "there is no employee 'NV-9'"
    assert await assignees(world) == []


async def test_leads_are_split(world: World) -> None:
    await team(world, "NV-1", "NV-2")
    await world.workflow(
        "split", {"id": "do", "action": "assign", "config": {"to": "department:care"}}, on="contact.created"
    )
    for number in range(4):
        await world.happens("form.submitted", contact=f"KH-{number}")
        await world.work()

    owners = [(await world.contact(f"KH-{number}"))["owner"] for number in range(4)]
    assert owners == ["NV-1", "NV-2", "NV-1", "NV-2"]
    assert await world.value("SELECT COUNT(*) FROM events WHERE type = 'contact.updated'") == 4


async def test_nobody_is_an_outcome(world: World) -> None:
    await world.workflow("split", {"id": "do", "action": "assign", "config": {"to": "department:care"}})
    await world.happens("shop.opened", ticket={"external_id": "TK-1"})
    await world.work()

    assert await world.steps() == [("do", "done", "nobody")]
    assert await output(world) == {"what": "ticket", "staff": None, "to": "department:care", "passed": []}
