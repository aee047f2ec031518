"""Two contacts that turn out to be one person: over HTTP, in the middle of everything, and several at once."""

import asyncio
from typing import Any

import msgspec
import pytest

from nhip import Accepted
from nhip.adapters.db.tables import metadata
from nhip.domain.customers import Staff
from nhip.domain.errors import Conflict, NhipError
from nhip.domain.merging import MergeDraft
from nhip.domain.telesales import CallReport, CampaignDraft
from nhip.services.customers import contacts, scores
from nhip.services.desk import staff
from tests.support.api import Api, expect
from tests.support.scripted_channels import Held, scripts
from tests.support.world import World, send, tag, wait

SCORES = [{"id": "bought", "event": "shop.bought", "points": 60, "half_life": "P30D"},
          {"id": "vip", "event": "contact.tag_added", "points": 7}]  # fmt: skip


async def merge(world: World, into: str, source: str, **keep: str) -> None:
    draft = msgspec.convert({"from": source, "keep": keep}, MergeDraft)
    await world.engine.database.transact(
        world.engine.merging.merge, world.workspace_id, into, draft, actor="tester", now=world.clock.micros()
    )


async def id_of(world: World, name: str) -> str:
    return str(await world.value("SELECT id FROM contacts WHERE external_id = :name", name=name))


async def places_of(world: World, identifier: str) -> set[str]:
    """Every column in which an id stands anywhere."""
    found = set()
    for table in metadata.sorted_tables:
        rows = await world.rows(f"SELECT * FROM {table.name}")
        names = table.columns.keys()
        found |= {
            f"{table.name}.{name}"
            for row in rows
            for name, value in row._mapping.items()
            if name in names and isinstance(value, str) and identifier in value
        }
    return found


