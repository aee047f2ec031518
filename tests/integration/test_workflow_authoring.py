"""Workflows: drafts, publishing that holds from the next event on, versions, pauses, dry runs."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.api import Api, expect

CONSOLE = {"name": "screen", "type": "console", "config": {}}
THANKS = {"channel_type": "console", "text": "Cảm ơn {{ contact.name }}"}
SEND: dict[str, Any] = {
    "id": "thank", "action": "send_message", "config": {"channel": "screen", "template": "thanks", "to": "contact"}
}  # fmt: skip
WORKFLOW: dict[str, Any] = {
    "name": "thanks",
    "title": "Thank after delivery",
    "triggers": [{"id": "delivered", "type": "order_status", "config": {"to": ["delivered"]}}],
    "conditions": {"all": [{"field": "contact.segment", "op": "equals", "value": "retail"}]},
    "steps": [SEND],
}


def order(number: int, status: str = "delivered", **contact: Any) -> dict[str, Any]:
    """An event that an order has a status."""
    known = {"external_id": f"KH-{number}", "name": "Anh", "segment": "retail", **contact}
    record = {"external_id": f"DH-{number}", "status": status}
    return {
        "id": f"{number}-{status}",
        "source": "shop",
        "type": "order.updated",
        "data": {"contact": known, "order": record},
    }


def with_steps(*steps: dict[str, Any], **change: Any) -> dict[str, Any]:
    return {**WORKFLOW, "steps": list(steps), **change}


@pytest.fixture
async def ready(api: Api) -> Api:
    """A workspace with a channel, a template and a published workflow."""
    await api.post("/v1/channels", CONSOLE, 201)
    await api.put("/v1/templates/thanks", THANKS, 201)
    await api.post("/v1/workflows", WORKFLOW, 201)
    await api.post("/v1/workflows/thanks/publish")
    return api


# --- drafts -----------------------------------------------------------------------------------------------------------


async def test_a_draft_is_read_changed_and_sent_back(api: Api) -> None:
    made = await api.request("POST", "/v1/workflows", WORKFLOW)
    body = expect(made, 201)
    assert (body["state"], body["published_version"], body["has_unpublished_changes"]) == ("draft", None, True)
    shown = await api.request("GET", "/v1/workflows/thanks")
    assert shown.json() == body
    changed = await api.request(
        "PUT", "/v1/workflows/thanks", {**body, "title": "Other"}, if_match=shown.headers["etag"]
    )
    assert expect(changed, 200)["title"] == "Other"
    stale = await api.request("PUT", "/v1/workflows/thanks", body, if_match=shown.headers["etag"])
    expect(stale, 412)
    expect(await api.request("POST", "/v1/workflows", WORKFLOW), 409)
    listed = await api.get("/v1/workflows?state=draft")
    assert [(one["name"], one["title"]) for one in listed["items"]] == [("thanks", "Other")]
    expect(await api.request("DELETE", "/v1/workflows/thanks"), 204)
    expect(await api.request("GET", "/v1/workflows/thanks"), 404)


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"name": "Not A Name"}, "name", "bad_value"),
        ({"colour": 1}, "colour", "unknown_field"),
        ({"triggers": []}, "triggers", "bad_value"),
        ({"triggers": [{"type": "moon"}]}, "triggers[0].type", "unknown_trigger"),
        ({"steps": [{"id": "a", "action": "dance"}]}, "steps[0].action", "unknown_action"),
        ({"steps": [SEND, SEND]}, "steps[1].id", "duplicate_id"),
        ({"steps": [{"id": "a", "wait": {"for": "1 day"}}]}, "steps[0].wait.for", "bad_value"),
        ({"conditions": {"field": "contact.x", "op": "likes", "value": 1}}, "conditions.op", "unknown_operator"),
    ],
)
async def test_a_malformed_draft_is_refused_with_its_place(
    api: Api, change: dict[str, Any], path: str, code: str
) -> None:
    refused = await api.post("/v1/workflows", {**WORKFLOW, **change}, 422)
    assert (path, code) in [(error["path"], error["code"]) for error in refused["errors"]]


async def test_the_name_in_the_address_counts(api: Api) -> None:
    refused = expect(await api.request("PUT", "/v1/workflows/other", WORKFLOW), 422)
    assert refused["errors"][0]["path"] == "name"
    nameless = {key: value for key, value in WORKFLOW.items() if key != "name"}
    assert (await api.put("/v1/workflows/other", nameless, 201))["name"] == "other"


# --- publishing -------------------------------------------------------------------------------------------------------


async def test_a_draft_may_name_what_is_not_there_and_a_publish_may_not(api: Api) -> None:
    await api.post("/v1/workflows", WORKFLOW, 201)
    refused = await api.post("/v1/workflows/thanks/publish", status=422)
    assert [(error["path"], error["code"]) for error in refused["errors"]] == [
        ("steps[0].config.channel", "unknown_channel"),
        ("steps[0].config.template", "unknown_template"),
    ]
    told = await api.post("/v1/workflows/thanks/validate")
    assert (told["valid"], told["problems"]) == (False, refused["errors"])
    assert (await api.get("/v1/workflows/thanks"))["state"] == "draft"


async def test_validating_tells_when_time_sets_it_off_next(api: Api) -> None:
    timely = {
        **with_steps({"id": "mark", "action": "update_contact", "config": {"add_tags": ["VIP"]}}),
        "triggers": [{"id": "leap", "type": "schedule", "config": {"cron": "0 9 29 2 *", "timezone": "Europe/Berlin"}}],
    }
    told = (await api.post("/v1/workflows/thanks/validate", timely))["next_times"]
    assert [(one["trigger"], one["timezone"], len(one["times"])) for one in told] == [("leap", "Europe/Berlin", 5)]
    assert all(time.endswith("-02-29T09:00:00+01:00") for time in told[0]["times"])
    await api.post("/v1/workflows", timely, 201)
    assert (await api.get("/v1/workflows/thanks"))["next_times"] == []
    await api.post("/v1/workflows/thanks/publish")
    shown = await api.get("/v1/workflows/thanks")
    assert shown["next_times"] == told
    assert (await api.put("/v1/workflows/thanks", shown))["next_times"] == told
    await api.post("/v1/workflows/thanks/pause")
    assert (await api.get("/v1/workflows/thanks"))["next_times"] == []
    assert (await api.post("/v1/workflows/thanks/validate", {"steps": 1}))["next_times"] == []


async def test_references_deep_inside_and_in_fallbacks_are_checked(api: Api) -> None:
    await api.post("/v1/channels", CONSOLE, 201)
    await api.put("/v1/templates/thanks", THANKS, 201)
    await api.put("/v1/templates/hook", {"channel_type": "webhook", "text": "x"}, 201)
    deep = {
        "id": "fork",
        "if": {"field": "contact.segment", "op": "equals", "value": "vip"},
        "then": [{**SEND, "id": "a", "config": {**SEND["config"], "template": "gone"}}],
        "else": [{**SEND, "id": "b", "fallback": [{"template": "hook"}, {"channel": "nowhere"}]}],
    }
    await api.post("/v1/workflows", with_steps(deep), 201)
    refused = await api.post("/v1/workflows/thanks/publish", status=422)
    assert [(error["path"], error["code"]) for error in refused["errors"]] == [
        ("steps[0].then[0].config.template", "unknown_template"),
        ("steps[0].else[0].fallback[1].channel", "unknown_channel"),
        ("steps[0].else[0].fallback[0].template", "template_mismatch"),
    ]


async def test_the_next_event_after_a_publish_starts_a_run(api: Api) -> None:
    await api.post("/v1/channels", CONSOLE, 201)
    await api.put("/v1/templates/thanks", THANKS, 201)
    await api.post("/v1/workflows", WORKFLOW, 201)
    before = await api.send(order(1))
    published = await api.post("/v1/workflows/thanks/publish")
    after = await api.send(order(2))
    assert (published["version"], published["created"], published["state"]) == (1, True, "active")
    assert (before["events"][0]["runs"], len(after["events"][0]["runs"])) == ([], 1)
    other = await api.send(order(3, segment="wholesale"))
    assert other["events"][0]["runs"] == []


async def test_an_unchanged_draft_is_the_same_version_and_a_changed_one_the_next(ready: Api) -> None:
    again = await ready.post("/v1/workflows/thanks/publish")
    assert (again["version"], again["created"]) == (1, False)
    tag = (await ready.request("GET", "/v1/workflows/thanks")).headers["etag"]
    await ready.put("/v1/workflows/thanks", {**WORKFLOW, "title": "Second"}, 200)
    assert (await ready.get("/v1/workflows/thanks"))["has_unpublished_changes"] is True
    expect(await ready.request("POST", "/v1/workflows/thanks/publish", if_match=tag), 412)
    second = await ready.post("/v1/workflows/thanks/publish")
    assert (second["version"], second["created"]) == (2, True)
    assert (await ready.get("/v1/workflows/thanks"))["has_unpublished_changes"] is False


async def test_runs_end_on_the_version_they_entered_and_the_publish_says_where_they_stand(ready: Api) -> None:
    waiting = with_steps({"id": "pause", "wait": {"for": "P1D"}}, SEND)
    await ready.put("/v1/workflows/thanks", waiting, 200)
    await ready.post("/v1/workflows/thanks/publish")
    started = await ready.send(order(1))
    await ready.put("/v1/workflows/thanks", WORKFLOW, 200)
    third = await ready.post("/v1/workflows/thanks/publish")
    stands = {"version": 2, "step": "pause", "runs": 1, "fate": "finish", "to": None}
    assert (third["version"], third["running"]) == (3, [stands])
    assert (await ready.get(f"/v1/runs/{started['events'][0]['runs'][0]}"))["version"] == 2


async def test_two_publishes_at_once_are_one_version(ready: Api) -> None:
    await ready.put("/v1/workflows/thanks", {**WORKFLOW, "title": "Second"}, 200)
    answers = await asyncio.gather(*(ready.post("/v1/workflows/thanks/publish") for _ in range(4)))
    assert [answer["version"] for answer in answers] == [2, 2, 2, 2]
    assert sum(answer["created"] for answer in answers) == 1


async def test_versions_are_listed_shown_and_restored(ready: Api) -> None:
    await ready.put("/v1/workflows/thanks", {**WORKFLOW, "title": "Second"}, 200)
    await ready.post("/v1/workflows/thanks/publish")
    listed = await ready.get("/v1/workflows/thanks/versions?limit=1")
    assert [one["version"] for one in listed["items"]] == [2]
    rest = await ready.get(f"/v1/workflows/thanks/versions?limit=1&cursor={listed['next_cursor']}")
    assert ([one["version"] for one in rest["items"]], rest["next_cursor"]) == ([1], None)
    assert (await ready.get("/v1/workflows/thanks/versions/1"))["definition"] == WORKFLOW
    restored = await ready.post("/v1/workflows/thanks/versions/1/restore")
    assert (restored["title"], restored["published_version"]) == (WORKFLOW["title"], 2)
    assert restored["has_unpublished_changes"] is True
    third = await ready.post("/v1/workflows/thanks/publish")
    assert (third["version"], third["created"]) == (3, True)
    expect(await ready.request("GET", "/v1/workflows/thanks/versions/9"), 404)
    expect(await ready.request("POST", "/v1/workflows/thanks/versions/9/restore"), 404)


async def test_what_looks_like_a_mistake_is_told_and_stops_nothing(api: Api) -> None:
    await api.post("/v1/channels", CONSOLE, 201)
    await api.put("/v1/templates/thanks", {**THANKS, "message_class": "marketing"}, 201)
    end = {"exit": {"reason": "done"}}
    fork = {
        "id": "fork",
        "if": {"field": "contact.segmnt", "op": "equals", "value": "vip"},
        "then": [{"id": "e1", **end}],
        "else": [{"id": "e2", **end}],
    }
    late = {**SEND, "config": {**SEND["config"], "message_class": "transactional"}}
    suspicious = with_steps(
        {"id": "long", "wait": {"for": "P8D"}}, late, fork,
        triggers=[{"type": "event", "config": {"type": "odrer.paid"}}],
        settings={"conversion": {"event": "order.created", "within": "P7D"}},
    )  # fmt: skip
    await api.post("/v1/workflows", suspicious, 201)
    published = await api.post("/v1/workflows/thanks/publish")
    assert {(warning["path"], warning["code"]) for warning in published["warnings"]} == {
        ("steps[2].if", "unknown_field"),
        ("steps[1]", "after_conversion"),
        ("steps[1].config.message_class", "other_class"),
        ("triggers[0]", "never_seen"),
    }


async def test_events_that_a_journey_waits_for_in_vain_are_told(api: Api) -> None:
    for kind in ("shop.bought", "shop.opened"):
        event = {"id": kind, "source": "shop", "specversion": "1.0", "type": kind, "subject": "KH-1"}
        await api.send(event)
    journey = with_steps(
        {"id": "buys", "wait": {"event": ["shop.bought", "shop.buoght"], "timeout": "P2D"}},
        {"id": "pays", "wait": {"event": "shop.bought"}},
        {"id": "tagged", "wait": {"event": "contact.tag_added", "timeout": "P2D"}},
        triggers=[{"type": "event", "config": {"type": "shop.opened"}}],
        settings={"exit_when": [{"event": "order.created"}, {"event": "shop.lfet"}]},
    )
    await api.post("/v1/workflows", journey, 201)
    published = await api.post("/v1/workflows/thanks/publish")
    assert {(warning["path"], warning["code"]) for warning in published["warnings"]} == {
        ("steps[0].wait.event", "never_seen"),
        ("steps[1].wait", "long_wait"),
        ("settings.exit_when[1].event", "never_seen"),
    }


async def test_what_nothing_counts_as_is_told(api: Api) -> None:
    async def warned(*triggers: tuple[str, Mapping[str, object]], **rest: object) -> set[tuple[str, str]]:
        uses = [{"id": f"t{n}", "type": kind, "config": config} for n, (kind, config) in enumerate(triggers)]
        checked = await api.post(
            "/v1/workflows/thanks/validate", with_steps({"id": "e", "exit": {"reason": "x"}}, triggers=uses, **rest)
        )
        return {(warning["path"], warning["code"]) for warning in checked["warnings"]}

    told = await warned(
        *(
            ("dormancy", {"days": 30, "activity": kind})
            for kind in ("orders", "any", "care", "site", "contact", "shop")
        ),
        ("site_return", {"days": 30, "event": "order.updated"}),
        ("site_return", {"days": 30, "event": "order.created"}),
        settings={"conversion": {"event": "odrer.created", "within": "P7D"}},
    )
    assert told == {
        ("triggers[0].config.activity", "never_counted"),
        ("triggers[4].config.activity", "never_counted"),
        ("triggers[5].config.activity", "never_counted"),
        ("triggers[6]", "never_counted"),
        ("settings.conversion.event", "never_seen"),
    }
    await api.send({"id": "1", "source": "shop", "specversion": "1.0", "type": "shop.opened", "subject": "KH-1"})
    assert await warned(("dormancy", {"days": 30, "activity": "shop"})) == set()


async def test_what_a_workflow_needs_cannot_be_taken_away(ready: Api) -> None:
    for path in ("/v1/channels/screen", "/v1/templates/thanks", "/v1/workflows/thanks"):
        expect(await ready.request("DELETE", path), 409)
    await ready.post("/v1/workflows/thanks/archive")
    for path in ("/v1/channels/screen", "/v1/templates/thanks"):
        expect(await ready.request("DELETE", path), 204)


# --- states -----------------------------------------------------------------------------------------------------------


async def test_a_pause_holds_back_what_is_due_and_a_resume_lets_it_go(ready: Api) -> None:
    started = await ready.send(order(1))
    run = started["events"][0]["runs"][0]
    assert (await ready.post("/v1/workflows/thanks/pause"))["state"] == "paused"
    await ready.work()
    held = await ready.get(f"/v1/runs/{run}")
    assert [(step["state"], step["reason"], step["due_at"]) for step in held["trace"]] == [("waiting", "paused", None)]
    assert (await ready.send(order(2)))["events"][0]["runs"] == []
    assert (await ready.post("/v1/workflows/thanks/pause"))["state"] == "paused"
    assert (await ready.post("/v1/workflows/thanks/resume"))["state"] == "active"
    await ready.work()
    assert (await ready.get(f"/v1/runs/{run}"))["state"] == "completed"
    assert len((await ready.send(order(3)))["events"][0]["runs"]) == 1


async def test_a_publish_ends_a_pause(ready: Api) -> None:
    run = (await ready.send(order(1)))["events"][0]["runs"][0]
    await ready.post("/v1/workflows/thanks/pause")
    await ready.work()
    answer = await ready.post("/v1/workflows/thanks/publish")
    assert (answer["state"], answer["created"]) == ("active", False)
    await ready.work()
    assert (await ready.get(f"/v1/runs/{run}"))["state"] == "completed"


async def test_an_archive_cancels_what_is_under_way_and_a_publish_brings_it_back(ready: Api) -> None:
    run = (await ready.send(order(1)))["events"][0]["runs"][0]
    archived = await ready.post("/v1/workflows/thanks/archive")
    assert (archived["state"], archived["cancelled_runs"]) == ("archived", 1)
    await ready.work()
    past = await ready.get(f"/v1/runs/{run}")
    assert (past["state"], past["reason"], past["trace"][0]["state"]) == ("cancelled", "workflow_archived", "cancelled")
    assert (await ready.send(order(2)))["events"][0]["runs"] == []
    expect(await ready.request("POST", "/v1/workflows/thanks/pause"), 409)
    await ready.post("/v1/workflows/thanks/publish")
    assert len((await ready.send(order(3)))["events"][0]["runs"]) == 1


async def test_a_draft_can_neither_be_paused_nor_resumed(api: Api) -> None:
    await api.post("/v1/workflows", WORKFLOW, 201)
    expect(await api.request("POST", "/v1/workflows/thanks/pause"), 409)
    expect(await api.request("POST", "/v1/workflows/thanks/resume"), 409)


async def test_when_it_was_active_is_known_afterwards(ready: Api) -> None:
    await ready.post("/v1/workflows/thanks/pause")
    paused = await ready.send(order(1))
    await ready.post("/v1/workflows/thanks/resume")
    active = await ready.send(order(2, segment="wholesale"))
    for answer, expected in ((paused, []), (active, ["conditions"])):
        event = answer["events"][0]["id"]
        told = await ready.get(f"/v1/workflows/thanks/explain?event={event}")
        assert [finding["outcome"] for finding in told["events"][0].get("workflows", [])] == expected
    lately = await ready.get("/v1/workflows/thanks/explain?contact=KH-2")
    [reason] = lately["events"][0]["workflows"][0]["triggers"][0]["reasons"][-1:]
    assert (reason["path"], reason["actual"]) == ("conditions.all[0]", "wholesale")
    expect(await ready.request("GET", "/v1/workflows/thanks/explain"), 422)
    expect(await ready.request("GET", "/v1/workflows/none/explain?contact=KH-2"), 404)


async def test_another_workspace_neither_sees_nor_starts_it(ready: Api) -> None:
    other = await ready.other_workspace()
    expect(await other.request("GET", "/v1/workflows/thanks"), 404)
    for verb in ("publish", "pause", "resume", "archive", "validate", "versions/1/restore"):
        expect(await other.request("POST", f"/v1/workflows/thanks/{verb}"), 404)
    assert (await other.get("/v1/workflows"))["items"] == []
    assert (await other.send(order(1)))["events"][0]["runs"] == []
    expect(await other.request("GET", "/v1/workflows/thanks/versions"), 404)


async def test_every_change_of_state_is_written_down(ready: Api) -> None:
    for verb in ("pause", "resume", "archive"):
        await ready.post(f"/v1/workflows/thanks/{verb}")
    entries = await ready.engine.database.read(
        lambda unit: unit.audit.entries(ready.workspace_id, after=None, limit=20, action=None, target="thanks")
    )
    verbs = [entry.action.removeprefix("workflow.") for entry in entries if entry.action.startswith("workflow.")]
    assert verbs == ["archive", "resume", "pause", "publish", "create"]


# --- dry runs ---------------------------------------------------------------------------------------------------------


async def test_a_dry_run_shows_what_would_be_sent_and_leaves_no_trace(ready: Api) -> None:
    branch = {
        "id": "fork",
        "if": {"field": "contact.segment", "op": "equals", "value": "retail"},
        "then": [SEND],
        "else": [],
    }
    await ready.put("/v1/workflows/thanks", with_steps({"id": "nap", "wait": {"for": "PT2H"}}, branch), 200)
    tried = await ready.post("/v1/workflows/thanks/dry-run", {"event": order(1)})
    assert (tried["starts"], tried["contact"], tried["end"]) == (True, "KH-1", "completed")
    assert [(step["path"], step["kind"]) for step in tried["steps"]] == [
        ("steps[0]", "wait"),
        ("steps[1]", "branch"),
        ("steps[1].then[0]", "message"),
    ]
    message = tried["steps"][2]["message"]
    assert (message["to"], message["content"]["text"]) == ("KH-1", "Cảm ơn Anh")
    assert tried["steps"][1]["verdict"]["holds"] is True
    for path in ("/v1/events", "/v1/runs", "/v1/deliveries", "/v1/contacts"):
        assert (await ready.get(path))["items"] == [], path
    published = await ready.post("/v1/workflows/thanks/dry-run", {"event": order(1), "version": 1})
    assert [step["path"] for step in published["steps"]] == ["steps[0]"]


async def test_a_dry_run_says_which_condition_failed_and_with_which_value(ready: Api) -> None:
    tried = await ready.post("/v1/workflows/thanks/dry-run", {"event": order(1, segment="wholesale")})
    assert (tried["starts"], tried["steps"]) == (False, [])
    failed = [
        reason
        for trigger in tried["triggers"]
        for reason in trigger["verdict"].get("reasons", [])
        if reason["path"].startswith("conditions")
    ]
    assert [(reason["path"], reason["code"], reason["actual"]) for reason in failed] == [
        ("conditions.all[0]", "differs", "wholesale")
    ]
    wrong = await ready.post("/v1/workflows/thanks/dry-run", {"event": {**order(1), "type": "Not A Type"}}, 422)
    assert wrong["errors"][0]["path"] == "event.type"


async def test_a_dry_run_knows_what_ends_a_ticket(api: Api) -> None:
    about = {"field": "ticket.external_id", "op": "equals", "value": {"run": "about.ticket"}}
    steps = [{"id": "rated", "wait": {"event": "ticket.rated", "where": about, "timeout": "P1D"}}]
    triggers = [{"id": "solved", "type": "ticket", "config": {"on": "resolved"}}]
    await api.post("/v1/workflows", {"name": "ask", "triggers": triggers, "steps": steps}, 201)
    for status, starts in (("done", True), ("in_progress", False)):
        data = {"ticket": {"external_id": "TK-1", "status": status}, "contact": {"external_id": "KH-1"}}
        event = {"specversion": "1.0", "id": "1", "source": "desk", "type": "ticket.updated", "data": data}
        assert (await api.post("/v1/workflows/ask/dry-run", {"event": event}))["starts"] is starts


async def test_a_dry_run_knows_who_has_entered_before(ready: Api) -> None:
    await ready.put("/v1/workflows/thanks", {**WORKFLOW, "settings": {"reentry": "once"}}, 200)
    await ready.post("/v1/workflows/thanks/publish")
    await ready.send(order(1))
    again = order(1)
    again["data"]["order"] = {"external_id": "DH-9", "status": "delivered"}
    tried = await ready.post("/v1/workflows/thanks/dry-run", {"event": again})
    assert tried["starts"] is False
    assert "entered_before" in [trigger["refusal"] for trigger in tried["triggers"]]
