"""Sources: what other systems and browsers send is verified, becomes events, and is committed once."""

import asyncio
import base64
import hmac
import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from nhip.domain.errors import Overloaded
from nhip.engine.incoming.signatures import hmac_of, zalo_mac
from nhip.services.doors.source_presets import source_presets
from nhip.services.doors.source_rates import SourceRates
from tests.support.api import Api, expect
from tests.support.clocks import StandingClock

PRESETS = source_presets()
FORM = {"form": "offer", "name": "Hoàng Anh", "phone": "0987 654 321", "email": "Anh@Example.com"}
KEY = b"0123456789abcdef01234567"
STANDARD = "whsec_" + base64.b64encode(KEY).decode()


async def make(api: Api, name: str = "web", preset: str | None = "form", **fields: Any) -> str:
    """Make a source; answers the path of its hook."""
    body = {"name": name, **({"preset": preset} if preset else {}), **fields}
    made = await api.post("/v1/sources", body, 201)
    assert made["hook"]["url"].endswith(f"/hooks/in/{made['hook']['token']}")
    return f"/hooks/in/{made['hook']['token']}"


async def post(api: Api, hook: str, body: Any, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await api.client.post(hook, content=content, headers={"content-type": "application/json", **named})


async def events(api: Api, source: str = "source:web") -> list[Any]:
    return [one for one in (await api.get("/v1/events?limit=200"))["items"] if one["source"] == source]


def standard(body: bytes, identity: str = "msg_1", age: float = 0, key: bytes = KEY) -> dict[str, str]:
    timestamp = str(int(time.time() - age))
    mac = base64.b64encode(hmac.digest(key, f"{identity}.{timestamp}.".encode() + body, "sha256")).decode()
    return {"webhook_id": identity, "webhook_timestamp": timestamp, "webhook_signature": f"v1,{mac}"}


# --- what admins do ---------------------------------------------------------------------------------------------------


async def test_a_source_is_made_shown_changed_and_taken_away(api: Api) -> None:
    made = await api.request(
        "POST",
        "/v1/sources",
        {"name": "crm", "preset": "chat_handover", "title": "CRM", "verification": {"secret": STANDARD}},
    )
    source = expect(made, 201)
    assert made.headers["location"] == "/v1/sources/crm"
    assert source["verification"]["type"] == "standard_webhooks"
    assert source["verification"]["secrets_set"] == ["secret"]
    assert source["rate_limit"] == {"per_second": 50}
    assert STANDARD not in made.text
    tag = made.headers["etag"]
    assert (await api.request("GET", "/v1/sources/crm")).headers["etag"] == tag

    change = {"title": "Sales", "rate_limit": {"per_second": 5}, "verification": {"type": "none", "secret": None}}
    changed = await api.request("PATCH", "/v1/sources/crm", change, if_match=tag)
    shown = expect(changed, 200)
    assert (shown["title"], shown["rate_limit"]["per_second"]) == ("Sales", 5)
    assert shown["verification"]["secrets_set"] == []
    assert shown["hook"] == source["hook"]
    assert (await api.request("PATCH", "/v1/sources/crm", change, if_match=tag)).status_code == 412
    assert (await api.request("DELETE", "/v1/sources/crm", if_match=tag)).status_code == 412
    assert [one["name"] for one in (await api.get("/v1/sources"))["items"]] == ["crm"]
    expect(await api.request("DELETE", "/v1/sources/crm"), 204)
    expect(await post(api, f"/hooks/in/{source['hook']['token']}", {}), 404)
    assert [one["action"] for one in (await api.get("/v1/audit"))["items"]][:3] == [
        "source.delete",
        "source.change",
        "source.create",
    ]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        pytest.param({"name": "A"}, "name", id="name"),
        pytest.param({}, "mapping", id="no mapping"),
        pytest.param({"preset": "none"}, "preset", id="preset"),
        pytest.param({"mapping": {"event": "A b"}}, "mapping.event", id="event"),
        pytest.param({"mapping": [{"event": "a"}, {"event": "a", "id": 5}]}, "mapping[1].id", id="id"),
        pytest.param({"preset": "chat_handover"}, "verification.secret", id="no secret"),
        pytest.param(
            {"preset": "chat_handover", "verification": {"secret": "whsec_%"}}, "verification.secret", id="no base64"
        ),
        pytest.param(
            {"preset": "form", "verification": {"type": "hmac", "secret": "x"}}, "verification.header", id="no header"
        ),
        pytest.param({"preset": "form", "verification": {"kind": "x"}}, "verification.kind", id="unknown field"),
        pytest.param({"preset": "form", "allowed_origins": ["https://a.b/c"]}, "allowed_origins[0]", id="origin"),
        pytest.param({"preset": "form", "rate_limit": {"per_second": 0}}, "rate_limit.per_second", id="rate"),
    ],
)
async def test_a_source_that_could_not_work_is_refused(api: Api, fields: dict[str, Any], path: str) -> None:
    response = await api.request("POST", "/v1/sources", {"name": "x", **fields})
    assert expect(response, 422)["errors"][0]["path"] == path
    assert (await api.get("/v1/sources"))["items"] == []


