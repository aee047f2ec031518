"""Condition trees: reading them with located problems, and which reasons a verdict gives."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import pytest

from nhip import Condition, Config
from nhip.domain.conditions import All, AnyOf, Custom, Not, test as compare
from nhip.domain.errors import InvalidInput
from nhip.domain.verdict import Reason, Verdict
from nhip.engine.conditions.decide import compile_node, customs_of, fields_of, judge, parse
from nhip.plugin_api import Facts

NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
ROOTS = ("contact", "order", "run")
FIELD = "contact.x"


class NearConfig(Config):
    km: Annotated[int, msgspec.Meta(ge=1, description="How near.")]


class Near(Condition):
    kind = "near"
    config_type = NearConfig

    def check(self, config: Any, facts: Facts, now: datetime) -> Verdict:
        return Verdict(holds=True)


def leaf(op: Any = "equals", value: Any = "a", **more: Any) -> dict[str, Any]:
    return {"field": FIELD, "op": op, "value": value, **more}


PROBLEMS = [
    ("not an object", 5, [("c", "bad_value")]),
    ("empty object", {}, [("c", "missing")]),
    ("two shapes", {"all": [], "any": []}, [("c", "ambiguous")]),
    ("group is no list", {"all": leaf()}, [("c.all", "bad_value")]),
    ("unknown name", leaf(colour="red"), [("c", "unknown_fields")]),
    ("no field", {"op": "equals", "value": 1}, [("c.field", "missing")]),
    ("no operator", {"field": FIELD, "value": 1}, [("c.op", "missing")]),
    ("unknown operator", {"all": [leaf(), leaf("sounds_like")]}, [("c.all[1].op", "unknown_operator")]),
    ("operator is no text", leaf(["equals"]), [("c.op", "unknown_operator")]),
    ("unknown root", {"field": "weather.rain", "op": "is_empty"}, [("c.field", "unknown_field")]),
    ("broken path", {"field": "contact..x", "op": "is_empty"}, [("c.field", "bad_value")]),
    ("field is no text", {"field": 5, "op": "is_empty"}, [("c.field", "bad_value")]),
    ("no value", {"field": FIELD, "op": "equals"}, [("c.value", "missing")]),
    ("null", leaf(value=None), [("c.value", "missing")]),
    ("list for a scalar", leaf(value=["a"]), [("c.value", "bad_value")]),
    ("scalar for a list", leaf("in", "a"), [("c.value", "bad_value")]),
    ("empty list", leaf("in", []), [("c.value", "bad_value")]),
    ("long list", leaf("in", ["a"] * 1001), [("c.value", "bad_value")]),
    ("object in a list", leaf("in", [{}]), [("c.value", "bad_value")]),
    ("text for a number", leaf("greater_than", "5"), [("c.value", "bad_value")]),
    ("truth for a number", leaf("greater_than", True), [("c.value", "bad_value")]),
    ("phrase without words", leaf("contains_phrase", "?!"), [("c.value", "bad_value")]),
    ("time without offset", leaf("before", "2026-11-21T08:00:00"), [("c.value", "bad_value")]),
    ("months", leaf("within_last", "P1M"), [("c.value", "bad_value")]),
    ("number for a duration", leaf("within_last", 5), [("c.value", "bad_value")]),
    ("hours for days", leaf("matches_day", "PT5H"), [("c.value", "bad_value")]),
    ("far days", leaf("matches_day", -400), [("c.value", "bad_value")]),
    ("value for nothing", leaf("is_empty", "a"), [("c.value", "bad_value")]),
    ("reference to an unknown root", leaf(value={"weather": "rain"}), [("c.value", "unknown_field")]),
    ("reference where none may be", leaf("within_last", {"run": "x"}), [("c.value", "bad_value")]),
    ("unknown condition", {"not": {"condition": "far"}}, [("c.not.condition", "unknown_condition")]),
    ("configuration is no object", {"condition": "near", "config": 5}, [("c.config", "bad_value")]),
    ("configuration out of bounds", {"condition": "near", "config": {"km": 0}}, [("c.config.km", "bad_value")]),
    (
        "several at once",
        {"any": [leaf("sounds_like"), {"not": leaf("in", [])}, 5]},
        [("c.any[0].op", "unknown_operator"), ("c.any[1].not.value", "bad_value"), ("c.any[2]", "bad_value")],
    ),
]


@pytest.mark.parametrize(("raw", "problems"), [row[1:] for row in PROBLEMS], ids=[row[0] for row in PROBLEMS])
def test_problems_are_found_at_their_places(raw: Any, problems: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(raw, "c", roots=ROOTS, customs={"near": Near})
    assert [(problem.path, problem.code) for problem in refused.value.problems] == problems


def nested(depth: int) -> Any:
    raw: Any = leaf()
    for _ in range(depth):
        raw = {"not": raw}
    return raw


def test_depth_and_size_are_bounded() -> None:
    parse(nested(31), "c")
    parse({"all": [leaf()] * 499}, "c")
    for raw, code in ((nested(32), "too_deep"), (nested(5000), "too_deep"), ({"all": [leaf()] * 9000}, "too_large")):
        with pytest.raises(InvalidInput) as refused:
            parse(raw, "c")
        assert [problem.code for problem in refused.value.problems] == [code]


def test_without_roots_and_customs_anything_may_be_named() -> None:
    assert parse({"condition": "far"}, "c") == Custom(condition="far")
    assert parse({"field": "weather.rain", "op": "is_empty"}, "c") == compare("weather.rain", "is_empty")


YES, NO = compare("contact.yes", "equals", 1), compare("contact.no", "equals", 1)
FACTS: Facts = {"contact": {"yes": 1, "no": 0}}
BROKEN = Custom(condition="broken")


def broken(config: dict[str, Any], facts: Facts, now: datetime) -> Verdict:
    raise RuntimeError("a plugin's bug")


def near(config: dict[str, Any], facts: Facts, now: datetime) -> Verdict:
    return Verdict(holds=False, reasons=(Reason(path="km", code="too_far", actual=9), Reason(path="", code="far")))


def refuse(config: dict[str, Any], facts: Facts, now: datetime) -> Verdict:
    return Verdict(holds=False)


CUSTOMS = {"broken": broken, "near": near, "refuse": refuse}

VERDICTS = [
    ("all: the false one decides", All(items=(YES, NO, YES)), False, [("c.all[1]", "differs")]),
    ("all: each holds", All(items=(YES, YES)), True, [("c.all[0]", "holds"), ("c.all[1]", "holds")]),
    ("any: the true one decides", AnyOf(items=(NO, YES, NO)), True, [("c.any[1]", "holds")]),
    ("any: none holds", AnyOf(items=(NO, NO)), False, [("c.any[0]", "differs"), ("c.any[1]", "differs")]),
    ("not", Not(item=NO), True, [("c.not", "differs")]),
    (
        "nested",
        All(items=(YES, AnyOf(items=(NO, Not(item=YES))))),
        False,
        [("c.all[1].any[0]", "differs"), ("c.all[1].any[1].not", "holds")],
    ),
    ("empty all", All(items=()), True, [("c.all", "empty_group")]),
    ("empty any", AnyOf(items=()), False, [("c.any", "empty_group")]),
    ("a broken condition", BROKEN, False, [("c", "condition_error")]),
    ("a broken condition under not", Not(item=BROKEN), False, [("c.not", "condition_error")]),
    (
        "all: a false one decides beside a broken one",
        Not(item=All(items=(BROKEN, NO))),
        True,
        [("c.not.all[1]", "differs")],
    ),
    ("any: a true one decides beside a broken one", AnyOf(items=(BROKEN, YES)), True, [("c.any[1]", "holds")]),
    (
        "any: nothing decides beside a broken one",
        Not(item=AnyOf(items=(NO, BROKEN))),
        False,
        [("c.not.any[1]", "condition_error")],
    ),
    ("an unknown condition", Not(item=Custom(condition="gone")), False, [("c.not", "unknown_condition")]),
    ("an unknown operator", Not(item=compare("contact.yes", "sounds_like", 1)), False, [("c.not", "unknown_operator")]),
    ("a bad value", Not(item=compare("contact.yes", "in", 1)), False, [("c.not", "bad_value")]),
    ("a plugin's own reasons", Custom(condition="near"), False, [("c.km", "too_far"), ("c", "far")]),
    ("a plugin without reasons", Custom(condition="refuse"), False, [("c", "differs")]),
]


@pytest.mark.parametrize(("node", "holds", "reasons"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS])
def test_a_deciding_child_wins(node: Any, holds: bool, reasons: list[tuple[str, str]]) -> None:
    verdict = judge(node, FACTS, NOW, "c", CUSTOMS)
    assert verdict.holds is holds
    assert [(reason.path, reason.code) for reason in verdict.reasons] == reasons
    assert compile_node(node, CUSTOMS)(FACTS, NOW) is holds


def test_the_fields_of_a_tree() -> None:
    node = All(
        items=(
            compare("order.status", "changed_to", "delivered"),
            Not(item=compare("contact.x", "after", {"run": "started_at"})),
            AnyOf(items=(compare("contact.tags", "has_any", ["a"]), Custom(condition="near"))),
        )
    )
    assert fields_of(node) == {
        "order.status",
        "previous.order.status",
        "contact.x",
        "run.started_at",
        "contact.timezone",
        "contact.tags",
    }
    assert customs_of(node) == {"near"}
