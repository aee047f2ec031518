"""Tickets: their words, what ends them, and what customers say of the solution."""

from typing import Any

import msgspec
import pytest

from nhip.domain.errors import InvalidInput
from nhip.domain.taxonomies import Taxonomy
from nhip.services.workspace.taxonomies import Taxonomies
from tests.support.api import Api, expect
from tests.support.world import World


def ticket(**config: Any) -> dict[str, Any]:
    return {"id": "raise", "action": "create_ticket", "config": {"title": "Trễ hẹn", **config}}


def feedback(**config: Any) -> dict[str, Any]:
    return {"id": "keep", "action": "record_feedback", "config": config}


async def stored(world: World, external_id: str = "TK-1") -> dict[str, Any]:
    raw = await world.value("SELECT attributes FROM records WHERE external_id = :name", name=external_id)
    return msgspec.json.decode(raw, type=dict[str, Any])


async def happened(world: World, kind: str) -> int:
    return int(await world.value("SELECT COUNT(*) FROM events WHERE type = :kind", kind=kind))


class TestTaxonomy:
    async def test_what_is_shipped(self, api: Api) -> None:
        shown = await api.get("/v1/taxonomies/ticket")

        sizes = [len(shown[name]) for name in ("statuses", "types", "sub_types", "sources")]
        assert (sizes, shown["revision"]) == ([3, 5, 17, 10], 0)
        assert shown["sub_types"][0] == {"code": "late_delivery", "name": "Giao hàng trễ hẹn", "type": "complaint"}
        assert [one["code"] for one in shown["statuses"] if one.get("resolved")] == ["done"]

    async def test_a_workspace_has_its_own(self, api: Api) -> None:
        first = await api.request("GET", "/v1/taxonomies/ticket")
        mine = {"statuses": [{"code": "moi", "name": "Mới"}, {"code": "xong", "name": "Xong", "resolved": True}]}

        made = await api.request("PUT", "/v1/taxonomies/ticket", mine, if_match=first.headers["etag"])
        expect(await api.request("PUT", "/v1/taxonomies/ticket", mine, if_match=first.headers["etag"]), 412)
        again = await api.request("PUT", "/v1/taxonomies/ticket", mine, if_match=made.headers["etag"])

        assert expect(again, 200) == expect(made, 200)
        assert (again.json()["revision"], again.json()["types"]) == (1, [])
        other = await api.other_workspace()
        assert (await other.get("/v1/taxonomies/ticket"))["revision"] == 0

    @pytest.mark.parametrize(
        ("said", "path", "code"),
        [
            ({"statuses": []}, "statuses", "bad_value"),
            ({"statuses": [{"code": "a", "name": "A"}, {"code": "a", "name": "B"}]}, "statuses[1].code", "duplicate"),
            (
                {"statuses": [{"code": "a", "name": "A"}], "sub_types": [{"code": "x", "name": "X", "type": "y"}]},
                "sub_types[0].type",
                "unknown_type",
            ),
            ({"statuses": [{"code": "a", "name": "A"}], "kinds": []}, "kinds", "unknown_field"),
        ],
    )
    async def test_a_mistake_is_told_with_its_place(self, api: Api, said: Any, path: str, code: str) -> None:
        answer = expect(await api.request("PUT", "/v1/taxonomies/ticket", said), 422)
        assert [(one["path"], one["code"]) for one in answer["errors"]] == [(path, code)]

    async def test_other_records_have_none(self, api: Api) -> None:
        expect(await api.request("GET", "/v1/taxonomies/order"), 404)
        expect(await api.request("GET", "/v1/taxonomies/nothing"), 404)

    async def test_what_ends_a_ticket_is_said_by_the_words_also_of_those_that_there_are(self, api: Api) -> None:
        await api.put("/v1/records/ticket/TK-1", {"status": "done", "assignee": "NV-1"})
        await api.put("/v1/records/ticket/TK-2", {"status": "xong", "assignee": "NV-1"})
        mine = {"statuses": [{"code": "done", "name": "Đợi khách"}, {"code": "xong", "name": "Xong", "resolved": True}]}

        def loads(unit: Any) -> int:
            return int(unit.assignments.loads(api.workspace_id, ["ticket"], ["NV-1"]).get("NV-1", 0))

        before = await api.engine.database.read(loads)
        await api.put("/v1/taxonomies/ticket", mine)
        await api.put("/v1/records/ticket/TK-3", {"status": "xong", "assignee": "NV-1"})

        assert (before, await api.engine.database.read(loads)) == (1, 1)


