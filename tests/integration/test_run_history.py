"""Runs, deliveries and numbers, as people look at them; and what they can still decide."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from nhip.ports import Unit
from nhip.testing.standins.faults import Fault
from nhip.testing.standins.zalo import ZaloStandIn
from tests.support.api import Api, expect

TEMPLATE = {"channel_type": "zalo_zns", "provider_template_id": "7", "params": {"name": "{{ contact.name }}"}}
SEND = {"id": "thank", "action": "send_message", "config": {"channel": "zns", "template": "thanks", "to": "contact"}}
TAG = {"id": "tag", "action": "update_contact", "config": {"add_tags": ["VIP"]}}
FORK = {
    "id": "fork",
    "if": {"field": "steps.thank.outcome", "op": "equals", "value": "accepted"},
    "then": [TAG],
    "else": [],
}
WORKFLOW: dict[str, Any] = {
    "name": "thanks",
    "triggers": [{"id": "delivered", "type": "order_status", "config": {"to": ["delivered"]}}],
    "settings": {"reentry": "once"},
    "steps": [SEND, FORK],
}


def order(number: int, phone: str | None = "0987654321", contact: int | None = None) -> dict[str, Any]:
    known: dict[str, Any] = {"external_id": f"KH-{contact or number}", "name": "Anh", "phone": phone}
    record = {"external_id": f"DH-{number}", "status": "delivered"}
    return {"id": str(number), "source": "shop", "type": "order.updated", "data": {"contact": known, "order": record}}


@pytest.fixture
async def zalo() -> AsyncIterator[ZaloStandIn]:
    async with ZaloStandIn() as running:
        running.faults.hang_seconds = 5
        yield running


@pytest.fixture
async def ready(api: Api, zalo: ZaloStandIn) -> Api:
    """A published workflow that sends over Zalo."""
    account = {"name": "zns", "type": "zalo_zns", "config": zalo.config(), "secrets": zalo.secrets()}
    await api.post("/v1/channels", account, 201)
    await api.put("/v1/templates/thanks", TEMPLATE, 201)
    await api.post("/v1/workflows", WORKFLOW, 201)
    await api.post("/v1/workflows/thanks/publish")
    return api


async def start(api: Api, event: dict[str, Any]) -> str:
    [run] = (await api.send(event))["events"][0]["runs"]
    await api.work()
    return str(run)


async def unknown_delivery(api: Api, zalo: ZaloStandIn, number: int = 1) -> tuple[str, str]:
    """A run with a message of which nobody knows whether it arrived."""
    zalo.faults.script([Fault.RESET_AFTER])
    run = await start(api, order(number))
    listed = await api.get("/v1/deliveries?state=unknown")
    return run, listed["items"][0]["id"]


async def test_a_trace_tells_each_step_with_its_verdict_and_message(ready: Api) -> None:
    run = await ready.get(f"/v1/runs/{await start(ready, order(1))}")
    assert (run["state"], run["contact"], run["workflow"], run["version"]) == ("completed", "KH-1", "thanks", 1)
    assert [(step["path"], step["step"], step["kind"], step["state"]) for step in run["trace"]] == [
        ("steps[0]", "thank", "message", "done"),
        ("steps[1]", "fork", "branch", "done"),
        ("steps[1].then[0]", "tag", "local", "done"),
    ]
    sent, fork, _ = run["trace"]
    assert [(one["channel"], one["state"]) for one in sent["deliveries"]] == [("zns", "accepted")]
    assert sent["output"]["delivery"] == sent["deliveries"][0]["id"]
    assert (fork["outcome"], fork["verdict"]["holds"]) == ("then", True)
    assert fork["verdict"]["reasons"][0]["actual"] == "accepted"
    assert sent["attempts"] == 1
    assert run["ended_at"] >= sent["finished_at"] >= sent["created_at"]


async def test_runs_are_listed_by_workflow_contact_and_state(ready: Api) -> None:
    first, second = await start(ready, order(1)), await start(ready, order(2))
    for query, expected in (
        ("", [second, first]),
        ("?workflow=thanks", [second, first]),
        ("?workflow=other", []),
        ("?contact=KH-1", [first]),
        ("?contact=nobody", []),
        ("?state=completed&limit=1", [second]),
        ("?state=running", []),
    ):
        assert [one["id"] for one in (await ready.get(f"/v1/runs{query}"))["items"]] == expected, query
    expect(await ready.request("GET", "/v1/runs?state=asleep"), 422)
    page = await ready.get("/v1/runs?limit=1")
    rest = await ready.get(f"/v1/runs?limit=1&cursor={page['next_cursor']}")
    assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([first], None)


async def test_a_cancelled_run_does_nothing_more(ready: Api, zalo: ZaloStandIn) -> None:
    [run] = (await ready.send(order(1)))["events"][0]["runs"]
    cancelled = await ready.post(f"/v1/runs/{run}/cancel")
    assert cancelled["state"] == "cancelled"
    await ready.work()
    assert len(zalo.ledger) == 0
    expect(await ready.request("POST", f"/v1/runs/{run}/cancel"), 409)
    expect(await ready.request("POST", f"/v1/runs/{run}/retry"), 409)


async def test_a_failed_run_goes_on_with_a_new_key_when_it_is_tried_again(ready: Api, zalo: ZaloStandIn) -> None:
    await ready.request("PATCH", "/v1/channels/zns", {"secrets": {"access_token": "wrong", "refresh_token": "wrong"}})
    run = await start(ready, order(1))
    failed = await ready.get(f"/v1/runs/{run}")
    assert (failed["state"], failed["trace"][0]["state"]) == ("failed", "dead")
    await ready.request("PATCH", "/v1/channels/zns", {"secrets": zalo.secrets()})
    assert (await ready.post(f"/v1/runs/{run}/retry"))["state"] == "running"
    await ready.work()
    mended = await ready.get(f"/v1/runs/{run}")
    assert mended["state"] == "completed"
    assert [(one["state"], one["generation"]) for one in mended["trace"][0]["deliveries"]] == [
        ("rejected", 0),
        ("accepted", 1),
    ]
    assert len(zalo.ledger) == 1


async def test_deliveries_are_listed_and_shown(ready: Api) -> None:
    await start(ready, order(1))
    await start(ready, order(2, phone=None))
    for query, states in (
        ("", ["suppressed", "accepted"]),
        ("?state=accepted", ["accepted"]),
        ("?channel=zns&workflow=thanks&contact=KH-2", ["suppressed"]),
        ("?channel=other", []),
    ):
        listed = await ready.get(f"/v1/deliveries{query}")
        assert [one["state"] for one in listed["items"]] == states, query
    suppressed, accepted = (await ready.get("/v1/deliveries"))["items"]
    assert (suppressed["reason"], suppressed["to"]) == ("no_address", None)
    shown = await ready.get(f"/v1/deliveries/{accepted['id']}")
    assert (shown["to"], shown["content"]["params"]) == ("+84987654321", {"name": "Anh"})
    expect(await ready.request("GET", "/v1/deliveries/none"), 404)


async def test_a_person_says_that_an_unknown_one_was_sent_and_the_run_goes_on(ready: Api, zalo: ZaloStandIn) -> None:
    run, delivery = await unknown_delivery(ready, zalo)
    resolved = await ready.post(f"/v1/deliveries/{delivery}/resolve", {"outcome": "sent"})
    assert resolved["state"] == "accepted"
    await ready.work()
    assert (await ready.get(f"/v1/runs/{run}"))["state"] == "completed"
    assert len(zalo.ledger) == 1
    expect(await ready.request("POST", f"/v1/deliveries/{delivery}/resolve", {"outcome": "sent"}), 409)
    expect(await ready.request("POST", f"/v1/deliveries/{delivery}/resolve", {"outcome": "perhaps"}), 422)


async def test_a_person_says_that_an_unknown_one_was_not_sent_and_it_goes_out_as_a_new_one(
    ready: Api, zalo: ZaloStandIn
) -> None:
    run, delivery = await unknown_delivery(ready, zalo)
    assert (await ready.post(f"/v1/deliveries/{delivery}/resolve", {"outcome": "not_sent"}))["state"] == "failed"
    await ready.work()
    past = await ready.get(f"/v1/runs/{run}")
    assert past["state"] == "completed"
    generations = {one["generation"]: one for one in past["trace"][0]["deliveries"]}
    assert (generations[0]["state"], generations[1]["state"]) == ("failed", "accepted")
    assert len(zalo.ledger.references()) == 2


async def test_many_are_resolved_at_once_or_none(ready: Api, zalo: ZaloStandIn) -> None:
    first = (await unknown_delivery(ready, zalo, 1))[1]
    second = (await unknown_delivery(ready, zalo, 2))[1]
    said = [{"id": first, "outcome": "sent"}, {"id": "none", "outcome": "sent"}]
    refused = await ready.post("/v1/deliveries/resolve", {"items": said}, 422)
    assert [(error["path"], error["code"]) for error in refused["errors"]] == [("items[1]", "not_found")]
    assert len((await ready.get("/v1/deliveries?state=unknown"))["items"]) == 2
    said = [{"id": first, "outcome": "sent"}, {"id": second, "outcome": "sent"}]
    resolved = await ready.post("/v1/deliveries/resolve", {"items": said})
    assert [one["state"] for one in resolved["items"]] == ["accepted", "accepted"]


async def test_a_replay_sends_once_more_and_is_written_down(ready: Api, zalo: ZaloStandIn) -> None:
    await start(ready, order(1))
    [delivery] = (await ready.get("/v1/deliveries"))["items"]
    await ready.post(f"/v1/deliveries/{delivery['id']}/replay", status=202)
    await ready.work()
    assert len(zalo.ledger.references()) == 2
    states = [(one["generation"], one["state"]) for one in (await ready.get("/v1/deliveries"))["items"]]
    assert states == [(1, "accepted"), (0, "accepted")]
    [entry] = await ready.engine.database.read(
        lambda unit: unit.audit.entries(ready.workspace_id, after=None, limit=5, action="delivery.replay", target=None)
    )
    assert entry.target == delivery["id"]


async def test_an_unknown_one_is_not_replayed(ready: Api, zalo: ZaloStandIn) -> None:
    _, delivery = await unknown_delivery(ready, zalo)
    expect(await ready.request("POST", f"/v1/deliveries/{delivery}/replay"), 409)


async def test_another_workspace_sees_and_decides_nothing(ready: Api, zalo: ZaloStandIn) -> None:
    run, delivery = await unknown_delivery(ready, zalo)
    other = await ready.other_workspace()
    for path in ("/v1/runs", "/v1/deliveries"):
        assert (await other.get(path))["items"] == []
    for method, path in (
        ("GET", f"/v1/runs/{run}"),
        ("POST", f"/v1/runs/{run}/cancel"),
        ("POST", f"/v1/runs/{run}/retry"),
        ("GET", f"/v1/deliveries/{delivery}"),
        ("POST", f"/v1/deliveries/{delivery}/replay"),
        ("GET", "/v1/metrics/workflows/thanks"),
    ):
        expect(await other.request(method, path), 404)
    expect(await other.request("POST", f"/v1/deliveries/{delivery}/resolve", {"outcome": "sent"}), 404)
    assert (await other.get("/v1/metrics/summary"))["triggered"] == 0
    assert (await ready.get(f"/v1/deliveries/{delivery}"))["state"] == "unknown"


# --- numbers ----------------------------------------------------------------------------------------------------------


def _latencies(unit: Unit, workspace_id: int, runs: list[str]) -> list[int]:
    steps = [step.id for run in runs for step in unit.history.steps(workspace_id, run)]
    return sorted(
        one.accepted_at - one.event_received_at
        for one in unit.history.deliveries_of(workspace_id, steps)
        if one.accepted_at is not None and one.event_received_at is not None
    )


async def test_the_numbers_are_what_the_rows_say(ready: Api, zalo: ZaloStandIn) -> None:
    for number in range(1, 8):
        await start(ready, order(number, phone=None if number == 7 else "0987654321"))
    refused = order(99, contact=1)
    assert (await ready.send(refused))["events"][0]["runs"] == []
    await unknown_delivery(ready, zalo, 8)
    numbers = await ready.get("/v1/metrics/workflows/thanks")
    assert (numbers["triggered"], numbers["enrolled"], numbers["completed"], numbers["running"]) == (9, 8, 7, 1)
    assert numbers["refused"] == {"entered_before": 1}
    counted = {key: value for key, value in numbers["deliveries"]["zns"].items() if value}
    assert counted == {"total": 8, "accepted": 6, "suppressed": 1, "unknown": 1}
    took = await ready.engine.database.read(
        _latencies, ready.workspace_id, [one["id"] for one in (await ready.get("/v1/runs"))["items"]]
    )
    assert numbers["latency"]["count"] == len(took) == 6
    assert numbers["latency"]["p50_s"] == pytest.approx((took[2] + took[3]) / 2e6, abs=1e-6)
    assert numbers["latency"]["p99_s"] == pytest.approx((took[4] + (took[5] - took[4]) * 0.95) / 1e6, abs=1e-6)
    summary = await ready.get("/v1/metrics/summary")
    assert {**summary, "until": ""} == {**numbers, "until": "", "since": summary["since"]}


async def test_a_series_has_every_interval_and_sums_up_to_the_whole(ready: Api) -> None:
    for number in range(1, 4):
        await start(ready, order(number))
    numbers = await ready.get("/v1/metrics/summary?step=P1D")
    assert len(numbers["series"]) == 30
    for name in ("enrolled", "accepted", "delivered"):
        assert sum(one[name] for one in numbers["series"]) == {"enrolled": 3, "accepted": 3, "delivered": 0}[name]
    past = await ready.get("/v1/metrics/summary?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z&step=PT6H")
    assert (past["triggered"], past["latency"], len(past["series"])) == (
        0,
        {"count": 0, "p50_s": None, "p99_s": None},
        4,
    )


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("since=yesterday", "since"),
        ("until=2020-01-01", "until"),
        ("since=2020-01-02T00:00:00Z&until=2020-01-01T00:00:00Z", "until"),
        ("step=1h", "step"),
        ("step=PT1S", "step"),
    ],
)
async def test_a_span_that_is_none_is_refused(api: Api, query: str, path: str) -> None:
    refused = expect(await api.request("GET", f"/v1/metrics/summary?{query}"), 422)
    assert refused["errors"][0]["path"] == path
    expect(await api.request("GET", "/v1/metrics/workflows/none"), 404)
