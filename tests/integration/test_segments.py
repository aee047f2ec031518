"""Segments: who is in them is kept up as contacts change, as time passes and as conditions do."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, cast

import pytest

from nhip.adapters.db.due import next_due
from nhip.domain.segments import SegmentDraft
from nhip.domain.times import format_micros, from_micros, parse_time
from nhip.engine.customers.segments import Segment, read_condition
from nhip.engine.customers.snapshots import contact_facts
from nhip.ports import Unit
from nhip.services.customers.segments import Segments
from tests.support.api import Api, expect
from tests.support.clocks import StandingClock
from tests.support.world import World

VIP = {"field": "contact.tags", "op": "has_any", "value": ["VIP"]}
QUIET = {"all": [
    {"field": "contact.activity.order.last_at", "op": "is_not_empty"},
    {"field": "contact.activity.order.last_at", "op": "not_within_last", "value": "P30D"},
]}  # fmt: skip
BIRTHDAY = {"field": "contact.birthday", "op": "matches_day"}


class Story:
    """A world with segments in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.segments = Segments(world.engine.catalog)

    async def segment(self, name: str, condition: Any) -> None:
        def save(unit: Unit) -> None:
            self.segments.save(
                unit, self.world.workspace_id, name, SegmentDraft(condition=condition), if_match=None, actor="tester",
                now=self.world.clock.micros(),
            )  # fmt: skip

        await self.world.engine.database.transact(save)

    async def refresh(self, name: str, limit: int = 1000) -> bool:
        return await self.world.engine.database.transact(
            self.segments.refresh, self.world.workspace_id, name, self.world.clock.micros(), limit
        )

    async def built(self, name: str, condition: Any) -> None:
        await self.segment(name, condition)
        assert await self.refresh(name)

    async def members(self, name: str) -> list[str]:
        rows = await self.world.rows(
            "SELECT c.external_id FROM segment_members m JOIN contacts c ON c.id = m.contact_id"
            " WHERE m.segment = :name ORDER BY c.external_id",
            name=name,
        )
        return [row[0] for row in rows]

    async def entered(self, name: str, since: int, until: int, **rest: Any) -> list[tuple[str, int]]:
        def look(unit: Unit) -> Sequence[tuple[str, int]]:
            return unit.segments.entered_between(self.world.workspace_id, name, since, until, **rest)

        return list(await self.world.engine.database.read(cast(Any, look)))

    async def judged_anew(self, name: str, condition: Any) -> list[str]:
        """Who would be in it if everybody were judged now."""
        segment = Segment(name, read_condition(condition))

        def look(unit: Unit) -> list[str]:
            found = []
            for _, identifier in unit.segments.walk(self.world.workspace_id, "", 1000):
                [contact] = unit.customers.contacts(self.world.workspace_id, [identifier])
                counts = unit.customers.activity(self.world.workspace_id, [identifier])
                facts = {"contact": contact_facts(contact, {one.kind: one for one in counts})}
                if segment.judge(facts, self.world.clock.micros())[0]:
                    found.append(contact.external_id)
            return sorted(found)

        return await self.world.engine.database.read(cast(Any, look))


@pytest.fixture
def story(world: World) -> Story:
    return Story(world)


