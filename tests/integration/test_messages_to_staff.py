"""Messages to colleagues, and recipients and data that are filled in."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from nhip import Ambiguous, NotSent, Rejected, RejectionReason
from nhip.domain.customers import Staff
from nhip.domain.errors import InvalidInput
from nhip.ports import Unit
from nhip.services.desk import staff
from tests.support.world import World, send, tag


async def works(world: World, name: str, **said: Any) -> None:
    person = msgspec.convert({"external_id": name, "name": name, **said}, Staff)
    await world.engine.database.transact(staff.put, world.workspace_id, "tester", person, world.clock.micros())


async def addresses(world: World) -> list[str | None]:
    return [row[0] for row in await world.rows("SELECT address FROM deliveries ORDER BY id")]


def notice(to: str, **config: Any) -> dict[str, Any]:
    return {"id": "tell", "action": "notify_staff", "config": {"channel": "desk", "to": to, "text": "Gấp", **config}}


@pytest.fixture
async def desk(world: World) -> World:
    await world.channel("desk")
    await world.template("hello", text="Chào {{ data.who | default('bạn') }}")
    for number in (1, 2, 3):
        await works(world, f"NV-{number}", phone=f"+8498765432{number}", department="care")
    return world


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("owner", "+84987654321"),
        ("assignee", "+84987654322"),
        ("staff:NV-3", "+84987654323"),
        ("staff:{{ ticket.assignee }}", "+84987654322"),
        ("staff:{{ event.data.nobody | default('') }}", None),
    ],
)
async def test_a_colleague_is_told_in_words_of_its_own(desk: World, to: str, expected: str | None) -> None:
    await desk.knows(name="Lan", owner="NV-1")
    await desk.workflow("alarm", notice(to, text="{{ contact.name }}: {{ ticket.title }}"))
    await desk.happens(ticket={"external_id": "TK-1", "title": "Trễ", "assignee": "NV-2"})
    await desk.work()

    delivery = await desk.row("SELECT address, template, message_class, content, reason FROM deliveries")
    assert delivery[:3] == (expected, "(notify_staff)", "transactional")
    if expected is not None:
        assert msgspec.json.decode(delivery[3]) == {"text": "Lan: Trễ"}
    else:
        assert delivery[4] == "no_address"


@pytest.mark.parametrize("to", ["department", "department:care", "department:{{ ticket.department }}"])
async def test_one_of_a_department_is_told_each_in_turn(desk: World, to: str) -> None:
    await works(desk, "NV-0", department="care", email="khong-co-so@example.com")
    await works(desk, "NV-4", department="care", phone="+84987654324", active=False)
    await desk.workflow("alarm", notice(to))
    for number in range(6):
        await desk.happens(contact=f"KH-{number}", ticket={"external_id": f"TK-{number}", "department": "care"})
    await desk.work()

    assert set(Counter(await addresses(desk)).values()) == {2}
    assert len(set(await addresses(desk))) == 3


async def test_where_nobody_is_at_work_somebody_is_told_all_the_same(desk: World) -> None:
    for number in (1, 2, 3):
        hours = {"days": ["mon"], "from": "03:00", "to": "03:01", "timezone": "UTC"}
        await works(desk, f"NV-{number}", phone=f"+8498765432{number}", department="care", hours=hours)
    await desk.workflow("alarm", notice("department:care"))
    await desk.happens()
    await desk.work()

    assert await addresses(desk) == ["+84987654321"]


async def test_telling_a_department_takes_nobodys_turn_at_work(desk: World) -> None:
    task = {"id": "do", "action": "create_task", "config": {"title": "Gọi", "assign": "department:care"}}
    await desk.workflow("both", notice("department:care"), task)
    for number in range(3):
        await desk.happens(contact=f"KH-{number}")
        await desk.work()

    rows = await desk.rows("SELECT assignee FROM records ORDER BY id")
    assert [row[0] for row in rows] == ["NV-1", "NV-2", "NV-3"]
    assert len(set(await addresses(desk))) == 3


async def test_the_recipient_and_the_data_are_filled_in(desk: World) -> None:
    step = send(
        "desk", to="{{ event.data.phone }}", data={"who": "{{ contact.name }}", "codes": ["{{ order.code }}", 5]}
    )
    await desk.knows(name="Lan")
    await desk.workflow("hello", step)
    await desk.happens(phone="0987 654 329", order={"external_id": "DH-1", "code": "A1"})
    await desk.work()

    address, content = await desk.row("SELECT address, content FROM deliveries")
    assert address == "+84987654329"
    assert msgspec.json.decode(content) == {"text": "Chào Lan", "data": {"who": "Lan", "codes": ["A1", 5]}}


async def test_what_goes_out_again_carries_what_it_carried(desk: World) -> None:
    script = await desk.channel("shaky")
    script.answer(NotSent(code="busy", retry_after=1))
    await desk.knows(name="Lan")
    await desk.workflow("hello", send("shaky", data={"who": "{{ contact.name }}"}))
    await desk.knows(phone="0987654321")
    await desk.happens()
    await desk.work()
    await desk.knows(name="Hoa")
    await desk.later(minutes=10)

    assert [one.data for one in script.sent] == [{"who": "Lan"}] * 2


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("{{ contact.nickname }}", "contact.nickname is missing"),
        ("assignee", "no record that the event is about has an assignee"),
        ("department", "no record that the event is about has a department"),
    ],
)
async def test_whom_nobody_can_name_is_told_nothing_and_the_step_says_why(desk: World, to: str, reason: str) -> None:
    await desk.workflow("hello", send("desk", to=to))
    await desk.happens()
    await desk.work()

    state, said = await desk.row("SELECT state, reason FROM steps")
    assert state == "dead"
    assert reason in said
    assert await addresses(desk) == []


async def test_an_address_that_is_none_gets_nothing(desk: World) -> None:
    await desk.workflow("hello", send("desk", to="{{ event.data.phone }}"))
    await desk.happens(phone="không có")
    await desk.work()

    assert await desk.deliveries() == [("desk", "suppressed", "no_address")]


def to_the_team(**config: Any) -> dict[str, Any]:
    return {"id": "alarm", "action": "notify_team", "config": {"workflow": "tell-one", **config}}


TELL_ONE = notice("staff:{{ event.data.staff }}", text="{{ event.data.name }}: {{ ticket.title }} {{ event.data.why }}")


async def test_everybody_of_a_department_is_told_once_each_by_a_message_of_their_own(desk: World) -> None:
    await works(desk, "NV-4", phone="+84987654321", department="care")  # shares the phone of NV-1
    await works(desk, "NV-5", phone="+84987654325", department="care", active=False)
    await works(desk, "NV-6", phone="+84987654326", department="sales")
    await desk.workflow("tell-one", TELL_ONE, on="workflow.requested")
    await desk.workflow("alarm", to_the_team(reached_by="phone", data={"why": "{{ event.data.why }}"}))
    ticket = {"external_id": "TK-1", "title": "Trễ", "department": "care"}
    for _ in range(2):  # the second one is a duplicate
        await desk.happens(id="evt-once", ticket=ticket, why="gấp")
    await desk.work()

    found = await desk.rows("SELECT address, content, contact_id, idempotency_key FROM deliveries ORDER BY address")
    assert [(row[0], msgspec.json.decode(row[1])["text"]) for row in found] == [
        (f"+8498765432{number}", f"NV-{number}: Trễ gấp") for number in (1, 2, 3)
    ]
    assert len({row[3] for row in found}) == 3
    assert len({row[2] for row in found}) == 1
    assert await desk.run_states() == ["completed"] * 4
    output = msgspec.json.decode(await desk.value("SELECT output FROM steps WHERE path = 'alarm'"))
    assert (output["to"], output["count"]) == ("department:care", 3)
    assert [one["staff"] for one in output["told"]] == ["NV-1", "NV-2", "NV-3"]
    assert output["passed"] == [
        {"staff": "NV-4", "reason": "same_address"}, {"staff": "NV-5", "reason": "left"},
    ]  # fmt: skip
    begun = await desk.rows("SELECT event_id FROM runs WHERE workflow = 'tell-one' ORDER BY id")
    assert [row[0] for row in begun] == [one["event"] for one in output["told"]]


async def test_a_message_that_fails_holds_up_no_other_of_the_team(desk: World) -> None:
    script = await desk.channel("shaky")
    script.answer(Ambiguous(code="timeout"), Rejected(reason=RejectionReason.UNREACHABLE, code="no"))
    await desk.workflow("tell-one", notice("staff:{{ event.data.staff }}", channel="shaky"), on="workflow.requested")
    await desk.workflow("alarm", to_the_team(to="department:care"), tag("told"))
    await desk.happens()
    await desk.work()
    assert (await desk.contact())["tags"] == ["told"]
    assert Counter(state for _, state, _ in await desk.deliveries()) == {"accepted": 1, "rejected": 1, "unknown": 1}


@pytest.mark.parametrize("to", ["department:nobody", "store", "last_store", "store:{{ event.data.shop }}"])
async def test_where_there_is_nobody_to_tell(desk: World, to: str) -> None:
    await desk.workflow("tell-one", TELL_ONE, on="workflow.requested")
    await desk.workflow("alarm", to_the_team(to=to))
    await desk.happens(shop="CH-9")
    await desk.work()
    assert await desk.steps() == [("alarm", "done", "nobody")]


async def test_a_worker_that_dies_tells_nobody_twice(desk: World) -> None:
    """What begins the runs is committed with the step."""
    await desk.workflow("tell-one", notice("staff:{{ event.data.staff }}"), on="workflow.requested")
    await desk.workflow("alarm", to_the_team(to="department:care"))
    await desk.happens()
    engine = desk.engine

    def dying(unit: Unit) -> None:
        engine.execution.claim(unit, "dies", 10, 60_000_000)
        raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError):
        await engine.database.transact(dying)
    assert len(await desk.run_states()) == 1
    await desk.work()
    assert sorted(str(one) for one in await addresses(desk)) == [f"+8498765432{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"to": "owner"}, "steps[0].config.to"),
        ({"to": "department:"}, "steps[0].config.to"),
        ({"data": {"staff": "NV-1"}}, "steps[0].config.data.staff"),
        ({"workflow": "nowhere"}, "steps[0].config.workflow"),
        ({"workflow": "alarm"}, "steps[0].config.workflow"),
        ({"most": 201}, "steps[0].config.most"),
    ],
)
async def test_what_a_team_cannot_be(desk: World, config: dict[str, Any], path: str) -> None:
    await desk.workflow("tell-one", TELL_ONE, on="workflow.requested")
    with pytest.raises(InvalidInput) as caught:
        await desk.workflow("alarm", to_the_team(**config))
    assert [problem.path for problem in caught.value.problems] == [path]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"mode": "queued"}, []),
        ({"mode": "single"}, ["steps[0].config.workflow"]),
        ({"reentry": {"after": "P1D"}}, ["steps[0].config.workflow"]),
    ],
)
async def test_a_workflow_that_lets_a_contact_in_once_is_a_warning(
    desk: World, settings: dict[str, Any], expected: list[str]
) -> None:
    await desk.workflow("tell-one", TELL_ONE, on="workflow.requested", settings=settings)
    published = await desk.workflow("alarm", to_the_team(to="department:care"))
    assert [one.path for one in published.warnings if one.code == "entered_once"] == expected
