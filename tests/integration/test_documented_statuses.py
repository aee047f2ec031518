"""Answers that the framework cannot read off the handlers are in the OpenAPI document as well."""

from typing import Any

import httpx
import pytest

from tests.support.api import Api

TEMPLATE = {"channel_type": "console", "text": "Chào {{ contact.name }}!"}
WORKFLOW = {
    "triggers": [{"id": "delivered", "type": "order_status", "config": {"to": ["delivered"]}}],
    "steps": [{"id": "end", "exit": {"reason": "done"}}],
}


async def documented(api: Api, route: str, method: str) -> dict[str, Any]:
    document = await api.get("/schema/openapi.json")
    responses: dict[str, Any] = document["paths"][route][method]["responses"]
    return responses


@pytest.mark.parametrize(("collection", "body"), [("templates", TEMPLATE), ("workflows", WORKFLOW)])
async def test_a_put_makes_and_then_replaces(api: Api, collection: str, body: Any) -> None:
    responses = await documented(api, f"/v1/{collection}/{{name}}", "put")

    made = await api.request("PUT", f"/v1/{collection}/thanks", body)
    again = await api.request("PUT", f"/v1/{collection}/thanks", body)

    assert (made.status_code, again.status_code) == (201, 200)
    assert {"200", "201"} <= responses.keys()
    assert responses["201"]["content"] == responses["200"]["content"]
    assert made.headers["location"] == f"/v1/{collection}/thanks"


@pytest.mark.parametrize(
    ("content", "status"), [(b'{"event_name": "follow"}', 401), (b"{}" + b" " * 300_000, 413)], ids=["wrong", "large"]
)
async def test_a_hook_refuses(api: Api, content: bytes, status: int) -> None:
    responses = await documented(api, "/hooks/channels/{name}/{token}", "post")
    account = {"name": "zns-main", "type": "zalo_zns", "secrets": {"oa_secret": "secret"}}
    made = await api.post("/v1/channels", account, 201)

    answer: httpx.Response = await api.client.post(httpx.URL(made["hook"]["url"]).path, content=content)

    assert answer.status_code == status
    assert str(status) in responses
