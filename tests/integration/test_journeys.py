"""Runs that wait, choose, repeat and leave: journeys that last as long as it takes."""

from typing import Any

import pytest

from nhip.domain.authored import Fate, PublishPlan
from nhip.domain.errors import InvalidInput
from tests.support.scripted_channels import scripts
from tests.support.world import World, send, tag, wait

BOUGHT = {"event": "shop.bought", "timeout": "P2D"}


def await_(*, id: str = "buys", **said: Any) -> dict[str, Any]:  # noqa: A002
    return {"id": id, "wait": {**BOUGHT, **said}}


def fork(field: str, value: Any, *, id: str = "fork", op: str = "equals") -> dict[str, Any]:  # noqa: A002
    return {
        "id": id, "if": {"field": field, "op": op, "value": value},
        "then": [tag("yes", id=f"{id}_yes")], "else": [tag("no", id=f"{id}_no")],
    }  # fmt: skip


async def tags(world: World) -> list[str]:
    return list((await world.contact()).get("tags", []))


ORDERED = ("contact.activity.order.count", 1)
"""What facts have only where somebody's decision reads it."""


@pytest.fixture
async def shop(world: World) -> World:
    await world.knows("KH-1", name="Anh", phone="0987654321", birthday="1990-03-05")
    await world.knows("KH-2", name="Ba", phone="0987654322")
    return world


async def test_the_very_first_decision_reads_what_the_contact_did_before(shop: World) -> None:
    await shop.workflow("ask", fork(*ORDERED))
    await shop.happens("order.created", order={"external_id": "DH-1"})
    await shop.happens()
    await shop.happens(contact="KH-2")
    await shop.work()
    assert [(await shop.contact(who))["tags"] for who in ("KH-1", "KH-2")] == [["yes"], ["no"]]


