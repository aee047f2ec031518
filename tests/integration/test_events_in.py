"""Events become rows, contacts, records, further events and runs, in one transaction."""

import asyncio
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from nhip.domain.errors import InvalidInput
from tests.support.world import World, open_world, tag, wait

PHONE = "+84987654321"


async def event_types(world: World) -> Counter[str]:
    return Counter([row[0] for row in await world.rows("SELECT type FROM events")])


async def contacts(world: World) -> list[str]:
    return sorted([row[0] for row in await world.rows("SELECT external_id FROM contacts")])


async def test_an_event_is_stored_with_its_contact_and_the_run_it_starts(world: World) -> None:
    await world.workflow("greet", wait("P1D"))

    receipt = await world.happens("shop.opened", {"external_id": "KH-1", "name": "Anh", "phone": "0987 654 321"})

    assert not receipt.duplicate
    assert len(receipt.runs) == 1
    assert await world.contact() == {"lifecycle": "lead", "tags": [], "name": "Anh", "phone": PHONE}
    assert await world.steps() == [("pause", "waiting", None)]
    types = await world.rows("SELECT type, source FROM events")
    assert {tuple(row) for row in types} == {("shop.opened", "shop"), ("contact.created", "nhip")}


class TestDuplicates:
    async def test_the_second_of_two_requests_gets_the_first_ones_answer(self, world: World) -> None:
        await world.workflow("greet", wait("P1D"))
        first = await world.happens(id="once")
        second = await world.happens(id="once")
        assert (second.id, second.runs, second.duplicate) == (first.id, first.runs, True)
        assert await world.run_states() == ["running"]

    async def test_the_second_within_one_request_too(self, world: World) -> None:
        await world.workflow("greet", wait("P1D"))
        events = [world.event(id="once"), world.event(id="other"), world.event(id="once")]
        first, other, second = await world.engine.inbox.submit(world.workspace_id, events)
        assert (first.duplicate, other.duplicate, second.duplicate) == (False, False, True)
        assert (second.id, second.runs) == (first.id, first.runs)
        assert len(await world.run_states()) == 2

    async def test_requests_at_the_same_moment_too(self, world: World) -> None:
        await world.workflow("greet", wait("P1D"))
        receipts = await asyncio.gather(*(world.happens(id="once") for _ in range(20)))
        assert len({receipt.id for receipt in receipts}) == 1
        assert Counter(receipt.duplicate for receipt in receipts) == {True: 19, False: 1}
        assert await world.run_states() == ["running"]

    async def test_the_same_id_of_another_source_is_another_event(self, world: World) -> None:
        first = await world.happens(id="once", source="shop")
        second = await world.happens(id="once", source="till")
        assert first.id != second.id
        assert not second.duplicate

    async def test_processes_at_the_same_moment_store_it_once(self, world: World, second: World) -> None:
        await world.workflow("greet", wait("P1D"))
        receipts = await asyncio.gather(*(one.happens(id="once") for one in (world, second) * 5))
        assert len({receipt.id for receipt in receipts}) == 1
        assert await world.run_states() == ["running"]

    async def test_a_bad_event_refuses_its_whole_request_and_no_other(self, world: World) -> None:
        with pytest.raises(InvalidInput):
            world.event(contact={"external_id": "KH-1", "phone": "12"})
        assert await event_types(world) == {}