class TestChanges:
    async def test_contacts_enter_and_leave_as_they_change(self, world: World, story: Story) -> None:
        await story.built("vip", VIP)
        await world.knows("KH-1", tags=["VIP"])
        await world.knows("KH-2", tags=["new"])
        assert await story.members("vip") == ["KH-1"]

        await world.knows("KH-1", tags=[])
        await world.knows("KH-2", tags=["VIP", "new"])
        assert await story.members("vip") == ["KH-2"]

    async def test_what_a_step_changes_counts_at_once(self, world: World, story: Story) -> None:
        await story.built("vip", VIP)
        await world.workflow("mark", {"id": "mark", "action": "update_contact", "config": {"add_tags": ["VIP"]}})
        await world.happens(contact="KH-7")
        await world.work()
        assert await story.members("vip") == ["KH-7"]

    async def test_activity_counts_in_the_unit_that_counts_it(self, world: World, story: Story) -> None:
        await story.built("loyal", {"field": "contact.activity.order.count", "op": "greater_or_equal", "value": 2})
        await world.happens("order.created", "KH-1", order={"external_id": "1", "status": "new"})
        assert await story.members("loyal") == []
        await world.happens("order.created", "KH-1", order={"external_id": "2", "status": "new"})
        assert await story.members("loyal") == ["KH-1"]

    async def test_who_is_deleted_is_in_no_segment(self, api: Api) -> None:
        await api.put("/v1/segments/vip", {"condition": VIP}, 201)
        await api.put("/v1/contacts/KH-1", {"tags": ["VIP"]})
        assert (await api.get("/v1/segments/vip/count"))["count"] == 1
        expect(await api.request("DELETE", "/v1/contacts/KH-1"), 204)
        assert (await api.get("/v1/segments/vip/count"))["count"] == 0

    async def test_two_processes_see_each_others_segments(self, world: World, story: Story, second: World) -> None:
        await second.knows("KH-1", tags=["VIP"])
        await story.built("vip", VIP)
        await second.knows("KH-2", tags=["VIP"])
        await second.knows("KH-1", tags=[])
        assert await story.members("vip") == ["KH-2"]

    async def test_two_units_at_once_judge_what_both_have_made(self, world: World, story: Story, second: World) -> None:
        """Each of them alone would leave the contact where it was."""
        both = {"all": [
            {"field": "contact.activity.order.count", "op": "greater_or_equal", "value": 5},
            {"field": "contact.activity.site.count", "op": "greater_or_equal", "value": 5},
        ]}  # fmt: skip
        await world.knows("KH-1")
        await story.built("busy", both)
        orders = [world.happens("order.created", order={"external_id": str(n), "status": "new"}) for n in range(5)]
        visits = [second.happens("site.visited") for _ in range(5)]
        await asyncio.gather(*(one for pair in zip(orders, visits, strict=True) for one in pair))
        assert await story.members("busy") == ["KH-1"]

    async def test_without_segments_no_statement_asks_for_them(self, world: World, confined_statements: Any) -> None:
        await world.knows("KH-1", tags=["VIP"])
        confined_statements._seen.clear()
        await world.knows("KH-1", tags=["more"])
        await world.happens("order.created", order={"external_id": "1", "status": "new"})
        assert [one for one in confined_statements._seen if "segment" in one] == []


