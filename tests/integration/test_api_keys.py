"""Keys: what is kept of them, what they open, and how soon they stop."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from nhip.domain.access import ApiKey
from nhip.domain.errors import InvalidInput
from nhip.services.workspace import keys
from nhip_admin_api.app import create_app
from tests.support.api import Api, expect

EVENT = {"id": "1", "source": "shop", "type": "shop.opened"}


async def make(api: Api, *scopes: str, **more: Any) -> dict[str, Any]:
    """Make a key over the API."""
    made: dict[str, Any] = await api.post("/v1/api-keys", {"name": "till", "scopes": list(scopes), **more}, status=201)
    return made


@asynccontextmanager
async def another_process(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """An app of its own over the same database: what the first one knows of keys, it does not."""
    app = create_app(api.engine)
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://elsewhere") as client:
            yield client
    finally:
        await app.state.authenticator.close()


async def use(client: httpx.AsyncClient, token: str) -> int:
    """The status that an event gets with a key."""
    return (await client.post("/v1/events", json=EVENT, headers={"authorization": f"Bearer {token}"})).status_code


async def test_a_key_is_shown_once_and_kept_as_a_hash(api: Api) -> None:
    made = await make(api, "events:write")
    token = made["key"]

    assert token.startswith(f"nhip_{made['id']}_")
    assert await use(api.client, token) == 202
    [listed] = [one for one in (await api.get("/v1/api-keys"))["items"] if one["id"] == made["id"]]
    assert "key" not in listed
    stored = await api.engine.database.read(lambda unit: unit.keys.by_id(made["id"]))
    assert isinstance(stored, ApiKey)
    assert token not in str(stored)
    assert stored.secret_hash == keys.hash_token(token)
    for path in ("/v1/api-keys", "/v1/audit"):
        assert token not in str(await api.get(path))


async def test_a_revoked_key_stops_at_once_here_and_within_a_second_everywhere(api: Api) -> None:
    made = await make(api, "events:write")
    async with another_process(api) as elsewhere:
        # The other process knows the key well, and goes on using it all the time.
        assert await use(elsewhere, made["key"]) == 202
        expect(await api.request("DELETE", f"/v1/api-keys/{made['id']}"), 204)
        revoked = time.monotonic()
        assert await use(api.client, made["key"]) == 401
        while await use(elsewhere, made["key"]) == 202:
            assert time.monotonic() - revoked < 1.0
            await asyncio.sleep(0.02)
        assert await use(elsewhere, made["key"]) == 401


async def test_to_revoke_twice_changes_nothing(api: Api) -> None:
    made = await make(api, "events:write")
    for _ in range(2):
        expect(await api.request("DELETE", f"/v1/api-keys/{made['id']}"), 204)
    assert len((await api.get("/v1/audit?action=api_key.revoke"))["items"]) == 1
    expect(await api.request("DELETE", "/v1/api-keys/nobody"), 404)


async def test_a_key_expires(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.7)
    made = await make(api, "events:write", expires_at=soon.isoformat())
    assert await use(api.client, made["key"]) == 202
    await asyncio.sleep(0.8)
    assert await use(api.client, made["key"]) == 401


async def test_a_key_cannot_be_given_what_its_maker_lacks(api: Api) -> None:
    admin = await api.with_scopes("admin")
    refused = await admin.request("POST", "/v1/api-keys", {"name": "x", "scopes": ["events:write", "root"]})
    assert "root" in expect(refused, 403)["detail"]
    assert (await make(admin, "workflows:publish"))["scopes"] == ["workflows:publish"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "x", "scopes": ["events:write", "events:wirte"]}, "scopes[1]"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "", "scopes": ["admin"]}, "name"),
        ({"scopes": ["admin"]}, "name"),
        ({"name": "x", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "scopes": ["admin"], "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "scopes": ["admin"], "secret": "mine"}, "secret"),
    ],
)
async def test_a_mistake_is_told_with_its_place(api: Api, body: Any, path: str) -> None:
    problem = expect(await api.request("POST", "/v1/api-keys", body), 422)
    assert problem["errors"][0]["path"] == path


async def test_a_key_belongs_to_its_workspace(api: Api) -> None:
    other = await api.other_workspace()
    made = await make(other, "admin")
    expect(await api.request("DELETE", f"/v1/api-keys/{made['id']}"), 404)
    assert await use(api.client, made["key"]) == 202


async def test_a_workspace_comes_with_its_first_key(api: Api) -> None:
    made = await api.post("/v1/workspaces", {"name": "branch", "title": "The branch"}, status=201)
    branch = Api(api.engine, api.client, made["api_key"]["key"], 0)

    assert (await branch.get("/v1/contacts"))["items"] == []
    expect(await branch.request("GET", "/v1/workspaces"), 403)
    expect(await api.request("POST", "/v1/workspaces", {"name": "branch"}), 409)
    expect(await api.request("POST", "/v1/workspaces", {"name": "No Name"}), 422)
    names = [one["name"] for one in (await api.get("/v1/workspaces"))["items"]]
    assert names == ["default", "branch"]


class TestFirstKey:
    """`ensure_first_key`, at every start."""

    async def ensure(self, api: Api, token: str | None) -> str | None:
        return await api.engine.database.transact(keys.ensure_first_key, token, api.engine.clock.micros())

    async def test_the_variable_s_key_opens_and_a_new_value_closes_the_old_one(self, api: Api) -> None:
        assert await use(api.client, "tests-admin-key") == 202
        assert await self.ensure(api, "another-admin-key") is None
        assert await use(api.client, "another-admin-key") == 202
        async with another_process(api) as restarted:
            assert await use(restarted, "tests-admin-key") == 401

    async def test_the_same_value_again_changes_nothing(self, api: Api) -> None:
        before = await api.get("/v1/audit")
        assert await self.ensure(api, "tests-admin-key") is None
        assert await api.get("/v1/audit") == before

    async def test_without_the_variable_one_is_made_only_where_there_is_none(self, api: Api) -> None:
        assert await self.ensure(api, None) is None
        for one in (await api.get("/v1/api-keys"))["items"]:
            await api.engine.database.transact(keys.revoke_key, api.workspace_id, "tests", one["id"], 1)
        made = await self.ensure(api, None)
        assert made is not None
        assert await use(api.client, made) == 202
        assert await self.ensure(api, None) is None

    async def test_a_short_one_is_refused(self, api: Api) -> None:
        with pytest.raises(InvalidInput, match="NHIP_ADMIN_KEY"):
            await self.ensure(api, "short")