class TestOverHttp:
    async def test_a_merge_is_answered_with_the_one_who_stays(self, api: Api) -> None:
        for segment, field, op in (
            ("reachable", "contact.email", "is_not_empty"),
            ("mute", "contact.email", "is_empty"),
            ("buyers", "contact.activity.order.count", "is_not_empty"),
        ):
            await api.put(f"/v1/segments/{segment}", {"condition": {"field": field, "op": op}}, 201)
        await api.put("/v1/contacts/KH-1", {"name": "Lan", "phone": "0987654321", "tags": ["a"]})
        await api.put(
            "/v1/contacts/KH-2",
            {"name": "Lan Anh", "email": "lan@example.com", "tags": ["b"], "lifecycle": "customer", "custom": {"x": 1}},
        )
        await api.put("/v1/records/order/DH-1", {"contact": "KH-2", "status": "new"})

        merged = await api.post("/v1/contacts/KH-1/merge", {"from": "KH-2"})

        expected = {
            "external_id": "KH-1", "name": "Lan", "phone": "+84987654321", "email": "lan@example.com",
            "lifecycle": "customer", "tags": ["a", "b"], "custom": {"x": 1},
        }  # fmt: skip
        assert {name: merged[name] for name in expected} == expected
        assert merged["activity"]["order"]["count"] == 1
        assert await api.get("/v1/contacts/KH-2") == merged
        assert (await api.get("/v1/records/order/DH-1"))["contact"] == "KH-1"
        for segment, members in (("reachable", ["KH-1"]), ("mute", []), ("buyers", ["KH-1"])):
            shown = await api.get(f"/v1/segments/{segment}/members")
            assert [one["contact"] for one in shown["items"]] == members
        assert [one["external_id"] for one in (await api.get("/v1/contacts"))["items"]] == ["KH-1"]
        for path in ("events?contact=", "records/order?contact=", "runs?contact="):
            assert await api.get(f"/v1/{path}KH-2") == await api.get(f"/v1/{path}KH-1")
        [event] = (await api.get("/v1/events?type=contact.merged"))["items"]
        told = await api.get(f"/v1/events/{event['id']}")
        assert (told["source"], told["contact"], told["data"]["from"]) == ("nhip", "KH-1", "KH-2")
        assert told["data"]["given_up"] == {"name": {"of": "KH-2", "value": "Lan Anh"}}
        assert told["data"]["moved"] == {"events": 2, "runs": 0, "deliveries": 0, "records": 1}
        assert {one["type"] for one in told["derived"]} == {"contact.updated", "contact.tag_added"}
        assert told["facts"]["previous"]["contact"]["lifecycle"] == "lead"
        [line] = (await api.get("/v1/audit?action=contact.merge"))["items"]
        assert line["target"] == merged["id"]

        events = (await api.get("/v1/events"))["items"]
        assert await api.post("/v1/contacts/KH-1/merge", {"from": "KH-2"}) == merged
        assert (await api.get("/v1/events"))["items"] == events

    async def test_phones_that_differ_need_a_word_and_both_lead_to_the_person(self, api: Api) -> None:
        await api.put("/v1/contacts/KH-1", {"phone": "0987654321", "zalo_user_id": "z1"})
        await api.put("/v1/contacts/KH-2", {"phone": "0912345678", "zalo_user_id": "z2"})
        before = [await api.get(f"/v1/contacts/KH-{number}") for number in (1, 2)]
        refused = expect(await api.request("POST", "/v1/contacts/KH-1/merge", {"from": "KH-2"}), 422)
        assert [(one["path"], one["code"]) for one in refused["errors"]] == [
            ("keep.phone", "differs"), ("keep.zalo_user_id", "differs"),
        ]  # fmt: skip
        assert [await api.get(f"/v1/contacts/KH-{number}") for number in (1, 2)] == before
        assert not (await api.get("/v1/events?type=contact.merged"))["items"]

        keep = {"phone": "KH-2", "zalo_user_id": "KH-1"}
        merged = await api.post("/v1/contacts/KH-1/merge", {"from": "KH-2", "keep": keep})
        assert (merged["phone"], merged["zalo_user_id"]) == ("+84912345678", "z1")

        # Whoever writes from an address that gave way, or syncs the old record, is this person, and changes no address.
        for number, contact in enumerate(
            [{"phone": "0987654321"}, {"zalo_user_id": "z2"}, {"external_id": "KH-2", "phone": "0987654321"}]
        ):
            await api.send({"id": f"{number}", "source": "s", "type": "shop.opened", "data": {"contact": contact}})
        await api.put("/v1/contacts/KH-2", {"status": "hot", "phone": "0987654321"})
        [only] = (await api.get("/v1/contacts"))["items"]
        assert (only["id"], only["phone"], only["zalo_user_id"], only["status"]) == (
            merged["id"], "+84912345678", "z1", "hot",
        )  # fmt: skip
        assert only["activity"]["shop"]["count"] == 3
        # Said of the contact by its own name, it is true; and another person may have the other number by now.
        assert (await api.put("/v1/contacts/KH-1", {"phone": "0987654321"}))["phone"] == "+84987654321"
        other = await api.put("/v1/contacts/KH-3", {"zalo_user_id": "z2"})
        assert other["id"] != merged["id"]

        export = await api.get("/v1/contacts/KH-1/export")
        assert {(one["kind"], one["value"]) for one in export["merged"]} == {
            ("external_id", "KH-2"), ("phone", "+84987654321"), ("zalo_user_id", "z2"),
        }  # fmt: skip

    async def test_what_cannot_be_merged_says_why(self, api: Api) -> None:
        for number in range(1, 5):
            await api.put(f"/v1/contacts/KH-{number}", {})
        await api.post("/v1/contacts/KH-1/merge", {"from": "KH-2"})
        await api.post("/v1/contacts/KH-3/merge", {"from": "KH-4"})

        async def refused(into: str, body: Any) -> tuple[int, str, list[tuple[str, str]]]:
            answer = await api.request("POST", f"/v1/contacts/{into}/merge", body)
            problem = answer.json()
            errors = [(one["path"], one["code"]) for one in problem.get("errors", ())]
            return answer.status_code, problem["code"], errors

        assert await refused("KH-1", {"from": "KH-1"}) == (422, "invalid_input", [("from", "same_contact")])
        assert await refused("KH-1", {"from": "KH-9"}) == (422, "invalid_input", [("from", "unknown_contact")])
        assert await refused("KH-9", {"from": "KH-1"}) == (404, "not_found", [])
        assert await refused("KH-2", {"from": "KH-3"}) == (409, "conflict", [])
        assert await refused("KH-1", {"from": "KH-4"}) == (409, "conflict", [("from", "conflict")])
        assert await refused("KH-2", {"from": "KH-1"}) == (409, "conflict", [])
        assert (await refused("KH-1", {"from": "KH-3", "keep": {"tags": "KH-1"}}))[2] == [
            ("keep.tags", "unknown_field")
        ]
        assert (await refused("KH-1", {}))[2] == [("from", "missing")]
        for method, path in (("DELETE", "KH-2"), ("POST", "KH-2/erase")):
            assert (await api.request(method, f"/v1/contacts/{path}")).status_code == 409
        reader = await api.with_scopes("contacts:read")
        assert (await reader.request("POST", "/v1/contacts/KH-1/merge", {"from": "KH-3"})).status_code == 403
        other = await api.other_workspace()
        await other.put("/v1/contacts/KH-1", {})
        assert (await other.request("POST", "/v1/contacts/KH-1/merge", {"from": "KH-3"})).status_code == 422
        assert (await other.request("GET", "/v1/contacts/KH-2")).status_code == 404

        # Merges of merges: every name leads to the last who stayed, until that one is gone.
        await api.post("/v1/contacts/KH-3/merge", {"from": "KH-1"})
        assert {(await api.get(f"/v1/contacts/KH-{number}"))["external_id"] for number in range(1, 5)} == {"KH-3"}
        expect(await api.request("DELETE", "/v1/contacts/KH-3"), 204)
        assert [(await api.request("GET", f"/v1/contacts/KH-{number}")).status_code for number in range(1, 5)] == [
            404
        ] * 4

    async def test_erasing_the_one_erases_what_came_from_the_other(self, api: Api) -> None:
        await api.put("/v1/contacts/KH-1", {"phone": "0987654321", "name": "Lan Secret"})
        data = {"contact": {"phone": "0912345678", "name": "Hoa Secret"}, "order": {"external_id": "DH-1"}}
        await api.send({"id": "1", "source": "shop", "type": "shop.opened", "subject": "KH-2", "data": data})
        await api.post("/v1/contacts/KH-1/merge", {"from": "KH-2", "keep": {"phone": "KH-1"}})
        expect(await api.request("POST", "/v1/contacts/KH-1/erase"), 204)

        events = [await api.get(f"/v1/events/{one['id']}") for one in (await api.get("/v1/events"))["items"]]
        everything = str([events, await api.get("/v1/audit"), await api.get("/v1/contacts")])
        for secret in ("Secret", "987654321", "912345678", "KH-1", "KH-2"):
            assert secret not in everything
        expect(await api.request("GET", "/v1/records/order/DH-1"), 404)
        assert (await api.put("/v1/contacts/KH-2", {"phone": "0912345678"}))["activity"] == {}