WRONG = {
    "create_ticket": (
        ticket(type="complaint", sub_type="late"),
        [("steps[0].config.sub_type", "unknown_sub_type")],
    ),
    "another type's": (
        ticket(type="question", sub_type="late_delivery"),
        [("steps[0].config.sub_type", "misplaced_sub_type")],
    ),
    "update_record": (
        {
            "id": "do",
            "action": "update_record",
            "config": {"type": "ticket", "set": {"status": "xong", "source": "fax"}},
        },
        [("steps[0].config.set.status", "unknown_status"), ("steps[0].config.set.source", "unknown_source")],
    ),
    "no field": (
        {"id": "do", "action": "update_record", "config": {"type": "ticket", "set": {"owner": "NV-1", "custom": {}}}},
        [("steps[0].config.set.owner", "unknown_record_field")],
    ),
    "no stars": (feedback(rating=6), [("steps[0].config.rating", "bad_value")]),
}


@pytest.mark.parametrize(("step", "expected"), WRONG.values(), ids=WRONG)
async def test_words_that_there_are_not_are_refused_when_a_workflow_is_published(
    world: World, step: Any, expected: Any
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await world.workflow("late", step)
    assert [(one.path, one.code) for one in refused.value.problems] == expected


async def test_resolved_is_what_the_workspace_says(world: World) -> None:
    mine = {"statuses": [{"code": "done", "name": "Đợi khách"}, {"code": "xong", "name": "Xong", "resolved": True}]}
    await world.engine.database.transact(
        Taxonomies(world.engine.catalog).save, world.workspace_id, "ticket", msgspec.convert(mine, Taxonomy),
        if_match=None, actor="tester", now=world.clock.micros(),
    )  # fmt: skip
    on = {"id": "r", "type": "ticket", "config": {"on": "resolved"}}
    await world.workflow("ask", {"id": "tag", "action": "update_contact", "config": {"add_tags": ["Hỏi"]}}, on=on)

    runs = []
    for status in ("new", "done", "xong", "closed", "new", "xong"):
        await world.happens("ticket.updated", ticket={"external_id": "TK-1", "status": status})
        runs.append(await world.value("SELECT COUNT(*) FROM runs"))

    assert runs == [0, 0, 1, 1, 1, 2]


async def test_a_trigger_is_refused_as_well(world: World) -> None:
    config = {"on": "resolved", "to": ["done", "xong"], "type": ["complaint"], "sub_type": ["price"]}
    with pytest.raises(InvalidInput) as refused:
        await world.workflow("late", ticket(), on=[{"id": "t", "type": "ticket", "config": config}])
    assert [(one.path, one.code) for one in refused.value.problems] == [
        ("triggers[0].config.to[1]", "unknown_status"),
        ("triggers[0].config.sub_type[0]", "misplaced_sub_type"),
    ]


async def test_a_word_that_is_filled_in_is_refused_in_time_and_named(world: World) -> None:
    await world.workflow("late", ticket(sub_type="{{ event.data.what }}"))
    await world.happens(what="late_delivery")
    await world.happens(contact="KH-2", what="lateness")
    await world.work()

    reasons = await world.rows("SELECT state, reason FROM steps ORDER BY id")
    assert reasons[0] == ("done", None)
    assert reasons[1][0] == "dead"
    assert reasons[1][1].startswith("sub_type: there is no ticket sub-type 'lateness'; there are defect, device, ")
    made = await world.value("SELECT attributes FROM records WHERE type = 'ticket'")
    assert msgspec.json.decode(made)["type"] == "complaint", "a sub-type alone says its type"


async def test_tickets_from_outside_say_what_they_like(world: World) -> None:
    said = {"external_id": "TK-1", "status": "Chờ duyệt", "type": "khác", "source": "fax"}
    await world.happens("ticket.created", ticket=said)

    assert await stored(world) == {**said, "contact": "KH-1"}


# --- what customers say of the solution -------------------------------------------------------------------------------

RATED = {"id": "rated", "type": "ticket", "config": {"on": "rated", "type": ["complaint"]}}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"ticket": {"external_id": "TK-1", "rating": 2, "feedback": "Chậm"}}, id="with the ticket"),
        pytest.param({"ticket": "TK-1", "rating": 2, "feedback": "Chậm"}, id="with its name alone"),
    ],
)
async def test_a_rating_is_kept_and_starts_workflows(world: World, data: dict[str, Any]) -> None:
    await world.workflow(
        "follow-up", ticket(type="complaint", sub_type="staff"), on=RATED,
        conditions={"field": "ticket.rating", "op": "less_or_equal", "value": 2},
    )  # fmt: skip
    await world.happens("ticket.created", ticket={"external_id": "TK-1", "status": "done", "type": "complaint"})

    receipt = await world.happens("ticket.rated", contact=None, **data)
    await world.work()

    assert len(receipt.runs) == 1
    kept = await stored(world)
    assert (kept["rating"], kept["feedback"], kept["contact"]) == (2, "Chậm", "KH-1")
    assert await world.value("SELECT COUNT(*) FROM records WHERE type = 'ticket'") == 2


