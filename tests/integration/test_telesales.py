"""Telesales: who is called, by whom and when; what comes of a call; and what waits for it."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from nhip.domain.customers import Staff
from nhip.domain.duty import Absence
from nhip.domain.errors import Conflict, InvalidInput, NotFound
from nhip.domain.telesales import CallReport, CampaignDraft, EntryFilter, ShownCampaign, ShownEntry
from nhip.domain.times import format_micros, parse_time
from nhip.ports import Unit
from nhip.services.desk import staff
from tests.support.api import Api, expect
from tests.support.world import World, tag, wait

ALL_DAY = {"from": "00:00", "to": "23:59"}
AGENTS = ["NV-1", "NV-2", "NV-3"]


class Floor:
    """A world in which people telephone."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.campaigns = world.engine.telesales_campaigns
        self.entries = world.engine.telesales_entries

    async def act(self, verb: Any, *values: Any, **said: Any) -> Any:
        return await self.world.engine.database.transact(verb, self.world.workspace_id, *values, **said)

    async def hire(self, *agents: str, active: bool = True, away: tuple[str, str] | None = None) -> None:
        absences = (Absence(from_=parse_time(away[0]), until=parse_time(away[1])),) if away else ()

        def put(unit: Unit) -> None:
            for agent in agents:
                person = Staff(external_id=agent, name=agent, active=active, absences=absences)
                staff.put(unit, self.world.workspace_id, "tester", person, self.world.clock.micros())

        await self.world.engine.database.transact(put)

    async def campaign(self, name: str = "beans", **said: Any) -> ShownCampaign:
        draft = msgspec.convert({"object": "customer", "agents": AGENTS, **said}, CampaignDraft)
        saved: tuple[ShownCampaign, bool] = await self.act(
            self.campaigns.save, name, draft, if_match=None, actor="tester", now=self.world.clock.micros()
        )
        return saved[0]

    async def calling(self, **config: Any) -> None:
        """A workflow puts whoever opens the shop into the campaign."""
        call = {"id": "call", "action": "telesales_enqueue", "config": {"campaign": "beans", **config}}
        await self.world.workflow("call", call, tag("after"))

    async def wanted(self, *people: str, lifecycle: str = "customer") -> None:
        """These people are put into the campaign, one after the other."""
        for person in people:
            await self.world.knows(person, lifecycle=lifecycle)
            await self.world.happens(contact=person)
            await self.world.work()

    async def queue(self, state: str | None = None, agent: str | None = None) -> list[ShownEntry]:
        wanted = msgspec.convert({"state": state, "agent": agent}, EntryFilter)
        rows = await self.act(self.entries.page, "beans", wanted, None, 200, self.world.clock.micros())
        return list(rows)

    async def people(self, state: str | None = None, agent: str | None = None) -> list[str]:
        return [one.contact.external_id if one.contact else "?" for one in await self.queue(state, agent)]

    async def entry(self, person: str = "KH-1") -> ShownEntry:
        return next(one for one in await self.queue() if one.contact and one.contact.external_id == person)

    async def take(self, entry_id: str = "next", agent: str = "NV-1") -> ShownEntry | None:
        now = self.world.clock.micros()
        taken: ShownEntry | None = await self.act(self.entries.take, "beans", entry_id, agent, actor="tester", now=now)
        return taken

    async def told(self, outcome: str, person: str = "KH-1", **said: Any) -> ShownEntry:
        shown = await self.entry(person)
        report = msgspec.convert({"outcome": outcome, **said}, CallReport)
        now = self.world.clock.micros()
        told: ShownEntry = await self.act(self.entries.report, "beans", shown.entry.id, report, actor="tester", now=now)
        return told

    async def events(self, kind: str = "outcome") -> list[dict[str, Any]]:
        rows = await self.world.rows(f"SELECT data FROM events WHERE type = 'telesales.{kind}' ORDER BY id")
        return [msgspec.json.decode(row[0]) for row in rows]


@pytest.fixture
async def floor(world: World) -> Floor:
    floor = Floor(world)
    await floor.hire(*AGENTS)
    return floor