async def test_a_name_is_taken_once(api: Api) -> None:
    await make(api)
    assert (await api.request("POST", "/v1/sources", {"name": "web", "preset": "form"})).status_code == 409


async def test_secrets_are_sealed(api: Api) -> None:
    await make(api, verification={"type": "hmac", "header": "X-Sign", "secret": "very-secret-indeed"})
    stored = await api.engine.database.read(lambda unit: unit.sources.find(api.workspace_id, "web"))
    assert stored is not None
    assert "very-secret-indeed" not in repr(stored)


# --- presets ----------------------------------------------------------------------------------------------------------

SECRETS: Mapping[str, dict[str, str]] = {
    "facebook": {"secret": "app-secret", "verify_token": "our-word"},
    "zalo_oa": {"secret": "oa-secret"},
    "chat_handover": {"secret": STANDARD},
}


def signed(preset: str, body: bytes) -> dict[str, str]:
    match preset:
        case "facebook":
            mac = hmac_of(PRESETS[preset].verification, "app-secret", body)
            return {"x_hub_signature_256": f"sha256={mac}"}
        case "zalo_oa":
            return {"x_zevent_signature": f"mac={zalo_mac(json.loads(body), 'oa-secret', body)}"}
        case "chat_handover":
            return standard(body)
        case _:
            return {}


EXPECTED: Mapping[str, list[dict[str, Any]]] = {
    "form": [
        {
            "type": "form.submitted", "source_id": "s-1024", "time": "2024-11-21T01:00:00Z",
            "data.form": "offer", "data.contact.phone": "+84987654321", "data.message": "Gửi báo giá giúp mình",
        }
    ],
    "site_visit": [
        {"type": "site.visited", "data.path": "/san-pham/12", "data.utm": {"source": "zalo"}, "contact": None}
    ],
    "facebook": [
        {
            "type": "form.submitted", "source_id": "444444444444", "data.form": "555555555555",
            "data.contact": {"name": "Trần Văn Bình", "phone": "+84912345678", "source": "facebook"},
            "time": "2024-11-21T00:59:55Z",
        },
        {
            "type": "message.received", "source_id": "m_AG5Hz2U", "contact": "facebook:6543210987",
            "data.text": "Shop còn hàng không ạ?", "time": "2024-11-21T01:00:59.999000Z",
        },
    ],
    "zalo_oa": [
        {
            "type": "message.received", "source_id": "96d3cdf3af150460909", "data.text": "Cho mình hỏi giá",
            "data.contact.zalo_user_id": "246845883529197922",
        }
    ],
    "chat_handover": [
        {
            "type": "chat.handed_over", "source_id": "h-77", "data.reason": "out_of_hours",
            "data.answers": {"product": "Máy lọc nước", "budget": "5-10 triệu", "callback": "sáng mai"},
            "data.contact.phone": "+84912345678",
        }
    ],
}  # fmt: skip


def at(event: Any, path: str) -> Any:
    for name in path.split("."):
        event = event[name]
    return event


async def test_presets_are_listed(api: Api) -> None:
    listed = (await api.get("/v1/source-presets"))["items"]
    assert [one["name"] for one in listed] == list(PRESETS) == sorted(EXPECTED)