async def test_a_rating_of_a_ticket_that_there_is_not_makes_none(world: World) -> None:
    await world.happens("ticket.created", ticket={"external_id": "TK-1"})
    await world.happens("ticket.rated", ticket="TK-9", rating=5)
    assert await world.value("SELECT COUNT(*) FROM records") == 1
    with pytest.raises(InvalidInput) as refused:
        await world.happens("ticket.rated", ticket="TK-9", rating=6)
    assert refused.value.problems[0].path == "data.rating"


async def test_naming_a_ticket_does_not_make_it_somebody_elses(world: World) -> None:
    await world.happens("ticket.created", contact="KH-1", ticket={"external_id": "TK-1", "status": "done"})
    await world.happens("shop.called", contact="KH-2", ticket="TK-1")

    assert (await stored(world))["contact"] == "KH-1"


async def test_what_a_step_changes_of_somebody_elses_ticket_stays_theirs(world: World) -> None:
    await world.happens("ticket.created", contact="KH-1", ticket={"external_id": "TK-1", "status": "done"})
    raised = {"type": "ticket", "external_id": "TK-1", "set": {"priority": "high"}}
    await world.workflow("raise", {"id": "up", "action": "update_record", "config": raised}, on="shop.called")
    await world.happens("shop.called", contact="KH-2")
    await world.work()

    assert (await stored(world))["contact"] == "KH-1"
    holders = await world.rows("SELECT c.external_id FROM events e JOIN contacts c ON c.id = e.contact_id"
                               " WHERE e.type = 'ticket.updated'")  # fmt: skip
    assert [(await stored(world))["priority"], *(row[0] for row in holders)] == ["high", "KH-1"]


async def test_feedback_goes_to_the_ticket_that_was_resolved_last(world: World) -> None:
    await world.workflow("survey", feedback(rating="{{ event.data.stars }}"), on="form.submitted")
    await world.workflow("thanks", {"id": "vip", "action": "update_contact", "config": {"add_tags": ["Hài lòng"]}},
                         on={"id": "r", "type": "ticket", "config": {"on": "rated"}})  # fmt: skip
    for name in ("TK-1", "TK-2", "TK-3"):
        await world.happens("ticket.created", ticket={"external_id": name, "status": "new"})
    for name in ("TK-2", "TK-1"):
        world.clock.advance(minutes=1)
        await world.happens("ticket.updated", ticket={"external_id": name, "status": "done"})
    for _ in range(2):
        await world.happens("form.submitted", stars="4", feedback="Tốt")
        await world.work()

    kept = await stored(world, "TK-1")
    assert (kept["rating"], kept["feedback"]) == (4, "Tốt")
    assert "rating" not in await stored(world, "TK-2")
    assert await happened(world, "ticket.rated") == 1, "the same once more changes nothing"
    assert (await world.contact())["tags"] == ["Hài lòng"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"rating": 4}, "the event is about no ticket, and the contact has none that is resolved"),
        ({"rating": "tốt"}, "the rating 'tốt' is none of 1 to 5"),
        ({"rating": 4, "ticket": "TK-9"}, "no ticket 'TK-9'"),
        ({}, "there is neither a rating nor any words to keep"),
    ],
)
async def test_feedback_that_cannot_be_kept_says_why(world: World, data: dict[str, Any], reason: str) -> None:
    await world.workflow("survey", feedback(), on="form.submitted")
    await world.happens("form.submitted", **data)
    await world.work()

    assert await world.value("SELECT reason FROM steps") == reason


async def test_what_became_of_a_ticket_is_on_the_timeline(api: Api) -> None:
    for status in ("new", "in_progress", "done"):
        said = {"contact": {"external_id": "KH-1"}, "ticket": {"external_id": "TK-1", "status": status}}
        await api.send({"specversion": "1.0", "id": status, "source": "crm", "type": "ticket.updated", "data": said})

    items = (await api.get("/v1/contacts/KH-1/timeline"))["items"]
    assert [one["name"] for one in items if one["name"].startswith("ticket.status")] == ["ticket.status_changed"] * 2
    assert any(one["kind"] == "record" and one["detail"]["status"] == "done" for one in items)
