"""Templates: checked when they are saved, guarded by tags, previewed with real facts."""

from typing import Any

import pytest

from tests.support.api import Api, expect

HELLO: dict[str, Any] = {
    "channel_type": "console",
    "message_class": "care",
    "text": "Chào {{ contact.name }}, đơn {{ order.external_id }}",
}


async def test_a_template_is_made_changed_and_taken_away(api: Api) -> None:
    made = await api.request("PUT", "/v1/templates/hello", HELLO)
    body = expect(made, 201)
    assert (body["text"], body["subject"], body["params"]) == (HELLO["text"], None, {})
    again = await api.request("PUT", "/v1/templates/hello", HELLO)
    assert (again.status_code, again.headers["etag"]) == (200, made.headers["etag"])
    changed = await api.request("PUT", "/v1/templates/hello", {**HELLO, "text": "Chào"})
    assert changed.headers["etag"] != made.headers["etag"]
    assert [one["name"] for one in (await api.get("/v1/templates"))["items"]] == ["hello"]
    expect(await api.request("DELETE", "/v1/templates/hello"), 204)
    expect(await api.request("GET", "/v1/templates/hello"), 404)


async def test_a_stale_tag_is_refused_also_after_the_template_was_made_anew(api: Api) -> None:
    tag = (await api.request("PUT", "/v1/templates/hello", HELLO)).headers["etag"]
    expect(await api.request("PUT", "/v1/templates/hello", {**HELLO, "text": "2"}, if_match=tag), 200)
    expect(await api.request("PUT", "/v1/templates/hello", {**HELLO, "text": "3"}, if_match=tag), 412)
    expect(await api.request("DELETE", "/v1/templates/hello", if_match=tag), 412)
    expect(await api.request("DELETE", "/v1/templates/hello"), 204)
    expect(await api.request("PUT", "/v1/templates/hello", HELLO, if_match=tag), 412)
    expect(await api.request("PUT", "/v1/templates/hello", HELLO), 201)
    expect(await api.request("PUT", "/v1/templates/hello", HELLO, if_match=tag), 412)
    assert (await api.get("/v1/templates/hello"))["text"] == HELLO["text"]


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"text": "{{ contact.name"}, "text", "template_syntax"),
        ({"text": "{{ customer.name }}"}, "text", "unknown_name"),
        ({"text": "{{ contact.nmae }}"}, "text", "unknown_field"),
        ({"text": "{{ order.statuss }}"}, "text", "unknown_field"),
        ({"text": None}, "text", "missing"),
        ({"channel_type": "pigeon"}, "channel_type", "unknown_channel_type"),
        ({"channel_type": "zalo_zns"}, "provider_template_id", "missing"),
        ({"params": {"a": "{% import 'os' %}"}}, "params.a", "template_refused"),
        ({"message_class": "spam"}, "message_class", "bad_value"),
        ({"body": "x"}, "body", "unknown_field"),
    ],
)
async def test_a_fault_is_told_with_its_place(api: Api, change: dict[str, Any], path: str, code: str) -> None:
    refused = expect(await api.request("PUT", "/v1/templates/hello", {**HELLO, **change}), 422)
    found = [(error["path"], error["code"]) for error in refused["errors"]]
    assert path in [place for place, _ in found], found
    if code != "template_refused":
        assert (path, code) in found


async def test_a_preview_shows_real_facts_and_what_is_missing(api: Api) -> None:
    await api.put("/v1/templates/hello", HELLO, 201)
    contact = {"external_id": "KH-1", "name": "Hoàng Anh"}
    event = {"id": "1", "source": "shop", "type": "order.updated", "data": {"contact": contact}}
    await api.send(event)
    lacking = await api.post("/v1/templates/hello/preview", {"contact": "KH-1"})
    assert (lacking["content"], lacking["missing"]) == (None, ["order"])
    await api.send({**event, "id": "2", "data": {"contact": contact, "order": {"external_id": "DH-1"}}})
    await api.send({**event, "id": "3", "data": {"contact": contact, "order": {"external_id": "DH-2"}}})
    full = await api.post("/v1/templates/hello/preview", {"contact": "KH-1"})
    assert full["content"]["text"] == "Chào Hoàng Anh, đơn DH-2"
    over = await api.post("/v1/templates/hello/preview", {"contact": "KH-1", "data": {"order": {"external_id": "X"}}})
    assert over["content"]["text"].endswith("đơn X")
    expect(await api.request("POST", "/v1/templates/hello/preview", {"contact": "nobody"}), 404)


async def test_another_workspace_sees_nothing(api: Api) -> None:
    await api.put("/v1/templates/hello", HELLO, 201)
    other = await api.other_workspace()
    expect(await other.request("GET", "/v1/templates/hello"), 404)
    expect(await other.request("DELETE", "/v1/templates/hello"), 404)
    expect(await other.request("POST", "/v1/templates/hello/preview", {}), 404)
    await other.put("/v1/templates/hello", {**HELLO, "text": "khác"}, 201)
    assert (await api.get("/v1/templates/hello"))["text"] == HELLO["text"]


async def test_lists_come_in_pages(api: Api) -> None:
    for number in range(5):
        await api.put(f"/v1/templates/t{number}", {**HELLO, "text": str(number)}, 201)
    seen, cursor = [], ""
    while True:
        page = await api.get(f"/v1/templates?limit=2{cursor}")
        seen += [one["name"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["t0", "t1", "t2", "t3", "t4"]
