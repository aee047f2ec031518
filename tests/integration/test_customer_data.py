"""Contacts, records, staff and accounts over HTTP."""

from typing import Any

import pytest

from tests.support.api import Api, expect

WATCHING: dict[str, Any] = {
    "name": "watching",
    "triggers": [
        {"id": "tag", "type": "event", "config": {"type": "contact.tag_added"}},
        {"id": "status", "type": "order_status", "config": {"to": ["delivered"]}},
    ],
    "steps": [{"id": "pause", "wait": {"for": "P1D"}}],
}


class TestContacts:
    async def test_a_put_makes_and_changes_and_normalises(self, api: Api) -> None:
        made = await api.put(
            "/v1/contacts/KH-1",
            {"name": "Nguyễn Thị Hoàng Anh", "phone": "0987 654 321", "email": " Anh@Example.com", "tags": ["a", "a"],
             "custom": {"size": "M", "points": 5}, "birthday": "1990-04-30", "timezone": "Asia/Ho_Chi_Minh"},
        )  # fmt: skip
        changed = await api.put("/v1/contacts/KH-1", {"name": None, "lifecycle": "customer", "custom": {"size": None}})

        assert (made["phone"], made["email"], made["tags"]) == ("+84987654321", "anh@example.com", ["a"])
        assert (made["lifecycle"], made["score"], made["activity"]) == ("lead", 0, {})
        assert changed["name"] is None
        assert changed["custom"] == {"points": 5}
        assert changed["lifecycle"] == "customer"
        assert changed["phone"] == made["phone"]
        assert changed["id"] == made["id"]
        assert await api.get("/v1/contacts/KH-1") == changed
        types = {one["type"] for one in (await api.get("/v1/events?contact=KH-1"))["items"]}
        assert types == {"contact.created", "contact.updated"}

    async def test_the_same_again_changes_nothing(self, api: Api) -> None:
        said = {"name": "Lan", "tags": ["a"]}
        first = await api.put("/v1/contacts/KH-1", said)
        assert await api.put("/v1/contacts/KH-1", said) == first
        assert len((await api.get("/v1/events"))["items"]) == 1

    async def test_a_change_starts_workflows_like_any_event(self, api: Api) -> None:
        await api.post("/v1/workflows", WATCHING, status=201)
        await api.post("/v1/workflows/watching/publish")
        await api.put("/v1/contacts/KH-1", {"tags": []})
        await api.put("/v1/contacts/KH-1", {"tags": ["VIP"]})
        await api.put("/v1/records/order/DH-1", {"contact": "KH-1", "status": "delivered"})
        assert len((await api.get("/v1/runs?contact=KH-1"))["items"]) == 2

    @pytest.mark.parametrize(
        ("said", "path"),
        [
            ({"phone": "12"}, "phone"),
            ({"email": "nobody"}, "email"),
            ({"timezone": "Mars/Base"}, "timezone"),
            ({"birthday": "30/4/1990"}, "birthday"),
            ({"lifecycle": "friend"}, "lifecycle"),
            ({"tags": "VIP"}, "tags"),
            ({"tags": ["ok", ""]}, "tags[1]"),
            ({"score": 5}, "score"),
            ({"external_id": "KH-2"}, "external_id"),
            ({"nmae": "x"}, "nmae"),
            ({"name": "x" * 201}, "name"),
        ],
    )
    async def test_a_mistake_is_told_with_its_place_and_stores_nothing(self, api: Api, said: Any, path: str) -> None:
        problem = expect(await api.request("PUT", "/v1/contacts/KH-1", said), 422)
        assert problem["errors"][0]["path"] == path
        expect(await api.request("GET", "/v1/contacts/KH-1"), 404)

    async def test_they_are_listed_and_filtered(self, api: Api) -> None:
        for number in range(3):
            await api.put(
                f"/v1/contacts/KH-{number}", {"phone": f"098765432{number}", "owner": "lan", "status": f"s{number}"}
            )

        async def names(query: str) -> list[str]:
            return [one["external_id"] for one in (await api.get(f"/v1/contacts{query}"))["items"]]

        assert await names("") == ["KH-0", "KH-1", "KH-2"]
        assert await names("?phone=0987654321") == ["KH-1"]
        assert await names("?phone=%2B84987654321") == ["KH-1"]
        assert await names("?owner=lan&status=s2") == ["KH-2"]
        assert await names("?lifecycle=customer") == []
        assert expect(await api.request("GET", "/v1/contacts?phone=12"), 422)["errors"][0]["path"] == "phone"

    async def test_the_timeline_has_everything_in_one_list_over_its_pages(self, api: Api) -> None:
        await api.post("/v1/workflows", WATCHING, status=201)
        await api.post("/v1/workflows/watching/publish")
        await api.put("/v1/contacts/KH-1", {"name": "Lan"})
        await api.put("/v1/records/order/DH-1", {"contact": "KH-1", "status": "delivered"})
        whole = (await api.get("/v1/contacts/KH-1/timeline"))["items"]
        assert {item["kind"] for item in whole} == {"event", "record", "run"}

        paged, path = [], "/v1/contacts/KH-1/timeline?limit=2"
        while path:
            page = await api.get(path)
            paged += page["items"]
            cursor = page["next_cursor"]
            path = f"/v1/contacts/KH-1/timeline?limit=2&cursor={cursor}" if cursor else ""
        assert paged == whole

    async def test_deleting_ends_runs_and_keeps_history(self, api: Api) -> None:
        await api.post("/v1/workflows", WATCHING, status=201)
        await api.post("/v1/workflows/watching/publish")
        await api.send({"id": "1", "source": "shop", "type": "shop.opened", "subject": "KH-1"})
        await api.put("/v1/records/order/DH-2", {"contact": "KH-1", "status": "delivered"})
        [run] = (await api.get("/v1/runs?contact=KH-1"))["items"]

        expect(await api.request("DELETE", "/v1/contacts/KH-1"), 204)

        expect(await api.request("GET", "/v1/contacts/KH-1"), 404)
        expect(await api.request("DELETE", "/v1/contacts/KH-1"), 404)
        ended = await api.get(f"/v1/runs/{run['id']}")
        assert (ended["state"], ended["reason"]) == ("cancelled", "contact_deleted")
        assert {step["state"] for step in ended["trace"]} == {"cancelled"}
        assert (await api.get("/v1/records/order/DH-2"))["status"] == "delivered"
        assert (await api.get("/v1/events?type=shop.opened"))["items"]
        assert (await api.get("/v1/audit?action=contact.delete"))["items"]

    async def test_a_person_is_exported_and_forgotten(self, api: Api) -> None:
        data = {
            "contact": {"name": "Lan Secret", "phone": "0987654321"},
            "order": {"external_id": "DH-1", "status": "new"},
        }
        sent = await api.send({"id": "1", "source": "shop", "type": "shop.opened", "subject": "KH-1", "data": data})
        exported = await api.get("/v1/contacts/KH-1/export")
        assert exported["contact"]["name"] == "Lan Secret"
        assert [record["external_id"] for record in exported["records"]] == ["DH-1"]
        assert {item["kind"] for item in exported["timeline"]} == {"event", "record"}

        expect(await api.request("POST", "/v1/contacts/KH-1/erase"), 204)

        expect(await api.request("GET", "/v1/contacts/KH-1"), 404)
        expect(await api.request("GET", "/v1/records/order/DH-1"), 404)
        left = await api.get(f"/v1/events/{sent['events'][0]['id']}")
        assert (left["type"], left["data"], left["facts"], left["subject"]) == ("shop.opened", {}, None, None)
        everything = str([await api.get("/v1/events"), await api.get("/v1/audit")])
        assert "Secret" not in everything
        assert "987654321" not in everything
        assert "KH-1" not in str(await api.get("/v1/audit"))