class TestInTheMiddle:
    async def test_everything_of_the_merged_contact_becomes_the_survivors(self, world: World) -> None:
        """Runs, waits, messages, calls to be made, days and silences: nothing names the other any more."""
        engine = world.engine
        agent = Staff(external_id="NV-1", name="An")
        await engine.database.transact(staff.put, world.workspace_id, "t", agent, world.clock.micros())
        draft = msgspec.convert({"object": "lead", "agents": ["NV-1"], "auto_distribution": False}, CampaignDraft)
        await engine.database.transact(
            engine.telesales_campaigns.save,
            world.workspace_id,
            "beans",
            draft,
            if_match=None,
            actor="t",
            now=world.clock.micros(),
        )
        await world.channel("zns")
        await world.template("hello")
        await world.workflow("greet", send("zns"), {"id": "ask", "wait": {"event": "shop.bought", "timeout": "P30D"}},
                             tag("bought"), settings={"reentry": "once"})  # fmt: skip
        await world.workflow("one", wait("P1D"), tag("one"), on="shop.looked", settings={"mode": "single"})
        await world.workflow(
            "call",
            {"id": "call", "action": "telesales_enqueue", "config": {"campaign": "beans", "wait_for_outcome": True}},
            tag("called"), on="shop.asked",
        )  # fmt: skip
        dormancy = {"id": "d", "type": "dormancy", "config": {"days": 40, "activity": "shop"}}
        await world.workflow("silent", tag("silent"), on=[dormancy])
        birthday = {"id": "b", "type": "birthday", "config": {"at": "08:30"}}
        await world.workflow("cake", tag("cake"), on=[birthday])
        await world.knows("KH-1", name="Lan", phone="0987654321")
        await world.knows("KH-2", name="Lan", phone="0912345678", birthday="1990-11-21")
        for name in ("KH-1", "KH-2"):
            for kind in ("shop.looked", "shop.asked"):
                await world.happens(kind, name)
        await world.happens("shop.opened", "KH-2", order={"external_id": "DH-1", "status": "new"})
        await world.work()
        await world.later(hours=1)
        assert (await world.contact("KH-2"))["tags"] == ["cake"]
        merged = await id_of(world, "KH-2")
        await merge(world, "KH-1", "KH-2", phone="KH-1")

        allowed = {"contact_aliases.merged_id", "audit_log.detail", "events.facts", "events.data", "events.source_id"}
        assert await places_of(world, merged) <= allowed
        told = await world.rows("SELECT source_id FROM events WHERE source_id LIKE :like", like=f"%{merged}%")
        assert [row[0] for row in told] == [f"merge:{merged}"]
        stays = await id_of(world, "KH-1")
        assert {row[0] for row in await world.rows("SELECT contact_id FROM runs")} == {stays}
        assert await world.rows("SELECT day FROM dates WHERE owner_id = :id", id=stays)
        ended = await world.rows("SELECT workflow, state, reason FROM runs WHERE reason IS NOT NULL ORDER BY id")
        assert [tuple(row) for row in ended] == [("one", "exited", "contact_merged")]
        entries = await world.rows("SELECT state, reason FROM telesales_entries ORDER BY id")
        assert [tuple(row) for row in entries] == [("open", None), ("cancelled", "contact_merged")]

        # The run whose entry was closed hears of it; the wait for the purchase hears of the one who stayed.
        await world.work()
        await world.happens("shop.bought", "KH-1")
        await world.happens("shop.opened", "KH-2")
        await world.work()
        states = await world.rows("SELECT workflow, state FROM runs ORDER BY id")
        assert sorted(tuple(row) for row in states) == [
            ("cake", "completed"), ("call", "completed"), ("call", "running"), ("greet", "completed"),
            ("one", "exited"), ("one", "running"),
        ]  # fmt: skip
        assert [row[0] for row in await world.rows("SELECT reason FROM refusals")] == ["entered_before"]
        assert {"bought", "called"} <= set((await world.contact())["tags"])
        entry = str(await world.value("SELECT id FROM telesales_entries WHERE closed_at IS NULL"))
        report = msgspec.convert({"outcome": "refused", "agent": "NV-1"}, CallReport)
        await engine.database.transact(
            engine.telesales_entries.report,
            world.workspace_id,
            "beans",
            entry,
            report,
            actor="t",
            now=world.clock.micros(),
        )
        await world.work()
        calls = await world.rows("SELECT state FROM runs WHERE workflow = 'call'")
        assert {row[0] for row in calls} == {"completed"}

    async def test_a_score_moves_to_what_both_have_and_what_the_merge_changes_counts_nothing(
        self, world: World
    ) -> None:
        await world.engine.database.transact(
            scores.save, world.workspace_id, {"rules": SCORES}, catalog=world.engine.catalog, if_match=None, actor="t",
            now=world.clock.micros(),
        )  # fmt: skip
        rises = {"id": "s", "type": "engagement_score", "config": {"operator": "rises_above", "value": 100}}
        await world.workflow("star", tag("star"), on=[rises])
        for name in ("KH-1", "KH-2"):
            await world.knows(name, tags=["VIP"] if name == "KH-2" else [])
            await world.happens("shop.bought", name)
        await merge(world, "KH-1", "KH-2")
        await world.work()
        assert (await world.contact())["tags"] == ["VIP", "star"]
        score = await world.engine.database.read(scores.explain, world.workspace_id, "KH-2", world.clock.micros())
        # Only the tag that the workflow put on counts: the other came over with the contact.
        assert {line.id: (line.points, line.count) for line in score.rules} == {"bought": (120.0, 2), "vip": (7.0, 1)}

    async def test_a_step_that_is_being_performed_goes_on_with_the_survivor(self, world: World) -> None:
        await world.channel("zns", "scripted_traceable")
        await world.template("hello", "scripted_traceable")
        await world.workflow("greet", send("zns"), tag("after"), settings={"mode": "queued"})
        await world.knows("KH-1", name="Lan", phone="0987654321")
        await world.knows("KH-2", name="Lan", phone="0987654321")
        held = Held()
        scripts["zns"].answer(held)
        await world.happens(contact="KH-2")
        working = asyncio.create_task(world.work())
        await held.entered.wait()
        await merge(world, "KH-1", "KH-2")
        held.end(Accepted(provider_id="p-1"))
        await working
        assert await world.steps() == [("tell", "done", "accepted"), ("mark", "done", "done")]
        assert (await world.contact())["tags"] == ["after"]
        assert len(scripts["zns"].sent) == 1

        # While a step of each is performed, one of them would run beside the other: nothing happens.
        await world.channel("sms", "scripted_traceable")
        await world.workflow("text", send("sms"), on="shop.looked")
        await world.knows("KH-3", name="Lan", phone="0987654321")
        both = [Held(), Held()]
        for name, one in zip(("zns", "sms"), both, strict=True):
            scripts[name].answer(one)
        await world.happens("shop.opened", "KH-1")
        await world.happens("shop.looked", "KH-3")
        working = asyncio.create_task(world.work())
        await asyncio.gather(*(one.entered.wait() for one in both))
        with pytest.raises(Conflict, match="at this moment"):
            await merge(world, "KH-1", "KH-3")
        for one in both:
            one.end(Accepted(provider_id=None))
        await working
        await merge(world, "KH-1", "KH-3")
        assert set(await world.run_states()) == {"completed"}


