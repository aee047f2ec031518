"""`POST /v1/events`: every mode of CloudEvents, and exactly the documented answers."""

from typing import Any

import httpx
import pytest

from tests.support.api import Api, expect

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "shop",
    "type": "order.updated",
    "subject": "KH-001",
    "time": "2026-11-21T08:00:00+07:00",
    "data": {
        "contact": {"name": "Nguyễn Thị Hoàng Anh", "phone": "0987654321", "email": "anh@example.com"},
        "order": {"external_id": "DH-1", "status": "delivered", "total": {"amount": 150000, "currency": "VND"}},
    },
}
JSON = {"content-type": "application/json"}


async def post(api: Api, body: bytes | Any, headers: dict[str, str] | None = None) -> httpx.Response:
    """Post to the door with headers of one's own."""
    sent = {"authorization": f"Bearer {api.token}", **(headers or JSON)}
    if isinstance(body, bytes):
        return await api.client.post("/v1/events", content=body, headers=sent)
    return await api.client.post("/v1/events", json=body, headers=sent)


async def stored(api: Api) -> int:
    """How many events there are."""
    return len((await api.get("/v1/events?limit=200"))["items"])


@pytest.mark.parametrize(
    "media", ["application/json", "application/cloudevents+json", "Application/CloudEvents+JSON; charset=UTF-8"]
)
async def test_structured(api: Api, media: str) -> None:
    answer = expect(await post(api, EVENT, {"content-type": media}), 202)

    assert answer["accepted"] == 1
    assert answer["duplicates"] == 0
    [receipt] = answer["events"]
    assert receipt.keys() == {"id", "source_id", "duplicate", "runs"}
    assert (receipt["source_id"], receipt["duplicate"], receipt["runs"]) == ("evt-1", False, [])
    assert (await api.get("/v1/contacts/KH-001"))["phone"] == "+84987654321"
    shown = await api.get(f"/v1/events/{receipt['id']}")
    assert (shown["time"], shown["type"], shown["contact"]) == ("2026-11-21T01:00:00Z", "order.updated", "KH-001")


async def test_the_same_again_is_a_duplicate_with_the_same_answer(api: Api) -> None:
    first = expect(await post(api, EVENT), 202)["events"][0]
    before = await stored(api)
    second = expect(await post(api, EVENT), 202)

    assert (second["accepted"], second["duplicates"]) == (0, 1)
    assert second["events"] == [{**first, "duplicate": True}]
    assert await stored(api) == before


@pytest.mark.parametrize("media", ["application/json", "application/cloudevents-batch+json"])
async def test_batched(api: Api, media: str) -> None:
    events = [{**EVENT, "id": f"evt-{n}"} for n in range(3)]
    answer = expect(await post(api, events, {"content-type": media}), 202)
    assert (answer["accepted"], [one["source_id"] for one in answer["events"]]) == (3, ["evt-0", "evt-1", "evt-2"])


async def test_an_empty_batch_is_nothing(api: Api) -> None:
    assert expect(await post(api, []), 202) == {"accepted": 0, "duplicates": 0, "events": []}


async def test_one_bad_event_refuses_the_batch_with_its_index(api: Api) -> None:
    events: list[Any] = [{**EVENT, "id": f"evt-{n}"} for n in range(5)]
    events[3] = {**EVENT, "data": {"contact": {"phone": "12"}}}
    problem = expect(await post(api, events), 422)

    assert problem["errors"][0]["path"] == "[3].data.contact.phone"
    assert await stored(api) == 0


async def test_a_batch_has_at_most_a_thousand(api: Api) -> None:
    small = {"source": "s", "type": "a.b"}
    problem = expect(await post(api, [{**small, "id": str(n)} for n in range(1001)]), 422)
    assert problem["errors"][0]["code"] == "too_many"
    assert expect(await post(api, [{**small, "id": str(n)} for n in range(1000)]), 202)["accepted"] == 1000


async def test_binary(api: Api) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "b%20%E2%82%AC1",
        "ce-source": '"the shop"',
        "ce-type": "order.updated",
        "ce-subject": "KH-002",
        "ce-time": "2026-11-21T08:00:00Z",
        "content-type": "application/json",
    }
    answer = expect(await post(api, b'{"contact": {"name": "Lan"}}', headers), 202)

    assert answer["events"][0]["source_id"] == "b €1"
    assert (await api.get("/v1/contacts/KH-002"))["name"] == "Lan"
    assert (await api.get(f"/v1/events/{answer['events'][0]['id']}"))["source"] == "the shop"


async def test_binary_without_data(api: Api) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "b1", "ce-source": "shop", "ce-type": "shop.opened"}
    assert expect(await post(api, b"", headers), 202)["accepted"] == 1