class TestTime:
    async def test_silence_lets_in_and_an_order_lets_out(self, world: World, story: Story) -> None:
        await story.built("quiet", QUIET)
        await world.happens("order.created", "KH-1", order={"external_id": "1", "status": "new"})
        await world.happens("order.created", "KH-2", order={"external_id": "2", "status": "new"})
        world.clock.advance(days=29)
        await world.happens("order.created", "KH-2", order={"external_id": "3", "status": "new"})
        world.clock.advance(days=1)
        assert await story.refresh("quiet")
        assert await story.members("quiet") == []

        world.clock.advance(seconds=1)
        assert await story.refresh("quiet")
        assert await story.members("quiet") == ["KH-1"]

        await world.happens("order.created", "KH-1", order={"external_id": "4", "status": "new"})
        assert await story.members("quiet") == []
        world.clock.advance(days=40)
        assert await story.refresh("quiet")
        assert await story.members("quiet") == ["KH-1", "KH-2"]

    async def test_a_birthday_is_a_day_long_by_the_clocks_of_the_contact(self, world: World, story: Story) -> None:
        await world.knows("KH-VN", birthday="1990-11-22")
        await world.knows("KH-NY", birthday="1990-11-22", timezone="America/New_York")
        await story.built("birthday", BIRTHDAY)
        seen = []
        for _ in range(14):  # from 08:00 in Vietnam, six hours at a time
            assert await story.refresh("birthday")
            seen.append(await story.members("birthday"))
            world.clock.advance(hours=6)
        vietnam = [number for number, members in enumerate(seen) if "KH-VN" in members]
        new_york = [number for number, members in enumerate(seen) if "KH-NY" in members]
        assert (vietnam, new_york) == ([3, 4, 5, 6], [5, 6, 7, 8])

    async def test_only_who_is_due_is_looked_at(self, world: World, story: Story, confined_statements: Any) -> None:
        """A look costs what changes, not what there is."""
        await story.built("quiet", QUIET)
        for number in range(20):
            await world.happens("order.created", f"KH-{number}", order={"external_id": f"{number}", "status": "new"})
            world.clock.advance(days=1)
        world.clock.advance(days=12)
        assert not await story.refresh("quiet", limit=2)
        assert len(await story.members("quiet")) == 2
        assert await story.refresh("quiet", limit=2)
        assert len(await story.members("quiet")) == 2

    async def test_it_is_known_when_somebody_may_enter_or_leave(self, world: World, story: Story) -> None:
        def due() -> Any:
            look: Any = lambda unit: next_due(unit.connection, world.workspace_id)  # noqa: E731
            return world.engine.database.read(look)

        await world.knows("KH-1", birthday="1990-11-23")
        await story.segment("birthday", BIRTHDAY)
        assert await due() == world.clock.micros()
        await world.engine.executor.reconcile()
        assert from_micros(await due()) == parse_time("2026-11-23T00:00:00+07:00")
        world.clock.advance(hours=40)
        await world.engine.executor.reconcile()
        assert await story.members("birthday") == ["KH-1"]
        assert from_micros(await due()) == parse_time("2026-11-24T00:00:00+07:00")

    async def test_the_workers_look_by_themselves(self, world: World, story: Story) -> None:
        await world.knows("KH-1", birthday="1990-11-22")
        await story.segment("birthday", BIRTHDAY)
        await world.engine.executor.reconcile()
        assert await world.value("SELECT walks_left FROM segments") == 1
        await world.later(days=1)
        await world.engine.executor.reconcile()
        assert await story.members("birthday") == ["KH-1"]
        assert await world.value("SELECT walks_left FROM segments") == 0


class TestDefinitions:
    async def test_a_build_goes_on_where_it_was(self, world: World, story: Story, second: World) -> None:
        for number in range(10):
            await world.knows(f"KH-{number}", tags=["VIP"] if number % 2 else [])
        await story.segment("vip", VIP)
        other = Story(second)
        assert not await story.refresh("vip", limit=4)
        assert await story.members("vip") == ["KH-1", "KH-3"]
        assert not await other.refresh("vip", limit=4)
        await world.knows("KH-0", tags=["VIP"])
        assert await story.refresh("vip", limit=4)
        assert await story.members("vip") == ["KH-0", "KH-1", "KH-3", "KH-5", "KH-7", "KH-9"]

    async def test_who_was_found_by_the_definition_did_not_enter(
        self, world: World, story: Story, clock: StandingClock
    ) -> None:
        await world.knows("KH-1", tags=["VIP"])
        await story.segment("vip", VIP)
        await world.knows("KH-1", name="Lan")  # judged before the build has come to it
        await world.knows("KH-2", tags=["VIP"])  # was not there before
        assert await story.refresh("vip")
        start = clock.micros()
        clock.advance(minutes=1)
        await world.knows("KH-3", tags=["VIP"])
        clock.advance(minutes=1)
        ids = dict(await world.rows("SELECT external_id, id FROM contacts"))
        now = clock.micros()
        assert await story.entered("vip", 0, now, after=None, limit=9) == [
            (ids["KH-2"], start), (ids["KH-3"], start + 60_000_000)
        ]  # fmt: skip
        assert await story.entered("vip", start, now, after=None, limit=9) == [(ids["KH-3"], start + 60_000_000)]
        everybody = await story.entered("vip", 0, now, after=None, limit=9, present=True)
        assert [one for one, _ in everybody] == [ids["KH-1"], ids["KH-2"], ids["KH-3"]]
        assert await story.entered("vip", 0, now, after=everybody[0][::-1], limit=1, present=True) == everybody[1:2]

    async def test_another_condition_judges_everybody_anew(self, world: World, story: Story) -> None:
        await world.knows("KH-1", tags=["VIP"])
        await world.knows("KH-2", birthday="1990-11-21")
        await world.knows("KH-3", tags=["VIP"], birthday="1990-11-21")
        await story.built("some", BIRTHDAY)
        assert await story.members("some") == ["KH-2", "KH-3"]
        before = await world.rows("SELECT contact_id, entered_at FROM segment_members ORDER BY contact_id")
        world.clock.advance(minutes=5)
        await story.built("some", VIP)
        assert await story.members("some") == ["KH-1", "KH-3"]
        assert before[1] in await world.rows("SELECT contact_id, entered_at FROM segment_members")
        assert await world.rows("SELECT * FROM segment_moments") == []

    async def test_units_that_did_not_know_the_condition_are_made_good(self, world: World, story: Story) -> None:
        """As if one had begun before the condition was stored, and ended after everybody was judged."""
        await story.built("vip", VIP)
        await world.knows("KH-1", tags=["VIP"])
        await world.change("DELETE FROM segment_members")
        world.clock.advance(minutes=2)
        await world.engine.executor.reconcile()
        assert await story.members("vip") == ["KH-1"]


