"""What belongs to one workspace is not there for another: every route that names an object, generated."""

from typing import Any

import pytest

from tests.support.api import Api, expect
from tests.support.routes import Route, routes

WORKFLOW: dict[str, Any] = {
    "name": "ours",
    "triggers": [{"id": "opened", "type": "event", "config": {"type": "shop.opened"}}],
    "steps": [
        {"id": "say", "action": "send_message", "config": {"channel": "ours", "template": "ours", "to": "contact"}}
    ],
}
EVENT = {"source": "shop", "id": "1", "type": "shop.opened", "subject": "KH-1"}
TEMPLATE = {"channel_type": "console", "text": "Xin chào"}
CREATES = {"PUT"}
"""Methods that make an object of that name in the workspace of whoever asks, instead of finding none."""

BODIES: dict[str, Any] = {
    "PUT /v1/accounts/{external_id}": {"name": "theirs"},
    "PUT /v1/staff/{external_id}": {"name": "theirs"},
    "PUT /v1/contacts/{external_id}": {"name": "theirs"},
    "PUT /v1/records/{kind}/{external_id}": {"status": "theirs"},
    "PUT /v1/templates/{name}": {**TEMPLATE, "text": "theirs"},
    "PUT /v1/workflows/{name}": {**WORKFLOW, "title": "theirs"},
    "PUT /v1/segments/{name}": {"condition": {"field": "contact.name", "op": "equals", "value": "theirs"}},
    "PUT /v1/telesales-campaigns/{name}": {"object": "lead"},
    "POST /v1/telesales-campaigns/{name}/entries/{entry_id}/take": {"agent": "ours"},
    "POST /v1/telesales-campaigns/{name}/entries/{entry_id}/assign": {"agent": "ours"},
    "POST /v1/telesales-campaigns/{name}/entries/{entry_id}/release": {"agent": "ours"},
    "POST /v1/telesales-campaigns/{name}/entries/{entry_id}/outcome": {"outcome": "answered"},
    "PATCH /v1/channels/{name}": {"config": {}},
    "PATCH /v1/sources/{name}": {"title": "theirs"},
    "POST /v1/sources/{name}/preview": {"body": {"phone": "0987654321"}},
    "POST /v1/channels/{name}/test": {"to": "0987654321", "template": "ours"},
    "POST /v1/templates/{name}/preview": {},
    "POST /v1/deliveries/{delivery_id}/resolve": {"outcome": "sent"},
    "POST /v1/workflows/{name}/dry-run": {"event": EVENT},
    "POST /v1/workflows/{name}/validate": None,
    "POST /v1/workflows/{name}/publish": None,
    "POST /v1/workflows/{name}/enroll": {"contacts": ["ours"]},
    "POST /v1/contacts/{external_id}/merge": {"from": "other"},
}
FAMILIES = (
    "contacts",
    "records",
    "staff",
    "accounts",
    "channels",
    "sources",
    "templates",
    "segments",
    "workflows",
    "metrics",
    "telesales-campaigns",
)
QUERIES = {"GET /v1/workflows/{name}/explain": "?contact=ours"}
OBJECTS = [
    route for route in routes()
    if route.parameters
    and route.scope is not None
    and route.path not in ("/v1/records/{kind}", "/v1/plugins/{sort}/{kind}", "/v1/taxonomies/{kind}")
    and not route.path.startswith("/v1/calendar/public-holidays")
]  # fmt: skip


async def furnish(api: Api) -> dict[str, dict[str, str]]:
    """One of everything, and the values by which each family of routes names it."""
    await api.put("/v1/contacts/ours", {"name": "ours", "phone": "0987654321"})
    await api.put("/v1/records/order/ours", {"status": "new", "contact": "ours"})
    await api.put("/v1/staff/ours", {"name": "ours"})
    await api.put("/v1/accounts/ours", {"name": "ours"})
    await api.post("/v1/channels", {"name": "ours", "type": "console"}, status=201)
    await api.post("/v1/sources", {"name": "ours", "preset": "form"}, status=201)
    expect_made(await api.request("PUT", "/v1/templates/ours", TEMPLATE))
    await api.post("/v1/workflows", WORKFLOW, status=201)
    await api.post("/v1/workflows/ours/publish")
    key = await api.post("/v1/api-keys", {"name": "ours", "scopes": ["events:write"]}, status=201)
    sent = (await api.send({"id": "1", "source": "shop", "type": "shop.opened", "subject": "ours"}))["events"][0]
    await api.work()
    [delivery] = (await api.get("/v1/deliveries"))["items"]
    segment = {"condition": {"field": "contact.name", "op": "equals", "value": "ours"}}
    expect_made(await api.request("PUT", "/v1/segments/ours", segment))
    enrolled = await api.post("/v1/workflows/ours/enroll", {"contacts": ["ours"]}, 202)
    named = {
        "external_id": "ours", "name": "ours", "number": "1", "kind": "order", "enrollment_id": enrolled["id"],
        "entry_id": await call(api),
    }  # fmt: skip
    return {
        "events": {"event_id": sent["id"]},
        "runs": {"run_id": sent["runs"][0]},
        "deliveries": {"delivery_id": delivery["id"]},
        "api-keys": {"key_id": key["id"]},
        **dict.fromkeys(FAMILIES, named),
    }