class TestWaitingForAnEvent:
    @pytest.mark.parametrize("how", ["wait", "exit_when"])
    async def test_its_condition_reads_what_the_contact_did_before(self, shop: World, how: str) -> None:
        where = {"field": ORDERED[0], "op": "equals", "value": ORDERED[1]}
        leaves = {"exit_when": [{"event": "shop.bought", "where": where}]} if how == "exit_when" else {}
        await shop.workflow("ask", await_(where=where) if how == "wait" else wait("P1D"), settings=leaves)
        await shop.happens()
        await shop.work()
        await shop.happens("shop.bought")
        assert await shop.run_states() == ["running"]
        await shop.happens("order.created", order={"external_id": "DH-1"})
        await shop.happens("shop.bought")
        await shop.work()
        assert await shop.run_states() == ["completed" if how == "wait" else "exited"]

    async def test_the_event_lets_the_run_go_on_at_once_and_is_its_output(self, shop: World) -> None:
        await shop.workflow(
            "ask", await_(), fork("steps.buys.outcome", "event"), fork("steps.buys.output.data.size", "XL", id="size")
        )
        await shop.happens()
        await shop.happens("shop.bought", "KH-2", size="S")
        assert await tags(shop) == []
        await shop.happens("shop.bought", size="XL")
        await shop.work()
        assert await tags(shop) == ["yes"]
        assert [row[2] for row in await shop.steps()] == ["event", "done", "done"]

    async def test_nothing_happens_and_the_time_is_over(self, shop: World) -> None:
        await shop.workflow("ask", await_(), fork("steps.buys.outcome", "timeout"))
        await shop.happens()
        await shop.later(days=1, hours=23)
        assert await tags(shop) == []
        await shop.later(hours=2)
        assert await tags(shop) == ["yes"]
        await shop.happens("shop.bought")
        assert await shop.run_states() == ["completed"]

    async def test_its_condition_reads_the_event_the_run_and_earlier_steps(self, shop: World) -> None:
        where = {
            "all": [
                {"field": "event.data.amount", "op": "greater_or_equal", "value": 100},
                {"field": "event.time", "op": "after", "value": {"run": "started_at"}},
                {"field": "steps.first.outcome", "op": "equals", "value": "done"},
            ]
        }
        await shop.workflow("ask", tag("asked", id="first"), await_(where=where), tag("bought"))
        await shop.happens()
        await shop.work()
        shop.clock.advance(minutes=1)
        await shop.happens("shop.bought", amount=99)
        await shop.work()
        assert await tags(shop) == ["asked"]
        await shop.happens("shop.bought", amount=100)
        await shop.work()
        assert await tags(shop) == ["asked", "bought"]

    async def test_the_event_that_starts_a_run_is_not_what_it_waits_for(self, shop: World) -> None:
        await shop.workflow("ask", await_(), tag("twice"), on="shop.bought")
        await shop.happens("shop.bought")
        await shop.work()
        assert await tags(shop) == []
        await shop.happens("shop.bought")
        await shop.work()
        assert await shop.run_states() == ["completed", "running"]

    async def test_one_event_ends_one_wait_of_a_run(self, shop: World) -> None:
        await shop.workflow("ask", await_(), await_(id="again"), tag("twice"))
        await shop.happens()
        await shop.happens("shop.bought")
        assert [row[1] for row in await shop.steps()] == ["done", "waiting"]
        await shop.happens("shop.bought")
        await shop.work()
        assert await tags(shop) == ["twice"]

    async def test_two_events_of_one_request_end_two_waits(self, shop: World) -> None:
        await shop.workflow("ask", await_(), await_(id="again"), tag("twice"))
        await shop.happens()
        both = [shop.event("shop.bought"), shop.event("shop.bought")]
        await shop.engine.inbox.submit(shop.workspace_id, both)
        await shop.work()
        assert await tags(shop) == ["twice"]

    async def test_a_local_action_of_another_workflow_is_heard_too(self, shop: World) -> None:
        await shop.workflow("ask", await_(event="contact.tag_added"), tag("heard"), on="shop.opened")
        await shop.workflow("mark", tag("marked"), on="shop.closed")
        await shop.happens()
        await shop.happens("shop.closed")
        await shop.work()
        assert await tags(shop) == ["marked", "heard"]

    async def test_a_version_that_is_published_no_more_still_hears(self, shop: World) -> None:
        await shop.workflow("ask", await_(), tag("bought"))
        await shop.happens()
        await shop.workflow("ask", tag("other"))
        await shop.happens("shop.bought")
        await shop.work()
        assert await tags(shop) == ["bought"]


class TestWaitingForATime:
    async def test_until_the_morning_three_days_before_a_date(self, shop: World) -> None:
        await shop.knows("KH-1", custom={"renewal": "2026-12-10"})
        until = {"until": "contact.custom.renewal", "offset": "-P3D", "at": "08:30"}
        await shop.workflow("remind", {"id": "w", "wait": until}, tag("reminded"))
        await shop.happens()
        assert await shop.value("SELECT due_at FROM steps") == 1_796_607_000_000_000  # 2026-12-07T08:30:00+07:00
        await shop.later(days=16, minutes=29)
        assert await tags(shop) == []
        await shop.later(minutes=1)
        assert await tags(shop) == ["reminded"]

    @pytest.mark.parametrize(
        ("said", "outcome"),
        [("contact.custom.nothing", "missing"), ("contact.birthday", "past"), ("contact.name", "missing")],
    )
    async def test_a_time_that_is_over_or_unknown_holds_nobody(self, shop: World, said: str, outcome: str) -> None:
        await shop.workflow("remind", {"id": "w", "wait": {"until": said}}, fork("steps.w.outcome", outcome))
        await shop.happens()
        await shop.work()
        assert await tags(shop) == ["yes"]

    async def test_a_window_in_the_contacts_own_time(self, shop: World) -> None:
        await shop.knows("KH-1", timezone="America/New_York")  # where it is Friday, 20:00
        window = {"window": {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "20:00"}}
        await shop.workflow("call", {"id": "w", "wait": window}, tag("called"))
        await shop.happens()
        await shop.later(days=2, hours=11, minutes=59)
        assert await tags(shop) == []
        await shop.later(minutes=1)
        assert await tags(shop) == ["called"]
        await shop.happens()
        await shop.work()
        assert (await shop.run_states())[-1] == "completed"  # it is open, so nothing waits

    async def test_hours_that_are_over_when_somebody_is_there_again_are_waited_for_anew(self, shop: World) -> None:
        window = {"id": "w", "wait": {"window": {"from": "20:00", "to": "21:00"}}}  # it is 08:00
        await shop.workflow("call", window, tag("called"))
        await shop.happens()
        await shop.later(hours=18)
        assert (await tags(shop), await shop.run_states()) == ([], ["running"])
        await shop.later(hours=18, minutes=30)
        assert (await tags(shop), await shop.run_states()) == (["called"], ["completed"])