class TestTheQueue:
    async def test_it_is_there_at_the_next_permitted_hour(self, world: World, floor: Floor) -> None:
        await floor.campaign(hours={"days": ["mon"], "from": "09:00", "to": "11:00"})
        await floor.calling(note="Chào {{ contact.external_id }}", priority=7)
        await floor.wanted("KH-1")
        shown = await floor.entry()
        assert (shown.state, format_micros(shown.due_at)) == ("waiting", "2026-11-23T02:00:00Z")
        assert (shown.entry.note, shown.entry.priority, shown.entry.agent) == ("Chào KH-1", 7, None)
        assert (await floor.people("waiting"), await floor.people("open")) == (["KH-1"], [])
        assert await floor.take() is None

        world.clock.advance(days=2, hours=1)
        assert (await floor.people("waiting"), await floor.people("open")) == ([], ["KH-1"])
        world.clock.advance(hours=2)
        assert await floor.people("waiting") == ["KH-1"], "the hours are over again"
        with pytest.raises(Conflict, match="nobody may call before 2026-11-30"):
            await floor.take(shown.entry.id)

    async def test_twice_is_once_while_it_is_open(self, world: World, floor: Floor) -> None:
        await floor.campaign()
        await floor.calling()
        await floor.wanted("KH-1", "KH-1")
        outputs = await world.rows("SELECT output FROM steps WHERE path = 'call' ORDER BY id")
        first, second = (msgspec.json.decode(row[0]) for row in outputs)
        assert (first["created"], second["created"]) == (True, False)
        assert first["entry"] == second["entry"]
        await floor.told("answered")
        await floor.wanted("KH-1")
        assert len(await floor.queue()) == 2

    async def test_the_wrong_kind_of_contact_fails_with_a_reason(self, world: World, floor: Floor) -> None:
        await floor.campaign()
        await floor.calling()
        await floor.wanted("KH-1", lifecycle="lead")
        assert await world.run_states() == ["failed"]
        reason = await world.value("SELECT reason FROM steps WHERE path = 'call'")
        assert reason == "the telesales campaign 'beans' is for customers, and 'KH-1' is a lead"
        assert await floor.queue() == []

    async def test_due_ones_come_first_by_priority(self, world: World, floor: Floor) -> None:
        await floor.campaign(hours=ALL_DAY)
        await floor.calling(priority=1)
        await floor.wanted("KH-1", "KH-2")
        await floor.calling(priority=9)
        await floor.wanted("KH-3")
        await floor.told("busy", "KH-2")
        await floor.wanted("KH-4")
        await floor.told("answered", "KH-4")
        assert await floor.people() == ["KH-3", "KH-1", "KH-2", "KH-4"]
        shown = await floor.act(floor.campaigns.show, "beans", world.clock.micros())
        assert shown.counts == {"open": 2, "waiting": 1, "done": 1}
        taken = await floor.take()
        assert taken is not None
        assert taken.contact is not None
        assert taken.contact.external_id == "KH-3"
        assert await floor.people("taken") == ["KH-3"]

    async def test_pages_are_the_whole_list(self, world: World, floor: Floor) -> None:
        await floor.campaign(hours=ALL_DAY)
        await floor.calling()
        await floor.wanted(*(f"KH-{n}" for n in range(1, 8)))
        for person in ("KH-2", "KH-5"):
            await floor.told("busy", person)
        await floor.told("refused", "KH-4")
        await floor.take()
        whole, paged, after = await floor.people(), list[str](), None
        while True:
            now = world.clock.micros()
            rows = await floor.act(floor.entries.page, "beans", EntryFilter(), after, 2, now)
            paged += [row.contact.external_id for row in rows]
            if len(rows) < 2:
                break
            after = rows[-1].place
            world.clock.advance(minutes=40)
        assert paged == whole
        assert len(set(paged)) == 7


class TestDistribution:
    async def test_everybody_in_turn_also_when_two_workers_do_it_at_once(
        self, world: World, floor: Floor, second: World
    ) -> None:
        await floor.campaign(auto_distribution=True)
        await floor.calling()
        people = [f"KH-{n}" for n in range(60)]
        for person in people:
            await world.knows(person, lifecycle="customer")
            await world.happens(contact=person)
        await asyncio.gather(world.work(), second.work())
        turns = Counter(one.entry.agent for one in await floor.queue())
        assert turns == dict.fromkeys(AGENTS, 20)

    async def test_who_has_left_gets_nothing(self, floor: Floor) -> None:
        await floor.campaign(auto_distribution=True)
        await floor.hire("NV-2", active=False)
        await floor.calling()
        await floor.wanted("KH-1", "KH-2", "KH-3", "KH-4")
        assert [(await floor.entry(f"KH-{n}")).entry.agent for n in (1, 2, 3, 4)] == ["NV-1", "NV-3", "NV-1", "NV-3"]

    async def test_an_action_may_distribute_otherwise(self, floor: Floor) -> None:
        await floor.campaign(auto_distribution=True)
        await floor.calling(distribute=False)
        await floor.wanted("KH-1")
        assert (await floor.entry()).entry.agent is None

    async def test_nobody_is_lost_where_all_have_left(self, floor: Floor) -> None:
        await floor.campaign(auto_distribution=True)
        await floor.hire(*AGENTS, active=False)
        await floor.calling()
        await floor.wanted("KH-1")
        assert (await floor.entry()).entry.agent is None

    async def test_two_agents_at_once_never_get_the_same(self, world: World, floor: Floor, second: World) -> None:
        await floor.campaign(hours=ALL_DAY)
        await floor.calling()
        await floor.wanted(*(f"KH-{n}" for n in range(10)))
        other = Floor(second)
        taken = await asyncio.gather(
            *(one.take(agent=agent) for _ in range(6) for one, agent in ((floor, "NV-1"), (other, "NV-2")))
        )
        ids = [one.entry.id for one in taken if one is not None]
        assert len(ids) == len(set(ids)) == 10

    async def test_what_one_agent_has_no_other_takes(self, floor: Floor) -> None:
        await floor.campaign(hours=ALL_DAY)
        await floor.calling()
        await floor.wanted("KH-1")
        taken = await floor.take()
        assert taken is not None
        again = await floor.take(taken.entry.id)
        assert again is not None
        assert again.entry == taken.entry
        with pytest.raises(Conflict, match="NV-1's"):
            await floor.take(taken.entry.id, "NV-2")
        with pytest.raises(Conflict, match="NV-1's"):
            await floor.told("answered", agent="NV-2")
        assert await floor.take(agent="NV-2") is None

        await floor.hire("NV-1", active=False)
        inherited = await floor.take(agent="NV-2")
        assert inherited is not None
        assert inherited.entry.agent == "NV-2"

    async def test_a_supervisor_gives_it_to_another(self, world: World, floor: Floor) -> None:
        await floor.campaign(auto_distribution=True)
        await floor.calling()
        await floor.wanted("KH-1")
        shown = await floor.entry()
        now = world.clock.micros()
        await floor.act(floor.entries.give, "beans", shown.entry.id, "NV-3", actor="tester", now=now)
        assert await floor.people(agent="NV-3") == ["KH-1"]
        with pytest.raises(InvalidInput, match="no agent 'NV-9'"):
            await floor.act(floor.entries.give, "beans", shown.entry.id, "NV-9", actor="tester", now=now)