@pytest.mark.parametrize("preset", EXPECTED)
async def test_a_preset_takes_what_the_other_side_sends(api: Api, preset: str) -> None:
    hook = await make(api, "web", preset, verification=SECRETS.get(preset, {}))
    body = json.dumps(PRESETS[preset].example, ensure_ascii=False).encode()
    first = await post(api, hook, body, **signed(preset, body))
    wanted = EXPECTED[preset]
    assert expect(first, PRESETS[preset].success_status)["accepted"] == len(wanted)
    again = await post(api, hook, body, **signed(preset, body))
    assert (again.json()["accepted"], again.json()["duplicates"]) == (0, len(wanted))

    found = {one["source_id"]: one for one in await events(api)}
    assert len(found) == len(wanted)
    for event in wanted:
        one = found[event["source_id"]] if "source_id" in event else next(iter(found.values()))
        assert {path: at(one, path) for path in event} == event
    if SECRETS.get(preset):
        forged = await post(api, hook, body + b" ", **signed(preset, body))
        assert expect(forged, 401)["code"] == "signature_mismatch"
        assert expect(await post(api, hook, body), 401)["code"] == "signature_mismatch"
    assert len(await events(api)) == len(wanted)


async def test_zalo_follows_and_what_nobody_asked_for(api: Api) -> None:
    hook = await make(api, "web", "zalo_oa", verification=SECRETS["zalo_oa"])

    async def push(fields: dict[str, Any]) -> Any:
        body = json.dumps({"app_id": "1", "oa_id": "2", "timestamp": "1732150859999", **fields}).encode()
        return expect(await post(api, hook, body, **signed("zalo_oa", body)), 200)

    follow = {"event_name": "follow", "follower": {"id": "77"}, "source": "oa_profile", "user_id_by_app": "8"}
    assert (await push(follow))["accepted"] == 1
    assert (await push({**follow, "event_name": "unfollow"}))["accepted"] == 1
    assert (await push({"event_name": "user_seen_message", "message": {"msg_ids": ["1"]}}))["events"] == []
    found = await events(api)
    assert {one["type"] for one in found} == {"zalo.followed", "zalo.unfollowed"}
    assert len({one["contact"] for one in found}) == 1


async def test_facebook_checks_the_address(api: Api) -> None:
    hook = await make(api, "web", "facebook", verification=SECRETS["facebook"])
    asked = {"hub.mode": "subscribe", "hub.verify_token": "our-word", "hub.challenge": "1158201444"}
    answer = await api.client.get(hook, params=asked)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "x"}, {"hub.verify_token": ""}, {"hub.mode": "other"}):
        assert (await api.client.get(hook, params={**asked, **wrong})).status_code == 403
    assert (await api.client.get(hook)).text == "ready"
    assert (await api.client.get("/hooks/in/none", params=asked)).status_code == 404
    plain = await make(api, "form")
    assert (await api.client.get(plain, params={**asked, "hub.verify_token": ""})).status_code == 403


# --- what follows -----------------------------------------------------------------------------------------------------


async def test_forms_are_split_among_staff(api: Api) -> None:
    for name in ("NV-1", "NV-2", "NV-3"):
        await api.put(f"/v1/staff/{name}", {"name": name, "department": "sales"})
    await api.put("/v1/staff/NV-9", {"name": "Lan", "department": "sales", "active": False})
    split = {"to": "owner", "fallback": {"to": "department:sales"}}
    await api.post(
        "/v1/workflows",
        {
            "name": "split",
            "triggers": [{"id": "form", "type": "form_submitted", "config": {"form": ["offer"]}}],
            "steps": [{"id": "split", "action": "assign", "config": {"what": "contact", **split}}],
        },
        201,
    )
    await api.post("/v1/workflows/split/publish")
    hook = await make(api)

    async def owners() -> dict[str, str | None]:
        return {one["phone"]: one.get("owner") for one in (await api.get("/v1/contacts?limit=200"))["items"]}

    bodies = [{"form": "offer", "name": f"Khách {n}", "phone": f"09870000{n:02}"} for n in range(9)]
    for _ in range(2):  # each is sent twice before anything is done
        answers = await asyncio.gather(*(post(api, hook, body) for body in bodies))
        assert {answer.status_code for answer in answers} == {202}
    await api.work()
    first = await owners()
    assert Counter(first.values()) == {"NV-1": 3, "NV-2": 3, "NV-3": 3}

    again = await asyncio.gather(*(post(api, hook, body) for body in bodies))
    assert [answer.json()["duplicates"] for answer in again] == [1] * 9
    more = [{**body, "message": text} for body in bodies[:2] for text in ("Gọi lại", "Gọi gấp")]
    assert {(await post(api, hook, body)).json()["accepted"] for body in more} == {1}
    await api.work()
    assert await owners() == first, "who asks again stays with whoever has them"

    await post(api, hook, {**FORM, "phone": "0912345678"})
    await api.work()
    turns = await api.get("/v1/runs?workflow=split&limit=200")
    assert len(turns["items"]) == 9 + 4 + 1
    assert Counter((await owners()).values()).most_common(1)[0][1] == 4, "no turn was lost or used up by those"


