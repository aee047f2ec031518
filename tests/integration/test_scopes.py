"""Every route asks for exactly its scope, and none is forgotten."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from nhip.domain.access import SCOPES
from tests.support.api import Api, open_api
from tests.support.routes import Route, routes


@pytest.fixture
async def api(story_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The API as it is on an open network: no document is public."""
    async with open_api(story_url, tmp_path, docs_public=False) as opened:
        yield opened


GUARDED = [route for route in routes() if route.scope is not None]


def call(route: Route) -> str:
    return route.fill(dict.fromkeys(route.parameters, "1"))


async def send(api: Api, route: Route, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await api.client.request(route.method, call(route), json={} if route.has_body else None, headers=headers)


async def test_without_a_key_every_route_answers_401(api: Api) -> None:
    for route in GUARDED:
        for token in (None, "", "nhip_0123456789abcdef_" + "x" * 43, "nonsense", "é"):
            headers = {} if token is None else {b"authorization": f"Bearer {token}".encode()}
            response = await api.client.request(route.method, call(route), headers=headers)
            assert response.status_code == 401, (str(route), token)
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["www-authenticate"] == "Bearer"


async def test_a_key_opens_the_routes_of_its_scopes_and_no_others(api: Api) -> None:
    """The whole matrix: every scope, every route."""
    tokens = {scope: (await api.with_scopes(scope)).token for scope in SCOPES if scope != "root"}
    for scope, token in tokens.items():
        for route in GUARDED:
            status = (await send(api, route, token)).status_code
            allowed = route.scope == scope or (scope == "admin" and route.scope != "root")
            assert (status != 403) is allowed, f"{route} with {scope}: {status}"
            assert status < 500, f"{route} with {scope}: {status}"


async def test_the_first_key_opens_everything(api: Api) -> None:
    for route in GUARDED:
        assert (await send(api, route, api.token)).status_code not in (401, 403), str(route)
