"""The OpenAPI document says everything that is true of the API."""

from pathlib import Path
from typing import Any

import pytest

from nhip.domain.access import SCOPES
from tests.support.api import Api, expect, open_api
from tests.support.routes import Route, document, routes

PUBLIC = {
    "/health/live",
    "/health/ready",
    "/hooks/channels/{name}/{token}",
    "/hooks/in/{source_token}",
    "/rate/{token}",
    "/voice/{name}/{token}/answer",
    "/voice/{name}/{token}/event",
}


@pytest.mark.parametrize("route", routes(), ids=str)
def test_every_operation_says_who_may_call_it_and_what_may_go_wrong(route: Route) -> None:
    operation = route.document
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    assert {"400", "429", "503"} <= set(operation["responses"])
    if route.path in PUBLIC:
        assert operation["security"] == []
    else:
        assert operation["security"] == [{"apiKey": []}]
        assert route.scope in SCOPES
        assert {"401", "403"} <= set(operation["responses"])
    if route.parameters:
        assert "404" in operation["responses"]
    if route.has_body:
        assert {"413", "415", "422"} <= set(operation["responses"])
    refusal = "text/html" if route.path == "/rate/{token}" else "application/problem+json"
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            assert list(response["content"]) == [refusal], status


def test_every_reference_leads_somewhere() -> None:
    schemas = document()["components"]["schemas"]

    def check(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                assert value["$ref"].removeprefix("#/components/schemas/") in schemas, value["$ref"]
            for inner in value.values():
                check(inner)
        elif isinstance(value, list):
            for inner in value:
                check(inner)

    check(document())


def test_no_type_has_the_default_of_a_field_that_is_of_it() -> None:
    """It stood there or not, by which of the two the process happened to meet first."""
    assert [name for name, schema in document()["components"]["schemas"].items() if "default" in schema] == []


def test_operation_ids_are_unique() -> None:
    names = [route.document["operationId"] for route in routes()]
    assert len(set(names)) == len(names)


def test_events_may_come_in_every_mode() -> None:
    operation = document()["paths"]["/v1/events"]["post"]
    assert set(operation["requestBody"]["content"]) == {
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }
    assert {"ce-id", "Idempotency-Key"} <= {parameter["name"] for parameter in operation["parameters"]}


async def test_the_document_is_served(api: Api) -> None:
    for path in ("/schema", "/schema/openapi.json"):
        response = await api.client.get(path)
        assert response.status_code == 200
        assert response.json()["paths"].keys() == document()["paths"].keys()
    assert expect(await api.client.get("/schema/else"), 404)["code"] == "not_found"


async def test_the_document_and_the_metrics_need_a_key_where_the_settings_say_so(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with open_api(sqlite_url, tmp_path, docs_public=False) as api:
        for path in ("/schema", "/schema/openapi.json", "/metrics"):
            assert (await api.client.get(path)).status_code == 401
            assert (await api.request("GET", path)).status_code == 200
        lesser = await api.with_scopes("events:write")
        for path in ("/schema", "/metrics"):
            assert (await lesser.request("GET", path)).status_code == 403