# --- signatures -------------------------------------------------------------------------------------------------------


async def test_standard_webhooks_are_verified_and_a_replay_is_a_duplicate(api: Api) -> None:
    verification = {"type": "standard_webhooks", "secret": STANDARD}
    hook = await make(api, mapping={"event": "crm.changed", "data": "all"}, verification=verification)
    body = b'{"a": 1}'
    assert expect(await post(api, hook, body, **standard(body)), 202)["accepted"] == 1
    assert expect(await post(api, hook, body, **standard(body)), 202)["duplicates"] == 1
    assert expect(await post(api, hook, body, **standard(body, "msg_2")), 202)["accepted"] == 1
    assert {one["source_id"] for one in await events(api)} == {"msg_1", "msg_2"}
    for wrong in (
        standard(body, age=301),
        standard(body, age=-301),
        standard(body, key=b"another key that is long"),
        standard(b"{}"),
        {**standard(body), "webhook_id": "msg_3"},
        {**standard(body), "webhook_timestamp": "soon"},
        {**standard(body), "webhook_signature": "v1,"},
        {**standard(body), "webhook_signature": "v1a,eA=="},
        {},
    ):
        assert expect(await post(api, hook, body, **wrong), 401)["code"] == "signature_mismatch"
    assert expect(await post(api, hook, body, **standard(body, "msg_4", age=290)), 202)["accepted"] == 1


async def test_during_a_rotation_both_secrets_hold(api: Api) -> None:
    other = b"the next key, as long as it"
    both = f"{STANDARD} whsec_{base64.b64encode(other).decode()}"
    hook = await make(api, mapping={"event": "a.b"}, verification={"type": "standard_webhooks", "secret": both})
    for number, key in enumerate((KEY, other)):
        assert (await post(api, hook, b"{}", **standard(b"{}", f"m{number}", key=key))).status_code == 202


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
async def test_an_hmac_in_a_header(api: Api, algorithm: str, encoding: str) -> None:
    said = {"type": "hmac", "header": "X-Shop-Sign", "algorithm": algorithm, "encoding": encoding, "prefix": "v="}
    hook = await make(api, verification={**said, "secret": "s3cret"})
    digest = hmac.digest(b"s3cret", json.dumps(FORM).encode(), algorithm)
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    assert (await post(api, hook, FORM, x_shop_sign=f"v={text}")).status_code == 202
    for wrong in (text, f"v={text[:-2]}", "v=", "v=é".encode("latin-1").decode("latin-1"), ""):
        raw = {b"x-shop-sign": wrong.encode("latin-1"), b"content-type": b"application/json"}
        answer = await api.client.post(hook, content=json.dumps(FORM).encode(), headers=raw)
        assert answer.status_code == 401, wrong


# --- bodies -----------------------------------------------------------------------------------------------------------


async def test_forms_as_browsers_send_them(api: Api) -> None:
    hook = await make(api)
    coded = await api.client.post(hook, data={**FORM, "size[]": ["S", "M"], "a.b": "1"})
    assert expect(coded, 202)["accepted"] == 1
    parts = {name: (None, value.encode()) for name, value in {**FORM, "form": "other"}.items()}
    assert expect(await api.client.post(hook, files=parts), 202)["accepted"] == 1
    first, second = sorted(await events(api), key=lambda one: one["data"]["form"])
    assert (first["data"]["size"], first["data"]["a_b"]) == (["S", "M"], "1")
    assert second["data"]["name"] == "Hoàng Anh"
    [contact] = (await api.get("/v1/contacts"))["items"]
    assert (contact["phone"], contact["email"], contact["name"]) == ("+84987654321", "anh@example.com", "Hoàng Anh")
    with_file = await api.client.post(hook, data=FORM, files={"cv": ("cv.pdf", b"%PDF")})
    assert with_file.status_code == 415