@pytest.mark.parametrize("seed", range(4))
async def test_kept_up_is_judged_anew(world: World, story: Story, second: World, seed: int) -> None:
    """Whatever happens in whatever order: the members are those whom judging everybody would find."""
    chance = random.Random(seed)
    conditions = {
        "vip": VIP,
        "quiet": QUIET,
        "birthday": BIRTHDAY,
        "mixed": {"any": [
            {"all": [VIP, {"not": {"field": "contact.created_at", "op": "within_last", "value": "P3D"}}]},
            {"field": "contact.custom.renewal", "op": "within_last", "value": "P2D"},
            {"field": "contact.activity.site.count", "op": "greater_than", "value": 2},
        ]},
    }  # fmt: skip
    names = [f"KH-{number}" for number in range(8)]
    made: dict[str, Any] = {}
    for _ in range(40):
        place = chance.choice([world, second])
        match chance.randrange(6):
            case 0:
                name, condition = chance.choice([*conditions.items()])
                made[name] = condition if chance.random() < 0.8 else {"not": condition}
                await story.segment(name, made[name])
            case 1 | 2:
                moment = format_micros(world.clock.micros() + chance.randrange(-5, 9) * 43_200_000_000)
                await place.knows(
                    chance.choice(names),
                    tags=chance.choice([["VIP"], [], ["new"]]),
                    birthday=chance.choice([None, "1990-11-2%d" % chance.randrange(10)]),  # noqa: UP031
                    custom={"renewal": chance.choice([None, moment, moment[:10], "never"])},
                )
            case 3:
                order = {"external_id": str(chance.random()), "status": "new"}
                await place.happens("order.created", chance.choice(names), order=order)
            case 4:
                await place.happens("site.visited", chance.choice(names))
            case _:
                world.clock.advance(hours=chance.choice([1, 12, 30, 24 * 20]))
        for name, condition in made.items():
            if chance.random() < 0.5:
                while not await story.refresh(name, limit=chance.choice([1, 3, 100])):
                    pass
                assert await story.members(name) == await story.judged_anew(name, condition), name


