"""Why an event started what it started, and why nothing else."""

from typing import Any

import pytest

from tests.support.api import Api, expect

CONDITIONS = {
    "all": [
        {"field": "contact.segment", "op": "equals", "value": "retail"},
        {"any": [
            {"field": "order.total.amount", "op": "greater_or_equal", "value": 100_000},
            {"field": "contact.tags", "op": "has_any", "value": ["VIP"]},
        ]},
    ]
}  # fmt: skip


def workflow(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "triggers": [{"id": "delivered", "type": "order_status", "config": {"to": ["delivered"]}}],
        "steps": [{"id": "pause", "wait": {"for": "P1D"}}],
        **more,
    }


async def publish(api: Api, definition: dict[str, Any]) -> None:
    await api.post("/v1/workflows", definition, status=201)
    await api.post(f"/v1/workflows/{definition['name']}/publish")


async def deliver(api: Api, number: str = "1", segment: str = "retail", amount: int = 150_000) -> dict[str, Any]:
    """An order of that number is delivered."""
    data = {
        "contact": {"external_id": "KH-1", "segment": segment},
        "order": {"external_id": f"DH-{number}", "status": "delivered", "total": {"amount": amount, "currency": "VND"}},
    }
    answer = await api.send({"id": number, "source": "shop", "type": "order.updated", "data": data})
    receipt: dict[str, Any] = answer["events"][0]
    return receipt


async def explain(api: Api, event_id: str) -> dict[str, Any]:
    explained: dict[str, Any] = await api.get(f"/v1/events/{event_id}/explain")
    return explained


async def test_what_started_says_which_tests_held(api: Api) -> None:
    await publish(api, workflow("thank", conditions=CONDITIONS))
    receipt = await deliver(api)
    explained = await explain(api, receipt["id"])

    assert "reason" not in explained
    [found] = explained["workflows"]
    assert (found["workflow"], found["version"], found["outcome"], found["run"]) == (
        "thank",
        1,
        "started",
        receipt["runs"][0],
    )
    [trigger] = [one for one in found["triggers"] if one["holds"]]
    assert trigger["trigger"] == "delivered"
    assert {(reason["path"], reason["code"]) for reason in trigger["reasons"]} >= {
        ("conditions.all[0]", "holds"),
        ("conditions.all[1].any[0]", "holds"),
    }


async def test_what_did_not_start_says_which_test_failed_and_the_value_it_saw(api: Api) -> None:
    await publish(api, workflow("thank", conditions=CONDITIONS))
    explained = await explain(api, (await deliver(api, segment="wholesale"))["id"])

    assert explained["reason"] == "conditions"
    [found] = explained["workflows"]
    assert found["outcome"] == "conditions"
    failed = {
        reason["path"]: reason
        for trigger in found["triggers"]
        for reason in trigger["reasons"]
        if reason["code"] != "holds"
    }
    reason = failed["conditions.all[0]"]
    assert (reason["field"], reason["op"], reason["expected"], reason["actual"]) == (
        "contact.segment", "equals", "retail", "wholesale",
    )  # fmt: skip


async def test_a_trigger_s_own_test_has_its_place_in_the_trigger(api: Api) -> None:
    await publish(api, workflow("thank", triggers=[
        {"id": "opened", "type": "event", "config": {"type": "shop.opened"}},
        {"id": "paid", "type": "order_status", "config": {"to": ["paid"]}},
    ]))  # fmt: skip
    explained = await explain(api, (await deliver(api))["id"])
    [found] = explained["workflows"]
    paths = [reason["path"] for trigger in found["triggers"] for reason in trigger["reasons"]]
    assert paths
    assert all(path.startswith("triggers[1]") for path in paths)


async def test_it_says_so_when_nothing_listens(api: Api) -> None:
    await publish(api, workflow("thank"))
    sent = (await api.send({"id": "1", "source": "shop", "type": "shop.opened", "subject": "KH-1"}))["events"][0]
    explained = await explain(api, sent["id"])
    assert explained["types"] == ["shop.opened", "contact.created"]
    assert explained["reason"] == "no_trigger_listens"
    assert explained["workflows"][0]["outcome"] == "not_listening"


async def test_it_says_so_when_nothing_was_active(api: Api) -> None:
    explained = await explain(api, (await deliver(api))["id"])
    assert (explained["reason"], explained.get("workflows", [])) == ("no_active_workflow", [])


async def test_a_refused_entry_says_why(api: Api) -> None:
    await publish(api, workflow("thank", settings={"reentry": "once"}))
    await deliver(api, "1")
    receipt = await deliver(api, "2")
    explained = await explain(api, receipt["id"])

    assert receipt["runs"] == []
    assert explained["reason"] == "refused"
    [found] = explained["workflows"]
    assert (found["outcome"], found["reason"]) == ("refused", "entered_before")
    assert found["triggers"][-1]["holds"]


async def test_it_is_about_what_was_active_then_and_what_was_true_then(api: Api) -> None:
    await publish(api, workflow("before"))
    receipt = await deliver(api, segment="retail")
    await publish(api, workflow("after"))
    await api.post("/v1/workflows/before/pause")
    await api.put("/v1/contacts/KH-1", {"segment": "wholesale"})
    explained = await explain(api, receipt["id"])

    assert [found["workflow"] for found in explained["workflows"]] == ["before"]
    assert explained["workflows"][0]["outcome"] == "started"


async def test_of_a_derived_event_the_answer_is_about_the_incoming_one(api: Api) -> None:
    await publish(api, workflow("thank"))
    receipt = await deliver(api)
    derived = (await api.get(f"/v1/events/{receipt['id']}"))["derived"][-1]
    assert await explain(api, derived["id"]) == await explain(api, receipt["id"])


@pytest.mark.parametrize("path", ["/v1/events/none", "/v1/events/none/explain"])
async def test_an_unknown_event_is_not_found(api: Api, path: str) -> None:
    assert expect(await api.request("GET", path), 404)["code"] == "not_found"