PART = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
HOSTILE: Mapping[str, tuple[bytes, str, int]] = {
    "huge": (b'{"x": "' + b"x" * 262_144 + b'"}', "application/json", 413),
    "deep": (b'{"x":' * 40 + b"1" + b"}" * 40, "application/json", 400),
    "very deep": (b"[" * 100_000, "application/json", 400),
    "NUL": (b'{"phone": "a\\u0000"}', "application/json", 400),
    "a key twice": (b'{"a": 1, "a": 2}', "application/json", 400),
    "65 bits": (b'{"a": 18446744073709551616}', "application/json", 422),
    "no JSON": (b"{", "application/json", 400),
    "nothing": (b"", "application/json", 400),
    "not UTF-8": (b'{"a": "\xff"}', "application/json", 400),
    "plain text": (b"hello", "text/plain", 415),
    "NUL in a form": (b"phone=%00", "application/x-www-form-urlencoded", 400),
    "latin form": (b"phone=%ff", "application/x-www-form-urlencoded", 400),
    "another charset": (b"phone=1", "application/x-www-form-urlencoded; charset=latin1", 415),
    "many fields": (b"a=1&" * 600, "application/x-www-form-urlencoded", 413),
    "a long name": (b"x" * 300 + b"=1", "application/x-www-form-urlencoded", 400),
    "no boundary": (b"--x\r\n\r\n--x--", "multipart/form-data", 400),
    "a broken multipart": (b"--x\r\nnope", "multipart/form-data; boundary=x", 400),
    "an empty multipart": (b"", "multipart/form-data; boundary=x", 400),
    "many parts": (PART * 600, "multipart/form-data; boundary=x", 400),
    "no object": (b"[1]", "application/json", 422),
    "null": (b"null", "application/json", 422),
    "nobody": (b"{}", "application/json", 422),
}  # fmt: skip


async def test_hostile_bodies_are_refused_and_store_nothing(api: Api) -> None:
    hook = await make(api)
    for name, (body, media, status) in HOSTILE.items():
        answer = await api.client.post(hook, content=body, headers={"content-type": media})
        assert answer.status_code == status, (name, answer.text)
        assert answer.headers["content-type"] == "application/problem+json", name
    coded = await api.client.post(hook, content=b"{}", headers={"content-encoding": "gzip"})
    assert coded.status_code == 415
    assert (await api.get("/v1/events"))["items"] == []
    assert (await api.get("/v1/contacts"))["items"] == []


async def test_what_cannot_be_mapped_says_where(api: Api) -> None:
    mapping = {
        "each": "orders",
        "event": {"path": "item.state", "values": {"new": "order.created"}},
        "id": "item.no",
        "time": "item.at",
        "contact": {"phone": "item.buyer.phone"},
        "data": {"order.external_id": "item.no", "order.status": "item.state"},
    }
    hook = await make(api, preset=None, mapping=mapping)
    good = {"no": "1", "state": "new", "buyer": {"phone": "0987654321"}, "at": "2026-11-21T08:00:00Z"}
    for bad, path, place in (
        ({"buyer": {"phone": "12"}}, "orders[1].buyer.phone", "mapping.contact.phone"),
        ({"buyer": {}}, "orders[1]", "mapping.contact"),
        ({"state": "odd"}, "orders[1].state", "mapping.event.values"),
        ({"at": "yesterday"}, "orders[1].at", "mapping.time"),
        ({"no": ["x"]}, "orders[1].no", "mapping.id"),
    ):
        answer = expect(await post(api, hook, {"orders": [good, {**good, **bad}]}), 422)
        assert answer["errors"][0]["path"] == path
        assert place in answer["errors"][0]["message"]
    assert await events(api) == []
    batch = {"orders": [{**good, "no": str(number)} for number in range(3)]}
    assert expect(await post(api, hook, batch), 202)["accepted"] == 3
    assert len((await api.get("/v1/records/order"))["items"]) == 3
    large = {"orders": [{**good, "no": str(number)} for number in range(1001)]}
    assert expect(await post(api, hook, large), 422)["errors"][0]["code"] == "too_many"


