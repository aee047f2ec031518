"""`Idempotency-Key`: the same request twice happens once, and answers twice."""

import asyncio
from typing import Any

import pytest

from nhip.services.workspace import idempotency
from tests.support.api import Api, expect

KEY: Any = {"name": "till", "scopes": ["events:write"]}


async def make(api: Api, body: Any = KEY, key: str = "once") -> Any:
    return await api.request("POST", "/v1/api-keys", body, idempotency_key=key)


async def count(api: Api) -> int:
    return len((await api.get("/v1/api-keys"))["items"])


async def test_a_repetition_answers_the_same_to_the_byte_and_does_nothing(api: Api) -> None:
    first, second = await make(api), await make(api)

    assert expect(first, 201)["key"]
    assert second.content == first.content
    assert second.status_code == 201
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert await count(api) == 2


async def test_what_is_stored_of_an_answer_is_sealed(api: Api) -> None:
    token = expect(await make(api), 201)["key"]
    stored = await api.engine.database.read(
        lambda unit: unit.idempotency.find(api.workspace_id, "POST /v1/api-keys", "once")
    )
    assert stored is not None
    assert token not in str(stored)


async def test_quotes_around_the_key_are_the_standard_s(api: Api) -> None:
    first, second = await make(api, key='"once"'), await make(api, key="once")
    assert first.content == second.content


async def test_another_body_is_refused(api: Api) -> None:
    await make(api)
    assert expect(await make(api, {**KEY, "name": "other"}), 422)["code"] == "idempotency_key_reused"


async def test_the_key_is_free_on_other_routes_and_in_other_workspaces(api: Api) -> None:
    other = await api.other_workspace()
    await make(api)
    assert (await make(other)).status_code == 201
    assert (await api.request("POST", "/v1/workspaces", {"name": "third"}, idempotency_key="once")).status_code == 201


async def test_a_refused_request_frees_its_key(api: Api) -> None:
    expect(await make(api, {**KEY, "scopes": ["none"]}), 422)
    expect(await make(api), 201)


async def test_of_many_at_once_one_works_and_the_others_wait_or_repeat(api: Api) -> None:
    answers = await asyncio.gather(*(make(api) for _ in range(8)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await count(api) == 2


async def test_a_request_that_died_frees_its_key_after_a_while(api: Api) -> None:
    long_ago = api.engine.clock.micros() - idempotency.ABANDONED_MICROS - 1
    await api.engine.database.transact(
        idempotency.begin, api.workspace_id, "POST /v1/api-keys", "once", "print", long_ago
    )
    expect(await make(api), 201)


async def test_one_that_is_still_running_is_not_repeated(api: Api) -> None:
    now = api.engine.clock.micros()
    body = api.client.build_request("POST", "/v1/api-keys", json=KEY).content
    from nhip_admin_api.idempotency import fingerprint

    await api.engine.database.transact(
        idempotency.begin, api.workspace_id, "POST /v1/api-keys", "once", fingerprint(b"", body), now
    )
    expect(await make(api), 409)
    assert await count(api) == 1


async def test_events_may_carry_one_as_well(api: Api) -> None:
    event = {"id": "1", "source": "shop", "type": "shop.opened"}
    first = await api.request("POST", "/v1/events", event, idempotency_key="once")
    second = await api.request("POST", "/v1/events", event, idempotency_key="once")
    assert expect(first, 202) == expect(second, 202)
    assert second.json()["duplicates"] == 0


@pytest.mark.parametrize("key", ["", "é", "x" * 201])
async def test_what_is_no_key_is_refused_or_ignored(api: Api, key: str) -> None:
    response = await api.client.post(
        "/v1/api-keys",
        json=KEY,
        headers=[(b"authorization", f"Bearer {api.token}".encode()), (b"idempotency-key", key.encode())],
    )
    assert response.status_code == (422 if key else 201)


async def test_without_a_valid_api_key_it_says_nothing(api: Api) -> None:
    await make(api)
    stranger = Api(api.engine, api.client, "nonsense", 0)
    expect(await make(stranger), 401)