async def call(api: Api) -> str:
    """Somebody is to be called; answers with the entry's id."""
    await api.put("/v1/telesales-campaigns/ours", {"object": "lead", "agents": ["ours"]}, 201)
    step = {"id": "call", "action": "telesales_enqueue", "config": {"campaign": "ours"}}
    trigger = {"id": "t", "type": "event", "config": {"type": "shop.called"}}
    await api.post("/v1/workflows", {"name": "calling", "triggers": [trigger], "steps": [step]}, status=201)
    await api.post("/v1/workflows/calling/publish")
    await api.send({"id": "2", "source": "shop", "type": "shop.called", "subject": "ours"})
    await api.work()
    [entry] = (await api.get("/v1/telesales-campaigns/ours/entries"))["items"]
    return str(entry["id"])


def expect_made(response: Any) -> None:
    assert response.status_code in (200, 201), response.text


async def everything(api: Api, values: dict[str, dict[str, str]]) -> dict[str, Any]:
    """All that one workspace sees."""
    seen = {}
    for route in routes():
        if (
            route.method == "GET"
            and route.path.startswith("/v1/")
            and not route.path.startswith(
                ("/v1/plugins", "/v1/metrics", "/v1/workspaces", "/v1/api-keys", "/v1/taxonomies", "/v1/calendar/p")
            )
        ):
            family = route.path.split("/")[2]
            address = route.fill({**values.get(family, {}), "kind": "order"}) + QUERIES.get(str(route), "")
            seen[address] = expect(await api.request("GET", address), 200)
            seen[address].pop("as_of", None)
    return seen


async def test_another_workspace_s_objects_are_not_there(api: Api) -> None:
    values = await furnish(api)
    stranger = await api.other_workspace()
    before = await everything(api, values)

    for route in sorted(OBJECTS, key=lambda route: route.method in CREATES):
        family = route.path.split("/")[2]
        body = BODIES.get(str(route), {} if route.has_body else None)
        address = route.fill(values[family]) + QUERIES.get(str(route), "")
        status = (await stranger.request(route.method, address, body)).status_code
        if route.method in CREATES:
            assert status in (200, 201), f"{route}: {status}"
        else:
            assert status == 404, f"{route}: {status}"

    assert await everything(api, values) == before


async def test_lists_hold_nothing_of_another_workspace(api: Api) -> None:
    await furnish(api)
    stranger = await api.other_workspace()
    for route in routes():
        if route.method == "GET" and route.path.startswith("/v1/") and route.parameters in ((), ("kind",)):
            if route.path in (
                "/v1/calendar",
                "/v1/plugins",
                "/v1/source-presets",
                "/v1/workspaces",
                "/v1/metrics/summary",
                "/v1/metrics/tickets",
                "/v1/score-rules",
                "/v1/taxonomies/{kind}",
            ):
                continue
            status = expect(await stranger.request("GET", route.fill({"kind": "order"})), 200)
            own = {"/v1/api-keys": 1, "/v1/audit": 2}.get(route.path, 0)
            assert len(status["items"]) == own, str(route)


async def test_one_workspace_s_event_id_is_free_in_another(api: Api) -> None:
    stranger = await api.other_workspace()
    first, second = await api.send(EVENT), await stranger.send(EVENT)
    assert (first["duplicates"], second["duplicates"]) == (0, 0)


@pytest.mark.parametrize("route", OBJECTS, ids=str)
def test_every_object_route_is_covered(route: Route) -> None:
    assert not route.has_body or str(route) in BODIES
