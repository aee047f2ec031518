"""Mappings: what each part of the language means, where its faults are, and that nothing else is ever raised."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nhip.domain.errors import InvalidInput, Problem
from nhip.engine.incoming.mapping import Mapped, apply
from nhip.engine.incoming.reading_mapping import read_mapping
from nhip.services.doors.source_presets import source_presets

NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)
MICROS = 1_732_150_795_000_000


def mapped(mapping: Any, body: Any) -> list[Mapped]:
    return apply(read_mapping(mapping), body, NOW, digest="hash", reserved=frozenset({"contact", "order"}))


def problem(mapping: Any, body: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as raised:
        mapped(mapping, body)
    [found] = raised.value.problems
    return found.path, found.message


@pytest.mark.parametrize(
    ("spec", "body", "value"),
    [
        pytest.param("a.b", {"a": {"b": 1}}, 1, id="path"),
        pytest.param("a.b", {"a": 5}, None, id="nothing there"),
        pytest.param("a.b", {"a": [{"b": 1}, {"b": 2}]}, [1, 2], id="through a list"),
        pytest.param({"value": {"x": 1}}, {}, {"x": 1}, id="constant"),
        pytest.param({"first_of": ["a", "b"]}, {"b": 2}, 2, id="first of"),
        pytest.param({"first_of": ["a", "b"]}, {"a": " ", "b": 2}, 2, id="first that is not blank"),
        pytest.param({"first_of": ["a", {"value": 0}]}, {}, 0, id="first of, with a default"),
        pytest.param({"join": ["a", "b"]}, {"a": " x ", "b": 5}, "x 5", id="joined"),
        pytest.param({"join": ["a", "b"], "with": "-"}, {"b": "y"}, "y", id="joined, one missing"),
        pytest.param({"join": [{"value": "fb:"}, "a"], "with": ""}, {}, None, id="a constant alone is nothing"),
        pytest.param({"join": [{"value": "fb:"}, "a"], "with": ""}, {"a": 7}, "fb:7", id="with a prefix"),
        pytest.param({"path": "a", "values": {"1": "one"}}, {"a": 1}, "one", id="translated"),
        pytest.param({"path": "a", "values": {"true": "yes"}}, {"a": True}, "yes", id="true, translated"),
        pytest.param({"path": "a", "values": {"1": "one"}, "otherwise": "?"}, {"a": [2]}, "?", id="otherwise"),
        pytest.param({"path": "a", "values": {"1": "one"}}, {}, None, id="nothing to translate"),
        pytest.param(
            {"item_of": "list", "where": {"n": "b"}, "take": "v"},
            {"list": [{"n": "a", "v": 1}, {"n": "b", "v": 2}]}, 2,
            id="an item",
        ),
        pytest.param({"item_of": "list", "where": {"n": "b"}, "take": "v"}, {"list": "x"}, None, id="no list"),
        pytest.param({"all": True}, {"a": 1}, {"a": 1}, id="all"),
    ],
)  # fmt: skip
def test_a_value(spec: Any, body: Any, value: Any) -> None:
    [event] = mapped({"event": "a.b", "data": {"x": spec}}, body)
    assert event.data == ({} if value is None else {"x": value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(" x ", "x", id="text"),
        pytest.param(987654321, "987654321", id="number"),
        pytest.param(5.0, "5", id="whole float"),
        pytest.param(["x"], "x", id="list of one"),
        pytest.param("  ", None, id="blank"),
        pytest.param(None, None, id="null"),
    ],
)
def test_a_contact_s_field_is_a_text(value: Any, text: str | None) -> None:
    rule = {"event": "a.b", "contact": {"external_id": "id", "name": "n", "custom.size": "n"}}
    [event] = mapped(rule, {"id": "KH-1", "n": value})
    assert event.contact is not None
    assert event.contact.get("name") == text
    assert event.contact.get("custom") == (None if value is None else {"size": value})


@pytest.mark.parametrize("value", [True, 1.5, {"a": 1}, ["x", "y"], 2**70])
def test_what_is_no_text_is_no_field_of_a_contact(value: Any) -> None:
    path, message = problem({"event": "a.b", "contact": {"phone": "a.n"}}, {"a": {"n": value}})
    assert path == "a.n"
    assert "mapping.contact.phone" in message


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        pytest.param("2024-11-21T07:59:55+07:00", MICROS, id="RFC 3339"),
        pytest.param(1732150795, MICROS, id="seconds"),
        pytest.param(1732150795.5, MICROS + 500_000, id="parts of seconds"),
        pytest.param("1732150795", MICROS, id="digits"),
        pytest.param(1732150795123, MICROS + 123_000, id="milliseconds"),
        pytest.param("1732150795123", MICROS + 123_000, id="digits of milliseconds"),
        pytest.param(None, None, id="none"),
    ],
)
def test_a_time(value: Any, micros: int | None) -> None:
    assert mapped({"event": "a.b", "time": "t"}, {"t": value})[0].time == micros


@pytest.mark.parametrize("value", ["soon", "2024-11-21", "", True, [], {}, -1, 10**18, "9" * 15, "1" * 40])
def test_what_is_no_time(value: Any) -> None:
    assert problem({"event": "a.b", "time": "t"}, {"t": value})[0] == "t"


@pytest.mark.parametrize(
    ("rule", "body", "ids"),
    [
        pytest.param({}, {}, ["hash"], id="hash"),
        pytest.param({"id": "n"}, {"n": 5}, ["5"], id="number"),
        pytest.param({"id": "n"}, {}, ["hash"], id="missing"),
        pytest.param({"each": "l"}, {"l": [1, 2]}, ["hash.0", "hash.1"], id="each"),
        pytest.param({"each": "l", "id": "item.n"}, {"l": [{"n": "a"}, {}]}, ["a", "hash.1"], id="each its own"),
        pytest.param({"each": "l"}, {"l": []}, [], id="nothing in the list"),
        pytest.param({"each": "l"}, {}, [], id="no list"),
        pytest.param({"each": "body", "id": "item"}, ["a", "b"], ["a", "b"], id="a list as the body"),
    ],
)
def test_ids(rule: Any, body: Any, ids: list[str]) -> None:
    assert [event.id for event in mapped({"event": "a.b", **rule}, body)] == ids
    both = mapped([{"event": "a.b", "where": {"field": "no", "op": "is_not_empty"}}, {"event": "a.b", **rule}], body)
    assert [event.id.replace("hash.1", "hash", 1) for event in both] == ids


def test_a_long_id_is_hashed() -> None:
    first, second = (mapped({"event": "a.b", "id": "n"}, {"n": "x" * 200 + end})[0].id for end in "ab")
    assert len(first) == len(second) == 64
    assert first != second


def test_where_passes_over_what_is_not_meant() -> None:
    rule = {"event": "a.b", "each": "l", "where": {"field": "item.n", "op": "greater_than", "value": 1}, "id": "item.n"}
    assert [event.id for event in mapped(rule, {"l": [{"n": 1}, {"n": 2}, {"n": "x"}, 5, None]})] == ["2"]


def test_the_type_may_be_theirs() -> None:
    rule = {"event": {"path": "e", "values": {"new": "order.created"}}}
    assert mapped(rule, {"e": "new"})[0].type == "order.created"
    assert problem(rule, {"e": "old"}) == ("e", "'old' is none of the values (mapping.event.values)")
    assert problem(rule, {})[0] == "e"


def test_everything_leaves_out_what_has_a_meaning() -> None:
    body = {"contact": {"phone": "1"}, "order": {"external_id": "1"}, "x": None, "y": [1]}
    assert mapped({"event": "a.b", "data": "all"}, body)[0].data == {"x": None, "y": [1]}
    assert mapped({"event": "a.b", "data": "all"}, [1])[0].data == {"body": [1]}
    assert mapped({"event": "a.b", "data": "all", "each": "y"}, body)[0].data == {"item": 1}
    assert mapped({"event": "a.b"}, body)[0].data == {}


def test_who_it_is_has_to_be_said_unless_nobody_has_to_be() -> None:
    rule = {"event": "a.b", "contact": {"name": "n", "phone": {"first_of": ["p", "q"]}}}
    path, message = problem(rule, {"n": "x"})
    assert path == ""
    assert "phone from p, q" in message
    for way in ("optional", "known"):
        assert mapped({**rule, "contact_is": way}, {"n": "x"})[0].contact is None


def test_a_body_may_not_become_more_than_a_thousand() -> None:
    rule = {"event": "a.b", "each": "l"}
    assert len(mapped(rule, {"l": [0] * 1000})) == 1000
    assert problem(rule, {"l": [0] * 1001})[0] == "l"
    assert problem({"event": "a.b", "each": "l"}, {"l": 5})[0] == "l"


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        pytest.param(5, "mapping", id="no object"),
        pytest.param([], "mapping", id="no rule"),
        pytest.param([{"event": "a"}] * 11, "mapping", id="too many rules"),
        pytest.param({}, "mapping.event", id="no event"),
        pytest.param({"event": "A"}, "mapping.event", id="no type"),
        pytest.param({"event": "a\n"}, "mapping.event", id="a line break"),
        pytest.param({"event": {"path": "x"}}, "mapping.event", id="no values"),
        pytest.param({"event": {"path": "x", "values": {"a": "B"}}}, "mapping.event.values.a", id="a value's type"),
        pytest.param({"event": "a", "odd": 1}, "mapping.odd", id="unknown field"),
        pytest.param({"event": "a", "id": ""}, "mapping.id", id="no path"),
        pytest.param({"event": "a", "id": {"path": "a..b"}}, "mapping.id.path", id="a hole in a path"),
        pytest.param({"event": "a", "id": {"odd": 1}}, "mapping.id", id="no value"),
        pytest.param({"event": "a", "id": {"value": 1, "all": True}}, "mapping.id", id="two values"),
        pytest.param({"event": "a", "id": {"first_of": []}}, "mapping.id.first_of", id="first of none"),
        pytest.param({"event": "a", "id": {"first_of": [1]}}, "mapping.id.first_of[0]", id="no value within"),
        pytest.param({"event": "a", "id": {"join": ["a"], "with": 5}}, "mapping.id.with", id="no separator"),
        pytest.param({"event": "a", "id": {"item_of": "a", "take": "b"}}, "mapping.id.where", id="no item"),
        pytest.param({"event": "a", "id": {"path": "a", "otherwise": 1}}, "mapping.id.otherwise", id="no values"),
        pytest.param({"event": "a", "id": {"all": False}}, "mapping.id.all", id="not all"),
        pytest.param({"event": "a", "contact": {"nmae": "a", "phone": "p"}}, "mapping.contact.nmae", id="no field"),
        pytest.param({"event": "a", "contact": {"tags": "a", "phone": "p"}}, "mapping.contact.tags", id="tags"),
        pytest.param({"event": "a", "contact": {"name": "a"}}, "mapping.contact", id="no identifier"),
        pytest.param({"event": "a", "contact_is": "x"}, "mapping.contact_is", id="contact_is"),
        pytest.param({"event": "a", "overwrite": 1}, "mapping.overwrite", id="overwrite"),
        pytest.param({"event": "a", "data": {"contact.name": "a"}}, "mapping.data.contact.name", id="contact in data"),
        pytest.param({"event": "a", "data": {"a": "a", "a.b": "b"}}, "mapping.data.a", id="a part said twice"),
        pytest.param({"event": "a", "data": "some"}, "mapping.data", id="not all of the data"),
        pytest.param({"event": "a", "each": 5}, "mapping.each", id="each"),
        pytest.param({"event": "a", "where": {"field": "a"}}, "mapping.where.op", id="where"),
        pytest.param({"event": "a", "where": {"condition": "x"}}, "mapping.where.condition", id="a plugin's condition"),
        pytest.param([{"event": "a"}, {"event": "a", "time": 5}], "mapping[1].time", id="the second rule"),
    ],
)  # fmt: skip
def test_a_fault_has_its_place(mapping: Any, place: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_mapping(mapping)
    assert raised.value.problems[0].path == place


# --- laws -------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "item", "entry", "changes", "field", "value", "name", "phone", "email", "id", "e"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["leadgen", "user_send_text", "0987654321", "2024-11-21T08:00:00Z", "1732150795"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5)
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
SPECS = st.recursive(
    PATHS
    | st.builds(lambda value: {"value": value}, JSON)
    | st.builds(lambda path, one: {"path": path, "values": {"x": one}, "otherwise": one}, PATHS, JSON)
    | st.builds(lambda path, take: {"item_of": path, "where": {"name": "a"}, "take": take}, PATHS, PATHS)
    | st.just({"all": True}),
    lambda inner: (
        st.builds(lambda items: {"first_of": items}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda items: {"join": items}, st.lists(inner, min_size=1, max_size=3))
    ),
    max_leaves=4,
)
RULES = st.fixed_dictionaries(
    {"event": st.just("a.b") | st.builds(lambda path: {"path": path, "values": {"x": "a.b"}}, PATHS)},
    optional={
        "id": SPECS, "time": SPECS, "each": PATHS, "data": st.just("all") | st.dictionaries(NAMES, SPECS, max_size=3),
        "contact": st.fixed_dictionaries({"phone": SPECS}, optional={"name": SPECS, "custom.x": SPECS}),
        "contact_is": st.sampled_from(["required", "optional", "known"]),
        "where": st.builds(lambda path, value: {"field": path, "op": "equals", "value": value}, PATHS, SCALARS),
    },
)  # fmt: skip
SHIPPED = [read_mapping(preset.mapping) for preset in source_presets().values()]


@given(mapping=JSON | RULES | st.lists(RULES, max_size=3))
def test_reading_a_mapping_raises_nothing_but_faults(mapping: Any) -> None:
    before = copy.deepcopy(mapping)
    problems: tuple[Problem, ...] = ()
    try:
        read_mapping(mapping)
    except InvalidInput as error:
        problems = error.problems
    assert all(one.path.startswith("mapping") for one in problems)
    assert repr(mapping) == repr(before)


@given(rules=st.lists(RULES, min_size=1, max_size=3), body=JSON)
def test_mapping_a_body_raises_nothing_but_faults_and_changes_nothing(rules: Any, body: Any) -> None:
    try:
        mapping = read_mapping(rules)
    except InvalidInput:
        return
    _check(mapping, body)


@given(body=JSON)
def test_the_presets_take_or_refuse_any_body(body: Any) -> None:
    for mapping in SHIPPED:
        _check(mapping, body)


def _check(mapping: Any, body: Any) -> None:
    before = repr(body)
    answers: list[str] = []
    problems: list[Problem] = []
    for _ in range(2):
        try:
            answers.append(repr(apply(mapping, body, NOW, digest="hash")))
        except InvalidInput as error:
            problems += error.problems
            answers.append(str(error))
    assert answers[0] == answers[1]
    assert len(problems) in (0, 2)
    assert all("mapping" in one.message for one in problems)
    assert repr(body) == before