class TestLoopsAndSplits:
    async def test_a_loop_goes_round_as_often_as_it_says(self, shop: World) -> None:
        script = await shop.channel("zns")
        await shop.template("hello")
        loop = {"id": "nurture", "repeat": {"times": 3}, "steps": [send("zns"), wait("P7D", id="week")]}
        await shop.workflow("nurture", loop, fork("steps.nurture.outcome", "times"))
        await shop.happens()
        await shop.work()
        for sent in (1, 2, 3, 3):
            assert len(script.sent) == sent
            await shop.later(days=7)
        assert len({message.idempotency_key for message in script.sent}) == 3
        assert await tags(shop) == ["yes"]

    async def test_a_loop_ends_before_the_pass_that_is_not_needed(self, shop: World) -> None:
        script = await shop.channel("zns")
        await shop.template("hello")
        bought = {"field": "contact.activity.shop.last_at", "op": "after", "value": {"run": "started_at"}}
        loop = {"id": "nurture", "repeat": {"times": 5, "until": bought}, "steps": [send("zns"), wait("P7D")]}
        await shop.workflow("nurture", loop, fork("steps.nurture.outcome", "until"))
        await shop.happens()
        await shop.work()
        await shop.later(days=7)
        await shop.happens("shop.bought")
        await shop.later(days=7)
        assert len(scripts["zns"].sent) == len(script.sent) == 2
        assert await tags(shop) == ["yes"]

    async def test_loops_in_loops_repeat_each_step_once_per_pass(self, shop: World) -> None:
        inner = {"id": "inner", "repeat": {"times": 2}, "steps": [tag("x", id="mark"), wait("PT1H", id="hour")]}
        outer = {"id": "outer", "repeat": {"times": 3}, "steps": [inner, wait("P1D", id="day")]}
        await shop.workflow("twice", outer)
        await shop.happens()
        await shop.work()
        for _ in range(12):
            await shop.later(days=1)
        assert await shop.run_states() == ["completed"]
        found = await shop.rows("SELECT path, COUNT(*) FROM steps WHERE kind <> 'branch' GROUP BY path ORDER BY path")
        assert [tuple(row) for row in found] == [("day", 3), ("hour", 6), ("mark", 6)]

    async def test_a_split_is_stable_and_told(self, shop: World) -> None:
        ways = [{"weight": 50, "name": name, "steps": [tag(name, id=name)]} for name in ("a", "b")]
        await shop.workflow("try", {"id": "ab", "split": ways}, fork("steps.ab.outcome", "a"))
        for number in range(40):
            await shop.happens(contact=f"S-{number}")
            await shop.happens(contact=f"S-{number}")
        await shop.work()
        found = [(await shop.contact(f"S-{n}"))["tags"] for n in range(40)]
        assert all(one in (["a", "yes"], ["b", "no"]) for one in found)
        assert 5 < sum(one[0] == "a" for one in found) < 35


