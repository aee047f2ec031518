"""Tasks: when they are due, and runs that wait for what comes of them."""

from typing import Any

import msgspec
import pytest

from tests.support.world import World

CALL = {
    "id": "call",
    "action": "create_task",
    "config": {"title": "Gọi {{ contact.name }}", "type": "call", "wait_for_outcome": {"timeout": "P3D"}},
}
TOLD = {
    "id": "told",
    "if": {"field": "steps.call.outcome", "op": "equals", "value": "reached"},
    "then": [{"id": "mark", "action": "update_contact", "config": {"add_tags": ["Đã gọi"]}}],
    "else": [{"id": "lost", "action": "update_contact", "config": {"add_tags": ["Chưa gọi được"]}}],
}


async def begun(world: World) -> str:
    """A run waits for a task; the task's name."""
    await world.workflow("care", CALL, TOLD)
    await world.knows(name="Lan")
    await world.happens()
    await world.work()
    assert (await world.steps())[0] == ("call", "waiting", None)
    return str(await world.value("SELECT external_id FROM records WHERE type = 'task'"))


async def outcome(world: World) -> tuple[str, str, dict[str, Any]]:
    row = await world.row("SELECT state, outcome, output FROM steps WHERE path = 'call'")
    return row[0], row[1], msgspec.json.decode(row[2])


STORIES = {
    "by its status": [("task.updated", {"task": {"external_id": "?", "status": "done", "outcome": "reached"}})],
    "by the event with the task": [("task.completed", {"task": {"external_id": "?", "outcome": "reached"}})],
    "by the event with its name": [("task.completed", {"task": "?", "outcome": "reached"})],
    "after somebody began": [
        ("task.updated", {"task": {"external_id": "?", "status": "in_progress"}}),
        ("task.updated", {"task": {"external_id": "?", "status": "done", "outcome": "reached"}}),
    ],
    "after another task": [
        ("task.completed", {"task": {"external_id": "CV-9", "status": "done", "outcome": "no_answer"}}),
        ("task.completed", {"task": {"external_id": "?", "outcome": "reached"}}),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_a_run_goes_on_with_what_came_of_its_task(world: World, story: list[tuple[str, dict[str, Any]]]) -> None:
    name = await begun(world)
    for kind, data in story:
        assert (await world.steps())[0] == ("call", "waiting", None)
        filled_in = msgspec.json.decode(msgspec.json.encode(data).replace(b'"?"', f'"{name}"'.encode()))
        await world.happens(kind, **filled_in)
        await world.work()

    state, said, output = await outcome(world)
    assert (state, said, output["outcome"], output["external_id"]) == ("done", "reached", "reached", name)
    assert (await world.contact())["tags"] == ["Đã gọi"]
    status, closed = await world.row("SELECT status, closed_at FROM records WHERE external_id = :name", name=name)
    assert (status, closed is not None) == ("done", True)


@pytest.mark.parametrize(("status", "expected"), [("done", "done"), ("cancelled", "cancelled")])
async def test_without_an_outcome_it_is_the_status(world: World, status: str, expected: str) -> None:
    name = await begun(world)
    await world.happens("task.updated", task={"external_id": name, "status": status})
    await world.work()

    assert (await outcome(world))[:2] == ("done", expected)


async def test_nobody_waits_for_ever(world: World) -> None:
    await begun(world)
    await world.later(days=2, hours=23)
    assert (await world.steps())[0] == ("call", "waiting", None)
    await world.later(hours=2)

    assert (await outcome(world))[:2] == ("done", "timeout")
    assert (await world.contact())["tags"] == ["Chưa gọi được"]


async def test_who_writes_at_night_is_answered_on_the_next_working_day(world: World) -> None:
    due = {"next_working": "09:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat"]}
    await world.workflow("night", {"id": "do", "action": "create_task", "config": {"title": "Trả lời", "due_at": due}})
    await world.happens()
    await world.work()

    task = msgspec.json.decode(await world.value("SELECT attributes FROM records WHERE type = 'task'"))
    assert task["due_at"].endswith("T02:00:00Z")
    assert task["due_at"] > world.clock.now().isoformat()


async def test_no_call_within_three_days_makes_a_task(world: World) -> None:
    lead: list[dict[str, Any]] = [
        {"id": "called", "wait": {"event": "call.ended", "timeout": "P3D"}},
        {
            "id": "silent",
            "if": {"field": "steps.called.outcome", "op": "equals", "value": "timeout"},
            "then": [{"id": "do", "action": "create_task", "config": {"title": "Gọi", "due_at": "P1D"}}],
            "else": [],
        },
    ]
    await world.workflow("leads", *lead, on="contact.created")
    await world.happens("form.submitted", contact="KH-1")
    await world.happens("form.submitted", contact="KH-2")
    await world.work()
    await world.happens("call.ended", contact="KH-1")
    await world.later(days=3, seconds=1)

    contact = await world.value(
        "SELECT c.external_id FROM records r JOIN contacts c ON c.id = r.contact_id WHERE r.type = 'task'"
    )
    assert contact == "KH-2"
