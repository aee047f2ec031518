"""Whatever is sent to the configuration's routes, the answer is a problem with a 4xx, and never a 500."""

from typing import Any

import pytest

from tests.support.api import Api

_DEEP: Any = []
for _ in range(40):
    _DEEP = [_DEEP]

BODIES: list[Any] = [
    None,
    [],
    {},
    5,
    "text",
    {"name": None},
    {"name": {"a": 1}, "type": [], "config": 7},
    {"name": "a", "type": "console", "config": {"prefix": "\x00"}},
    {"name": "a", "triggers": {}, "steps": {}},
    {"name": "a", "triggers": [{"type": "event", "config": None}], "steps": [{"id": "x", "wait": {"for": "P99999D"}}]},
    {"name": "a", "triggers": [{"type": "event", "config": {"type": "a.b"}}], "steps": [{"id": "x", "exit": 5}]},
    {"name": "a", "conditions": {"all": [{"not": {"any": _DEEP}}]}},
    {"channel_type": "console", "text": "{{" * 500},
    {"channel_type": "console", "text": "{% for a in contact.tags %}" * 100},
    {"channel_type": "console", "params": {"": "x"}},
    {"event": {"id": 1}},
    {"event": {"id": "1", "source": "s", "type": "t", "data": {"contact": 5}}},
    {"items": [{"id": "x", "outcome": "sent"}] * 501},
    {"outcome": ["sent"]},
    {"rate_limit": {"per_second": 10**18}},
    {"price": {"amount": 2**62, "currency": "đồng"}},
]
ROUTES = [
    ("POST", "/v1/channels"),
    ("PATCH", "/v1/channels/screen"),
    ("POST", "/v1/channels/screen/test"),
    ("PUT", "/v1/templates/hello"),
    ("POST", "/v1/templates/hello/preview"),
    ("POST", "/v1/workflows"),
    ("PUT", "/v1/workflows/a"),
    ("POST", "/v1/workflows/a/validate"),
    ("POST", "/v1/workflows/a/dry-run"),
    ("POST", "/v1/deliveries/x/resolve"),
    ("POST", "/v1/deliveries/resolve"),
]
ADDRESSES = [
    "/v1/workflows/%00",
    "/v1/workflows/%FF%FE",
    "/v1/workflows/" + "a" * 3000,
    "/v1/workflows/a/versions/99999999999999999999999",
    "/v1/workflows/a/versions/-1",
    "/v1/workflows/a/versions?cursor=5",
    "/v1/workflows/a/explain?contact=%E1%BB%87&event=x",
    "/v1/runs/' OR 1=1 --",
    "/v1/runs?contact=%00",
    "/v1/runs?limit=0",
    "/v1/deliveries?cursor=%F0%9F%92%A9",
    "/v1/metrics/summary?since=0001-01-01T00:00:00Z",
    "/v1/metrics/summary?until=9999-12-31T23:59:59Z&step=P10000D",
    "/v1/metrics/summary?step=PT0S",
]


@pytest.fixture
async def configured(api: Api) -> Api:
    await api.post("/v1/channels", {"name": "screen", "type": "console"}, 201)
    await api.put("/v1/templates/hello", {"channel_type": "console", "text": "Chào"}, 201)
    return api


async def test_no_body_is_a_server_error(configured: Api) -> None:
    for method, path in ROUTES:
        for body in BODIES:
            answer = await configured.request(method, path, body)
            assert answer.status_code < 500, (method, path, body, answer.text)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json"


async def test_no_address_is_a_server_error(configured: Api) -> None:
    for path in ADDRESSES:
        answer = await configured.request("GET", path)
        assert answer.status_code < 500, (path, answer.text)


async def test_no_if_match_is_a_server_error(configured: Api) -> None:
    for tag in ("", "*", '"', 'W/"1"', "a, b"):
        body = {"channel_type": "console", "text": "Chào"}
        answer = await configured.request("PUT", "/v1/templates/hello", body, if_match=tag)
        assert answer.status_code == (200 if tag == "*" else 412), (tag, answer.text)
