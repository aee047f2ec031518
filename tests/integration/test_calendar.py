"""The days on which a workspace is closed, and everything that keeps them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove

from nhip.ports import Unit
from nhip.services.workspace.calendars import closed_days
from tests.support.api import Api, expect

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
ALL_DAY = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "23:59"}
LEAVE = {"id": "leave", "exit": {"reason": "open"}}
TET = {"date": "2027-02-05", "to": "2027-02-11", "title": "Tết Nguyên đán"}
INDEPENDENCE = {"date": "2026-09-02", "title": "Quốc khánh", "yearly": True}


def today(days: int = 0) -> str:
    return (datetime.now(VIETNAM).date() + timedelta(days=days)).isoformat()


async def close(api: Api) -> None:
    """Yesterday, today and tomorrow are holidays, so that midnight changes nothing."""
    await api.put("/v1/calendar", {"holidays": [{"date": today(-1), "to": today(1), "title": "Tết"}]})


async def runs(api: Api, name: str, *steps: dict[str, Any], **rest: Any) -> list[dict[str, Any]]:
    """Let a workflow with these steps run for a lead; answers its steps."""
    trigger = {"id": "t", "type": "event", "config": {"type": f"shop.{name}"}}
    await api.post("/v1/workflows", {"name": name, "triggers": [trigger], "steps": list(steps), **rest}, 201)
    await api.post(f"/v1/workflows/{name}/publish")
    sent = await api.send({"id": name, "source": "shop", "type": f"shop.{name}", "subject": "KH-1"})
    await api.work()
    [run] = sent["events"][0]["runs"]
    shown: list[dict[str, Any]] = (await api.get(f"/v1/runs/{run}"))["trace"]
    return shown


async def test_a_workspace_says_its_days(api: Api) -> None:
    first = await api.request("GET", "/v1/calendar")
    assert first.json() == {"holidays": [], "revision": 0, "updated_at": None}
    made = await api.request("PUT", "/v1/calendar", {"holidays": [TET, INDEPENDENCE]}, if_match=first.headers["etag"])
    again = await api.request("PUT", "/v1/calendar", {"holidays": [TET, INDEPENDENCE]})

    expect(await api.request("PUT", "/v1/calendar", {"holidays": []}, if_match=first.headers["etag"]), 412)
    assert expect(made, 200) == expect(again, 200) == await api.get("/v1/calendar")
    assert (made.json()["holidays"], made.json()["revision"]) == ([TET, INDEPENDENCE], 1)
    other = await api.other_workspace()
    assert (await other.get("/v1/calendar"))["holidays"] == []
    changed = await api.put("/v1/calendar", {"holidays": []}, if_match=made.headers["etag"])
    assert (changed["holidays"], changed["revision"]) == ([], 2)


@pytest.mark.parametrize(
    ("holiday", "path"),
    [
        ({"date": "2027-02-30", "title": "Tết"}, "holidays[1].date"),
        ({"date": "2027-02-05T00:00:00Z", "title": "Tết"}, "holidays[1].date"),
        ({"date": "2027-02-05"}, "holidays[1].title"),
        ({**TET, "to": "2027-02-04"}, "holidays[1].to"),
        ({**TET, "name": "Tết"}, "holidays[1].name"),
    ],
)
async def test_a_mistake_is_told_with_its_place(api: Api, holiday: Any, path: str) -> None:
    answer = expect(await api.request("PUT", "/v1/calendar", {"holidays": [TET, holiday]}), 422)
    assert [one["path"] for one in answer["errors"]] == [path]
    assert (await api.get("/v1/calendar"))["revision"] == 0


async def test_public_holidays_are_proposed_and_can_be_put(api: Api) -> None:
    proposed = await api.get("/v1/calendar/public-holidays/VN?year=2027")
    days = {one["date"]: one["title"] for one in proposed["holidays"]}
    assert days["2027-02-06"] == "Tết Nguyên Đán"
    assert {"2027-01-01", "2027-04-16", "2027-04-30", "2027-05-01", "2027-05-03", "2027-09-02"} <= days.keys()
    assert (await api.put("/v1/calendar", {"holidays": proposed["holidays"]}))["holidays"] == proposed["holidays"]
    for country in ("XX", "vn", "HolidayBase", "VNM"):
        expect(await api.request("GET", f"/v1/calendar/public-holidays/{country}?year=2027"), 404)
    for query in ("", "?year=1999", "?year=soon"):
        assert (await api.request("GET", f"/v1/calendar/public-holidays/VN{query}")).status_code in (400, 422)


async def test_nobody_works_on_a_holiday(api: Api) -> None:
    await close(api)
    await api.put("/v1/staff/NV-1", {"name": "Lan", "department": "care", "hours": ALL_DAY})
    await api.put("/v1/staff/NV-2", {"name": "Mai", "department": "care"})
    await api.put("/v1/staff/NV-3", {"name": "Hoa", "department": "desk", "hours": {**ALL_DAY, "holidays": True}})
    rule = {
        "to": "department:care",
        "working_hours": True,
        "fallback": {"to": "department:desk", "working_hours": True},
    }
    due = {"next_working": "09:00", "days": ALL_DAY["days"]}
    hours = {**ALL_DAY, "timezone": "Asia/Ho_Chi_Minh"}

    steps = await runs(
        api,
        "opened",
        {"id": "task", "action": "create_task", "config": {"title": "Gọi", "due_at": due, "assign": rule}},
        {"id": "open", "if": {"condition": "working_hours", "config": ALL_DAY}, "then": [LEAVE]},
        {"id": "anyway", "wait": {"window": hours}},
        {"id": "office", "wait": {"window": {**hours, "holidays": False}}},
    )

    task = steps[0]["output"]
    assert task["due_at"] == f"{today(2)}T02:00:00Z"
    assert (task["assignee"], task["assignment"]["passed"]) == (
        "NV-3",
        [{"staff": "NV-1", "reason": "holiday"}, {"staff": "NV-2", "reason": "holiday"}],
    )
    assert [(one["step"], one["outcome"]) for one in steps[1:3]] == [("open", "else"), ("anyway", "open")]
    assert steps[1]["verdict"]["reasons"][0]["code"] == "holiday"
    assert (steps[3]["step"], steps[3]["state"]) == ("office", "waiting")
    assert datetime.fromisoformat(steps[3]["due_at"]) == datetime.fromisoformat(f"{today(2)}T00:00:00+07:00")


async def test_it_is_explained(api: Api) -> None:
    await close(api)
    trigger = {"id": "t", "type": "event", "config": {"type": "shop.opened"}}
    only = {"condition": "working_hours", "config": ALL_DAY}
    steps = [{"id": "exit", "exit": {"reason": "done"}}]
    await api.post("/v1/workflows", {"name": "w", "triggers": [trigger], "conditions": only, "steps": steps}, 201)
    await api.post("/v1/workflows/w/publish")

    event = (await api.send({"id": "1", "source": "shop", "type": "shop.opened", "subject": "KH-1"}))["events"][0]
    assert event["runs"] == []
    told = await api.get(f"/v1/events/{event['id']}/explain")
    [reason] = told["workflows"][0]["triggers"][0]["reasons"]
    assert (reason["code"], reason["actual"].endswith(", Tết")) == ("holiday", True)

    await api.put("/v1/calendar", {"holidays": []})
    assert (await api.send({"id": "2", "source": "shop", "type": "shop.opened", "subject": "KH-1"}))["events"][0][
        "runs"
    ]


async def test_a_unit_reads_it_once_and_only_where_a_day_is_asked_about(api: Api) -> None:
    await close(api)
    read: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "calendars" in statement:
            read.append(statement)

    def ask(unit: Unit) -> tuple[list[str | None], int]:
        first, second = closed_days(unit, api.workspace_id), closed_days(unit, api.workspace_id)
        before = len(read)
        days = [date.fromisoformat(today(number)) for number in (-2, 0, 2)]
        return [closed(day) for day in days for closed in (first, second)], before

    listen(Engine, "before_cursor_execute", note)
    try:
        found, before = await api.engine.database.transact(ask)
    finally:
        remove(Engine, "before_cursor_execute", note)
    assert (found, before, len(read)) == ([None, None, "Tết", "Tết", None, None], 0, 1)


async def test_no_agent_calls_on_a_holiday(api: Api) -> None:
    await api.put("/v1/staff/NV-1", {"name": "Lan"})
    campaign = {"object": "lead", "agents": ["NV-1"], "hours": ALL_DAY}
    await api.put("/v1/telesales-campaigns/beans", campaign, 201)
    await runs(api, "opened", {"id": "call", "action": "telesales_enqueue", "config": {"campaign": "beans"}})
    await close(api)

    place = "/v1/telesales-campaigns/beans/entries"
    [entry] = (await api.get(place))["items"]
    opens = datetime.fromisoformat(f"{today(2)}T00:00:00+07:00").astimezone(UTC)
    assert (entry["state"], entry["reason"], datetime.fromisoformat(entry["due_at"])) == ("waiting", "holiday", opens)
    assert (await api.get("/v1/telesales-campaigns/beans"))["entries"]["waiting"] == 1
    assert (await api.request("POST", f"{place}/next/take", {"agent": "NV-1"})).status_code == 204
    refused = await api.post(f"{place}/{entry['id']}/take", {"agent": "NV-1"}, 409)
    assert refused["detail"].endswith("it is a holiday, Tết")

    await api.put("/v1/telesales-campaigns/beans", {**campaign, "hours": {**ALL_DAY, "holidays": True}})
    taken = await api.post(f"{place}/{entry['id']}/take", {"agent": "NV-1"})
    assert (taken["state"], taken["reason"]) == ("taken", None)
