"""What each operator means, as a table: the test, what is known, and what is wrong with it (``holds`` for nothing)."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from nhip.domain.conditions import Not, test as compare
from nhip.engine.conditions.decide import compile_node, judge
from nhip.engine.conditions.operators import OPERATORS

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)  # eight in the morning in Vietnam, the evening before in New York


def code_of(op: str, value: Any, facts: dict[str, Any], now: datetime = NOW, field: str = "contact.x") -> str:
    node = compare(field, op, value)
    verdict = judge(node, facts, now)
    assert compile_node(node)(facts, now) is verdict.holds
    [reason] = verdict.reasons
    assert (reason.code == "holds") is verdict.holds
    return reason.code


VALUES = [
    ("equals", "retail", "RETAIL", "holds"),
    ("equals", "Hoàng Anh", "hoàng anh", "holds"),
    ("equals", "hoàn", "hoan", "differs"),
    ("equals", "hoàn", "hoa\u0300n", "holds"),
    ("equals", "STRASSE", "straße", "holds"),
    ("equals", 5, 5.0, "holds"),
    ("equals", 1, True, "type_mismatch"),
    ("equals", True, True, "holds"),
    ("equals", True, False, "differs"),
    ("equals", 5, "5", "type_mismatch"),
    ("equals", "a", ["a"], "type_mismatch"),
    ("equals", "a", {"a": 1}, "type_mismatch"),
    ("equals", "a", None, "missing"),
    ("equals", 1, float("nan"), "type_mismatch"),
    ("not_equals", "retail", "wholesale", "holds"),
    ("not_equals", "retail", "Retail", "differs"),
    ("not_equals", "retail", None, "holds"),
    ("not_equals", "retail", 5, "type_mismatch"),
    ("greater_than", 195, 196, "holds"),
    ("greater_than", 195, 195, "differs"),
    ("greater_than", 195, "196", "type_mismatch"),
    ("greater_than", 0, True, "type_mismatch"),
    ("greater_than", 0, None, "missing"),
    ("greater_or_equal", 195, 195, "holds"),
    ("less_than", 195, 194.9, "holds"),
    ("less_than", 195, 195, "differs"),
    ("less_or_equal", 195, 195, "holds"),
    ("less_or_equal", 1.5, 10**400, "differs"),
    ("contains_phrase", "hoàn tiền", "Xin HOÀN TIỀN giúp em!", "holds"),
    ("contains_phrase", "hoàn tiền", "xin hoàn, tiền đã chuyển", "holds"),
    ("contains_phrase", "hoàn tiền", "xin hoan tien", "differs"),
    ("contains_phrase", "hoàn tiền", "hoàn lại tiền", "differs"),
    ("contains_phrase", "an", "Hoàng Anh", "differs"),
    ("contains_phrase", "an", "chị An ạ", "holds"),
    ("contains_phrase", "tiền", "tie\u0302\u0300n", "holds"),
    ("contains_phrase", "3.5", "giá 3,5 triệu", "holds"),
    ("contains_phrase", "an", 5, "type_mismatch"),
    ("contains_phrase", "an", None, "missing"),
    ("not_contains_phrase", "hoàn tiền", "cảm ơn", "holds"),
    ("not_contains_phrase", "hoàn tiền", "hoàn tiền đi", "differs"),
    ("not_contains_phrase", "hoàn tiền", None, "holds"),
    ("not_contains_phrase", "hoàn tiền", 5, "type_mismatch"),
    ("in", ["Quan tâm", "Sẽ tham gia"], "quan tâm", "holds"),
    ("in", ["Quan tâm", "Sẽ tham gia"], "quan tam", "differs"),
    ("in", ["a", 1], 1.0, "holds"),
    ("in", ["a", 1], True, "type_mismatch"),
    ("in", ["a"], None, "missing"),
    ("not_in", ["a", "b"], "c", "holds"),
    ("not_in", ["a", "b"], "B", "differs"),
    ("not_in", ["a", "b"], None, "holds"),
    ("not_in", ["a", "b"], 1, "type_mismatch"),
    ("has_any", ["VIP", "vàng"], ["mới", "vip"], "holds"),
    ("has_any", ["VIP"], [], "differs"),
    ("has_any", ["VIP"], "VIP", "type_mismatch"),
    ("has_any", ["VIP"], None, "missing"),
    ("has_any", [1], [True, {"a": 1}, None], "differs"),
    ("has_all", ["a", "b"], ["B", "A", "c"], "holds"),
    ("has_all", ["a", "b"], ["a"], "differs"),
    ("has_all", ["a"], None, "missing"),
    ("has_none", ["a", "b"], ["c"], "holds"),
    ("has_none", ["a", "b"], ["b"], "differs"),
    ("has_none", ["a"], None, "holds"),
    ("has_none", ["a"], "b", "type_mismatch"),
    ("is_empty", None, None, "holds"),
    ("is_empty", None, "  ", "holds"),
    ("is_empty", None, [], "holds"),
    ("is_empty", None, {}, "holds"),
    ("is_empty", None, 0, "differs"),
    ("is_empty", None, False, "differs"),
    ("is_not_empty", None, "a", "holds"),
    ("is_not_empty", None, 0, "holds"),
    ("is_not_empty", None, "", "differs"),
    ("is_not_empty", None, None, "missing"),
    ("before", "2026-11-21T08:00:00+07:00", "2026-11-21T00:59:59Z", "holds"),
    ("before", "2026-11-21T08:00:00+07:00", "2026-11-21T01:00:00Z", "differs"),
    ("before", "2026-11-21", "2026-11-20T16:59:59Z", "holds"),
    ("before", "2026-11-21", "2026-11-20T17:00:00Z", "differs"),
    ("before", "2026-11-21", "2026-11-20", "holds"),
    ("after", "2026-11-21", "2026-11-20T17:00:00.5Z", "holds"),
    ("after", "2026-11-21", "2026-11-21T08:00:00", "type_mismatch"),
    ("after", "2026-11-21", "tomorrow", "type_mismatch"),
    ("after", "2026-11-21", 5, "type_mismatch"),
    ("after", "2026-11-21", None, "missing"),
    ("after", "2026-11-21", "2026-02-30", "type_mismatch"),
    ("after", "2026-11-21", "0001-01-01T00:00:00+14:00", "differs"),
    ("within_last", "P1D", "2026-11-20T01:00:00Z", "holds"),
    ("within_last", "P1D", "2026-11-20T00:59:59Z", "differs"),
    ("within_last", "P1D", "2026-11-21T01:00:01Z", "differs"),
    ("within_last", "PT8H", "2026-11-21", "holds"),
    ("within_last", "P1D", None, "missing"),
    ("within_last", "P1D", "yesterday", "type_mismatch"),
    ("not_within_last", "P1D", "2026-11-20T00:59:59Z", "holds"),
    ("not_within_last", "P1D", "2026-11-21T01:00:00Z", "differs"),
    ("not_within_last", "P1D", "2026-11-22", "holds"),
    ("not_within_last", "P1D", None, "holds"),
    ("not_within_last", "P1D", 5, "type_mismatch"),
    ("matches_day", None, "1990-11-21", "holds"),
    ("matches_day", None, "1990-11-22", "differs"),
    ("matches_day", None, "1990-11-20T18:00:00Z", "holds"),
    ("matches_day", "-P3D", "1990-11-24", "holds"),
    ("matches_day", -3, "1990-11-24", "holds"),
    ("matches_day", "P1W", "1990-11-14", "holds"),
    ("matches_day", None, "21/11/1990", "type_mismatch"),
    ("matches_day", None, None, "missing"),
]


@pytest.mark.parametrize(
    ("op", "value", "actual", "code"), VALUES, ids=[f"{op}-{value}-{actual}"[:60] for op, value, actual, _ in VALUES]
)
def test_operator_on_a_value(op: str, value: Any, actual: Any, code: str) -> None:
    assert code_of(op, value, {"contact": {"x": actual}}) == code
    if actual is None:
        assert code_of(op, value, {}) == code


GONE = object()
CHANGES = [
    ("changed", None, "new", "delivered", "holds"),
    ("changed", None, None, "delivered", "holds"),
    ("changed", None, "delivered", None, "holds"),
    ("changed", None, "Delivered", "delivered", "unchanged"),
    ("changed", None, GONE, "delivered", "unchanged"),
    ("changed_to", "delivered", "new", "Delivered", "holds"),
    ("changed_to", "delivered", "new", "returned", "differs"),
    ("changed_to", "delivered", GONE, "delivered", "unchanged"),
    ("changed_to", "delivered", None, "delivered", "holds"),
    ("changed_to", "delivered", "new", None, "missing"),
    ("changed_from", "new", "NEW", "delivered", "holds"),
    ("changed_from", "new", "packed", "delivered", "differs"),
    ("changed_from", "new", None, "delivered", "missing"),
    ("changed_from", "new", 5, "delivered", "type_mismatch"),
    ("increased", None, 1, 2, "holds"),
    ("increased", None, 2, 1, "differs"),
    ("increased", None, 1, 1, "differs"),
    ("increased", None, None, 1, "missing"),
    ("increased", None, 1, None, "missing"),
    ("increased", None, "1", 2, "type_mismatch"),
    ("decreased", None, 2, 1, "holds"),
    ("decreased", None, GONE, 1, "unchanged"),
    ("crosses_above", 200, 199, 201, "holds"),
    ("crosses_above", 200, 199, 200, "holds"),
    ("crosses_above", 200, 200, 201, "differs"),
    ("crosses_above", 200, 201, 199, "differs"),
    ("crosses_above", 200, None, 250, "holds"),
    ("crosses_above", 200, None, 199, "differs"),
    ("crosses_above", 200, GONE, 250, "unchanged"),
    ("crosses_above", 200, "199", 201, "type_mismatch"),
    ("crosses_below", 200, 201, 199, "holds"),
    ("crosses_below", 200, 200, 199, "holds"),
    ("crosses_below", 200, 201, 200, "differs"),
    ("crosses_below", 200, None, 100, "missing"),
]


@pytest.mark.parametrize(
    ("op", "value", "before", "after", "code"),
    CHANGES,
    ids=[f"{op}-{'untouched' if before is GONE else before}-{after}" for op, _, before, after, _ in CHANGES],
)
def test_operator_on_a_change(op: str, value: Any, before: Any, after: Any, code: str) -> None:
    facts: dict[str, Any] = {"order": {"status": after}, "previous": {"order": {}}}
    if before is not GONE:
        facts["previous"]["order"]["status"] = before
    assert code_of(op, value, facts, field="order.status") == code


def test_every_operator_is_in_the_tables() -> None:
    assert {row[0] for row in VALUES} | {row[0] for row in CHANGES} == set(OPERATORS)


@pytest.mark.parametrize(
    ("previous", "code"),
    [
        ({"total": {"amount": 100, "currency": "VND"}}, "holds"),
        ({"total": {"amount": 200, "currency": "USD"}}, "unchanged"),
        ({"total": None}, "holds"),
        ({"total": {"currency": "VND"}}, "holds"),
        ({"status": "new"}, "unchanged"),
    ],
    ids=["the amount", "only the currency", "a new order", "it had no amount", "something else"],
)
def test_a_part_of_a_field_changed_when_its_old_value_was_another(previous: dict[str, Any], code: str) -> None:
    facts = {"order": {"total": {"amount": 200, "currency": "VND"}}, "previous": {"order": previous}}
    assert code_of("changed", None, facts, field="order.total.amount") == code


def test_custom_fields_change_one_by_one() -> None:
    facts = {"contact": {"custom": {"a": 1, "b": 2}}, "previous": {"contact": {"custom": {"a": 0}}}}
    assert code_of("changed", None, facts, field="contact.custom.a") == "holds"
    assert code_of("changed", None, facts, field="contact.custom.b") == "unchanged"


@pytest.mark.parametrize(
    ("today", "holds"),
    [((2027, 2, 28), True), ((2027, 3, 1), False), ((2028, 2, 28), False), ((2028, 2, 29), True)],
    ids=["28 February, common year", "1 March, common year", "28 February, leap year", "29 February"],
)
def test_who_was_born_on_29_february_has_the_day_every_year(today: tuple[int, int, int], holds: bool) -> None:
    now = datetime(*today, 5, tzinfo=UTC)
    code = code_of("matches_day", None, {"contact": {"birthday": "2000-02-29"}}, now, field="contact.birthday")
    assert (code == "holds") is holds


@pytest.mark.parametrize(
    ("timezone", "birthday"),
    [
        (None, "1990-11-21"),
        ("Asia/Ho_Chi_Minh", "1990-11-21"),
        ("America/New_York", "1990-11-20"),
        ("Nowhere/Else", "1990-11-21"),
        (5, "1990-11-21"),
    ],
)
def test_today_is_where_the_contact_is(timezone: Any, birthday: str) -> None:
    facts = {"contact": {"x": birthday, "timezone": timezone}}
    assert code_of("matches_day", None, facts) == "holds"


@pytest.mark.parametrize(
    ("op", "value", "facts", "code"),
    [
        (
            "after",
            {"run": "started_at"},
            {"contact": {"x": "2026-11-21"}, "run": {"started_at": "2026-11-20"}},
            "holds",
        ),
        ("after", {"run": "started_at"}, {"contact": {"x": "2026-11-21"}}, "missing"),
        ("after", {"run": "started_at"}, {"contact": {"x": "2026-11-21"}, "run": {"started_at": "?"}}, "type_mismatch"),
        ("equals", {"order": "owner"}, {"contact": {"x": "An"}, "order": {"owner": "an"}}, "holds"),
        ("not_equals", {"order": "owner"}, {"contact": {"x": "An"}}, "holds"),
        ("in", {"order": "owners"}, {"contact": {"x": "An"}, "order": {"owners": ["an", "bình"]}}, "holds"),
        ("greater_than", {"order": "limit"}, {"contact": {"x": 5}, "order": {"limit": "4"}}, "type_mismatch"),
    ],
)
def test_a_value_may_be_another_field(op: str, value: Any, facts: dict[str, Any], code: str) -> None:
    assert code_of(op, value, facts) == code


def test_the_reason_says_what_was_compared() -> None:
    node = compare("contact.score", "greater_than", {"order": "limit"})
    [reason] = judge(node, {"contact": {"score": 3}, "order": {"limit": 5}}, NOW, "steps[0].if").reasons
    assert (reason.path, reason.field, reason.op) == ("steps[0].if", "contact.score", "greater_than")
    assert (reason.expected, reason.actual) == (5, 3)


def test_the_reason_of_a_change_says_from_what_to_what() -> None:
    facts = {"contact": {"score": 201}, "previous": {"contact": {"score": 199}}}
    [reason] = judge(compare("contact.score", "crosses_above", 200), facts, NOW).reasons
    assert reason.actual == {"from": 199, "to": 201}


def test_a_path_through_a_list_reads_every_item() -> None:
    facts = {"order": {"items": [{"sku": "A"}, {"sku": "B", "tags": ["x", "y"]}, 5]}}
    assert code_of("has_all", ["a", "b"], facts, field="order.items.sku") == "holds"
    assert code_of("has_any", ["y"], facts, field="order.items.tags") == "holds"
    assert code_of("is_empty", None, facts, field="order.items.price") == "holds"


@pytest.mark.parametrize("mark", [200, 0, -1.5])
def test_crossings_alternate(mark: float) -> None:
    """Whatever way a number goes, it enters "at least the mark" and leaves it by turns."""
    way = [mark - 1, mark, mark + 1, mark, mark - 1, mark + 5, mark - 5, mark - 6, mark, mark - 0.5]
    crossings = []
    for before, after in pairwise(way):
        facts = {"contact": {"x": after}, "previous": {"contact": {"x": before}}}
        crossings += [op for op in ("crosses_above", "crosses_below") if code_of(op, mark, facts) == "holds"]
    assert crossings == ["crosses_above", "crosses_below"] * 3


def test_not_turns_a_mismatch_around() -> None:
    node = Not(item=compare("contact.x", "greater_than", 5))
    assert compile_node(node)({"contact": {"x": "many"}}, NOW)