class TestLeaving:
    async def test_an_event_ends_the_run_before_its_next_step(self, shop: World) -> None:
        settings = {"exit_when": [{"event": "shop.bought"}]}
        await shop.workflow("nudge", wait("P1D"), tag("nudged"), settings=settings)
        await shop.happens()
        await shop.happens("shop.bought", "KH-2")
        assert await shop.run_states() == ["running"]
        await shop.happens("shop.bought")
        await shop.later(days=2)
        assert await tags(shop) == []
        row = await shop.row("SELECT state, reason FROM runs")
        assert tuple(row) == ("exited", "exit_when[0]: shop.bought")
        assert await shop.steps() == [("pause", "cancelled", None)]

    async def test_only_where_its_condition_holds(self, shop: World) -> None:
        enough = {"field": "event.data.amount", "op": "greater_than", "value": 10}
        await shop.workflow("n", wait("P1D"), settings={"exit_when": [{"event": "shop.bought", "where": enough}]})
        await shop.happens()
        await shop.happens("shop.bought", amount=1)
        assert await shop.run_states() == ["running"]
        await shop.happens("shop.bought", amount=11)
        assert await shop.run_states() == ["exited"]

    async def test_a_condition_alone_is_asked_before_each_step(self, shop: World) -> None:
        vip = {"field": "contact.tags", "op": "has_any", "value": ["VIP"]}
        await shop.workflow(
            "n", tag("one", id="one"), wait("P1D"), tag("two"), settings={"exit_when": [{"where": vip}]}
        )
        await shop.happens()
        await shop.work()
        await shop.knows("KH-1", tags=["one", "VIP"])
        await shop.later(days=1)
        assert tuple(await shop.row("SELECT state, reason FROM runs")) == ("exited", "exit_when[0]")
        assert "two" not in await tags(shop)
        await shop.happens()
        assert await shop.run_states() == ["exited", "exited"]

    async def test_a_message_that_waits_to_be_tried_again_is_not(self, shop: World) -> None:
        from nhip import NotSent

        script = await shop.channel("zns")
        await shop.template("hello")
        script.answer(NotSent(code="busy"))
        await shop.workflow("n", send("zns"), settings={"exit_when": [{"event": "shop.bought"}]})
        await shop.happens()
        await shop.work()
        await shop.happens("shop.bought")
        await shop.later(hours=1)
        assert len(script.sent) == 1
        assert await shop.deliveries() == [("zns", "suppressed", "exit_when[0]: shop.bought")]


class TestModes:
    async def test_restart_ends_the_run_under_way(self, shop: World) -> None:
        await shop.workflow("n", wait("P1D"), tag("done"), settings={"mode": "restart"})
        await shop.happens()
        shop.clock.advance(hours=20)
        await shop.happens()
        assert [tuple(row) for row in await shop.rows("SELECT state, reason FROM runs ORDER BY id")] == [
            ("exited", "restarted"), ("running", None),
        ]  # fmt: skip
        await shop.later(hours=20)
        assert await tags(shop) == []
        await shop.later(hours=4)
        assert await tags(shop) == ["done"]

    async def test_of_two_events_of_one_request_the_last_restarts(self, shop: World) -> None:
        await shop.workflow("n", wait("P1D"), tag("done"), settings={"mode": "restart"})
        await shop.engine.inbox.submit(shop.workspace_id, [shop.event(), shop.event()])
        assert await shop.run_states() == ["exited", "running"]
        assert len(await shop.steps()) == 1

    async def test_queued_runs_go_one_after_the_other(self, shop: World) -> None:
        await shop.workflow("n", wait("P1D"), {"id": "e", "exit": {"reason": "done"}}, settings={"mode": "queued"})
        for _ in range(3):
            await shop.happens()
        assert await shop.run_states() == ["running", "queued", "queued"]
        await shop.later(days=1)
        assert await shop.run_states() == ["exited", "running", "queued"]
        await shop.later(days=1)
        await shop.later(days=1)
        assert await shop.run_states() == ["exited"] * 3

    @pytest.mark.parametrize(
        ("mode", "then", "plan"),
        [
            ("parallel", "queued", None),
            ("queued", "parallel", None),
            ("queued", "parallel", PublishPlan(runs=Fate.MOVE)),
            ("queued", "queued", PublishPlan(runs=Fate.MOVE, otherwise=Fate.EXIT)),
        ],
        ids=["queues from now on", "queues no more", "all move where none queues", "the first ends by the publish"],
    )
    async def test_nobody_is_queued_for_ever_when_another_version_is_published(
        self, shop: World, mode: str, then: str, plan: PublishPlan | None
    ) -> None:
        first, second = (wait("P1D", id="a"), wait("P1D", id="b" if plan and plan.otherwise is Fate.EXIT else "a"))
        await shop.workflow("n", first, tag("done"), settings={"mode": mode})
        for _ in range(2):
            await shop.happens()
        await shop.workflow("n", second, tag("done"), settings={"mode": then}, plan=plan)
        await shop.happens()
        for _ in range(3):
            await shop.later(days=1)
        assert set(await shop.run_states()) <= {"completed", "exited"}

    async def test_a_queue_goes_on_when_a_run_is_ended_from_outside(self, shop: World) -> None:
        await shop.workflow("n", wait("P1D"), settings={"mode": "queued", "exit_when": [{"event": "shop.bought"}]})
        for _ in range(2):
            await shop.happens()
        await shop.workflow("stop", {"id": "s", "action": "stop_workflow", "config": {"workflow": "n"}}, on="shop.bad")
        await shop.happens("shop.bad")
        await shop.work()
        assert (await shop.run_states())[:2] == ["exited", "exited"]  # all that were not over
        for _ in range(2):
            await shop.happens()
        await shop.happens("shop.bought")
        assert (await shop.run_states())[3:] == ["exited", "exited"]