class TestSeveralAtOnce:
    async def test_merges_both_ways_and_twice(self, world: World, second: World) -> None:
        """Of two that contradict each other one holds; the same said twice is done once."""
        for number in range(8):
            await world.knows(f"KH-{number}", name=f"N{number}")

        async def outcome(where: World, into: str, source: str) -> str:
            try:
                await merge(where, into, source)
            except NhipError as error:
                return error.code
            return "merged"

        for first in range(0, 6, 2):
            one, other = f"KH-{first}", f"KH-{first + 1}"
            found = await asyncio.gather(outcome(world, one, other), outcome(second, other, one))
            assert sorted(found) == ["conflict", "merged"]
        again = await asyncio.gather(*(outcome(where, "KH-6", "KH-7") for where in (world, second, world)))
        assert again == ["merged"] * 3
        assert await world.value("SELECT count(*) FROM events WHERE type = 'contact.merged'") == 4
        assert await world.value("SELECT count(*) FROM contacts") == 4

    async def test_nothing_is_lost_of_what_happens_meanwhile(self, world: World, second: World) -> None:
        """Events of both, and workers on their steps, while they are merged: all of it is the survivor's in the end."""
        await world.workflow("mark", tag("seen"), {"id": "pause", "wait": {"event": "shop.closed", "timeout": "P9D"}},
                             tag("closed", id="last"))  # fmt: skip
        pairs = 6
        for number in range(pairs):
            for side in ("A", "B"):
                await world.knows(f"{side}-{number}", name=side)

        async def happen(where: World, number: int) -> None:
            for turn in range(4):
                await where.happens("shop.opened", f"{'AB'[turn % 2]}-{number}", source=f"s{id(where)}")

        async def work(where: World) -> None:
            for _ in range(6):
                await where.work()
                await asyncio.sleep(0)

        jobs = [happen(where, number) for where in (world, second) for number in range(pairs)]
        merges = [merge(where, f"A-{number}", f"B-{number}") for number in range(pairs) for where in (world, second)]
        await asyncio.gather(*jobs, *merges, work(world), work(second))
        await world.work()
        for number in range(pairs):
            await world.happens("shop.closed", f"B-{number}")
        await world.work()

        assert await world.value("SELECT count(*) FROM contacts") == pairs
        assert await world.value("SELECT count(*) FROM events WHERE type = 'shop.opened'") == pairs * 8
        assert await world.run_states() == ["completed"] * (pairs * 8)
        for number in range(pairs):
            assert (await world.contact(f"A-{number}"))["tags"] == ["seen", "closed"]
            story = await world.engine.database.read(contacts.one, world.workspace_id, f"B-{number}")
            assert {one.kind: one.count for one in story.activity} == {"shop": 9}
