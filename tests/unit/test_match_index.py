"""The index of published triggers: what it answers, and that it is right when it is full."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from nhip.domain.conditions import AnyOf, Custom, Node, Not, all_of, any_of, test as compare
from nhip.domain.verdict import Verdict
from nhip.engine.conditions.decide import judge
from nhip.engine.matching.index import Entry, MatchIndex
from nhip.engine.matching.thicket import FEW
from nhip.plugin_api import Facts

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
EVENT = "order.updated"


def entry(workflow: str, condition: Node | None = None, trigger: str = "t", *types: str) -> Entry:
    return Entry(
        workflow=workflow, version_id="1", trigger_id=trigger, event_types=types or (EVENT,), condition=condition
    )


def names(found: Sequence[Entry]) -> list[str]:
    return [f"{one.workflow}/{one.trigger_id}" for one in found]


DELIVERED = compare("order.status", "equals", "delivered")


def test_matches_come_by_workflow_and_then_in_the_order_of_triggers() -> None:
    index = MatchIndex()
    index.publish("b", [entry("b", None, "z"), entry("b", DELIVERED, "a"), entry("b", None, "m")])
    index.publish("a", [entry("a", DELIVERED, "t"), entry("a", None, "other", "order.created")])
    assert names(index.match(EVENT, {"order": {"status": "Delivered"}}, NOW)) == ["a/t", "b/z", "b/a", "b/m"]
    assert names(index.match(EVENT, {}, NOW)) == ["b/z", "b/m"]
    assert names(index.match("order.created", {}, NOW)) == ["a/other"]
    assert index.match("order.deleted", {}, NOW) == []


def test_publishing_again_replaces_and_retiring_removes() -> None:
    index = MatchIndex()
    index.publish("a", [entry("a", DELIVERED), entry("a", None, "t2", "order.created")])
    index.publish("b", [entry("b", DELIVERED)])
    assert len(index) == 2
    index.publish("a", [entry("a", None)])
    assert len(index) == 2
    assert names(index.match(EVENT, {}, NOW)) == ["a/t"]
    assert index.match("order.created", {}, NOW) == []
    index.retire("a")
    index.retire("a")
    index.retire("never published")
    assert len(index) == 1
    assert names(index.match(EVENT, {"order": {"status": "delivered"}}, NOW)) == ["b/t"]


def test_an_entry_matches_once_however_often_an_event_type_is_named() -> None:
    index = MatchIndex()
    index.publish("a", [entry("a", None, "t", EVENT, EVENT)])
    assert names(index.match(EVENT, {}, NOW)) == ["a/t"]
    index.retire("a")
    assert index.match(EVENT, {}, NOW) == []


def test_it_says_what_has_to_be_loaded() -> None:
    index = MatchIndex()
    both = all_of(DELIVERED, compare("contact.score", "crosses_above", 5), Custom(condition="near"))
    index.publish("a", [entry("a", both)])
    index.publish("b", [entry("b", DELIVERED)])
    assert index.fields_read(EVENT) == {"order.status", "contact.score", "previous.contact.score"}
    assert index.customs_used(EVENT) == {"near"}
    index.retire("a")
    assert index.fields_read(EVENT) == {"order.status"}
    assert index.customs_used(EVENT) == set()
    assert index.fields_read("order.created") == set()


def test_a_broken_plugin_condition_stops_nobody_else() -> None:
    def broken(config: dict[str, Any], facts: Facts, now: datetime) -> Verdict:
        raise RuntimeError("a plugin's bug")

    index = MatchIndex({"broken": broken})
    index.publish("a", [entry("a", Custom(condition="broken"))])
    index.publish("b", [entry("b", Not(item=Custom(condition="broken")))])
    index.publish("c", [entry("c", Custom(condition="gone"))])
    index.publish("d", [entry("d", DELIVERED)])
    assert names(index.match(EVENT, {"order": {"status": "delivered"}}, NOW)) == ["d/t"]


def test_a_key_with_many_tags_asked_for_is_matched_once() -> None:
    index = MatchIndex()
    for number in range(30):
        condition = compare("contact.tags", "has_any", ["a", "b", f"c{number}"])
        index.publish(f"w{number:02}", [entry(f"w{number:02}", condition)])
    assert len(index.match(EVENT, {"contact": {"tags": ["A", "B", "a", "c7"]}}, NOW)) == 30


# --- full -------------------------------------------------------------------------------------------------------------

STATUSES = ("new", "packed", "delivered", "returned")


def some_test(r: Random) -> Node:
    choices: list[Node] = [
        compare("order.status", "equals", r.choice(STATUSES)),
        compare("order.status", "in", r.sample(STATUSES, 2)),
        compare("order.status", "not_equals", r.choice(STATUSES)),
        compare("order.status", "changed_to", r.choice(STATUSES)),
        compare("order.status", "changed_from", r.choice(STATUSES)),
        compare("order.status", "changed"),
        compare("contact.tags", "has_any", [f"tag {r.randrange(30)}", f"tag {r.randrange(30)}"]),
        compare("contact.tags", "has_all", [f"tag {r.randrange(5)}", f"tag {r.randrange(5)}"]),
        compare("contact.tags", "has_none", [f"tag {r.randrange(30)}"]),
        compare("contact.custom.tier", "equals", r.randrange(20)),
        compare(f"contact.custom.field_{r.randrange(40)}", "equals", True),
        compare(
            "order.total", r.choice(("greater_than", "less_or_equal")), r.choice((r.randrange(100), r.random() * 100))
        ),
        compare("contact.score", r.choice(("crosses_above", "crosses_below")), r.randrange(100)),
        compare(
            "order.note", "contains_phrase", " ".join(r.sample(("giao", "hàng", "chậm", "đổi", "trả"), r.randint(1, 3)))
        ),
        compare("order.items.sku", "has_any", [f"sp{r.randrange(40)}"]),
    ]
    return r.choice(choices)


def some_condition(r: Random) -> Node:
    low = r.randrange(100)
    width = r.choice((0, 1, 5, 40))
    parts: list[Node | None] = [some_test(r) for _ in range(r.randint(1, 3))]
    if r.random() < 0.3:
        parts += [
            compare("order.total", "greater_or_equal", low),
            compare("order.total", "less_or_equal", low + width),
        ]
    if r.random() < 0.3:
        parts.append(any_of(*(all_of(some_test(r), some_test(r)) for _ in range(r.randint(2, 3)))))
    if r.random() < 0.2:
        parts.append(AnyOf(items=tuple(compare("contact.segment", "equals", r.randrange(9)) for _ in range(12))))
    return all_of(*parts)


def some_facts(r: Random) -> dict[str, Any]:
    return {
        "contact": {
            "tags": [f"Tag {r.randrange(30)}" for _ in range(r.randrange(6))],
            "custom": {"tier": r.randrange(20), **{f"field_{r.randrange(40)}": True for _ in range(5)}},
            "score": r.randrange(100),
            "segment": r.randrange(9),
        },
        "order": {
            "status": r.choice(STATUSES),
            "total": r.choice((r.randrange(100), r.random() * 100)),
            "note": " ".join(r.choices(("Giao", "hàng,", "chậm", "đổi", "trả"), k=6)),
            "items": [{"sku": f"sp{r.randrange(40)}"} for _ in range(3)],
        },
        "previous": {
            "order": {"status": r.choice(STATUSES)} if r.random() < 0.5 else {},
            "contact": {"score": r.choice((None, r.randrange(100)))} if r.random() < 0.5 else {},
        },
    }


def verify(index: MatchIndex, published: dict[str, Entry], r: Random, times: int) -> int:
    found = 0
    for _ in range(times):
        facts = some_facts(r)
        expected = [
            one
            for _, one in sorted(published.items())
            if one.condition is not None and judge(one.condition, facts, NOW).holds
        ]
        assert index.match(EVENT, facts, NOW) == expected
        found += len(expected)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_full_index_is_right_while_workflows_come_and_go(seed: int) -> None:
    r = Random(seed)
    index = MatchIndex()
    published: dict[str, Entry] = {}
    for number in range(1000):
        workflow = f"w{r.randrange(600):03}"
        if number > 300 and r.random() < 0.4:
            index.retire(workflow)
            published.pop(workflow, None)
        else:
            published[workflow] = entry(workflow, some_condition(r))
            index.publish(workflow, [published[workflow]])
    assert verify(index, published, r, 15) > 50
    for workflow in sorted(published)[::2]:
        index.retire(workflow)
        del published[workflow]
    verify(index, published, r, 10)
    for workflow in list(published):
        index.retire(workflow)
    assert not index._families
    assert not index._rules


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda n: compare("contact.custom.city", "equals", f"c{n}"), 1),
        (lambda n: all_of(DELIVERED, compare("order.store", "equals", n)), 1),
        (lambda n: compare(f"contact.custom.f{n}", "equals", 1), 1),
        (lambda n: all_of(DELIVERED, compare("order.total", "greater_or_equal", 10 * n)), 6),
        (lambda n: compare("contact.score", "crosses_above", n / 10), 30 + FEW),
        (lambda n: compare("order.note", "contains_phrase", f"từ{n} từ{n + 1}"), 2),
        (
            lambda n: all_of(compare("order.total", "greater_or_equal", n), compare("order.total", "less_than", n + 2)),
            12,
        ),
        (
            lambda n: all_of(
                DELIVERED, any_of(compare("order.store", "equals", n), compare("contact.tags", "has_any", [f"tag {n}"]))
            ),
            2,
        ),
        (lambda n: any_of(*(compare("order.store", "equals", 20 * n + k) for k in range(20))), 1),
    ],
    ids=[
        "key",
        "composite key",
        "field of its own",
        "threshold",
        "crossing",
        "phrase",
        "range",
        "any",
        "any of one field",
    ],
)
def test_few_of_many_become_candidates(make: Any, most: int) -> None:
    index = MatchIndex()
    for number in range(500):
        index.publish(f"w{number}", [entry(f"w{number}", make(number))])
    facts = {
        "contact": {"custom": {"city": "c7", "f9": 1}, "score": 10, "tags": ["tag 3"]},
        "order": {"status": "delivered", "store": 7, "total": 50, "note": "Từ3 từ4 từ5"},
        "previous": {"contact": {"score": 7}},
    }
    assert 1 <= len(index._families[EVENT].thicket.candidates(facts)) <= most
    assert index.match(EVENT, facts, NOW)


@pytest.mark.parametrize(
    "op", ["greater_than", "greater_or_equal", "less_than", "less_or_equal", "crosses_above", "crosses_below"]
)
def test_bounds_are_exact(op: str) -> None:
    index = MatchIndex()
    published = {f"w{mark:02}": entry(f"w{mark:02}", compare("contact.score", op, mark)) for mark in range(20)}
    for workflow, one in published.items():
        index.publish(workflow, [one])
    for before in (None, 3, 9.5, 10, 25):
        for after in (0, 3, 9.5, 10, 19, 25):
            facts = {"contact": {"score": after}, "previous": {"contact": {"score": before}}}
            expected = [one for one in published.values() if one.condition and judge(one.condition, facts, NOW).holds]
            assert index.match(EVENT, facts, NOW) == expected
