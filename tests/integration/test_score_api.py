"""Score rules over HTTP, why a score is what it is, and what it would be by other rules."""

from typing import Any

import pytest

from tests.support.api import Api, expect

RULES = [
    {"id": "opened", "title": "Mở email", "event": "email.opened", "points": 5, "cap": 30},
    {"id": "clicked", "event": ["link.clicked", "message.replied"], "points": 20, "half_life": "P30D"},
    {"id": "left", "event": "contact.updated", "points": -50,
     "where": {"field": "contact.status", "op": "changed_to", "value": "Lost"}},
]  # fmt: skip


def event(number: int, kind: str, contact: str = "KH-1") -> dict[str, Any]:
    return {"specversion": "1.0", "id": f"evt-{number}", "source": "shop", "type": kind, "subject": contact}


async def test_there_are_no_rules_at_first(api: Api) -> None:
    response = await api.request("GET", "/v1/score-rules")
    assert response.json() == {"rules": [], "revision": 0, "updated_at": None}
    assert "etag" not in response.headers


async def test_rules_are_replaced_by_who_has_seen_them(api: Api) -> None:
    first = await api.request("PUT", "/v1/score-rules", {"rules": RULES})
    body = expect(first, 200)
    assert (body["rules"], body["revision"]) == (RULES, 1)

    shown = await api.request("GET", "/v1/score-rules")
    assert (shown.json(), shown.headers["etag"]) == (body, first.headers["etag"])

    same = await api.request("PUT", "/v1/score-rules", shown.json(), if_match=shown.headers["etag"])
    assert (same.status_code, same.headers["etag"]) == (200, first.headers["etag"])

    second = await api.request("PUT", "/v1/score-rules", {"rules": RULES[:1]}, if_match=first.headers["etag"])
    assert second.json()["revision"] == 2
    stale = await api.request("PUT", "/v1/score-rules", {"rules": []}, if_match=first.headers["etag"])
    assert stale.status_code == 412


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, [("rules", "missing")]),
        ({"rules": {}}, [("rules", "bad_value")]),
        ({"rules": [], "more": 1}, [("more", "unknown_field")]),
        (
            {"rules": [1, {"id": "a"}]},
            [("rules[0]", "bad_value"), ("rules[1].event", "missing"), ("rules[1].points", "missing")],
        ),
        (
            {"rules": [{**RULES[0], "half_life": "soon", "points": 0}, {**RULES[0], "cap": 0}]},
            [("rules[0].points", "bad_value"), ("rules[0].half_life", "bad_value"), ("rules[1].cap", "bad_value")],
        ),
        ({"rules": [{**RULES[0], "id": f"r{number}"} for number in range(101)]}, [("rules", "too_many")]),
    ],
)
async def test_faults_are_told_with_their_places(api: Api, body: Any, problems: list[tuple[str, str]]) -> None:
    response = await api.request("PUT", "/v1/score-rules", body)
    assert response.status_code == 422
    assert [(one["path"], one["code"]) for one in response.json()["errors"]] == problems


async def test_a_score_says_why_it_is_what_it_is(api: Api) -> None:
    await api.put("/v1/score-rules", {"rules": RULES})
    kinds = ["email.opened"] * 8 + ["link.clicked"] * 10 + ["message.replied"]
    for number, kind in enumerate(kinds):
        await api.send(event(number, kind))
    await api.put("/v1/contacts/KH-1", {"status": "Lost"})

    found = await api.get("/v1/contacts/KH-1/score")

    assert found["score"] == 200
    opened, clicked, left = found["rules"]
    assert opened.items() >= {
        "id": "opened", "title": "Mở email", "points": 30.0, "uncapped": 40.0, "count": 8, "capped": True, "cap": 30,
        "half_life": None,
    }.items()  # fmt: skip
    assert (clicked["points"], clicked["count"], clicked["capped"]) == (pytest.approx(220, abs=0.1), 11, False)
    assert clicked["half_life"] == "P30D"
    assert (left["points"], left["count"]) == (-50.0, 1)
    assert opened["last_at"] < clicked["last_at"] <= found["as_of"]
    assert (await api.get("/v1/contacts/KH-1"))["score"] == 200
    [listed] = (await api.get("/v1/contacts"))["items"]
    assert listed["score"] == 200


