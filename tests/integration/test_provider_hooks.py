"""Hooks: what providers report is verified by the plugin, stored once, and answered at once."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from nhip.testing.standins.faults import Fault
from nhip.testing.standins.zalo import ZaloStandIn
from tests.integration.test_run_history import TEMPLATE, WORKFLOW, order
from tests.support.api import Api, expect

STARS = {"id": "stars", "wait": {"event": "ticket.rated", "timeout": "P7D"}}
UNHAPPY = {
    "id": "mark",
    "action": "update_contact",
    "config": {"add_tags": ["{{ steps.stars.output.data.rating }} sao"]},
}


@pytest.fixture
async def zalo() -> AsyncIterator[ZaloStandIn]:
    async with ZaloStandIn() as running:
        yield running


@pytest.fixture
async def hook(api: Api, zalo: ZaloStandIn) -> str:
    """The path of the hook of a Zalo account with a published workflow."""
    account = {"name": "zns", "type": "zalo_zns", "config": zalo.config(), "secrets": zalo.secrets()}
    made = await api.post("/v1/channels", account, 201)
    await api.put("/v1/templates/thanks", TEMPLATE, 201)
    await api.post("/v1/workflows", WORKFLOW, 201)
    await api.post("/v1/workflows/thanks/publish")
    return f"/hooks/channels/zns/{made['hook']['token']}"


async def push(api: Api, zalo: ZaloStandIn, hook: str, fields: dict[str, Any], **headers: str) -> Any:
    body = msgspec.json.encode(fields)
    signed = {**zalo.events.sign(body), "content-type": "application/json", **headers}
    return await api.client.post(hook, content=body, headers=signed)


async def test_a_receipt_lets_a_delivery_climb_once(api: Api, zalo: ZaloStandIn, hook: str) -> None:
    await api.send(order(1))
    await api.work()
    [delivery] = (await api.get("/v1/deliveries"))["items"]
    report = zalo.events.delivered("+84987654321", delivery["provider_id"], delivery["idempotency_key"])
    first = await push(api, zalo, hook, report)
    assert expect(first, 200) == {"taken": 1}
    assert expect(await push(api, zalo, hook, report), 200) == {"taken": 0}
    assert (await api.get(f"/v1/deliveries/{delivery['id']}"))["state"] == "delivered"
    numbers = await api.get("/v1/metrics/summary")
    assert {key: value for key, value in numbers["deliveries"]["zns"].items() if value} == {
        "total": 1,
        "accepted": 1,
        "delivered": 1,
    }


async def test_a_receipt_settles_what_nobody_knew(api: Api, zalo: ZaloStandIn, hook: str) -> None:
    zalo.faults.script([Fault.RESET_AFTER])
    [run] = (await api.send(order(1)))["events"][0]["runs"]
    await api.work()
    [delivery] = (await api.get("/v1/deliveries?state=unknown"))["items"]
    await push(api, zalo, hook, zalo.events.delivered("+84987654321", "m-1", delivery["idempotency_key"]))
    await api.work()
    assert (await api.get(f"/v1/runs/{run}"))["state"] == "completed"
    assert len(zalo.ledger) == 1


async def test_a_reply_becomes_an_event(api: Api, zalo: ZaloStandIn, hook: str) -> None:
    expect(await push(api, zalo, hook, zalo.events.text("user-1", "Cảm ơn shop")), 200)
    [event] = [one for one in (await api.get("/v1/events"))["items"] if one["type"] == "message.replied"]
    assert event["data"]["text"] == "Cảm ơn shop"


async def test_stars_of_a_message_are_those_of_its_ticket(api: Api, zalo: ZaloStandIn, hook: str) -> None:
    config = {"channel": "zns", "template": "thanks"}
    triggers = [{"id": "solved", "type": "ticket", "config": {"on": "resolved"}}]
    steps = [{"id": "ask", "action": "send_message", "config": config}, STARS, UNHAPPY]
    await api.post("/v1/workflows", {"name": "rating", "triggers": triggers, "steps": steps}, 201)
    await api.post("/v1/workflows/rating/publish")
    await api.put("/v1/contacts/KH-7", {"name": "Hoa", "phone": "0987654321"})
    await api.put("/v1/records/ticket/TK-1", {"contact": "KH-7", "status": "done"})
    await api.work()
    [delivery] = (await api.get("/v1/deliveries"))["items"]

    report = zalo.events.rated(delivery["provider_id"], delivery["idempotency_key"], 2, "Chờ lâu")
    for _ in range(2):
        expect(await push(api, zalo, hook, report), 200)
    expect(await push(api, zalo, hook, zalo.events.rated("m-9", "not-ours", 1)), 200)
    await api.work()

    ticket = await api.get("/v1/records/ticket/TK-1")
    events = (await api.get("/v1/events?contact=KH-7"))["items"]
    rated = [one["data"] for one in events if one["type"] == "ticket.rated"]
    assert (ticket["rating"], ticket["feedback"], ticket["contact"]) == (2, "Chờ lâu", "KH-7")
    assert rated == [{"ticket": "TK-1", "rating": 2, "feedback": "Chờ lâu"}]
    assert (await api.get("/v1/contacts/KH-7"))["tags"] == ["2 sao"]
    assert [one["contact"] for one in (await api.get("/v1/events?type=message.rated"))["items"]][:1] == [None]


async def test_a_wrong_signature_is_a_401_and_a_wrong_token_a_404(api: Api, zalo: ZaloStandIn, hook: str) -> None:
    report = zalo.events.text("user-1", "x")
    forged = await push(api, zalo, hook, report, **{"X-ZEvent-Signature": "mac=" + "0" * 64})
    assert expect(forged, 401)["code"] == "signature_mismatch"
    for path in (hook[:-1] + "x", hook.replace("/zns/", "/other/"), "/hooks/channels/zns/none"):
        expect(await push(api, zalo, path, report), 404)
    assert [one for one in (await api.get("/v1/events"))["items"] if one["type"] == "message.replied"] == []


async def test_what_cannot_be_read_is_never_a_500(api: Api, hook: str) -> None:
    for body in (b"", b"{", b"[]", b"\xff\xfe", b'{"event_name": 5}', b"null"):
        answer = await api.client.post(hook, content=body, headers={"X-ZEvent-Signature": "mac=" + "0" * 64})
        assert answer.status_code in (200, 400, 401, 422), (body, answer.text)
    huge = b"x" * (300 * 1024)
    assert (await api.client.post(hook, content=huge)).status_code == 413
    assert (await api.client.get(hook)).status_code < 500


async def test_a_channel_without_a_hook_takes_nothing(api: Api) -> None:
    made = await api.post("/v1/channels", {"name": "screen", "type": "console", "config": {}}, 201)
    answer = await api.client.post(f"/hooks/channels/screen/{made['hook']['token']}", content=b"{}")
    assert expect(answer, 200) == {"taken": 0}