async def test_a_preview_shows_the_events_and_stores_nothing(api: Api) -> None:
    await make(api)
    shown = await api.post("/v1/sources/web/preview", {"body": FORM})
    [event] = shown["events"]
    assert (event["type"], event["contact"]["phone"]) == ("form.submitted", "+84987654321")
    other = {"event": "a.b", "data": {"x": "form"}}
    assert (await api.post("/v1/sources/web/preview", {"body": FORM, "mapping": other}))["events"][0]["data"] == {
        "x": "offer"
    }
    wrong = await api.request("POST", "/v1/sources/web/preview", {"body": {"phone": "12"}})
    assert expect(wrong, 422)["errors"][0]["path"] == "body.phone"
    wrong = await api.request("POST", "/v1/sources/web/preview", {"body": {}, "mapping": {"event": "X"}})
    assert expect(wrong, 422)["errors"][0]["path"] == "mapping.event"
    assert await events(api) == []


# --- contacts ---------------------------------------------------------------------------------------------------------


async def test_a_form_fills_what_is_empty_and_overwrites_nothing(api: Api) -> None:
    await api.put("/v1/contacts/KH-1", {"name": "Hoàng Anh", "phone": "0987654321"})
    hook = await make(api)
    said = {"phone": "0987654321", "name": "Somebody else", "email": "anh@example.com", "company": ""}
    expect(await post(api, hook, said), 202)
    contact = await api.get("/v1/contacts/KH-1")
    assert (contact["name"], contact["email"]) == ("Hoàng Anh", "anh@example.com")
    [event] = await events(api)
    assert event["contact"] == "KH-1"
    assert event["data"]["said"] == {"name": "Somebody else"}

    mapping = {**PRESETS["form"].mapping, "overwrite": True}
    expect(await api.request("PATCH", "/v1/sources/web", {"mapping": mapping}), 200)
    expect(await post(api, hook, {**said, "form": "again"}), 202)
    assert (await api.get("/v1/contacts/KH-1"))["name"] == "Somebody else"


async def test_a_form_cannot_bring_records_or_another_contact(api: Api) -> None:
    hook = await make(api)
    sly = {"order": {"external_id": "DH-1", "status": "delivered"}, "contact": {"external_id": "KH-9"}}
    expect(await post(api, hook, {**FORM, **sly}), 202)
    assert (await api.get("/v1/records/order"))["items"] == []
    [event] = await events(api)
    assert "order" not in event["data"]
    assert event["contact"] != "KH-9"


async def test_a_visit_is_somebody_s_only_where_they_are_known(api: Api) -> None:
    await api.put("/v1/contacts/KH-1", {"email": "anh@example.com"})
    hook = await make(api, "web", "site_visit")
    for number, fields in enumerate(
        ({}, {"email": "ANH@example.com"}, {"email": "x@example.com"}, {"external_id": "KH-1"}, {"external_id": "KH-2"})
    ):
        body = {"visit": str(number), "visitor": "v-1", "path": "/", **fields}
        assert expect(await api.client.post(hook, data=body), 202)["accepted"] == 1
    found = {one["source_id"]: one["contact"] for one in await events(api)}
    assert found == {"0": None, "1": "KH-1", "2": None, "3": "KH-1", "4": None}
    assert [one["external_id"] for one in (await api.get("/v1/contacts"))["items"]] == ["KH-1"]


async def test_a_lead_of_a_form_gets_an_owner(api: Api) -> None:
    await api.put("/v1/staff/NV-1", {"name": "Bình"})
    workflow = {
        "name": "leads",
        "triggers": [{"id": "asked", "type": "form_submitted", "config": {"form": ["offer"]}}],
        "steps": [
            {"id": "give", "action": "update_contact", "config": {"set": {"owner": "NV-1"}, "add_tags": ["Báo giá"]}}
        ],
    }
    await api.post("/v1/workflows", workflow, 201)
    await api.post("/v1/workflows/leads/publish")
    hook = await make(api)
    [event] = expect(await post(api, hook, FORM), 202)["events"]
    assert len(event["runs"]) == 1
    await api.work()
    [contact] = (await api.get("/v1/contacts"))["items"]
    assert (contact["owner"], contact["tags"]) == ("NV-1", ["Báo giá"])