@pytest.mark.parametrize(
    ("headers", "body", "path"),
    [
        pytest.param({"ce-id": "1", "ce-type": "a.b"}, b"{}", "ce-source", id="an attribute is missing"),
        pytest.param({"ce-id": "1", "ce-type": "a.b", "ce-source": "%ff"}, b"{}", "ce-source", id="not UTF-8"),
        pytest.param({"ce-id": "%00", "ce-type": "a.b", "ce-source": "s"}, b"{}", "ce-id", id="NUL"),
        pytest.param({"ce-id": "1", "ce-type": "a.b", "ce-source": "s"}, b"[]", "data", id="data is no object"),
        pytest.param(
            {"ce-id": "1", "ce-type": "a.b", "ce-source": "s", "ce-specversion": "0.3"},
            b"",
            "specversion",
            id="version",
        ),
    ],
)
async def test_binary_mistakes_name_the_header(api: Api, headers: dict[str, str], body: bytes, path: str) -> None:
    response = await post(api, body, {**JSON, **headers})
    assert response.status_code in (400, 422)
    assert response.json()["errors"][0]["path"] == path


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/cloudevents+xml"},
        {"content-type": "application/cloudevents-batch+avro"},
        {"content-type": "application/cloudevents+json; charset=latin-1"},
        {"content-type": "application/xml"},
        {"content-type": "text/plain"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_another_media_type_is_refused(api: Api, headers: dict[str, str]) -> None:
    assert expect(await post(api, b"{}", headers), 415)["code"] == "unsupported_media_type"


async def test_extension_attributes_are_dropped(api: Api) -> None:
    assert expect(await post(api, {**EVENT, "traceparent": "00-1", "partitionkey": "x"}), 202)["accepted"] == 1


async def test_the_engine_s_own_source_is_not_for_clients(api: Api) -> None:
    assert expect(await post(api, {**EVENT, "source": "nhip"}), 422)["errors"][0]["path"] == "source"


async def test_events_are_listed_the_newest_first_and_by_type_contact_and_time(api: Api) -> None:
    for number in range(3):
        await post(api, {**EVENT, "id": str(number), "type": "shop.opened", "subject": f"KH-{number}", "data": {},
                         "time": f"2026-11-1{number}T00:00:00Z"})  # fmt: skip
    listed = await api.get("/v1/events?type=shop.opened")
    assert [one["contact"] for one in listed["items"]] == ["KH-2", "KH-1", "KH-0"]
    of_one = await api.get("/v1/events?contact=KH-1")
    assert {one["type"] for one in of_one["items"]} == {"shop.opened", "contact.created"}
    in_time = await api.get("/v1/events?type=shop.opened&since=2026-11-11T00:00:00Z&until=2026-11-12T00:00:00%2B00:00")
    assert [one["contact"] for one in in_time["items"]] == ["KH-1"]
    assert (await api.get("/v1/events?contact=nobody"))["items"] == []
    refused = expect(await api.request("GET", "/v1/events?since=yesterday"), 422)
    assert refused["errors"][0]["path"] == "since"


async def test_an_event_shows_what_it_led_to(api: Api) -> None:
    receipt = expect(await post(api, EVENT), 202)["events"][0]
    shown = await api.get(f"/v1/events/{receipt['id']}")

    assert [one["type"] for one in shown["derived"]] == ["contact.created", "order.created"]
    assert {one["derived_from"] for one in shown["derived"]} == {receipt["id"]}
    assert shown["facts"]["order"]["status"] == "delivered"


async def test_a_replay_is_a_new_event_with_its_origin_in_the_source_and_is_audited(api: Api) -> None:
    receipt = expect(await post(api, EVENT), 202)["events"][0]
    replayed = (await api.post(f"/v1/events/{receipt['id']}/replay", status=202))["events"][0]
    shown = await api.get(f"/v1/events/{replayed['id']}")

    assert replayed["id"] != receipt["id"]
    assert (shown["source"], shown["data"], shown["time"]) == (
        f"replay:{receipt['id']}", EVENT["data"], "2026-11-21T01:00:00Z",
    )  # fmt: skip
    [change] = (await api.get("/v1/audit?action=event.replay"))["items"]
    assert (change["target"], change["detail"]) == (receipt["id"], {"event": replayed["id"]})


async def test_what_the_engine_derived_is_not_replayed(api: Api) -> None:
    receipt = expect(await post(api, EVENT), 202)["events"][0]
    derived = (await api.get(f"/v1/events/{receipt['id']}"))["derived"][0]
    assert receipt["id"] in expect(await api.request("POST", f"/v1/events/{derived['id']}/replay"), 409)["detail"]
