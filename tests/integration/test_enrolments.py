"""Enrolments: many contacts enter a workflow because somebody asks, each of them once, whoever dies on the way."""

import asyncio
from typing import Any

import pytest

from nhip.domain.errors import Conflict
from nhip.domain.segments import EnrolmentDraft, SegmentDraft, StoredEnrolment
from nhip.ports import Unit
from nhip.services.customers import enrolments
from tests.support.api import Api, expect
from tests.support.world import World, tag

VIP = {"field": "contact.tags", "op": "has_any", "value": ["VIP"]}
PAUSE = {"id": "pause", "wait": {"for": "P1D"}}


class PowerCut(Exception):
    """What a process that is gone says."""


async def start(world: World, workflow: str = "welcome", **draft: Any) -> str:
    stored: StoredEnrolment = await world.engine.database.transact(
        world.engine.enrolments.start, world.workspace_id, workflow, EnrolmentDraft(**draft), actor="tester",
        now=world.clock.micros(),
    )  # fmt: skip
    return stored.id


async def step(world: World, identifier: str) -> bool:
    return await world.engine.database.transact(
        world.engine.enrolments.step, world.workspace_id, identifier, world.clock.micros()
    )


async def look(world: World, identifier: str, workflow: str = "welcome") -> StoredEnrolment:
    return await world.engine.database.read(world.engine.enrolments.find, world.workspace_id, workflow, identifier)


async def people(world: World, count: int, **fields: Any) -> list[str]:
    names = [f"KH-{number:04}" for number in range(count)]
    events = [
        world.engine.intake.silent(contact=world.engine.intake.contact({"external_id": name, **fields}), records=[])
        for name in names
    ]
    await world.engine.inbox.submit(world.workspace_id, events)
    return names


async def entered(world: World) -> list[str]:
    rows = await world.rows("SELECT c.external_id FROM runs r JOIN contacts c ON c.id = r.contact_id ORDER BY 1")
    return [row[0] for row in rows]


async def test_named_contacts_enter_and_strangers_are_told(world: World) -> None:
    await world.knows("KH-1")
    await world.knows("KH-2")
    await world.workflow("welcome", tag("welcomed"))
    identifier = await start(world, contacts=["KH-1", "nobody", "KH-2", "KH-1", "nor he"])
    await world.engine.executor.reconcile()
    await world.work()
    done = await look(world, identifier)
    assert (done.state, done.total, done.seen, done.entered) == ("done", 4, 4, 2)
    assert (done.unknown, done.unknown_contacts, done.refused) == (2, ["nobody", "nor he"], {})
    assert (await world.contact("KH-1"))["tags"] == ["welcomed"]
    assert await world.value("SELECT count(*) FROM contacts") == 2
    assert await world.value("SELECT count(*) FROM enrolment_parts") == 0
    assert await world.value("SELECT count(*) FROM activity") == 0, "nobody did anything"
    data = await world.value("SELECT data FROM events WHERE type = 'workflow.enrolled' ORDER BY id LIMIT 1")
    assert data == f'{{"workflow":"welcome","enrollment":"{identifier}"}}'


async def test_conditions_and_reentry_apply_and_triggers_do_not(world: World) -> None:
    for number in range(3):
        await world.knows(f"KH-{number}", tags=["VIP"] if number else [])
    await world.workflow("welcome", PAUSE, on="never.happens", conditions=VIP, settings={"reentry": "once"})
    names = ["KH-0", "KH-1"]
    first = await start(world, contacts=names)
    await step(world, first)
    second = await start(world, contacts=[*names, "KH-2"])
    await step(world, second)
    assert (await look(world, first)).refused == {"conditions": 1}
    again = await look(world, second)
    assert (again.entered, again.refused) == (1, {"conditions": 1, "entered_before": 1})
    assert await entered(world) == ["KH-1", "KH-2"]


async def test_the_members_of_a_segment_enter(world: World) -> None:
    names = await people(world, 450, tags=["VIP"])
    await world.knows("other")
    await world.workflow("welcome", PAUSE)
    draft = SegmentDraft(condition=VIP)
    await world.engine.database.transact(
        world.engine.segments.save, world.workspace_id, "vip", draft, if_match=None, actor="tester",
        now=world.clock.micros(),
    )  # fmt: skip
    identifier = await start(world, segment="vip")
    assert (await look(world, identifier)).total is None
    await world.engine.executor.reconcile()
    done = await look(world, identifier)
    assert (done.state, done.total, done.seen, done.entered) == ("done", 450, 450, 450)
    assert await entered(world) == names


