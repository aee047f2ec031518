"""Channel accounts: checked with the plugin's types, secrets that only go in, tests through the real channel."""

from pathlib import Path
from typing import Any

import pytest

from nhip.adapters.secrets import Vault
from nhip.testing.standins.webhook import WebhookStandIn
from nhip.testing.standins.zalo import ZaloStandIn
from tests.support.api import Api, expect, open_api

ZNS: dict[str, Any] = {
    "name": "zns-main",
    "type": "zalo_zns",
    "config": {"app_id": "1", "oa_id": "2"},
    "secrets": {"app_secret": "geheim-1", "oa_secret": "geheim-2", "access_token": "geheim-3"},
    "rate_limit": {"per_second": 50},
    "price": {"amount": 300, "currency": "VND"},
}


async def test_an_account_shows_everything_but_its_secrets(api: Api) -> None:
    made = await api.request("POST", "/v1/channels", ZNS)
    body = expect(made, 201)
    assert made.headers["location"] == "/v1/channels/zns-main"
    assert body["secrets_set"] == ["access_token", "app_secret", "oa_secret"]
    assert body["hook"]["url"].endswith(f"/hooks/channels/zns-main/{body['hook']['token']}")
    assert (body["rate_limit"], body["price"]) == (ZNS["rate_limit"], ZNS["price"])
    shown = await api.request("GET", "/v1/channels/zns-main")
    assert shown.json() == body
    assert "geheim" not in made.text + shown.text
    listed = await api.get("/v1/channels")
    assert [one["name"] for one in listed["items"]] == ["zns-main"]


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"type": "pigeon"}, "type", "unknown_channel_type"),
        ({"name": "Zns Main"}, "name", "bad_value"),
        ({"config": {"bse_url": "x"}}, "config.bse_url", "unknown_field"),
        ({"config": {"mode": "sometimes"}}, "config.mode", "bad_value"),
        ({"secrets": {"password": "x"}}, "secrets.password", "unknown_field"),
        ({"secrets": {"app_secret": 5}}, "secrets.app_secret", "bad_value"),
        ({"rate_limit": {"per_second": 0}}, "rate_limit.per_second", "bad_value"),
        ({"price": {"amount": -1, "currency": "VND"}}, "price.amount", "bad_value"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
async def test_a_fault_is_told_with_its_place(api: Api, change: dict[str, Any], path: str, code: str) -> None:
    refused = await api.post("/v1/channels", {**ZNS, **change}, 422)
    assert (path, code) in [(error["path"], error["code"]) for error in refused["errors"]]


async def test_a_private_host_is_refused_when_it_is_saved(sqlite_url: str, tmp_path: Path) -> None:
    async with open_api(sqlite_url, tmp_path) as guarded:
        for url in ("http://127.0.0.1:9000", "https://10.0.0.1", "http://example.com", "gopher://example.com"):
            refused = await guarded.post("/v1/channels", {**ZNS, "config": {"base_url": url}}, 422)
            assert refused["errors"][0]["path"] == "config.base_url", url
        await guarded.post("/v1/channels", {**ZNS, "config": {"base_url": "https://zalo.example.com"}}, 201)


async def test_a_change_is_a_merge_patch(api: Api) -> None:
    await api.post("/v1/channels", ZNS, 201)
    patch = {"config": {"app_id": "9"}, "secrets": {"app_secret": None, "refresh_token": "r"}, "price": None}
    changed = expect(await api.request("PATCH", "/v1/channels/zns-main", patch), 200)
    assert changed["config"] == {"app_id": "9", "oa_id": "2"}
    assert changed["secrets_set"] == ["access_token", "oa_secret", "refresh_token"]
    assert changed["price"] is None
    assert changed["rate_limit"] == ZNS["rate_limit"]
    opened = await api.engine.database.read(lambda unit: unit.channels.find(api.workspace_id, "zns-main"))
    assert opened is not None
    assert api.engine.vault.open(api.workspace_id, "zns-main", opened.secrets)["refresh_token"] == "r"


async def test_a_stale_change_is_refused(api: Api) -> None:
    tag = (await api.request("POST", "/v1/channels", ZNS)).headers["etag"]
    expect(await api.request("PATCH", "/v1/channels/zns-main", {"config": {"app_id": "9"}}, if_match=tag), 200)
    expect(await api.request("PATCH", "/v1/channels/zns-main", {"config": {"app_id": "8"}}, if_match=tag), 412)
    expect(await api.request("DELETE", "/v1/channels/zns-main", if_match=tag), 412)


async def test_a_name_is_taken_once_and_free_after_deletion(api: Api) -> None:
    await api.post("/v1/channels", ZNS, 201)
    await api.post("/v1/channels", ZNS, 409)
    expect(await api.request("DELETE", "/v1/channels/zns-main"), 204)
    expect(await api.request("GET", "/v1/channels/zns-main"), 404)
    await api.post("/v1/channels", ZNS, 201)


async def test_another_workspace_sees_and_changes_nothing(api: Api) -> None:
    await api.post("/v1/channels", ZNS, 201)
    other = await api.other_workspace()
    expect(await other.request("GET", "/v1/channels/zns-main"), 404)
    expect(await other.request("PATCH", "/v1/channels/zns-main", {"config": {}}), 404)
    expect(await other.request("DELETE", "/v1/channels/zns-main"), 404)
    assert (await other.get("/v1/channels"))["items"] == []
    theirs = await other.post("/v1/channels", ZNS, 201)
    assert theirs["hook"] != (await api.get("/v1/channels/zns-main"))["hook"]


async def test_a_key_without_the_scope_may_only_look(api: Api) -> None:
    reader = await api.with_scopes("channels:read")
    await reader.post("/v1/channels", ZNS, 403)
    assert (await reader.get("/v1/channels"))["items"] == []


async def test_a_test_message_goes_through_the_real_channel(api: Api) -> None:
    async with ZaloStandIn() as zalo:
        await api.post("/v1/channels", {**ZNS, "config": zalo.config(), "secrets": zalo.secrets()}, 201)
        params = {"code": "{{ order.external_id }}", "name": "{{ data.name }}"}
        template = {"channel_type": "zalo_zns", "provider_template_id": "7", "params": params}
        await api.put("/v1/templates/delivered", template, 201)
        data = {"order": {"external_id": "DH-1"}, "name": "Hoàng Anh"}
        test = {"to": "0987654321", "template": "delivered", "data": data}
        outcome = await api.post("/v1/channels/zns-main/test", test)
        assert (outcome["outcome"], outcome["to"]) == ("accepted", "+84987654321")
        assert outcome["content"]["params"] == {"code": "DH-1", "name": "Hoàng Anh"}
        assert [entry.reference for entry in zalo.ledger.entries] == [outcome["idempotency_key"]]
        missing = await api.post("/v1/channels/zns-main/test", {**test, "data": {"name": "x"}}, 422)
        assert [error["path"] for error in missing["errors"]] == ["data.order"]
        wrong = await api.post("/v1/channels/zns-main/test", {**test, "to": "12"}, 422)
        assert wrong["errors"][0]["code"] == "bad_phone"
        unknown = await api.post("/v1/channels/zns-main/test", {**test, "template": "none"}, 422)
        assert unknown["errors"][0]["code"] == "unknown_template"


async def test_a_test_tells_what_the_provider_refused(api: Api) -> None:
    async with WebhookStandIn() as receiver:
        account = {"name": "crm", "type": "webhook", "config": receiver.config(), "secrets": receiver.secrets()}
        await api.post("/v1/channels", account, 201)
        await api.put("/v1/templates/hello", {"channel_type": "webhook", "text": "Xin chào"}, 201)
        receiver.answer_next(410)
        outcome = await api.post("/v1/channels/crm/test", {"template": "hello"})
        assert (outcome["outcome"], outcome["reason"], outcome["code"]) == ("rejected", "configuration", "410")


async def test_new_secrets_hold_from_the_next_message_on(api: Api) -> None:
    async with WebhookStandIn() as receiver:
        account = {"name": "crm", "type": "webhook", "config": receiver.config(), "secrets": {"secret": "whsec_AAAA"}}
        await api.post("/v1/channels", account, 201)
        await api.put("/v1/templates/hello", {"channel_type": "webhook", "text": "Xin chào"}, 201)
        refused = await api.post("/v1/channels/crm/test", {"template": "hello"})
        assert refused["outcome"] == "rejected"
        expect(await api.request("PATCH", "/v1/channels/crm", {"secrets": receiver.secrets()}), 200)
        accepted = await api.post("/v1/channels/crm/test", {"template": "hello"})
        assert accepted["outcome"] == "accepted"


async def test_what_changed_is_written_down_without_secrets(api: Api) -> None:
    await api.post("/v1/channels", ZNS, 201)
    await api.request("PATCH", "/v1/channels/zns-main", {"secrets": {"app_secret": "geheim-4"}})
    entries = await api.engine.database.read(
        lambda unit: unit.audit.entries(api.workspace_id, after=None, limit=10, action=None, target="zns-main")
    )
    assert [entry.action for entry in entries] == ["channel.change", "channel.create"]
    assert entries[0].detail == {"changed": ["secrets"]}


async def test_lost_secrets_are_not_set_and_can_be_set_anew(api: Api) -> None:
    await api.post("/v1/channels", ZNS, 201)
    api.engine.vault = Vault(["another key that opens nothing of this"])
    assert (await api.get("/v1/channels/zns-main"))["secrets_set"] == []
    changed = expect(await api.request("PATCH", "/v1/channels/zns-main", {"secrets": {"app_secret": "neu"}}), 200)
    assert changed["secrets_set"] == ["app_secret"]