# --- the door itself --------------------------------------------------------------------------------------------------


async def test_past_the_rate_it_is_a_429(api: Api) -> None:
    hook = await make(api, rate_limit={"per_second": 3})
    answers = await asyncio.gather(*(post(api, hook, {**FORM, "form": str(number)}) for number in range(30)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(202) >= 3
    assert set(statuses) == {202, 429}
    refused = answers[statuses.index(429)]
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["code"] == "overloaded"
    assert len(await events(api)) == statuses.count(202)


async def test_the_rate_holds_over_processes_together(api: Api) -> None:
    await make(api, rate_limit={"per_second": 4})
    source = await api.engine.database.read(lambda unit: unit.sources.find(api.workspace_id, "web"))
    assert source is not None
    clock = StandingClock()
    processes = [SourceRates(api.engine.database, clock) for _ in range(2)]

    async def ask(times: int) -> int:
        """How many of so many requests pass, asked of both in turn."""
        asked = [processes[number % 2].take(source) for number in range(times)]
        return [one is None for one in await asyncio.gather(*asked, return_exceptions=True)].count(True)

    assert await ask(10) == 4
    assert await ask(10) == 0
    clock.advance(seconds=0.25)
    assert await ask(4) == 1
    clock.advance(seconds=60)
    assert await ask(10) == 4
    with pytest.raises(Overloaded) as refused:
        await processes[0].take(source)
    assert refused.value.retry_after == 0.25


async def test_an_unknown_token_is_a_404(api: Api) -> None:
    hook = await make(api)
    for path in (hook + "x", "/hooks/in/none", hook.upper()):
        assert expect(await post(api, path, FORM), 404)["code"] == "not_found"
        assert (await api.client.get(path)).status_code == 404
        assert (await api.client.options(path)).status_code == 404


async def test_a_source_that_was_taken_away_takes_nothing(api: Api) -> None:
    hook = await make(api)
    expect(await post(api, hook, FORM), 202)
    expect(await api.request("DELETE", "/v1/sources/web"), 204)
    expect(await post(api, hook, FORM), 404)
    again = await make(api)
    assert again != hook


SHOP = "https://shop.example.com"


async def test_pages_that_may_send_are_let_read_the_answer(api: Api) -> None:
    hook = await make(api, allowed_origins=[SHOP])
    asked = {"origin": SHOP, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    before = await api.client.options(hook, headers=asked)
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == SHOP
    assert before.headers["access-control-allow-headers"] == "content-type"
    assert "Origin" in before.headers["vary"]
    assert (await post(api, hook, FORM, origin=SHOP)).headers["access-control-allow-origin"] == SHOP
    wrong = await post(api, hook, {"phone": "12"}, origin=SHOP)
    assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (422, SHOP)

    elsewhere = await api.client.options(hook, headers={**asked, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in elsewhere.headers
    refused = await post(api, hook, {**FORM, "form": "x"}, origin="https://evil.example")
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    assert (await post(api, hook, {**FORM, "form": "y"})).status_code == 202


async def test_any_page_and_none(api: Api) -> None:
    anybody = await make(api, "any", allowed_origins=["*"])
    assert (await post(api, anybody, FORM, origin="null")).headers["access-control-allow-origin"] == "*"
    nobody = await make(api, "none")
    answer = await post(api, nobody, FORM, origin=SHOP)
    assert answer.status_code == 202
    assert "access-control-allow-origin" not in answer.headers


async def test_one_source_s_ids_are_free_in_another(api: Api) -> None:
    first, second = await make(api, "one"), await make(api, "two")
    for hook in (first, second):
        assert expect(await post(api, hook, FORM), 202)["duplicates"] == 0
    stranger = await api.other_workspace()
    theirs = await make(stranger, "one")
    assert expect(await post(api, theirs, FORM), 202)["duplicates"] == 0
    assert len(await events(stranger, "source:one")) == 1
    assert (await stranger.request("GET", "/v1/sources/two")).status_code == 404