class TestGoingBack:
    async def test_what_was_taken_and_forgotten_is_everybodys_again(self, world: World, floor: Floor) -> None:
        await floor.campaign(hours=ALL_DAY, hold_minutes=30)
        await floor.calling(wait_for_outcome=True)
        heard = [{"id": "t", "type": "event", "config": {"type": "telesales.returned"}}]
        await world.workflow("tell", tag("forgotten", id="tag"), on=heard)
        await floor.wanted("KH-1")
        await floor.take()
        await world.later(minutes=29)
        assert await floor.people("taken") == ["KH-1"]
        assert await floor.take(agent="NV-2") is None

        await world.later(minutes=1)
        entry = (await floor.entry()).entry
        assert (entry.state, entry.agent, entry.returns, entry.back_at) == ("open", None, 1, None)
        assert [(one.what, one.agent, one.reason) for one in entry.history] == [
            ("taken", "NV-1", None),
            ("returned", "NV-1", "held_too_long"),
        ]
        [event] = await floor.events("returned")
        assert (event["campaign"], event["agent"], event["reason"], event["returns"]) == (
            "beans", "NV-1", "held_too_long", 1,
        )  # fmt: skip
        assert (await world.contact())["tags"] == ["forgotten"]
        audit = await world.rows("SELECT actor, detail FROM audit_log WHERE action = 'telesales_entry.return'")
        assert [(row[0], msgspec.json.decode(row[1])["agent"]) for row in audit] == [("engine", "NV-1")]

        await floor.told("answered", agent="NV-1", note="was long")
        await world.work()
        assert (await world.steps())[0] == ("call", "done", "answered"), "late, and nobody had taken it"

    async def test_a_late_outcome_after_somebody_else_took_it(self, world: World, floor: Floor) -> None:
        await floor.campaign(hours=ALL_DAY, hold_minutes=30)
        await floor.calling()
        await floor.wanted("KH-1")
        await floor.take()
        await world.later(minutes=31)
        await floor.take(agent="NV-2")
        await floor.hire("NV-1", active=False)
        with pytest.raises(Conflict, match="NV-2's") as caught:
            await floor.told("answered", agent="NV-1")
        assert caught.value.data["agent"] == "NV-2"
        await floor.told("answered", agent="NV-2")
        with pytest.raises(Conflict, match=r"done by NV-2 \(answered\)"):
            await floor.told("answered", agent="NV-1")
        assert len(await floor.events()) == 1

    async def test_the_next_in_turn_who_is_there_gets_it(self, world: World, floor: Floor) -> None:
        now = world.clock.micros()
        away = (format_micros(now), format_micros(now + 86_400_000_000))
        await floor.hire("NV-2", away=away)
        await floor.campaign(hours=ALL_DAY, auto_distribution=True, hold_minutes=30)
        await floor.calling()
        await floor.wanted("KH-1", "KH-2")
        assert [(await floor.entry(one)).entry.agent for one in ("KH-1", "KH-2")] == ["NV-1", "NV-3"]
        await floor.take()
        await world.later(minutes=30)
        shown = await floor.entry()
        assert (shown.entry.agent, shown.entry.state) == ("NV-3", "open"), "NV-2 is away, and NV-1 had it"
        assert (await floor.events("returned"))[0]["to"] == "NV-3"
        await floor.told("no_answer", agent="NV-1")
        assert (await floor.entry()).entry.attempts == 1, "NV-3 had not taken it"

    async def test_null_is_for_ever(self, world: World, floor: Floor) -> None:
        await floor.campaign(hours=ALL_DAY, hold_minutes=None)
        await floor.calling()
        await floor.wanted("KH-1")
        await floor.take()
        await world.later(days=40)
        assert await floor.people("taken") == ["KH-1"]
        await floor.campaign(hours=ALL_DAY, hold_minutes=60)
        await world.later(seconds=1)
        assert await floor.people("open") == ["KH-1"], "the hold that was shortened is over"

    async def test_whoever_left_was_removed_or_is_away_has_nothing(self, world: World, floor: Floor) -> None:
        await floor.campaign(hours=ALL_DAY, auto_distribution=True, hold_minutes=None)
        await floor.calling()
        await floor.wanted(*(f"KH-{n}" for n in range(6)))
        assert Counter(one.entry.agent for one in await floor.queue()) == dict.fromkeys(AGENTS, 2)
        for agent in AGENTS:
            assert await floor.take(agent=agent)

        await floor.campaign(hours=ALL_DAY, auto_distribution=True, hold_minutes=None, agents=["NV-1", "NV-2"])
        await world.later(seconds=1)
        assert Counter(one.entry.agent for one in await floor.queue()) == {"NV-1": 3, "NV-2": 3}

        soon, later = (format_micros(world.clock.micros() + more * 3_600_000_000) for more in (1, 9))
        await floor.hire("NV-2", away=(soon, later))
        await world.later(minutes=59)
        assert len(await floor.queue(agent="NV-2")) == 3
        await world.later(minutes=1)
        assert Counter(one.entry.agent for one in await floor.queue()) == {"NV-1": 6}

        await floor.hire("NV-1", active=False)
        await world.later(seconds=1)
        assert Counter(one.entry.agent for one in await floor.queue()) == {None: 6}, "nobody is there"
        reasons = Counter(event["reason"] for event in await floor.events("returned"))
        assert reasons == {"removed": 2, "absent": 3, "left": 6}

    async def test_once_with_two_workers_after_all_were_down(self, world: World, floor: Floor, second: World) -> None:
        await floor.campaign(hours=ALL_DAY, auto_distribution=True, hold_minutes=5)
        await floor.calling()
        await floor.wanted(*(f"KH-{n}" for n in range(60)))
        for _ in range(20):
            for agent in AGENTS:
                await floor.take(agent=agent)
        world.clock.advance(days=3)
        second.clock.advance(days=3)

        async def keep_up(one: World) -> None:
            while (await one.engine.upkeep.run(one.engine.database)).more:
                pass

        await asyncio.gather(*(keep_up(one) for one in (world, second) for _ in range(3)))
        queue = await floor.queue()
        assert {one.entry.returns for one in queue} == {1}
        assert len(await floor.events("returned")) == 60
        assert Counter(one.entry.agent for one in queue).total() == 60
        assert None not in {one.entry.agent for one in queue}

    async def test_an_agent_gives_it_back(self, world: World, floor: Floor) -> None:
        await floor.campaign(hours=ALL_DAY)
        await floor.calling()
        await floor.wanted("KH-1")
        taken = await floor.take()
        assert taken is not None

        async def release(agent: str) -> ShownEntry:
            now = world.clock.micros()
            shown: ShownEntry = await floor.act(
                floor.entries.release, "beans", taken.entry.id, agent, actor="tester", now=now
            )
            return shown

        with pytest.raises(Conflict, match="NV-1's"):
            await release("NV-2")
        assert (await release("NV-1")).state == "open"
        assert (await release("NV-1")).entry.returns == 1, "again changes nothing"
        assert [one["reason"] for one in await floor.events("returned")] == ["released"]
        with pytest.raises(Conflict, match="nobody's"):
            await release("NV-2")