async def test_the_score_of_somebody_who_never_did_anything(api: Api) -> None:
    await api.put("/v1/contacts/KH-2", {})
    assert (await api.get("/v1/contacts/KH-2/score"))["rules"] == []
    await api.put("/v1/score-rules", {"rules": RULES})
    found = await api.get("/v1/contacts/KH-2/score")
    assert found["score"] == 0
    assert {(line["points"], line["count"], line["last_at"]) for line in found["rules"]} == {(0.0, 0, None)}
    assert (await api.request("GET", "/v1/contacts/nobody/score")).status_code == 404


async def test_other_rules_are_tried_out_on_what_happened(api: Api) -> None:
    await api.put("/v1/score-rules", {"rules": RULES})
    for number in range(3):
        await api.send(event(number, "email.opened"))
    await api.send(event(3, "site.visited"))
    await api.send(event(4, "site.visited", "KH-2"))
    others = [{"id": "visited", "event": "site.visited", "points": 40}, {**RULES[0], "cap": 12}]

    answer = await api.post("/v1/score-rules/preview", {"rules": others, "contacts": ["KH-1", "KH-2"]})

    first, second = answer["items"]
    assert (first["contact"], first["score"], first["preview"]["score"], first["complete"]) == ("KH-1", 15, 52, True)
    assert (second["score"], second["preview"]["score"]) == (0, 40)
    assert [(line["id"], line["count"]) for line in first["preview"]["rules"]] == [("visited", 1), ("opened", 3)]
    assert (await api.get("/v1/contacts/KH-1/score"))["score"] == 15

    wrong = await api.request("POST", "/v1/score-rules/preview", {"rules": [{}], "contacts": ["KH-1"]})
    assert wrong.status_code == 422
    gone = await api.request("POST", "/v1/score-rules/preview", {"rules": others, "contacts": ["KH-9"]})
    assert gone.status_code == 404


async def test_the_trigger_is_published_and_a_dry_run_reaches_the_mark(api: Api) -> None:
    await api.put("/v1/score-rules", {"rules": [{"id": "opened", "event": "email.opened", "points": 200}]})
    config = {"operator": "rises_above", "value": 200, "hysteresis": 20, "industry": ["Education"]}
    definition = {
        "name": "hot",
        "triggers": [{"id": "hot", "type": "engagement_score", "config": config}],
        "steps": [{"id": "mark", "action": "update_contact", "config": {"add_tags": ["Tương tác cao"]}}],
    }
    await api.post("/v1/workflows", definition, 201)
    assert (await api.post("/v1/workflows/hot/publish"))["warnings"] == []
    await api.put("/v1/contacts/KH-1", {"industry": "education"})

    tried = await api.post("/v1/workflows/hot/dry-run", {"event": event(1, "email.opened")})
    assert tried["starts"] is True
    assert (await api.get("/v1/contacts/KH-1"))["score"] == 0

    answer = await api.send(event(1, "email.opened"))
    assert len(answer["events"][0]["runs"]) == 1
    identifier = answer["events"][0]["id"]
    explained = await api.get(f"/v1/events/{identifier}/explain")
    assert explained["workflows"][0]["outcome"] == "started"
    again = await api.send(event(2, "email.opened"))
    explained = await api.get(f"/v1/events/{again['events'][0]['id']}/explain")
    [reason] = explained["workflows"][0]["triggers"][0]["reasons"]
    assert (reason["code"], reason["expected"], reason["actual"]) == ("differs", 200, 200)