class TestRecords:
    async def test_a_put_makes_and_changes(self, api: Api) -> None:
        await api.put("/v1/contacts/KH-1", {})
        made = await api.put(
            "/v1/records/order/DH-1",
            {"contact": "KH-1", "status": "new", "total": {"amount": 5, "currency": "VND"}, "custom": {"gift": True}},
        )
        changed = await api.put("/v1/records/order/DH-1", {"status": "delivered"})

        assert (made["type"], made["external_id"], made["contact"]) == ("order", "DH-1", "KH-1")
        assert changed["total"] == {"amount": 5, "currency": "VND"}
        assert await api.get("/v1/records/order/DH-1") == changed
        assert (await api.get("/v1/contacts/KH-1"))["activity"]["order"]["total"] == 5
        [event] = (await api.get("/v1/events?type=order.status_changed"))["items"]
        assert event["data"] == {"external_id": "DH-1", "from": "new", "to": "delivered"}

    async def test_they_are_listed_by_contact_and_status(self, api: Api) -> None:
        for number in range(4):
            await api.put(f"/v1/contacts/KH-{number % 2}", {})
            await api.put(
                f"/v1/records/ticket/T-{number}", {"contact": f"KH-{number % 2}", "status": f"s{number // 2}"}
            )

        async def names(query: str) -> list[str]:
            return [one["external_id"] for one in (await api.get(f"/v1/records/ticket{query}"))["items"]]

        assert await names("") == ["T-0", "T-1", "T-2", "T-3"]
        assert await names("?contact=KH-1") == ["T-1", "T-3"]
        assert await names("?contact=KH-1&status=s1") == ["T-3"]
        assert await names("?contact=nobody") == []

    @pytest.mark.parametrize(
        ("kind", "said", "status", "path"),
        [
            ("nothing", {}, 404, None),
            ("order", {"stauts": "x"}, 422, "stauts"),
            ("order", {"total": {"amount": "5"}}, 422, "total.amount"),
            ("order", {"total": {"amount": 10**17, "currency": "VND"}}, 422, "total.amount"),
            ("order", {"external_id": "DH-2"}, 422, "external_id"),
        ],
    )
    async def test_a_mistake_is_told_with_its_place(
        self, api: Api, kind: str, said: Any, status: int, path: str | None
    ) -> None:
        problem = expect(await api.request("PUT", f"/v1/records/{kind}/DH-1", said), status)
        assert path is None or problem["errors"][0]["path"] == path

    async def test_one_is_deleted(self, api: Api) -> None:
        await api.put("/v1/records/deal/D-1", {"status": "open"})
        expect(await api.request("DELETE", "/v1/records/deal/D-1"), 204)
        expect(await api.request("DELETE", "/v1/records/deal/D-1"), 404)
        assert (await api.get("/v1/records/deal"))["items"] == []


