"""What watches the process, what every answer carries, and what happens when a part is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from nhip.domain.errors import Overloaded
from nhip_admin_api import background
from nhip_admin_api.edge import SECURITY_HEADERS
from tests.support.api import Api, expect, open_api

EVENT: dict[str, Any] = {"id": "1", "source": "shop", "type": "shop.opened", "subject": "KH-1"}
WAITING = {
    "name": "waiting",
    "triggers": [{"id": "opened", "type": "event", "config": {"type": "shop.opened"}}],
    "steps": [{"id": "say", "action": "update_contact", "config": {"add_tags": ["seen"]}}],
}


@asynccontextmanager
async def closed(url: str) -> AsyncIterator[None]:
    """A PostgreSQL database that ends every connection and takes no new one."""
    name = url.rpartition("/")[2]
    admin = await asyncpg.connect(url.replace("+asyncpg", "").removesuffix(name) + "postgres")
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        await admin.close()


async def test_health(api: Api) -> None:
    assert expect(await api.client.get("/health/live"), 200) == {"status": "ok"}
    ready = expect(await api.client.get("/health/ready"), 200)
    assert (ready["status"], ready["database"]) == ("ready", "up")
    assert ready["doorbell"]["state"]


async def test_while_the_database_is_away_everything_is_503_and_comes_back(postgres_url: str, tmp_path: Path) -> None:
    async with open_api(postgres_url, tmp_path) as api:
        await api.send(EVENT)
        async with closed(postgres_url):
            for method, path, body in (
                ("POST", "/v1/events", {**EVENT, "id": "2"}),
                ("GET", "/v1/contacts/KH-1", None),
                ("PUT", "/v1/contacts/KH-1", {"name": "x"}),
                ("POST", "/v1/api-keys", {"name": "x", "scopes": ["admin"]}),
            ):
                response = await api.request(method, path, body)
                problem = expect(response, 503)
                assert problem["code"] == "storage_unavailable"
                assert int(response.headers["retry-after"]) >= 1
            assert expect(await api.client.get("/health/live"), 200)
            assert expect(await api.client.get("/health/ready"), 503)["code"] == "storage_unavailable"
            assert "nhip_database_up 0.0" in (await api.client.get("/metrics")).text
        assert (await api.send({**EVENT, "id": "2"}))["accepted"] == 1
        assert expect(await api.client.get("/health/ready"), 200)


async def test_back_pressure_opens_and_closes_by_what_waits(story_url: str, tmp_path: Path) -> None:
    async with open_api(story_url, tmp_path, ingest_max_ready=2) as api:
        await api.post("/v1/workflows", WAITING, status=201)
        await api.post("/v1/workflows/waiting/publish")
        for number in range(3):
            await api.send({**EVENT, "id": str(number), "subject": f"KH-{number}"})
        await background.look(api.engine)
        response = await api.request("POST", "/v1/events", {**EVENT, "id": "more"})
        assert expect(response, 429)["code"] == "overloaded"
        assert int(response.headers["retry-after"]) >= 1
        expect(await api.request("PUT", "/v1/contacts/KH-9", {"name": "x"}), 429)
        expect(await api.request("GET", "/v1/contacts"), 200)

        await api.work()
        await background.look(api.engine)
        expect(await api.request("POST", "/v1/events", {**EVENT, "id": "more"}), 202)


async def test_metrics_count_what_happened(api: Api) -> None:
    await api.post("/v1/workflows", WAITING, status=201)
    await api.post("/v1/workflows/waiting/publish")
    await api.send(EVENT)
    await api.send(EVENT)
    await api.client.get("/v1/contacts/KH-1")
    text = (await api.client.get("/metrics")).text

    assert 'nhip_events_total{outcome="accepted"} 1.0' in text
    assert 'nhip_events_total{outcome="duplicate"} 1.0' in text
    assert "nhip_runs_started_total 1.0" in text
    assert 'nhip_http_request_seconds_count{method="POST",route="/v1/events",status="202"} 2.0' in text
    assert 'nhip_http_request_seconds_count{method="GET",route="/v1/contacts/{external_id}",status="401"} 1.0' in text
    assert 'nhip_steps{state="ready"} 1.0' in text
    assert "nhip_steps_overdue 1.0" in text
    assert "nhip_database_up 1.0" in text


@pytest.mark.parametrize("path", ["/v1/contacts", "/v1/nothing", "/health/live", "/schema", "/metrics", "/v1/events"])
async def test_every_answer_carries_the_security_headers(api: Api, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        response = await api.client.request(method, path)
        for name, value in SECURITY_HEADERS:
            assert response.headers.get_list(name.decode()) == [value.decode()], (method, name)
        assert "access-control-allow-origin" not in response.headers


async def test_what_the_framework_refuses_is_a_problem_too(api: Api) -> None:
    for method, path, status, code in (
        ("GET", "/nothing", 404, "not_found"),
        ("PATCH", "/v1/contacts", 405, "method_not_allowed"),
        ("POST", "/health/live", 405, "method_not_allowed"),
        ("GET", "/v1/contacts?limit=x", 422, "invalid_input"),
    ):
        response = await api.request(method, path)
        assert expect(response, status)["code"] == code
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"] == f"urn:nhip:problem:{code}"


async def test_a_bug_is_a_problem_without_its_details_and_in_the_log(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the secret plan")

    monkeypatch.setattr("nhip.services.customers.contacts.one", break_down)
    problem = expect(await api.request("GET", "/v1/contacts/KH-1"), 500)
    assert "secret plan" not in str(problem)
    assert problem["instance"].startswith("urn:uuid:")
    assert problem["instance"] in caplog.text
    assert "secret plan" in caplog.text


async def test_an_overload_says_when_to_come_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> Any:
        raise Overloaded("too much", retry_after=7.2)

    monkeypatch.setattr(api.engine.inbox, "submit", refuse)
    response = await api.request("POST", "/v1/events", EVENT)
    assert expect(response, 429)
    assert response.headers["retry-after"] == "7"


async def test_plugins_are_shown_with_their_schemas(api: Api) -> None:
    listed = (await api.get("/v1/plugins"))["items"]
    assert {"trigger.order_status", "channel.zalo_zns"} <= {kind for one in listed for kind in one["kinds"]}
    assert {one["state"] for one in listed} == {"loaded"}
    trigger = await api.get("/v1/plugins/trigger/order_status")
    assert "to" in trigger["config_schema"]["properties"]
    channel = await api.get("/v1/plugins/channel/zalo_zns")
    assert "access_token" in channel["secrets_schema"]["properties"]
    assert await api.get("/v1/plugins/channels/zalo_zns") == channel
    record = await api.get("/v1/plugins/record_type/order")
    assert "total" in record["config_schema"]["properties"]
    for path in ("trigger/none", "nothing/order", "trigger/zalo_zns"):
        expect(await api.request("GET", f"/v1/plugins/{path}"), 404)