class TestWhoItConcerns:
    @pytest.mark.parametrize(
        "address",
        [{"phone": "0987654321"}, {"email": "Anh@Example.com"}, {"zalo_user_id": "z-1"}],
        ids=["phone", "email", "zalo"],
    )
    async def test_an_unnamed_person_is_found_by_an_address(self, world: World, address: dict[str, str]) -> None:
        await world.knows("KH-1", **address)
        await world.happens(contact={**address, "name": "Anh"})
        assert await contacts(world) == ["KH-1"]
        assert (await world.contact())["name"] == "Anh"

    async def test_the_external_id_is_stronger_than_an_address(self, world: World) -> None:
        await world.knows("KH-1", phone="0987654321")
        await world.knows("KH-2", email="binh@example.com")
        await world.happens(contact={"external_id": "KH-2", "phone": "0987654321"})
        assert await contacts(world) == ["KH-1", "KH-2"]
        assert (await world.contact("KH-2"))["phone"] == PHONE

    async def test_the_phone_is_stronger_than_the_email(self, world: World) -> None:
        await world.knows("KH-1", phone="0987654321")
        await world.knows("KH-2", email="binh@example.com")
        await world.happens(contact={"email": "binh@example.com", "phone": "0987654321", "name": "Chi"})
        assert (await world.contact("KH-1"))["name"] == "Chi"

    async def test_an_unnamed_contact_takes_the_name_it_is_given_later(self, world: World) -> None:
        await world.happens(contact={"phone": "0987654321", "name": "Anh"})
        identifier = await world.value("SELECT id FROM contacts")
        await world.happens(contact={"external_id": "KH-1", "phone": "0987654321"})
        assert await contacts(world) == ["KH-1"]
        assert await world.value("SELECT id FROM contacts") == identifier

    async def test_a_phone_shared_in_a_family_makes_nobody_somebody_else(self, world: World) -> None:
        await world.knows("KH-1", phone="0987654321", name="Mother")
        await world.happens(contact={"external_id": "KH-2", "phone": "0987654321", "name": "Daughter"})
        assert await contacts(world) == ["KH-1", "KH-2"]
        assert (await world.contact("KH-1"))["name"] == "Mother"

    async def test_within_one_request_they_are_the_same_person_too(self, world: World) -> None:
        said = [{"phone": "0987654321"}, {"external_id": "KH-1", "phone": "0987654321"}, {"phone": "+84987654321"}]
        await world.engine.inbox.submit(world.workspace_id, [world.event(contact=one) for one in said])
        assert await contacts(world) == ["KH-1"]

    async def test_an_address_given_up_earlier_in_the_request_finds_nobody(self, world: World) -> None:
        await world.knows("KH-1", phone="0987654321")
        moved = world.event(contact={"external_id": "KH-1", "phone": "0912345678"})
        stranger = world.event(contact={"phone": "0987654321", "name": "Stranger"})
        await world.engine.inbox.submit(world.workspace_id, [moved, stranger])
        assert len(await contacts(world)) == 2
        assert "name" not in await world.contact("KH-1")

    async def test_the_subject_names_the_contact(self, world: World) -> None:
        envelope = world.event(contact=None)
        envelope.subject = "KH-7"
        await world.engine.inbox.submit(world.workspace_id, [envelope])
        assert await contacts(world) == ["KH-7"]

    async def test_a_record_names_its_contact(self, world: World) -> None:
        await world.workflow("thank", wait("P1D"), on="order.created")
        receipt = await world.happens("order.made", None, order={"external_id": "DH-1", "contact": "KH-3"})
        assert await contacts(world) == ["KH-3"]
        assert len(receipt.runs) == 1

    async def test_an_event_about_a_known_record_concerns_whom_the_record_belongs_to(self, world: World) -> None:
        await world.workflow("thank", wait("P1D"), on={"id": "t", "type": "order_status", "config": {"to": ["sent"]}})
        await world.happens("order.made", "KH-1", order={"external_id": "DH-1", "status": "new"})
        receipt = await world.happens("order.moved", None, order={"external_id": "DH-1", "status": "sent"})
        assert len(receipt.runs) == 1
        assert await contacts(world) == ["KH-1"]

    async def test_an_event_about_nobody_starts_nothing_and_says_so(self, world: World) -> None:
        await world.workflow("greet", wait("P1D"))
        receipt = await world.happens(contact=None)
        assert receipt.runs == ()
        assert await world.value("SELECT reason FROM refusals") == "no_contact"

    async def test_two_processes_make_one_contact_of_one_new_phone(self, world: World, second: World) -> None:
        for n in range(5):
            said = {"phone": f"098765432{n}"}
            await asyncio.gather(*(one.happens(contact=said) for one in (world, second, world, second)))
        assert len(await contacts(world)) == 5

    async def test_two_processes_lose_no_change_of_one_contact(self, world: World, second: World) -> None:
        await world.knows("KH-1")
        await asyncio.gather(
            *(
                one.happens(contact={"external_id": "KH-1", "custom": {f"{name}{n}": n}})
                for n in range(10)
                for name, one in (("a", world), ("b", second))
            )
        )
        custom = (await world.contact())["custom"]
        assert custom == {f"{name}{n}": n for n in range(10) for name in "ab"}

    async def test_a_custom_field_may_be_called_custom(self, world: World) -> None:
        await world.knows("KH-1", custom={"custom": "text", "size": 3})
        await world.knows("KH-1", custom={"custom": {"inner": 1}, "size": None})
        assert (await world.contact())["custom"] == {"custom": {"inner": 1}}