class TestOutcomes:
    @pytest.fixture(autouse=True)
    async def called(self, floor: Floor) -> None:
        await floor.campaign(retry={"no_answer": {"after": "PT4H", "times": 2}})
        await floor.calling(wait_for_outcome={"timeout": "P7D"})
        await floor.wanted("KH-1")

    async def test_the_run_goes_on_with_the_last_outcome_alone(self, world: World, floor: Floor) -> None:
        await floor.take()
        shown = await floor.told("no_answer", agent="NV-1", note="rang out")
        assert (shown.state, shown.entry.attempts, shown.entry.agent) == ("waiting", 1, None)
        assert format_micros(shown.due_at) == "2026-11-21T05:00:00Z"
        await world.work()
        assert await world.steps() == [("call", "waiting", None)]
        await world.later(hours=4)
        await floor.told("answered", agent="NV-2", note="wants 2 kg")
        await world.work()
        assert await world.steps() == [("call", "done", "answered"), ("mark", "done", "done")]
        output = msgspec.json.decode(await world.value("SELECT output FROM steps WHERE path = 'call'"))
        assert (output["attempts"], output["agent"], output["note"]) == (2, "NV-2", "wants 2 kg")
        events = await floor.events()
        assert [(one["outcome"], one["attempts"], one["final"]) for one in events] == [
            ("no_answer", 1, False),
            ("answered", 2, True),
        ]
        assert events[0]["campaign"] == "beans"
        assert events[0]["due_at"] == "2026-11-21T05:00:00Z"

    async def test_the_rules_give_up(self, world: World, floor: Floor) -> None:
        for _ in range(2):
            await floor.told("no_answer")
            await world.later(hours=24)
        await floor.told("no_answer")
        await world.work()
        assert (await world.steps())[0] == ("call", "done", "no_answer")
        assert [one["final"] for one in await floor.events()] == [False, False, True]

    async def test_the_same_again_changes_nothing(self, world: World, floor: Floor) -> None:
        first = await floor.told("no_answer", note="rang out")
        assert (await floor.told("no_answer", note="rang out")).entry == first.entry
        await world.later(hours=4)
        assert (await floor.told("no_answer", note="rang out")).entry.attempts == 2, "that is another call"
        done = await floor.told("refused")
        assert (await floor.told("refused")).entry == done.entry
        with pytest.raises(Conflict, match="done"):
            await floor.told("answered")
        assert len(await floor.events()) == 3

    async def test_called_back_at_the_time_they_gave(self, world: World, floor: Floor) -> None:
        shown = await floor.told("call_back", call_back_at="2026-11-22T20:00:00+07:00")
        assert format_micros(shown.due_at) == "2026-11-23T01:00:00Z", "within the hours"
        assert (await floor.told("call_back", call_back_at="2026-11-22T13:00:00Z")).entry == shown.entry
        await floor.told("answered")
        await world.work()
        assert (await world.steps())[0] == ("call", "done", "answered")

    async def test_nobody_calls_in_time(self, world: World, floor: Floor) -> None:
        await world.later(days=7)
        assert (await world.steps())[0] == ("call", "done", "timeout")
        assert await floor.people("open") == ["KH-1"], "they are still to be called"

    async def test_cancelled(self, world: World, floor: Floor) -> None:
        shown = await floor.entry()
        for _ in range(2):
            now = world.clock.micros()
            await floor.act(floor.entries.cancel, "beans", shown.entry.id, actor="tester", now=now)
        await world.work()
        assert (await world.steps())[0] == ("call", "done", "cancelled")
        assert [(one["outcome"], one["final"]) for one in await floor.events()] == [("cancelled", True)]
        with pytest.raises(Conflict, match="cancelled"):
            await floor.told("answered")

    async def test_another_entry_is_not_heard(self, world: World, floor: Floor) -> None:
        await floor.wanted("KH-2")
        await floor.told("answered", "KH-2")
        await world.work()
        states = await world.rows("SELECT state FROM steps WHERE path = 'call' ORDER BY id")
        assert [row[0] for row in states] == ["waiting", "done"]

    async def test_two_reports_at_once(self, world: World, floor: Floor, second: World) -> None:
        other = Floor(second)
        results = await asyncio.gather(floor.told("answered"), other.told("refused"), return_exceptions=True)
        assert sorted(type(one).__name__ for one in results) == ["Conflict", "ShownEntry"]
        assert len(await floor.events()) == 1