class TestOtherWorkflows:
    async def test_a_step_starts_another_workflow_with_its_words(self, shop: World) -> None:
        await shop.workflow("second", fork("event.data.offer", "48h"), on="never.happens")
        start = {"workflow": "second", "data": {"offer": "{{ event.data.hours }}h"}}
        await shop.workflow("first", {"id": "s", "action": "start_workflow", "config": start})
        await shop.happens(hours=48)
        await shop.work()
        assert await tags(shop) == ["yes"]
        row = await shop.row("SELECT trigger_id, depth FROM runs WHERE workflow = 'second'")
        assert tuple(row) == ("requested", 1)

    async def test_its_conditions_and_re_entry_are_asked_and_its_refusal_is_kept(self, shop: World) -> None:
        await shop.workflow(
            "second", tag("second"), on="never.happens", settings={"reentry": "once"},
            conditions={"field": "contact.name", "op": "equals", "value": "Anh"},
        )  # fmt: skip
        await shop.workflow("first", {"id": "s", "action": "start_workflow", "config": {"workflow": "second"}})
        await shop.happens(contact="KH-2")
        await shop.happens()
        await shop.work()
        await shop.happens()
        await shop.work()
        await shop.pause("second")
        await shop.happens()
        await shop.work()
        reasons = [row[0] for row in await shop.rows("SELECT reason FROM refusals ORDER BY id")]
        assert sorted(reasons) == ["conditions", "entered_before", "not_active"]

    async def test_workflows_that_start_each_other_are_refused(self, shop: World) -> None:
        def start(name: str) -> dict[str, Any]:
            return {"id": "s", "action": "start_workflow", "config": {"workflow": name}}

        await shop.workflow("c", tag("c"))
        await shop.workflow("b", start("c"))
        await shop.workflow("a", start("b"))
        for name, other in (("c", "a"), ("b", "a"), ("a", "a")):
            with pytest.raises(InvalidInput) as refused:
                await shop.workflow(name, start(other))
            (problem,) = refused.value.problems
            assert (problem.path, problem.code) == ("steps[0].config.workflow", "circular_start")