class TestRecords:
    async def order(self, world: World, time: str | None = None, kind: str = "order.moved", **fields: object) -> None:
        await world.happens(kind, "KH-1", time=time, order={"external_id": "DH-1", **fields})

    async def stored(self, world: World) -> dict[str, object]:
        return msgspec.json.decode(await world.value("SELECT attributes FROM records"), type=dict[str, object])

    async def test_a_new_record_is_created_once_and_a_change_of_status_derived_once(self, world: World) -> None:
        await self.order(world, status="new")
        await self.order(world, status="sent")
        await self.order(world, status="sent")
        await self.order(world, status="sent", note="by hand")
        types = await event_types(world)
        assert {kind: types[kind] for kind in types if kind != "order.moved"} == {
            "contact.created": 1, "order.created": 1, "order.status_changed": 1, "order.updated": 1,
        }  # fmt: skip

    async def test_a_client_that_tells_the_change_itself_is_not_repeated(self, world: World) -> None:
        await self.order(world, kind="order.created", status="new")
        await self.order(world, kind="order.status_changed", status="sent")
        assert await event_types(world) == {"order.created": 1, "order.status_changed": 1, "contact.created": 1}

    async def test_a_late_snapshot_changes_nothing(self, world: World) -> None:
        await self.order(world, time="2026-11-20T10:00:00Z", status="sent")
        await self.order(world, time="2026-11-20T09:00:00Z", status="new", note="old news")
        assert (await self.stored(world))["status"] == "sent"
        assert "note" not in await self.stored(world)
        assert "order.status_changed" not in await event_types(world)

    async def test_a_snapshot_without_a_time_is_never_late(self, world: World, second: World) -> None:
        """The clock of the process that takes it may stand behind another's."""
        await self.order(world, status="new")
        world.clock.advance(seconds=-30)
        await self.order(second, status="sent")
        assert (await self.stored(world))["status"] == "sent"

    async def test_a_time_in_the_future_does_not_close_the_record(self, world: World) -> None:
        await self.order(world, time="2036-01-01T00:00:00Z", status="new")
        await self.order(world, status="sent")
        assert (await self.stored(world))["status"] == "sent"

    async def test_previous_has_the_old_values_of_what_changed(self, world: World) -> None:
        await self.order(world, status="new", note="fragile", custom={"size": 1, "colour": "red"})
        await world.knows("KH-1", name="Anh")
        await world.happens(
            "order.moved", {"external_id": "KH-1", "name": "Anh Nguyễn"},
            order={"external_id": "DH-1", "status": "sent", "note": None, "custom": {"size": 2}},
        )  # fmt: skip
        raw = await world.value("SELECT facts FROM events WHERE type = 'order.moved' AND facts LIKE '%Nguyễn%'")
        facts = msgspec.json.decode(raw)
        assert facts["previous"] == {
            "contact": {"name": "Anh"},
            "order": {"status": "new", "note": "fragile", "custom": {"size": 1}},
        }
        assert facts["order"]["custom"] == {"size": 2, "colour": "red"}

    async def test_amounts_are_counted_once_per_order(self, world: World) -> None:
        await world.happens(
            "order.made", "KH-1", order={"external_id": "DH-1", "total": {"amount": 150_000, "currency": "VND"}}
        )
        await world.happens(
            "order.made", "KH-1", order={"external_id": "DH-2", "total": {"amount": 50_000, "currency": "VND"}}
        )
        await self.order(world, status="sent")
        row = await world.row("SELECT count, total FROM activity WHERE kind = 'order'")
        assert tuple(row) == (2, 200_000)

    async def test_an_amount_past_what_can_be_summed_is_refused(self, world: World) -> None:
        with pytest.raises(InvalidInput) as refused:
            world.event("order.made", order={"external_id": "DH-1", "total": {"amount": 10**18}})
        assert refused.value.problems[0].path == "data.order.total.amount"


class TestTags:
    async def test_each_tag_that_comes_or_goes_is_an_event(self, world: World) -> None:
        await world.knows("KH-1", tags=["a", "b"])
        await world.knows("KH-1", tags=["b", "c", "d"])
        rows = await world.rows("SELECT type, data FROM events WHERE type LIKE 'contact.tag%'")
        assert {(row[0], msgspec.json.decode(row[1])["tag"]) for row in rows} == {
            ("contact.tag_removed", "a"), ("contact.tag_added", "c"), ("contact.tag_added", "d"),
        }  # fmt: skip

    async def test_a_client_that_tells_of_a_tag_by_a_snapshot_starts_what_waits_for_it(self, world: World) -> None:
        await world.workflow("vip", wait("P1D"), on=[{"id": "t", "type": "tag_added", "config": {"tag": ["VIP"]}}])
        await world.knows("KH-1", tags=["old"])
        for tags, started in ((["old", "hot", "VIP"], 1), (["old", "hot", "VIP"], 0), (["old"], 0), (["VIP"], 1)):
            contact = {"external_id": "KH-1", "tags": tags}
            receipt = await world.happens("contact.tag_added", contact=contact)
            assert len(receipt.runs) == started, tags
        rows = await world.rows("SELECT data FROM events WHERE type = 'contact.tag_added' ORDER BY id")
        assert [msgspec.json.decode(row[0]).get("tag") for row in rows] == ["hot", "VIP", None, None, "VIP"]

    async def test_saying_the_same_again_changes_nothing(self, world: World) -> None:
        await world.knows("KH-1", tags=["a"], name="Anh")
        before = await event_types(world)
        await world.knows("KH-1", tags=["a", "a"], name="Anh")
        assert await event_types(world) == before
        assert await world.value("SELECT revision FROM contacts") == 0