class TestApi:
    async def test_it_is_made_shown_listed_changed_and_taken_away(self, api: Api) -> None:
        await api.put("/v1/contacts/KH-1", {"tags": ["VIP"], "name": "Lan"})
        await api.put("/v1/contacts/KH-2", {"tags": ["VIP"]})
        made = await api.request("PUT", "/v1/segments/vip", {"title": "Khách VIP", "condition": VIP})
        assert expect(made, 201)["complete"] is False
        assert made.headers["location"] == "/v1/segments/vip"
        assert (await api.get("/v1/segments/vip/count"))["count"] == 2
        counted = await api.get("/v1/segments/vip/count")
        assert (counted["count"], counted["complete"]) == (2, True)
        page = await api.get("/v1/segments/vip/members?limit=1")
        [first] = page["items"]
        assert (first["contact"], first["name"], first["by_definition"]) == ("KH-1", "Lan", True)
        page = await api.get(f"/v1/segments/vip/members?limit=1&cursor={page['next_cursor']}")
        assert ([one["contact"] for one in page["items"]], page["next_cursor"]) == (["KH-2"], None)
        [listed] = (await api.get("/v1/segments"))["items"]
        assert listed == await api.get("/v1/segments/vip")
        assert (listed["title"], listed["condition"], listed["complete"]) == ("Khách VIP", VIP, True)

        tag = (await api.request("GET", "/v1/segments/vip")).headers["etag"]
        await api.put("/v1/segments/vip", {"condition": QUIET}, if_match=tag)
        expect(await api.request("PUT", "/v1/segments/vip", {"condition": VIP}, if_match=tag), 412)
        assert (await api.get("/v1/segments/vip/members"))["items"] == []
        expect(await api.request("DELETE", "/v1/segments/vip"), 204)
        for path in ("", "/count", "/members"):
            expect(await api.request("GET", f"/v1/segments/vip{path}"), 404)

    @pytest.mark.parametrize(
        ("condition", "path", "code"),
        [
            ({"field": "order.status", "op": "equals", "value": "x"}, "condition.field", "not_allowed"),
            ({"all": [{"field": "event.type", "op": "equals", "value": "x"}]}, "condition.all[0].field", "not_allowed"),
            ({"not": {"field": "contact.score", "op": "increased"}}, "condition.not.op", "not_allowed"),
            ({"any": [{"condition": "working_hours", "config": {}}]}, "condition.any[0].condition", "not_allowed"),
            ({"field": "contact.nmae", "op": "is_empty"}, "condition.field", "unknown_field"),
            ({"field": "contact.created_at", "op": "after", "value": {"run": "started_at"}}, "condition.value",
             "not_allowed"),
            ({"field": "contact.name", "op": "is"}, "condition.op", "unknown_operator"),
            ({}, "condition", "missing"),
            ([], "condition", "bad_value"),
        ],
    )  # fmt: skip
    async def test_a_mistake_is_told_with_its_place(self, api: Api, condition: Any, path: str, code: str) -> None:
        problem = expect(await api.request("PUT", "/v1/segments/some", {"condition": condition}), 422)
        assert [(one["path"], one["code"]) for one in problem["errors"]] == [(path, code)]
        expect(await api.request("GET", "/v1/segments/some"), 404)

    async def test_it_stays_while_a_workflow_names_it(self, api: Api) -> None:
        greeting = {
            "name": "greeting",
            "triggers": [{"id": "in", "type": "segment_entered", "config": {"segment": "vip"}}],
            "steps": [{"id": "pause", "wait": {"for": "P1D"}}],
        }
        await api.post("/v1/workflows", greeting, 201)
        problem = expect(await api.request("POST", "/v1/workflows/greeting/publish"), 422)
        [fault] = problem["errors"]
        assert (fault["path"], fault["code"]) == ("triggers[0].config.segment", "unknown_segment")
        await api.put("/v1/segments/vip", {"condition": VIP}, 201)
        await api.post("/v1/workflows/greeting/publish")
        problem = expect(await api.request("DELETE", "/v1/segments/vip"), 409)
        assert "greeting" in problem["detail"]
        await api.post("/v1/workflows/greeting/archive")
        expect(await api.request("DELETE", "/v1/segments/vip"), 204)

    async def test_a_name_is_a_name(self, api: Api) -> None:
        problem = expect(await api.request("PUT", "/v1/segments/Big%20Spenders", {"condition": VIP}), 422)
        assert problem["errors"][0]["path"] == "name"

    async def test_one_workspace_sees_nothing_of_another(self, api: Api) -> None:
        await api.put("/v1/segments/vip", {"condition": VIP}, 201)
        other = await api.other_workspace()
        assert (await other.get("/v1/segments"))["items"] == []
        await other.put("/v1/segments/vip", {"condition": VIP}, 201)
        await other.put("/v1/contacts/KH-1", {"tags": ["VIP"]})
        assert (await other.get("/v1/segments/vip/count"))["count"] == 1
        assert (await api.get("/v1/segments/vip/count"))["count"] == 0
