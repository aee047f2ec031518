"""Calls through Twilio: the answer is the workflow's, in the request itself, and never twice."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from nhip.testing.standins.telephone import Reach, Reply
from nhip.testing.standins.twilio import TwilioStandIn
from tests.support.api import Api

HOTLINE = "+842873000000"
CALLER = "+84987654321"

ROUTE: dict[str, Any] = {
    "menu": "Bấm 1 để gặp chăm sóc khách hàng, bấm 2 để được tư vấn.",
    "options": {"1": "care", "2": {"to": "advice", "say": "Xin quý khách giữ máy."}, "3": {"hang_up": True}},
    "returning_caller": "last_store",
    "hours": {"from": "08:00", "to": "21:30"},
    "stores": {"CH-1": {"to": "+842473000001"}},
    "fallback": "+842873000009",
    "repeats": 1,
}


def reach(api: Api) -> Reach:
    """The provider's way to the API in this process."""

    async def post(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        path = "/" + url.split("//", 1)[1].partition("/")[2]
        answer = await api.client.request(method, path, headers=dict(headers), content=body)
        return Reply(answer.status_code, answer.headers.get("content-type", ""), answer.content)

    return post


@pytest.fixture
async def twilio(api: Api) -> AsyncIterator[TwilioStandIn]:
    async with TwilioStandIn(reach=reach(api)) as running:
        yield running


@pytest.fixture
async def control(api: Api, twilio: TwilioStandIn) -> str:
    account = {"name": "hotline", "type": "voice_twilio", "config": twilio.config(), "secrets": twilio.secrets()}
    made = await api.post("/v1/channels", account, 201)
    workflow = {
        "name": "calls",
        "triggers": [{"id": "called", "type": "ivr_call", "config": {"numbers": ["028 7300 0000"]}}],
        "steps": [
            {"id": "route", "action": "route_call", "config": ROUTE},
            {"id": "mark", "action": "update_contact", "config": {"add_tags": ["{{ steps.route.outcome }}"]}},
        ],
    }
    await api.post("/v1/workflows", workflow, 201)
    await api.post("/v1/workflows/calls/publish")
    return f"{twilio.public_url}/voice/hotline/{made['hook']['token']}"


async def events(api: Api) -> list[str]:
    return [one["type"] for one in (await api.get("/v1/events"))["items"] if one["type"].startswith("call.")][::-1]


async def test_a_key_leads_to_care(api: Api, twilio: TwilioStandIn, control: str) -> None:
    call = await twilio.dial_in(control)
    assert call.errors == []
    assert call.waits_for is not None
    assert call.waits_for.name == "Gather"
    await call.press("1")
    assert call.waits_for.name == "Enqueue"
    assert call.waits_for.text == "care"
    await call.left_queue("bridged")
    assert call.errors == []
    assert await events(api) == ["call.inbound", "call.keypress", "call.transferred", "call.ended"]
    await api.work()
    [run] = (await api.get("/v1/runs"))["items"]
    assert run["state"] == "completed"