class TestRuns:
    async def test_one_run_per_workflow_although_several_of_an_events_consequences_match(self, world: World) -> None:
        await world.workflow(
            "greet", wait("P1D"), on=["shop.opened", "contact.created", "order.created", "order.updated"]
        )
        receipt = await world.happens(order={"external_id": "DH-1", "status": "new"})
        assert len(receipt.runs) == 1

    async def test_a_refusal_is_written_down_once_too(self, world: World) -> None:
        await world.workflow("greet", wait("P1D"), on=["shop.opened", "order.created"], settings={"reentry": "once"})
        await world.happens()
        await world.happens(order={"external_id": "DH-1"})
        assert [row[0] for row in await world.rows("SELECT reason FROM refusals")] == ["entered_before"]

    async def test_once_lets_a_contact_in_once(self, world: World) -> None:
        await world.workflow("greet", tag("VIP"), settings={"reentry": "once"})
        assert [len((await world.happens()).runs) for _ in range(3)] == [1, 0, 0]
        assert len((await world.happens(contact="KH-2")).runs) == 1

    async def test_after_lets_it_in_again_after_a_time(self, world: World) -> None:
        await world.workflow("greet", tag("VIP"), settings={"reentry": {"after": "P30D"}})
        await world.happens()
        world.clock.advance(days=29)
        assert (await world.happens()).runs == ()
        world.clock.advance(days=1)
        assert len((await world.happens()).runs) == 1
        assert [row[0] for row in await world.rows("SELECT reason FROM refusals")] == ["entered_recently"]

    async def test_single_lets_nobody_in_who_is_in(self, world: World) -> None:
        await world.workflow("greet", wait("P1D"), settings={"mode": "single"})
        assert [len((await world.happens()).runs) for _ in range(2)] == [1, 0]
        await world.later(days=1)
        assert len((await world.happens()).runs) == 1

    @pytest.mark.parametrize(
        "settings",
        [{"mode": "single"}, {"reentry": "once"}, {"reentry": {"after": "P1D"}}],
        ids=["single", "once", "after"],
    )
    @pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
    async def test_that_holds_for_processes_at_the_same_moment(
        self, world: World, second: World, settings: dict[str, object], known: bool
    ) -> None:
        await world.workflow("greet", wait("P1D"), settings=settings)
        if known:
            await world.knows("KH-1")
        receipts = await asyncio.gather(*(one.happens() for one in (world, second) * 4))
        assert sum(len(receipt.runs) for receipt in receipts) == 1
        assert await world.value("SELECT COUNT(*) FROM refusals") == 7

    async def test_that_holds_within_one_request(self, world: World) -> None:
        await world.workflow("greet", wait("P1D"), settings={"reentry": "once"})
        receipts = await world.engine.inbox.submit(world.workspace_id, [world.event() for _ in range(5)])
        assert [len(receipt.runs) for receipt in receipts] == [1, 0, 0, 0, 0]

    async def test_a_workflow_that_starts_itself_is_cut_after_twenty_causes(self, world: World) -> None:
        await world.workflow("echo", {"id": "say", "action": "scripted_local"}, on="greeting.made")
        await world.happens("greeting.made")
        await world.work()
        assert len(await world.run_states()) == 21
        assert [row[0] for row in await world.rows("SELECT reason FROM refusals")] == ["chain_too_long"]
        assert await world.value("SELECT MAX(depth) FROM runs") == 20

    async def test_a_publish_is_seen_by_the_next_event_of_another_process(self, world: World, second: World) -> None:
        assert (await second.happens()).runs == ()
        await world.workflow("greet", wait("P1D"))
        assert len((await second.happens()).runs) == 1
        await world.pause("greet")
        assert (await second.happens()).runs == ()
        await world.resume("greet")
        await world.workflow("greet", wait("P2D"))
        await second.happens()
        assert await world.value("SELECT MAX(version) FROM runs") == 2
        await world.archive("greet")
        assert (await second.happens()).runs == ()

    async def test_a_workspace_starts_only_its_own(self, world: World, tmp_path: Path, story_url: str) -> None:
        await world.workflow("greet", wait("P1D"))
        async with open_world(story_url, tmp_path, clock=world.clock, workspace="other") as other:
            assert (await other.happens(id="once")).runs == ()
            assert len((await world.happens(id="once")).runs) == 1
