"""Lists come in pages, whose cursors only we can make."""

from urllib.parse import quote

import pytest

from tests.support.api import Api, expect


@pytest.fixture
async def shop(api: Api) -> Api:
    """Seven contacts."""
    for number in range(7):
        await api.put(f"/v1/contacts/KH-{number}", {"owner": "lan"})
    return api


async def test_pages_follow_each_other_without_a_gap(shop: Api) -> None:
    seen, path = [], "/v1/contacts?limit=3&owner=lan"
    while path:
        response = await shop.request("GET", path)
        page = expect(response, 200)
        seen += [one["external_id"] for one in page["items"]]
        link = response.headers.get("link")
        assert (link is None) == (page["next_cursor"] is None)
        path = link.partition(">")[0].removeprefix("<") if link else ""
        assert not path or (path.startswith("/v1/contacts?limit=3&owner=lan&cursor=") and link.endswith('; rel="next"'))
    assert seen == [f"KH-{number}" for number in range(7)]


async def test_a_link_is_an_address_whatever_stands_in_the_path(api: Api) -> None:
    place = f"/v1/contacts/{quote('Hoàng Anh/1 <x>' + chr(10) + '; rel=prev', safe='')}/timeline"
    # A slash within a name would end it, in this path as in any.
    place = place.replace("%2F", "-")
    await api.put(place.removesuffix("/timeline"), {"name": "x"})
    await api.put(place.removesuffix("/timeline"), {"name": "y"})
    response = await api.request("GET", f"{place}?limit=1&x=%0A%22")
    link = response.headers["link"]
    assert link.isascii()
    assert link.isprintable()
    assert (await api.get(link.partition(">")[0].removeprefix("<")))["items"]


async def test_what_comes_in_between_disturbs_nothing(shop: Api) -> None:
    first = await shop.get("/v1/contacts?limit=4")
    await shop.put("/v1/contacts/KH-new", {})
    await shop.request("DELETE", "/v1/contacts/KH-3")
    second = await shop.get(f"/v1/contacts?limit=200&cursor={first['next_cursor']}")
    assert [one["external_id"] for one in second["items"]] == ["KH-4", "KH-5", "KH-6", "KH-new"]


async def test_a_cursor_is_for_its_list_and_workspace_and_ours(shop: Api) -> None:
    cursor = (await shop.get("/v1/contacts?limit=1"))["next_cursor"]
    other = await shop.other_workspace()

    for api, path in ((other, "/v1/contacts"), (shop, "/v1/events"), (shop, "/v1/records/order")):
        problem = expect(await api.request("GET", f"{path}?cursor={cursor}"), 422)
        assert problem["errors"] == [
            {"path": "cursor", "code": "bad_cursor", "message": problem["errors"][0]["message"]}
        ]
    for wrong in (cursor[:-2], cursor[:-9] + "AAAAAAAA=", "x", "é", "0" * 1999, "%", "' OR 1=1"):
        expect(await shop.request("GET", f"/v1/contacts?cursor={quote(wrong)}"), 422)


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "99999999999999999999999", ""])
async def test_a_limit_has_limits(shop: Api, limit: str) -> None:
    response = await shop.request("GET", f"/v1/contacts?limit={limit}")
    assert expect(response, 422)["errors"][0]["path"] == "limit"


@pytest.mark.parametrize(
    "path", ["/v1/events", "/v1/audit", "/v1/api-keys", "/v1/staff", "/v1/accounts", "/v1/workspaces"]
)
async def test_every_list_has_the_same_shape(shop: Api, path: str) -> None:
    page = await shop.get(f"{path}?limit=1")
    assert page.keys() == {"items", "next_cursor"}