class TestStaffAndAccounts:
    async def test_staff(self, api: Api) -> None:
        said = {"name": "Lan", "phone": "0912345678", "email": "Lan@example.com", "department": "care"}
        made = await api.put("/v1/staff/S-1", said)
        assert (made["phone"], made["email"], made["active"]) == ("+84912345678", "lan@example.com", True)
        changed = await api.put("/v1/staff/S-1", {"name": "Lan", "active": False})
        assert (changed["phone"], changed["active"]) == (None, False)
        assert await api.get("/v1/staff/S-1") == changed
        await api.put("/v1/staff/S-2", {"name": "Minh", "department": "care"})
        assert [one["external_id"] for one in (await api.get("/v1/staff?department=care"))["items"]] == ["S-2"]
        expect(await api.request("DELETE", "/v1/staff/S-1"), 204)
        expect(await api.request("GET", "/v1/staff/S-1"), 404)
        actions = [one["action"] for one in (await api.get("/v1/audit?target=S-1"))["items"]]
        assert actions == ["staff.delete", "staff.put", "staff.put"]

    async def test_accounts(self, api: Api) -> None:
        made = await api.put("/v1/accounts/C-1", {"name": "Công ty A", "industry": "retail", "custom": {"size": 5}})
        assert made["custom"] == {"size": 5}
        changed = await api.put("/v1/accounts/C-1", {"name": "Công ty B"})
        assert (changed["name"], changed.get("industry")) == ("Công ty B", None)
        assert await api.get("/v1/accounts/C-1") == changed
        assert (await api.get("/v1/accounts"))["items"] == [changed]
        expect(await api.request("DELETE", "/v1/accounts/C-1"), 204)
        expect(await api.request("DELETE", "/v1/accounts/C-1"), 404)

    async def test_an_id_has_a_limit(self, api: Api) -> None:
        for path in ("/v1/accounts/", "/v1/staff/", "/v1/contacts/", "/v1/records/order/"):
            body = {"name": "x"} if "records" not in path else {}
            expect(await api.request("PUT", path + "x" * 201, body), 422)