class TestStories:
    async def test_buyers_of_a_are_called_about_b_two_weeks_later(self, world: World, floor: Floor) -> None:
        await floor.campaign(auto_distribution=True)
        trigger = {"id": "bought", "type": "order_status", "config": {"to": ["delivered"]}}
        call = {"campaign": "beans", "wait_for_outcome": True, "note": "Máy {{ order.external_id }} từ 14 ngày trước"}
        sold = {"field": "steps.call.outcome", "op": "equals", "value": "answered"}
        await world.workflow(
            "cross-sell",
            wait("P14D", id="later"),
            {"id": "call", "action": "telesales_enqueue", "config": call},
            {"id": "talked", "if": sold, "then": [tag("talked", id="yes")], "else": [tag("missed", id="no")]},
            on=[trigger],
            conditions={"field": "order.items.sku", "op": "has_any", "value": ["MACHINE-A"]},
        )
        for person, sku in (("KH-1", "MACHINE-A"), ("KH-2", "CUP")):
            await world.knows(person, lifecycle="customer")
            order = {"external_id": f"DH-{person}", "status": "delivered", "items": [{"sku": sku, "quantity": 1}]}
            await world.happens("order.updated", person, order=order)
        await world.later(days=13)
        assert await floor.queue() == []
        await world.later(days=1)
        assert await floor.people() == ["KH-1"]
        assert (await floor.entry()).entry.note == "Máy DH-KH-1 từ 14 ngày trước"
        await floor.told("answered")
        await world.work()
        assert (await world.contact())["tags"] == ["talked"]

    async def test_an_outcome_starts_workflows(self, world: World, floor: Floor) -> None:
        await floor.campaign()
        await floor.calling()
        where = {"all": [
            {"field": "event.data.final", "op": "equals", "value": True},
            {"field": "event.data.outcome", "op": "equals", "value": "refused"},
        ]}  # fmt: skip
        trigger = {"id": "no", "type": "event", "config": {"type": "telesales.outcome", "where": where}}
        await world.workflow("refused", tag("Không quan tâm"), on=[trigger])
        await floor.wanted("KH-1")
        await floor.told("refused")
        await world.work()
        assert (await world.contact())["tags"] == ["after", "Không quan tâm"]


