"""Engagement scores: points for what happens, crossings that start workflows, and decay while nothing happens."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from nhip.domain.errors import InvalidInput, StaleRevision
from nhip.domain.segments import SegmentDraft
from nhip.engine.customers import scoring
from nhip.ports import Unit
from nhip.services.customers import scores
from nhip.services.workspace.revisions import tag_of
from tests.support.world import World, tag, wait

OPENED = {"id": "opened", "event": "email.opened", "points": 1}
CLICKED = {"id": "clicked", "event": ["link.clicked", "message.replied"], "points": 20}
STAYS = {"id": "stay", "wait": {"for": "P90D"}}


async def rules(world: World, *said: dict[str, Any], if_match: str | None = None) -> Any:
    def save(unit: Unit) -> Any:
        return scores.save(
            unit, world.workspace_id, {"rules": list(said)}, catalog=world.engine.catalog, if_match=if_match,
            actor="tester", now=world.clock.micros(),
        )  # fmt: skip

    return await world.engine.database.transact(save)


async def score(world: World, name: str = "KH-1") -> int:
    """As decisions read it now."""

    def look(unit: Unit) -> int:
        [contact] = unit.customers.contacts_by_external_id(world.workspace_id, [name])
        return scoring.score_at(contact, world.clock.micros())

    return await world.engine.database.read(look)


async def moves(world: World, name: str = "KH-1") -> list[tuple[int, int]]:
    """What the stored events say about how the score moved."""
    rows = await world.rows(
        "SELECT e.data FROM events e JOIN contacts c ON c.id = e.contact_id WHERE e.type = 'contact.score_changed'"
        " AND c.external_id = :name ORDER BY e.id",
        name=name,
    )
    said = [msgspec.json.decode(row[0]) for row in rows]
    assert all(one["change"] == one["score"] - one["previous"] and one["turns"][-1] == one["previous"] for one in said)
    return [(one["previous"], one["score"]) for one in said]


def on(operator: str, value: int, **more: Any) -> dict[str, Any]:
    return {"id": "hot", "type": "engagement_score", "config": {"operator": operator, "value": value, **more}}


async def entered(world: World) -> Counter[str]:
    return Counter(row[0] for row in await world.rows("SELECT workflow FROM runs"))


# --- points -----------------------------------------------------------------------------------------------------------


async def test_events_are_worth_points_and_the_score_says_so(world: World) -> None:
    await rules(world, OPENED, CLICKED)

    await world.happens("email.opened")
    await world.happens("link.clicked")
    await world.happens("site.visited")

    assert await moves(world) == [(0, 1), (1, 21)]
    assert await score(world) == 21
    stored = await world.value("SELECT score FROM contacts")
    assert stored == 21
    facts = await world.value(
        "SELECT o.facts FROM events e JOIN events o ON o.id = e.root_id WHERE e.type = 'contact.score_changed'"
        " ORDER BY e.id DESC LIMIT 1"
    )
    read = msgspec.json.decode(facts)
    assert (read["contact"]["score"], read["previous"]["contact"]["score"]) == (21, 1)


async def test_a_fact_that_arrives_twice_counts_once(world: World) -> None:
    await rules(world, CLICKED)
    for _ in range(3):
        await world.happens("link.clicked", id="click-1")
    assert await score(world) == 20


async def test_a_condition_decides_what_counts(world: World) -> None:
    is_big = {"field": "order.total.amount", "op": "greater_or_equal", "value": 100_000}
    is_first = {"field": "contact.activity.order.count", "op": "equals", "value": 1}
    await rules(
        world,
        {"id": "bought", "event": "order.created", "points": 50, "where": is_big},
        {"id": "first", "event": "order.created", "points": 7, "where": is_first},
        {"id": "tagged", "event": "contact.tag_added", "points": 3},
    )
    for number, amount in enumerate((50_000, 100_000)):
        total = {"amount": amount, "currency": "VND"}
        await world.happens("order.updated", order={"external_id": f"DH-{number}", "total": total})
    await world.knows("KH-1", tags=["VIP"])

    assert await moves(world) == [(0, 7), (7, 57), (57, 60)]


async def test_without_rules_nothing_is_counted_and_nothing_is_stored(world: World) -> None:
    await world.happens("link.clicked")
    assert await world.rows("SELECT id FROM contacts WHERE score_state IS NOT NULL") == []


async def test_a_late_event_is_worth_what_is_left_of_it(world: World) -> None:
    await rules(world, {**CLICKED, "points": 100, "half_life": "P10D"})
    await world.happens("link.clicked")
    await world.happens("link.clicked", time="2026-11-11T01:00:00Z")
    assert await score(world) == 150


# --- crossings --------------------------------------------------------------------------------------------------------


async def test_from_199_to_201_reaches_200_once(world: World) -> None:
    """With other events of the same contact, and other contacts, in the same batch."""
    await rules(world, {**OPENED, "points": 199}, {**CLICKED, "points": 2})
    await world.workflow("reached", STAYS, on=on("rises_above", 200))
    await world.workflow("above", STAYS, on=on("greater_than", 200))
    await world.workflow("equal", STAYS, on=on("equals", 200))

    batch = [
        world.event("email.opened"), world.event("email.opened", "KH-2"), world.event("site.visited"),
        world.event("link.clicked"), world.event("link.clicked", "KH-3"), world.event("link.clicked"),
    ]  # fmt: skip
    await world.engine.inbox.submit(world.workspace_id, batch)

    assert await moves(world) == [(0, 199), (199, 201), (201, 203)]
    assert await moves(world, "KH-2") == [(0, 199)]
    assert await entered(world) == {"reached": 1, "above": 2}


async def test_a_first_score_may_reach_the_mark_at_once(world: World) -> None:
    await rules(world, {**CLICKED, "points": 250})
    await world.workflow("reached", STAYS, on=on("rises_above", 200))
    await world.happens("link.clicked", "KH-9")
    assert await entered(world) == {"reached": 1}


async def test_hysteresis_keeps_a_score_that_trembles_from_starting_again(world: World) -> None:
    await rules(
        world, {"id": "up", "event": "a.up", "points": 30}, {"id": "down", "event": "a.down", "points": -30},
        {"id": "most", "event": "a.most", "points": 190},
    )  # fmt: skip
    await world.workflow("plain", STAYS, on=on("rises_above", 200))
    await world.workflow("calm", STAYS, on=on("rises_above", 200, hysteresis=40))
    await world.workflow("cold", STAYS, on=on("falls_below", 200, hysteresis=40))
    steps = ["a.most", "a.up", "a.down", "a.up", "a.down", "a.down", "a.up", "a.up", "a.up"]
    for step in steps:  # 190 220 190 220 190 160 190 220 250
        await world.happens(step)
    assert await entered(world) == {"plain": 3, "calm": 1}

    for step in ["a.down", "a.down", "a.down", "a.down", "a.up", "a.up", "a.up"]:  # 220 190 160 130 160 190 220
        await world.happens(step)
    assert await entered(world) == {"plain": 4, "calm": 2, "cold": 1}


async def test_movements_are_measured_from_where_the_score_turned(world: World) -> None:
    await rules(world, {"id": "up", "event": "a.up", "points": 20}, {"id": "down", "event": "a.down", "points": -50})
    await world.workflow("moved", STAYS, on=on("changes_by", 50))
    for step in ["a.up", "a.up", "a.up", "a.up", "a.down", "a.up", "a.up", "a.up"]:  # 20 40 60* 80 30* 50 70 90*
        await world.happens(step)
    assert await entered(world) == {"moved": 3}


async def test_only_the_chosen_industry_starts(world: World) -> None:
    await rules(world, {**CLICKED, "points": 200})
    await world.workflow("schools", STAYS, on=on("rises_above", 195, industry=["Education", "Giáo dục"]))
    for name, industry in (("KH-1", "giáo dục"), ("KH-2", "health"), ("KH-3", None)):
        await world.happens("link.clicked", {"external_id": name, "industry": industry})
    assert await entered(world) == {"schools": 1}


async def test_one_event_starts_a_workflow_once_whichever_of_its_triggers_it_meets(world: World) -> None:
    await rules(world, {**CLICKED, "points": 200})
    await world.workflow("any", STAYS, on=[on("rises_above", 100), "link.clicked"])
    await world.happens("link.clicked")
    assert await entered(world) == {"any": 1}


async def test_what_a_workflow_does_may_be_worth_points_and_start_the_next(world: World) -> None:
    await rules(world, {"id": "vip", "event": "contact.tag_added", "points": 100})
    await world.workflow("first", tag("VIP"), on="link.clicked")
    await world.workflow("second", STAYS, on=on("rises_above", 100))
    await world.happens("link.clicked")
    await world.work()
    assert await entered(world) == {"first": 1, "second": 1}


async def test_a_run_waits_for_a_crossing(world: World) -> None:
    await rules(world, CLICKED)
    crossing = {"condition": "score_crossing", "config": {"operator": "rises_above", "value": 40}}
    until = {"event": "contact.score_changed", "where": crossing, "timeout": "P30D"}
    await world.workflow("warm", {"id": "warm", "wait": until}, tag("warm"), on="form.submitted")
    await world.happens("form.submitted")
    await world.work()
    for _ in range(2):
        await world.happens("link.clicked")
        await world.work()
    assert (await world.contact())["tags"] == ["warm"]


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_score_falls_below_a_mark_while_nothing_happens(world: World) -> None:
    await rules(world, {**CLICKED, "points": 100, "half_life": "P10D"})
    await world.workflow("cooled", STAYS, on=on("falls_below", 50))
    await world.workflow("hot", STAYS, on=on("rises_above", 50))
    await world.happens("link.clicked")

    for _ in range(10):
        await world.later(days=1)
        assert await world.value("SELECT score FROM contacts") == await score(world)
    assert await entered(world) == {"hot": 1}
    await world.later(days=1)
    assert await entered(world) == {"hot": 1, "cooled": 1}

    for _ in range(100):
        await world.later(days=1)
    assert await score(world) == 0
    assert await world.value("SELECT score_due_at FROM contacts") is None
    assert await entered(world) == {"hot": 1, "cooled": 1}
    last = await moves(world)
    assert last[-1][1] == 0
    assert all(before > after for before, after in last[1:])

    await world.happens("link.clicked")
    assert await entered(world) == {"hot": 2, "cooled": 1}


async def test_the_fall_is_no_event_where_nobody_listens_and_segments_follow_all_the_same(world: World) -> None:
    condition = {"field": "contact.score", "op": "greater_or_equal", "value": 60}

    def make(unit: Unit) -> None:
        world.engine.segments.save(
            unit, world.workspace_id, "hot", SegmentDraft(condition=condition), if_match=None, actor="tester",
            now=world.clock.micros(),
        )  # fmt: skip

    await world.engine.database.transact(make)
    await rules(world, {**CLICKED, "points": 100, "half_life": "P1D"})
    await world.happens("link.clicked")
    assert await world.rows("SELECT segment FROM segment_members") == [("hot",)]

    await world.later(days=1)

    assert await world.rows("SELECT segment FROM segment_members") == []

    assert await moves(world) == [(0, 100)]
    assert await world.value("SELECT score FROM contacts") == 50


async def test_what_time_did_since_is_told_before_the_event_that_finds_it(world: World) -> None:
    await rules(world, {**CLICKED, "points": 100, "half_life": "P1D"})
    await world.workflow("hot", STAYS, on=on("rises_above", 60))
    await world.happens("link.clicked")
    world.clock.advance(hours=23)
    await world.happens("link.clicked")

    assert await moves(world) == [(0, 100), (100, 51), (51, 151)]
    assert await entered(world) == {"hot": 2}


async def test_decisions_read_the_score_of_now(world: World) -> None:
    await rules(world, {**CLICKED, "points": 100, "half_life": "P1D"})
    high = {"field": "contact.score", "op": "greater_or_equal", "value": 60}
    await world.workflow("high", STAYS, on="shop.opened", conditions=high)
    branch = {"id": "is_high", "if": high, "then": [tag("high")], "else": [tag("low", id="other")]}
    await world.workflow("later", wait("PT20H"), branch, on="link.clicked")
    await world.happens("link.clicked")
    await world.happens()
    await world.work()
    await world.later(hours=20)
    await world.happens()

    assert (await entered(world))["high"] == 1
    assert (await world.contact())["tags"] == ["low"]


async def test_two_workers_look_at_a_score_once(world: World, second: World) -> None:
    await rules(world, {**CLICKED, "points": 100, "half_life": "P1D"})
    await world.workflow("cooled", STAYS, on=on("less_than", 60))
    names = [f"KH-{number}" for number in range(30)]
    await world.engine.inbox.submit(world.workspace_id, [world.event("link.clicked", name) for name in names])
    world.clock.advance(days=1)

    await asyncio.gather(*(one.engine.executor.reconcile() for one in (world, second) for _ in range(3)))

    assert await entered(world) == {"cooled": 30}
    assert await world.value("SELECT COUNT(*) FROM contacts WHERE score <> 50") == 0


# --- rules ------------------------------------------------------------------------------------------------------------


async def test_a_change_of_the_rules_changes_scores_and_tells_nobody(world: World, second: World) -> None:
    await rules(world, OPENED, CLICKED)
    await world.workflow("reached", STAYS, on=on("rises_above", 100))
    for name in ("KH-1", "KH-2"):
        await world.happens("email.opened", name)
        await world.happens("link.clicked", name)
    told = await moves(world)

    await rules(world, {**CLICKED, "cap": 15}, {"id": "visited", "event": "site.visited", "points": 90})
    await second.happens("site.visited")
    await world.later(seconds=1)

    assert (await score(world), await score(world, "KH-2")) == (105, 15)
    assert await world.value("SELECT score FROM contacts WHERE external_id = 'KH-2'") == 15
    assert await moves(world) == [*told, (15, 105)]
    assert await moves(world, "KH-2") == told
    assert await entered(world) == {"reached": 1}
    assert await world.value("SELECT recount_after FROM score_rules") is None


async def test_rules_that_are_all_taken_away_leave_nothing(world: World) -> None:
    await rules(world, {**CLICKED, "half_life": "P1D"})
    await world.happens("link.clicked")
    await rules(world)
    await world.later(seconds=1)
    assert await world.row("SELECT score, score_due_at FROM contacts") == (0, None)


async def test_many_scores_follow_a_change_in_units(world: World) -> None:
    await rules(world, CLICKED)
    events = [world.event("link.clicked", f"KH-{number}") for number in range(450)]
    await world.engine.inbox.submit(world.workspace_id, events)
    await rules(world, {**CLICKED, "cap": 5})
    await world.later(seconds=1)
    assert await world.rows("SELECT DISTINCT score FROM contacts") == [(5,)]


async def test_rules_are_not_overwritten_unseen(world: World) -> None:
    first = await rules(world, OPENED)
    await rules(world, OPENED, CLICKED, if_match=tag_of(first))
    with pytest.raises(StaleRevision):
        await rules(world, CLICKED, if_match=tag_of(first))
    assert await world.value("SELECT COUNT(*) FROM audit_log WHERE action = 'score_rules.change'") == 2


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        pytest.param({"points": 0}, "rules[1].points", "bad_value", id="worth nothing"),
        pytest.param({"points": 1.5}, "rules[1].points", "bad_value", id="half a point"),
        pytest.param({"half_life": "P1M"}, "rules[1].half_life", "bad_value", id="a month"),
        pytest.param({"half_life": "PT1S"}, "rules[1].half_life", "bad_value", id="a second"),
        pytest.param({"event": []}, "rules[1].event", "bad_value", id="no event"),
        pytest.param({"event": "contact.score_changed"}, "rules[1].event", "circular", id="a circle"),
        pytest.param({"id": "opened"}, "rules[1].id", "duplicate_id", id="an id twice"),
        pytest.param({"colour": "red"}, "rules[1].colour", "unknown_field", id="an unknown field"),
        pytest.param({"where": {"field": "x.y", "op": "equals", "value": 1}}, "rules[1].where.field", "unknown_field",
                     id="an unknown root"),
        pytest.param({"where": {"all": [{"field": "contact.name", "op": "is"}]}}, "rules[1].where.all[0].op",
                     "unknown_operator", id="an unknown operator"),
        pytest.param({"where": {"condition": "nobody"}}, "rules[1].where.condition", "unknown_condition",
                     id="an unknown condition"),
    ],
)  # fmt: skip
async def test_a_fault_in_a_rule_is_told_with_its_place(
    world: World, change: dict[str, Any], path: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        await rules(world, OPENED, {**CLICKED, **change})
    assert [(problem.path, problem.code) for problem in raised.value.problems] == [(path, code)]


# --- at the same time -------------------------------------------------------------------------------------------------


async def test_events_of_one_contact_that_come_at_once_lose_no_points(world: World, second: World) -> None:
    await rules(world, OPENED, {"id": "told", "event": "contact.updated", "points": 100})
    await world.workflow("reached", STAYS, on=on("rises_above", 30))
    await world.happens("email.opened")

    async def send(one: World, number: int) -> None:
        await one.engine.inbox.submit(one.workspace_id, [one.event("email.opened", id=f"evt-at-once-{number}")])

    await asyncio.gather(*(send(world if number % 2 else second, number) for number in range(60)))

    assert await score(world) == 61
    told = await moves(world)
    assert sorted(told) == [(before, before + 1) for before in range(61)]
    assert await entered(world) == {"reached": 1}