class TestComingLate:
    async def test_a_resume_sends_nothing_stale(self, shop: World) -> None:
        script = await shop.channel("zns")
        await shop.template("hello")
        late = {**send("zns"), "expires_after": "P1D"}
        await shop.workflow("n", wait("PT1H"), late, tag("later"))
        await shop.happens()
        await shop.happens(contact="KH-2")
        await shop.pause("n")
        await shop.later(hours=2)
        assert script.sent == []
        shop.clock.advance(days=3)
        await shop.resume("n")
        await shop.work()
        assert script.sent == []
        assert await shop.deliveries() == [("zns", "expired", "expired")] * 2
        assert await tags(shop) == ["later"]

    async def test_a_resume_within_the_time_sends(self, shop: World) -> None:
        script = await shop.channel("zns")
        await shop.template("hello")
        await shop.workflow("n", send("zns"), settings={"expires_after": "P1D"})
        await shop.happens()
        await shop.pause("n")
        await shop.work()
        shop.clock.advance(hours=23)
        await shop.resume("n")
        await shop.work()
        assert len(script.sent) == 1

    async def test_a_worker_that_was_away_finds_it_too_late(self, shop: World) -> None:
        await shop.workflow("n", wait("PT1H"), {**tag("late"), "expires_after": "PT30M"}, tag("after", id="after"))
        await shop.happens()
        await shop.later(hours=2)
        assert await tags(shop) == ["after"]
        assert [row[2] for row in await shop.steps()] == ["elapsed", "expired", "done"]


class TestActionsThatWait:
    @pytest.fixture
    async def asking(self, shop: World) -> str:
        await shop.workflow("ask", {"id": "ask", "action": "scripted_patient"}, fork("steps.ask.outcome", "answered"))
        await shop.happens()
        await shop.work()
        return str(await shop.value("SELECT id FROM steps"))

    async def test_it_hears_what_it_waits_for_and_nothing_else(self, shop: World, asking: str) -> None:
        await shop.happens("shop.answered", step="another", word="no")
        await shop.happens("shop.answered", "KH-2", step=asking, word="no")
        await shop.work()
        assert await shop.steps() == [("ask", "waiting", None)]
        await shop.happens("shop.answered", step=asking, word="yes")
        await shop.work()
        assert await tags(shop) == ["yes"]
        output = await shop.value("SELECT output FROM steps WHERE path = 'ask'")
        assert output == '{"asked":1,"word":"yes"}'
        assert await shop.value("SELECT COUNT(*) FROM events WHERE type = 'shop.asked'") == 2

    async def test_it_may_wait_again(self, shop: World, asking: str) -> None:
        await shop.happens("shop.answered", step=asking, word="later")
        await shop.later(minutes=59)
        await shop.happens("shop.answered", step=asking, word="yes")
        await shop.work()
        assert await shop.value("SELECT output FROM steps WHERE path = 'ask'") == '{"asked":2,"word":"yes"}'

    async def test_nothing_comes(self, shop: World, asking: str) -> None:
        await shop.later(minutes=61)
        assert await tags(shop) == ["no"]
        assert (await shop.steps())[0] == ("ask", "done", "timeout")

    async def test_a_worker_dies_over_what_it_heard(self, shop: World, asking: str) -> None:
        await shop.happens("shop.answered", step=asking, word="yes")
        await shop.engine.database.transact(shop.engine.execution.perform_now, shop.workspace_id, [])
        await shop.change("UPDATE steps SET state = 'running', lease_owner = 'x', lease_until = 1, epoch = epoch + 1")
        await shop.later(minutes=1)
        assert await tags(shop) == ["yes"]

    async def test_it_can_be_done_at_once_for_whoever_has_to_answer(self, shop: World) -> None:
        await shop.workflow("ask", {"id": "ask", "action": "scripted_patient"}, tag("after"), on="shop.called")
        receipt = await shop.happens("shop.called")
        now = shop.engine.execution.perform_now
        await shop.engine.database.transact(now, shop.workspace_id, list(receipt.runs))
        step = await shop.value("SELECT id FROM steps WHERE state = 'waiting'")
        await shop.happens("shop.answered", step=step, word="yes")
        await shop.engine.database.transact(now, shop.workspace_id, list(receipt.runs))
        assert await tags(shop) == ["after"]
        assert await shop.run_states() == ["completed"]