class TestInterruptions:
    async def test_another_worker_goes_on_where_one_was_killed(
        self, world: World, second: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = await people(world, 700)
        await world.workflow("welcome", PAUSE)
        identifier = await start(world, contacts=names)
        assert await step(world, identifier)

        def cut(*_: Any) -> None:
            raise PowerCut

        # Its runs are written, its place is moved, and then nothing is committed.
        with monkeypatch.context() as dying:
            dying.setattr("nhip.adapters.db.stores.enrolments.SqlEnrolments.update", cut)
            with pytest.raises(PowerCut):
                await step(world, identifier)
        assert (await look(second, identifier)).seen == enrolments.AT_ONCE
        await second.engine.executor.reconcile()
        done = await look(second, identifier)
        assert (done.state, done.seen, done.entered) == ("done", 700, 700)
        assert await entered(world) == names

    async def test_two_workers_at_once_let_nobody_enter_twice(self, world: World, second: World) -> None:
        names = await people(world, 900)
        await world.workflow("welcome", PAUSE)
        identifier = await start(world, contacts=names)

        async def work(one: World) -> None:
            while (await look(one, identifier)).state == "running":
                await one.engine.upkeep.run(one.engine.database)

        await asyncio.gather(work(world), work(second))
        assert (await look(world, identifier)).entered == 900
        assert await entered(world) == names

    async def test_a_pause_is_waited_for(self, world: World) -> None:
        names = await people(world, 300)
        await world.workflow("welcome", PAUSE)
        identifier = await start(world, contacts=names)
        await step(world, identifier)
        await world.pause("welcome")
        assert not await step(world, identifier)
        waiting = await look(world, identifier)
        assert (waiting.state, waiting.reason, waiting.seen) == ("running", "workflow_paused", 200)
        await world.resume("welcome")
        await world.later(seconds=5)
        done = await look(world, identifier)
        assert (done.state, done.reason, done.entered, done.refused) == ("done", None, 300, {})

    async def test_an_archived_workflow_ends_it(self, world: World) -> None:
        identifier = await start_with(world, await people(world, 300))
        await world.archive("welcome")
        await world.later(seconds=5)
        ended = await look(world, identifier)
        assert (ended.state, ended.reason, ended.entered) == ("cancelled", "workflow_archived", 200)

    async def test_a_segment_that_is_taken_away_ends_it(self, world: World) -> None:
        await people(world, 300, tags=["VIP"])
        await world.workflow("welcome", PAUSE)
        save = world.engine.segments.save
        now = world.clock.micros()
        rest: dict[str, Any] = {"if_match": None, "actor": "tester", "now": now}
        transact = world.engine.database.transact
        await transact(save, world.workspace_id, "vip", SegmentDraft(condition=VIP), **rest)
        identifier = await start(world, segment="vip")
        assert await step(world, identifier)
        await transact(world.engine.segments.delete, world.workspace_id, "vip", **rest)
        await world.engine.executor.reconcile()
        ended = await look(world, identifier)
        assert (ended.state, ended.reason, ended.entered) == ("cancelled", "segment_deleted", 200)

    async def test_one_that_fails_stops_no_other(self, world: World) -> None:
        names = await people(world, 3)
        await world.workflow("welcome", PAUSE)
        broken = await start(world, contacts=names)
        whole = await start(world, contacts=names)
        await world.change("UPDATE enrolment_parts SET contacts = 'nonsense' WHERE enrolment_id = :id", id=broken)
        await world.engine.executor.reconcile()
        assert (await look(world, whole)).state == "done"
        assert (await look(world, broken)).state == "running"


async def start_with(world: World, names: list[str]) -> str:
    await world.workflow("welcome", PAUSE)
    identifier = await start(world, contacts=names)
    assert await step(world, identifier)
    return identifier


async def test_cancelling_lets_nobody_else_enter(world: World) -> None:
    identifier = await start_with(world, await people(world, 300))

    def cancel(unit: Unit) -> StoredEnrolment:
        return world.engine.enrolments.cancel(
            unit, world.workspace_id, "welcome", identifier, actor="tester", now=world.clock.micros()
        )

    for _ in range(2):
        assert (await world.engine.database.transact(cancel)).state == "cancelled"
    await world.engine.executor.reconcile()
    assert len(await entered(world)) == 200
    done = await start(world, contacts=["KH-0000"])
    await step(world, done)
    with pytest.raises(Conflict):
        await world.engine.database.transact(
            world.engine.enrolments.cancel, world.workspace_id, "welcome", done, actor="tester", now=0
        )


WELCOME = {
    "name": "welcome",
    "triggers": [{"id": "never", "type": "event", "config": {"type": "never.happens"}}],
    "steps": [PAUSE],
}


class TestApi:
    @pytest.fixture
    async def workflow(self, api: Api) -> None:
        await api.post("/v1/workflows", WELCOME, status=201)
        await api.post("/v1/workflows/welcome/publish")

    @pytest.mark.usefixtures("workflow")
    async def test_it_is_asked_for_watched_and_listed(self, api: Api) -> None:
        await api.put("/v1/contacts/KH-1", {"tags": ["VIP"]})
        await api.put("/v1/segments/vip", {"condition": VIP}, 201)
        asked = await api.request("POST", "/v1/workflows/welcome/enroll", {"contacts": ["KH-1", "KH-9"]})
        first = expect(asked, 202)
        assert (first["state"], first["total"], first["seen"], first["segment"]) == ("running", 2, 0, None)
        second = await api.post("/v1/workflows/welcome/enroll", {"segment": "vip"}, 202)
        await api.engine.executor.reconcile()
        shown = await api.get(asked.headers["location"])
        assert (shown["state"], shown["entered"], shown["unknown_contacts"]) == ("done", 1, ["KH-9"])
        assert shown["ended_at"] is not None
        page = await api.get("/v1/workflows/welcome/enrollments?limit=1")
        assert [one["id"] for one in page["items"]] == [second["id"]]
        page = await api.get(f"/v1/workflows/welcome/enrollments?limit=1&cursor={page['next_cursor']}")
        assert (page["items"], page["next_cursor"]) == ([shown], None)
        assert len((await api.get("/v1/runs?contact=KH-1"))["items"]) == 2
        expect(await api.request("POST", f"/v1/workflows/welcome/enrollments/{first['id']}/cancel"), 409)
        expect(await api.request("GET", f"/v1/workflows/other/enrollments/{first['id']}"), 404)
        expect(await api.request("GET", "/v1/workflows/other/enrollments"), 404)

    @pytest.mark.usefixtures("workflow")
    async def test_who_is_deleted_meanwhile_is_not_made_anew(self, api: Api) -> None:
        for name in ("KH-1", "KH-2"):
            await api.put(f"/v1/contacts/{name}", {})
        asked = await api.post("/v1/workflows/welcome/enroll", {"contacts": ["KH-1", "KH-2"]}, 202)
        expect(await api.request("DELETE", "/v1/contacts/KH-2"), 204)
        await api.engine.executor.reconcile()
        shown = await api.get(f"/v1/workflows/welcome/enrollments/{asked['id']}")
        assert (shown["entered"], shown["unknown_contacts"]) == (1, ["KH-2"])
        expect(await api.request("GET", "/v1/contacts/KH-2"), 404)

    @pytest.mark.usefixtures("workflow")
    async def test_the_same_request_asks_once(self, api: Api) -> None:
        await api.put("/v1/contacts/KH-1", {})
        asked = [
            await api.post("/v1/workflows/welcome/enroll", {"contacts": ["KH-1"]}, 202, idempotency_key="campaign-7")
            for _ in range(2)
        ]
        assert asked[0] == asked[1]
        assert len((await api.get("/v1/workflows/welcome/enrollments"))["items"]) == 1

    @pytest.mark.usefixtures("workflow")
    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({}, ""),
            ({"contacts": ["KH-1"], "segment": "vip"}, ""),
            ({"contacts": []}, "contacts"),
            ({"contacts": [""]}, "contacts[0]"),
            ({"contacts": ["x"] * 10_001}, "contacts"),
            ({"segment": "nobody"}, "segment"),
            ({"everybody": True}, "everybody"),
        ],
    )
    async def test_a_mistake_is_told_with_its_place(self, api: Api, body: Any, path: str) -> None:
        problem = expect(await api.request("POST", "/v1/workflows/welcome/enroll", body), 422)
        assert problem["errors"][0]["path"] == path
        assert (await api.get("/v1/workflows/welcome/enrollments"))["items"] == []

    @pytest.mark.usefixtures("workflow")
    async def test_ten_thousand_at_once(self, api: Api) -> None:
        names = [f"a-rather-long-external-id-of-somebody-{number:06}" for number in range(10_000)]
        asked = await api.post("/v1/workflows/welcome/enroll", {"contacts": names}, 202)
        assert asked["total"] == 10_000
        ended = await api.post(f"/v1/workflows/welcome/enrollments/{asked['id']}/cancel")
        assert (ended["state"], ended["reason"]) == ("cancelled", "cancelled")

    async def test_a_workflow_that_is_not_active_lets_nobody_in(self, api: Api) -> None:
        expect(await api.request("POST", "/v1/workflows/welcome/enroll", {"contacts": ["KH-1"]}), 404)
        await api.post("/v1/workflows", WELCOME, status=201)
        for verb in (None, "publish", "pause", "archive"):
            if verb is not None:
                await api.post(f"/v1/workflows/welcome/{verb}")
            if verb != "publish":
                expect(await api.request("POST", "/v1/workflows/welcome/enroll", {"contacts": ["KH-1"]}), 409)