class TestLeads:
    @pytest.fixture
    async def converting(self, world: World, request: pytest.FixtureRequest) -> None:
        mode = getattr(request, "param", "create")
        await world.workflow("convert", {"id": "c", "action": "lead_convert", "config": {"account": mode}})
        heard = [{"id": "t", "type": "event", "config": {"type": "lead.converted"}}]
        await world.workflow("welcome", tag("welcome"), on=heard)

    async def convert(self, world: World, person: str = "KH-1", **said: Any) -> dict[str, Any]:
        await world.knows(person, **said)
        await world.happens(contact=person)
        await world.work()
        return await world.contact(person)

    @pytest.mark.usefixtures("converting")
    async def test_a_lead_becomes_a_customer_once(self, world: World) -> None:
        lead: dict[str, Any] = {
            "name": "Hoàng Anh",
            "company_name": "Cà phê  Sáng",
            "tags": ["hot"],
            "custom": {"size": "L"},
        }
        contact = await self.convert(world, **lead)
        assert (contact["lifecycle"], contact["tags"], contact["custom"]) == (
            "customer", ["hot", "welcome"], {"size": "L"},
        )  # fmt: skip
        [account] = await world.rows("SELECT external_id, attributes FROM accounts")
        assert contact["account"] == account[0]
        assert msgspec.json.decode(account[1]) == {"name": "Cà phê Sáng"}
        previous = await world.rows(
            "SELECT e.facts FROM events e JOIN events c ON c.root_id = e.id WHERE c.type = 'contact.updated'"
        )
        assert [row for row in previous if '"lifecycle":"lead"' in row[0].split('"previous"')[1]]

        await self.convert(world)
        outputs = await world.rows("SELECT output FROM steps WHERE path = 'c' ORDER BY id")
        assert [msgspec.json.decode(row[0])["converted"] for row in outputs] == [True, False]
        assert await world.value("SELECT COUNT(*) FROM events WHERE type = 'lead.converted'") == 1
        assert await world.value("SELECT COUNT(*) FROM accounts") == 1

    @pytest.mark.parametrize(
        ("converting", "expected"),
        [("create", "C-1"), ("link", "C-1"), ("leave", None)],
        indirect=["converting"],
    )
    @pytest.mark.usefixtures("converting")
    async def test_a_company_that_is_known(self, world: World, expected: str | None) -> None:
        def put(unit: Unit) -> None:
            unit.directory.put_account(world.workspace_id, "C-1", {"name": "cà  PHÊ sáng"}, world.clock.micros())

        await world.engine.database.transact(put)
        contact = await self.convert(world, company_name=" Cà phê Sáng ")
        assert contact.get("account") == expected

    @pytest.mark.parametrize("converting", ["link"], indirect=True)
    @pytest.mark.usefixtures("converting")
    async def test_a_company_that_is_not_known_is_not_made(self, world: World) -> None:
        contact = await self.convert(world, company_name="Cà phê Sáng")
        assert (contact["lifecycle"], contact.get("account")) == ("customer", None)
        assert await world.value("SELECT COUNT(*) FROM accounts") == 0

    @pytest.mark.usefixtures("converting")
    async def test_colleagues_at_once_get_one_account(self, world: World, second: World) -> None:
        for n in range(8):
            await world.knows(f"KH-{n}", company_name="CÀ PHÊ SÁNG" if n % 2 else "Cà phê sáng")
            await world.happens(contact=f"KH-{n}")
        await asyncio.gather(world.work(), second.work())
        assert await world.value("SELECT COUNT(*) FROM accounts") == 1
        accounts = {(await world.contact(f"KH-{n}"))["account"] for n in range(8)}
        assert len(accounts) == 1


class TestPublishing:
    STEP: dict[str, Any] = {"id": "call", "action": "telesales_enqueue", "config": {"campaign": "beans"}}  # noqa: RUF012
    LEADS: dict[str, Any] = {"field": "contact.lifecycle", "op": "equals", "value": "lead"}  # noqa: RUF012

    async def refused(self, world: World, *steps: Any, **rest: Any) -> list[tuple[str, str]]:
        with pytest.raises(InvalidInput) as caught:
            await world.workflow("w", *steps, **rest)
        return [(problem.path, problem.code) for problem in caught.value.problems]

    async def test_an_unknown_campaign(self, world: World) -> None:
        found = await self.refused(world, self.STEP)
        assert found == [("steps[0].config.campaign", "unknown_telesales_campaign")]

    async def test_leads_alone_cannot_come_to_a_campaign_for_customers(self, world: World, floor: Floor) -> None:
        await floor.campaign()
        found = await self.refused(world, self.STEP, conditions={"all": [self.LEADS]})
        assert found == [("steps[0].config.campaign", "wrong_contacts")]
        way = {"id": "which", "if": self.LEADS, "then": [self.STEP], "else": []}
        assert await self.refused(world, way) == [("steps[0].then[0].config.campaign", "wrong_contacts")]

    async def test_what_may_change_on_the_way_is_not_refused(self, world: World, floor: Floor) -> None:
        await floor.campaign()
        convert = {"id": "c", "action": "lead_convert"}
        await world.workflow("w1", convert, self.STEP, conditions=self.LEADS)
        await world.workflow("w2", wait("P1D"), self.STEP, conditions=self.LEADS)
        way = {"id": "which", "if": self.LEADS, "then": [], "else": [self.STEP]}
        await world.workflow("w3", way)

    async def test_customers_alone_cannot_be_converted(self, world: World) -> None:
        customers = {"field": "contact.lifecycle", "op": "in", "value": ["customer"]}
        found = await self.refused(world, {"id": "c", "action": "lead_convert"}, conditions=customers)
        assert found == [("steps[0].action", "wrong_contacts")]

    async def test_a_campaign_that_is_needed_stays(self, world: World, floor: Floor) -> None:
        await floor.campaign()
        await floor.calling()
        delete = floor.campaigns.delete
        now = world.clock.micros()
        with pytest.raises(Conflict, match="is used by call"):
            await floor.act(delete, "beans", if_match=None, actor="tester", now=now)
        await floor.campaign("spare")
        await floor.act(delete, "spare", if_match=None, actor="tester", now=now)
        with pytest.raises(NotFound):
            await floor.act(floor.campaigns.show, "spare", world.clock.micros())


