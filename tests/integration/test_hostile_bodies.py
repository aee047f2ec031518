"""Bodies that mean harm, on every route that takes one: refused with a problem, and nothing stored."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.routes import Route, routes

BODIES: dict[str, tuple[bytes, str]] = {
    "nested 100,000 deep": (b'{"custom":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json"),
    "objects 100,000 deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "application/json"),
    "nested 40 deep": (b'{"custom":' + b"[" * 40 + b"]" * 40 + b"}", "application/json"),
    "11 MB": (b'{"name": "' + b"x" * 11_000_000 + b'"}', "application/json"),
    "a NUL": (b'{"name": "a\\u0000b"}', "application/json"),
    "a NUL in a key": (b'{"na\\u0000me": 1}', "application/json"),
    "a raw NUL": (b'{"name": "a\x00b"}', "application/json"),
    "half a surrogate pair": (b'{"name": "\\ud800"}', "application/json"),
    "the other half": (b'{"name": "\\udfff"}', "application/json"),
    "NaN": (b'{"custom": {"x": NaN}}', "application/json"),
    "Infinity": (b'{"custom": {"x": -Infinity}}', "application/json"),
    "1e999": (b'{"custom": {"x": 1e999}}', "application/json"),
    "not UTF-8": (b'{"name": "\xff\xfe"}', "application/json"),
    "overlong UTF-8": (b'{"name": "\xc0\x80"}', "application/json"),
    "UTF-16": ('{"name": "x"}'.encode("utf-16"), "application/json"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "application/json"),
    "a key twice": (b'{"name": "a", "name": "b"}', "application/json"),
    "a key twice, once escaped": (b'{"name": "a", "n\\u0061me": "b"}', "application/json"),
    "an integer of 25 digits": (b'{"custom": {"x": 1234567890123456789012345}}', "application/json"),
    "an integer of 5,000 digits": (b'{"custom": {"x": ' + b"9" * 5000 + b"}}", "application/json"),
    "an unknown field": (b'{"__proto__": {"admin": true}}', "application/json"),
    "a number": (b"5", "application/json"),
    "a text": (b'"x"', "application/json"),
    "null": (b"null", "application/json"),
    "an array in an array": (b"[[]]", "application/json"),
    "nothing but space": (b"   ", "application/json"),
    "cut off": (b'{"name": "x', "application/json"),
    "two documents": (b"{} {}", "application/json"),
    "a comment": (b'{"name": "x" /* y */}', "application/json"),
    "a form": (b"name=x", "application/x-www-form-urlencoded"),
    "plain text": (b'{"name": "x"}', "text/plain"),
    "XML": (b"<name>x</name>", "application/xml"),
    "another charset": (b'{"name": "x"}', "application/json; charset=utf-16"),
    "a multipart form": (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
}
VALUES = {"external_id": "KH-1", "kind": "order", "name": "ours", "number": "1"}
OPEN = {
    # A bare object without fields of its own is their whole input, or none is needed.
    ("POST /v1/templates/{name}/preview", "null"),
    # It answers what is wrong with a definition, and that is no error.
    ("POST /v1/workflows/{name}/validate", "an unknown field"),
}
WITH_BODY = [route for route in routes() if route.has_body and route.scope is not None]


async def stored(api: Api) -> Any:
    """All that could have been stored."""
    paths = (
        "contacts",
        "records/order",
        "events",
        "staff",
        "accounts",
        "templates",
        "channels",
        "workflows",
        "audit",
        "api-keys",
    )
    seen = [await api.get(f"/v1/{path}?limit=200") for path in paths]
    for key in seen[-1]["items"]:
        key["last_used_at"] = None
    return seen


@pytest.mark.parametrize("story_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("route", WITH_BODY, ids=str)
async def test_a_hostile_body_is_refused_and_stores_nothing(api: Api, route: Route) -> None:
    before = await stored(api)
    address = route.fill({**VALUES, **{name: "1" for name in route.parameters if name not in VALUES}})
    for name, (body, media) in BODIES.items():
        headers = {"authorization": f"Bearer {api.token}", "content-type": media}
        response = await api.client.request(route.method, address, content=body, headers=headers)
        if (str(route), name) in OPEN:
            assert response.status_code < 500
            continue
        assert 400 <= response.status_code < 500, f"{name}: {response.status_code} {response.text[:300]}"
        assert response.headers["content-type"] == "application/problem+json", name
        problem = json.loads(response.content)
        assert problem["status"] == response.status_code
        assert {"type", "title", "detail", "instance", "code"} <= problem.keys()
        assert len(response.content) < 20_000, name
    assert await stored(api) == before


EVENT = {"id": "1", "source": "s", "type": "a.b"}
LOCATED = {
    "a NUL": ("name", 400),
    "a key twice": ("name", 400),
    "an integer of 25 digits": ("custom.x", 422),
    "nested 40 deep": ("custom" + "[0]" * 32, 400),
    "an unknown field": ("__proto__", 422),
}


@pytest.mark.parametrize("name", LOCATED)
async def test_where_there_is_a_place_the_problem_names_it(api: Api, name: str) -> None:
    path, status = LOCATED[name]
    headers = {"authorization": f"Bearer {api.token}", "content-type": "application/json"}
    response = await api.client.put("/v1/contacts/KH-1", content=BODIES[name][0], headers=headers)
    assert response.status_code == status
    assert response.json()["errors"][0]["path"] == path


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({**EVENT, "data": {"contact": {"phone": "12"}}}, "data.contact.phone", id="phone"),
        pytest.param({**EVENT, "data": {"contact": {"nmae": "x"}}}, "data.contact.nmae", id="field"),
        pytest.param({**EVENT, "data": {"order": {"status": "x"}}}, "data.order.external_id", id="order without id"),
        pytest.param({**EVENT, "type": "A B"}, "type", id="type"),
        pytest.param({**EVENT, "time": "2026-11-21"}, "time", id="time without offset"),
        pytest.param({**EVENT, "time": "9999-12-31T23:59:59Z"}, "time", id="time too late"),
        pytest.param({**EVENT, "id": ""}, "id", id="empty id"),
        pytest.param({**EVENT, "id": 1}, "id", id="a number as id"),
        pytest.param({**EVENT, "id": None}, "id", id="no id"),
        pytest.param({**EVENT, "data": []}, "data", id="data is no object"),
        pytest.param({**EVENT, "data_base64": "eA=="}, "data_base64", id="base64"),
        pytest.param({**EVENT, "subject": "x" * 201}, "subject", id="a long subject"),
        pytest.param(
            {**EVENT, "subject": "a", "data": {"contact": {"external_id": "b"}}}, "subject", id="contradiction",
        ),
    ],
)  # fmt: skip
async def test_a_wrong_event_names_its_place(api: Api, body: Any, path: str) -> None:
    response = await api.request("POST", "/v1/events", body)
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, path)
    in_batch = await api.request("POST", "/v1/events", [{"id": "0", "source": "s", "type": "a.b"}, body])
    assert (in_batch.status_code, in_batch.json()["errors"][0]["path"]) == (422, f"[1].{path}")
    assert (await api.get("/v1/events"))["items"] == []


async def test_the_limits_of_size_are_one_mebibyte_for_events_and_a_quarter_elsewhere(api: Api) -> None:
    async def send(method: str, path: str, size: int, **fields: Any) -> int:
        body = json.dumps({**fields}).encode()
        body = body[:-1] + b" " * (size - len(body)) + b"}"
        headers = {"authorization": f"Bearer {api.token}", "content-type": "application/json"}
        return (await api.client.request(method, path, content=body, headers=headers)).status_code

    assert await send("POST", "/v1/events", 1024 * 1024, id="1", source="s", type="a.b") == 202
    assert await send("POST", "/v1/events", 1024 * 1024 + 1, id="2", source="s", type="a.b") == 413
    assert await send("PUT", "/v1/contacts/KH-1", 256 * 1024, name="x") == 200
    assert await send("PUT", "/v1/contacts/KH-1", 256 * 1024 + 1, name="x") == 413


async def test_a_chunked_body_is_held_to_the_limits_too(api: Api) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    headers = {"authorization": f"Bearer {api.token}", "content-type": "application/json"}
    for method, path in (("POST", "/v1/events"), ("PUT", "/v1/contacts/KH-1")):
        assert (await api.client.request(method, path, content=chunks(), headers=headers)).status_code == 413


@pytest.mark.parametrize(
    "address",
    [
        "/v1/contacts/a%00b",
        "/v1/contacts?owner=%00",
        "/v1/contacts/%ff%fe",
        "/v1/contacts/..%2f..%2fetc",
        "/v1/contacts/'--",
        "/v1/events/%F0%9F%98%80",
        "/v1/events?type=%ff",
        "/v1/events?since=NaN",
        "/v1/events?since=0001-01-01T00:00:00Z",
        "/v1/events?until=99999-01-01T00:00:00Z",
        "/v1/records/%20/x",
        "/v1/workflows/x/versions/99999999999999999999999",
        "/v1/workflows/x/versions/-1",
        "/v1/metrics/summary?since=x&until=y&step=PT0S",
        "/v1/runs?state=none&limit=5",
        "/v1/contacts?limit=1&limit=2",
        "/v1/contacts?unknown=1",
        "/v1/plugins/trigger/..",
        "/v1//contacts",
        "/v1/contacts/",
        "/" + "x" * 8000,
        "/v1/contacts/" + "x" * 5000,
    ],
)
async def test_no_address_is_a_server_error(api: Api, address: str) -> None:
    response = await api.request("GET", address)
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