class TestOverHttp:
    @pytest.fixture(autouse=True)
    async def staffed(self, api: Api) -> None:
        await api.put("/v1/staff/NV-1", {"name": "Lan"})
        await api.put("/v1/staff/NV-2", {"name": "Minh", "active": False})

    async def test_a_campaign(self, api: Api) -> None:
        made = await api.put("/v1/telesales-campaigns/tea", {"object": "lead", "agents": ["NV-1"]}, 201)
        assert made["hours"] == {
            "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "08:00", "to": "17:00",
            "timezone": "Asia/Ho_Chi_Minh", "holidays": False,
        }  # fmt: skip
        assert made["hold_minutes"] == 60
        assert made["retry"]["no_answer"] == {"after": "PT4H", "times": 3}
        assert made["entries"] == {"waiting": 0, "open": 0, "taken": 0, "done": 0, "cancelled": 0}
        same = expect(
            await api.request("PUT", "/v1/telesales-campaigns/tea", {"object": "lead", "agents": ["NV-1"]}), 200
        )
        assert same["revision"] == 1
        shown = await api.request("GET", "/v1/telesales-campaigns/tea")
        assert expect(shown, 200) == same
        body = {"object": "lead", "title": "Trà"}
        stale = await api.request("PUT", "/v1/telesales-campaigns/tea", body, if_match='"nothing.1"')
        assert expect(stale, 412)["code"] == "stale_revision"
        changed = await api.put("/v1/telesales-campaigns/tea", body, if_match=shown.headers["etag"])
        assert (changed["title"], changed["agents"], changed["revision"]) == ("Trà", [], 2)
        assert [one["name"] for one in (await api.get("/v1/telesales-campaigns"))["items"]] == ["tea"]
        expect(await api.request("DELETE", "/v1/telesales-campaigns/tea"), 204)
        expect(await api.request("GET", "/v1/telesales-campaigns/tea"), 404)

    @pytest.mark.parametrize(
        ("body", "path", "code"),
        [
            ({}, "object", "missing"),
            ({"object": "ticket"}, "object", "bad_value"),
            ({"object": "lead", "agents": ["NV-1", "NV-9"]}, "agents[1]", "unknown_staff"),
            ({"object": "lead", "agents": ["NV-2"]}, "agents[0]", "inactive_agent"),
            ({"object": "lead", "agents": ["NV-1", "NV-1"]}, "agents[1]", "duplicate"),
            ({"object": "lead", "hours": {"from": "8:00"}}, "hours.from", "bad_value"),
            ({"object": "lead", "hours": {"from": "17:00", "to": "08:00"}}, "hours.to", "bad_value"),
            ({"object": "lead", "hours": {"days": []}}, "hours.days", "bad_value"),
            ({"object": "lead", "hours": {"timezone": "Mars"}}, "hours.timezone", "unknown_timezone"),
            ({"object": "lead", "retry": {"busy": {"after": "4h", "times": 1}}}, "retry.busy.after", "bad_value"),
            ({"object": "lead", "retry": {"busy": {"after": "PT0S", "times": 1}}}, "retry.busy.after", "bad_value"),
            ({"object": "lead", "retry": {"busy": {"after": "PT1H", "times": 0}}}, "retry.busy.times", "bad_value"),
            ({"object": "lead", "retry": {"answered": None}}, "retry.answered", "unknown_field"),
            ({"object": "lead", "hold_minutes": 0}, "hold_minutes", "bad_value"),
            ({"object": "lead", "x": 1}, "x", "unknown_field"),
        ],
    )
    async def test_a_campaign_that_cannot_be(self, api: Api, body: Any, path: str, code: str) -> None:
        problem = expect(await api.request("PUT", "/v1/telesales-campaigns/tea", body), 422)
        assert [(one["path"], one["code"]) for one in problem["errors"]] == [(path, code)]
        expect(await api.request("GET", "/v1/telesales-campaigns/tea"), 404)

    async def queued(self, api: Api) -> dict[str, Any]:
        """A contact is in the campaign `tea`; answers with the entry."""
        await api.put("/v1/telesales-campaigns/tea", {"object": "lead", "agents": ["NV-1"], "hours": ALL_DAY}, 201)
        call = {"id": "call", "action": "telesales_enqueue", "config": {"campaign": "tea"}}
        await api.post(
            "/v1/workflows",
            {"name": "w", "triggers": [{"id": "t", "type": "event", "config": {"type": "a.b"}}], "steps": [call]},
            201,
        )
        await api.post("/v1/workflows/w/publish")
        await api.send({"id": "1", "source": "s", "type": "a.b", "data": {"contact": {"external_id": "KH-1"}}})
        await api.work()
        [entry] = (await api.get("/v1/telesales-campaigns/tea/entries"))["items"]
        return dict(entry)

    async def test_a_day_at_work(self, api: Api) -> None:
        entry = await self.queued(api)
        assert (entry["contact"], entry["state"], entry["campaign"], entry["agent"]) == ("KH-1", "open", "tea", None)
        place = "/v1/telesales-campaigns/tea/entries"
        taken = await api.post(f"{place}/next/take", {"agent": "NV-1"})
        assert (taken["id"], taken["state"], taken["agent"]) == (entry["id"], "taken", "NV-1")
        assert taken["held_until"] is not None
        assert expect(await api.request("POST", f"{place}/next/take", {"agent": "NV-1"}), 204) is None
        back = await api.post(f"{place}/{entry['id']}/release", {"agent": "NV-1"})
        assert (back["agent"], back["held_until"], back["returns"]) == (None, None, 1)
        assert [one["what"] for one in back["history"]] == ["taken", "returned"]
        assert back["history"][1]["reason"] == "released"
        await api.post(f"{place}/{entry['id']}/assign", {"agent": None})
        done = await api.post(f"{place}/{entry['id']}/outcome", {"outcome": "answered", "note": "ok", "agent": "NV-1"})
        assert (done["state"], done["outcome"], done["outcome_note"], done["attempts"]) == ("done", "answered", "ok", 1)
        assert await api.get(f"{place}/{entry['id']}") == done
        assert (await api.get(f"{place}?state=open"))["items"] == []
        assert (await api.get(f"{place}?state=done&agent=NV-1"))["items"] == [done]
        timeline = (await api.get("/v1/contacts/KH-1/timeline"))["items"]
        assert {(one["kind"], one["name"]) for one in timeline} >= {
            ("event", "telesales.outcome"),
            ("telesales", "tea"),
        }
        problem = expect(await api.request("POST", f"{place}/{entry['id']}/outcome", {"outcome": "busy"}), 409)
        assert problem["code"] == "conflict"
        expect(await api.request("POST", f"{place}/{entry['id']}/cancel"), 409)

    async def test_what_cannot_be_said_of_a_call(self, api: Api) -> None:
        entry = await self.queued(api)
        place = f"/v1/telesales-campaigns/tea/entries/{entry['id']}"
        told: list[tuple[Any, str, str]] = [
            ({}, "outcome", "missing"),
            ({"outcome": "sold"}, "outcome", "bad_value"),
            ({"outcome": "call_back"}, "call_back_at", "missing"),
            ({"outcome": "call_back", "call_back_at": "tomorrow"}, "call_back_at", "bad_value"),
            ({"outcome": "call_back", "call_back_at": "2020-01-01T00:00:00Z"}, "call_back_at", "in_the_past"),
            ({"outcome": "call_back", "call_back_at": "2099-01-01T00:00:00Z"}, "call_back_at", "too_late"),
            ({"outcome": "busy", "call_back_at": "2099-01-01T00:00:00Z"}, "call_back_at", "not_allowed"),
            ({"outcome": "answered", "agent": "NV-9"}, "agent", "unknown_agent"),
            ({"outcome": "answered", "agent": "NV-2"}, "agent", "unknown_agent"),
        ]
        for body, path, code in told:
            problem = expect(await api.request("POST", f"{place}/outcome", body), 422)
            assert [(one["path"], one["code"]) for one in problem["errors"]] == [(path, code)], body
        for body in ({"agent": "NV-2"}, {"agent": "NV-9"}):
            assert expect(await api.request("POST", f"{place}/take", body), 422)["errors"][0]["path"] == "agent"
        expect(await api.request("GET", "/v1/telesales-campaigns/tea/entries?state=lost"), 422)
        expect(await api.request("POST", "/v1/telesales-campaigns/tea/entries/x/outcome", {"outcome": "busy"}), 404)
        expect(await api.request("POST", "/v1/telesales-campaigns/no/entries/x/outcome", {"outcome": "busy"}), 404)
        expect(await api.request("PUT", "/v1/telesales-campaigns/tea", {"object": "customer"}), 409)
        assert (await api.get(place))["attempts"] == 0

    async def test_whoever_is_erased_is_not_called(self, api: Api) -> None:
        entry = await self.queued(api)
        place = f"/v1/telesales-campaigns/tea/entries/{entry['id']}"
        told = await api.post(f"{place}/outcome", {"outcome": "no_answer", "note": "rang out"})
        assert (told["state"], told["outcome_note"]) == ("waiting", "rang out")
        expect(await api.request("POST", "/v1/contacts/KH-1/erase"), 204)
        shown = await api.get(place)
        assert (shown["state"], shown["reason"], shown["contact"]) == ("cancelled", "contact_erased", None)
        assert (shown["note"], shown["outcome_note"]) == (None, None)
        expect(await api.request("POST", f"{place}/outcome", {"outcome": "answered"}), 409)
        expect(await api.request("DELETE", "/v1/telesales-campaigns/tea"), 409)  # a workflow names it still

    async def test_another_workspace_sees_nothing_of_it(self, api: Api) -> None:
        entry = await self.queued(api)
        other = await api.other_workspace()
        place = "/v1/telesales-campaigns/tea"
        assert (await other.get("/v1/telesales-campaigns"))["items"] == []
        for method, path in (("GET", place), ("GET", f"{place}/entries"), ("GET", f"{place}/entries/{entry['id']}"),
                             ("DELETE", place)):  # fmt: skip
            expect(await other.request(method, path), 404)
        await other.put(place, {"object": "lead"}, 201)
        expect(await other.request("GET", f"{place}/entries/{entry['id']}"), 404)
