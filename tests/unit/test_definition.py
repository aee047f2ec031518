"""A definition is refused with every fault at its place, and nothing but `InvalidInput` ever comes out."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from nhip.catalog import Catalog
from nhip.domain.errors import InvalidInput
from nhip.engine.definition import compile_definition, references
from nhip.engine.reading_steps import MAX_DEPTH, MAX_STEPS

CATALOG = Catalog.load()


VIP = {"field": "contact.tags", "op": "has_any", "value": ["VIP"]}


def step(name: str = "mark", **changes: Any) -> dict[str, Any]:
    return {"id": name, "action": "update_contact", "config": {"add_tags": ["VIP"]}, **changes}


def message(name: str = "tell", **changes: Any) -> dict[str, Any]:
    return {"id": name, "action": "send_message", "config": {"channel": "zns", "template": "hello"}, **changes}


def branch(name: str = "fork", *, condition: Any = VIP, otherwise: Any = (), **changes: Any) -> dict[str, Any]:
    whole = {"id": name, "if": condition, "then": [step(f"{name}_then")], "else": list(otherwise)}
    return {**whole, **changes}


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = step("deepest")
    for level in range(depth):
        inner = branch(f"b{level}", then=[inner])
    return inner


ORDER = {"id": "moved", "type": "order_status", "config": {"to": ["delivered"]}}


def definition(**changes: Any) -> dict[str, Any]:
    """A good definition with some fields replaced; a field that is `...` is left out."""
    whole = {"name": "thanks", "triggers": [copy.deepcopy(ORDER)], "steps": [step()], **changes}
    return {name: value for name, value in whole.items() if value is not ...}


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no name": ({"name": ...}, "name", "bad_value"),
    "name with capitals": ({"name": "Thanks"}, "name", "bad_value"),
    "name that ends in a line break": ({"name": "thanks\n"}, "name", "bad_value"),
    "name too long": ({"name": "x" * 101}, "name", "bad_value"),
    "title not a text": ({"title": 3}, "title", "bad_value"),
    "title too long": ({"title": "x" * 201}, "title", "bad_value"),
    "unknown field": ({"colour": "red"}, "colour", "unknown_field"),
    "no triggers": ({"triggers": ...}, "triggers", "bad_value"),
    "empty triggers": ({"triggers": []}, "triggers", "bad_value"),
    "too many triggers": ({"triggers": [{**ORDER, "id": f"t{n}"} for n in range(51)]}, "triggers", "bad_value"),
    "trigger not an object": ({"triggers": ["order_status"]}, "triggers[0]", "bad_value"),
    "unknown trigger": ({"triggers": [{**ORDER, "type": "no"}]}, "triggers[0].type", "unknown_trigger"),
    "trigger without a type": ({"triggers": [{"id": "a"}]}, "triggers[0].type", "bad_value"),
    "bad trigger id": ({"triggers": [{**ORDER, "id": "A b"}]}, "triggers[0].id", "bad_value"),
    "two triggers of one id": ({"triggers": [ORDER, ORDER]}, "triggers[1].id", "duplicate_id"),
    "unknown field of a trigger": ({"triggers": [{**ORDER, "x": 1}]}, "triggers[0].x", "unknown_field"),
    "trigger's config not an object": ({"triggers": [{**ORDER, "config": []}]}, "triggers[0].config", "bad_value"),
    "wrong type inside a trigger's config": (
        {"triggers": [{**ORDER, "config": {"to": [7]}}]}, "triggers[0].config.to[0]", "bad_value",
    ),
    "unknown field of a trigger's config": (
        {"triggers": [{**ORDER, "config": {"too": []}}]}, "triggers[0].config.too", "unknown_field",
    ),
    "a contradiction that the trigger finds": (
        {"triggers": [{**ORDER, "config": {"to": ["a"], "from": ["a"]}}]}, "triggers[0].config.from", "never_holds",
    ),
    "a trigger's own condition": (
        {"triggers": [{"id": "e", "type": "event", "config": {"type": "a.b", "where": {"field": "x.y"}}}]},
        "triggers[0].config.where", "",
    ),
    "conditions": ({"conditions": {"all": [{"field": "moon.phase", "op": "equals", "value": 1}]}}, "conditions", ""),
    "no steps": ({"steps": ...}, "steps", "bad_value"),
    "empty steps": ({"steps": []}, "steps", "missing"),
    "steps not a list": ({"steps": {"id": "a"}}, "steps", "bad_value"),
    "step not an object": ({"steps": ["a"]}, "steps[0]", "bad_value"),
    "step of no form": ({"steps": [{"id": "a"}]}, "steps[0]", "unknown_step"),
    "step of two forms": ({"steps": [step(wait={"for": "P1D"})]}, "steps[0]", "unknown_step"),
    "step without an id": ({"steps": [{"action": "update_contact"}]}, "steps[0].id", "bad_value"),
    "bad step id": ({"steps": [step("Mark")]}, "steps[0].id", "bad_value"),
    "step id that ends in a line break": ({"steps": [step("mark\n")]}, "steps[0].id", "bad_value"),
    "two steps of one id": ({"steps": [step(), branch(then=[step()])]}, "steps[1].then[0].id", "duplicate_id"),
    "unknown field of a step": ({"steps": [step(then=[])]}, "steps[0].then", "unknown_field"),
    "unknown action": ({"steps": [step(action="no")]}, "steps[0].action", "unknown_action"),
    "action not a text": ({"steps": [step(action=["no"])]}, "steps[0].action", "unknown_action"),
    "config not an object": ({"steps": [step(config=[])]}, "steps[0].config", "bad_value"),
    "missing in a config": (
        {"steps": [step(), step("b"), message(config={"channel": "zns"})]}, "steps[2].config.template", "missing",
    ),
    "wrong in a config": (
        {"steps": [message(config={"channel": 1, "template": "a"})]}, "steps[0].config.channel", "bad_value",
    ),
    "fallback not a list": ({"steps": [message(fallback={})]}, "steps[0].fallback", "bad_value"),
    "fallback too long": ({"steps": [message(fallback=[{}] * 6)]}, "steps[0].fallback", "bad_value"),
    "wrong in a fallback": (
        {"steps": [message(fallback=[{}, {"template": 3}])]}, "steps[0].fallback[1].template", "bad_value",
    ),
    "fallback of what sends nothing": ({"steps": [step(fallback=[{}])]}, "steps[0].fallback", "not_allowed"),
    "wait not an object": ({"steps": [{"id": "w", "wait": "P1D"}]}, "steps[0].wait", "bad_value"),
    "wait of another form": ({"steps": [{"id": "w", "wait": {"until": "x"}}]}, "steps[0].wait.until", "unknown_field"),
    "wait of a month": ({"steps": [{"id": "w", "wait": {"for": "P1M"}}]}, "steps[0].wait.for", "bad_value"),
    "exit not an object": ({"steps": [{"id": "x", "exit": "done"}]}, "steps[0].exit", "bad_value"),
    "exit with another field": ({"steps": [{"id": "x", "exit": {"why": "a"}}]}, "steps[0].exit.why", "unknown_field"),
    "exit reason not a text": ({"steps": [{"id": "x", "exit": {"reason": 1}}]}, "steps[0].exit.reason", "bad_value"),
    "after an exit": ({"steps": [{"id": "x", "exit": {}}, step()]}, "steps[1]", "unreachable"),
    "after an exit inside": (
        {"steps": [branch(otherwise=[{"id": "x", "exit": {}}, step()])]}, "steps[0].else[1]", "unreachable",
    ),
    "branch without steps": ({"steps": [branch(then=[])]}, "steps[0]", "no_effect"),
    "branch's condition": ({"steps": [branch(condition={"field": "a"})]}, "steps[0].if", ""),
    "then not a list": ({"steps": [branch(then={})]}, "steps[0].then", "bad_value"),
    "nested too deep": ({"steps": [nested(MAX_DEPTH + 1)]}, "steps[0]" + ".then[0]" * MAX_DEPTH + ".then", "too_deep"),
    "too many steps": (
        {"steps": [step(f"s{n}") for n in range(MAX_STEPS + 1)]}, f"steps[{MAX_STEPS}]", "too_many_steps",
    ),
    "settings not an object": ({"settings": []}, "settings", "bad_value"),
    "unknown setting": ({"settings": {"speed": 1}}, "settings.speed", "unknown_field"),
    "mode": ({"settings": {"mode": "twice"}}, "settings.mode", "bad_value"),
    "reentry": ({"settings": {"reentry": "never"}}, "settings.reentry", "bad_value"),
    "reentry after": ({"settings": {"reentry": {"after": 30}}}, "settings.reentry.after", "bad_value"),
    "conversion": ({"settings": {"conversion": {"event": "a"}}}, "settings.conversion", "bad_value"),
    "conversion's time": (
        {"settings": {"conversion": {"event": "a", "within": "soon"}}}, "settings.conversion.within", "bad_value",
    ),
    "holdout": ({"settings": {"holdout_percent": 5}}, "settings.holdout_percent", "not_allowed"),
    "exit_when": ({"settings": {"exit_when": [{}]}}, "settings.exit_when[0]", "bad_value"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "path", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_at_its_place(changes: dict[str, Any], path: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        compile_definition(definition(**changes), CATALOG)
    problems = [(problem.path, problem.code) for problem in refused.value.problems]
    if code:
        assert (path, code) in problems
    else:
        assert any(found.startswith(path) for found, _ in problems), problems


def test_all_faults_are_told_at_once() -> None:
    bad = definition(name="NO", triggers=[{"id": "a", "type": "no"}], steps=[step(action="no"), "x"], settings={"x": 1})
    with pytest.raises(InvalidInput) as refused:
        compile_definition(bad, CATALOG)
    assert [problem.path for problem in refused.value.problems] == [
        "name", "triggers[0].type", "settings.x", "steps[0].action", "steps[1]",
    ]  # fmt: skip


@pytest.mark.parametrize("raw", [None, [], "x", 3, True], ids=repr)
def test_what_is_no_object_is_no_workflow(raw: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        compile_definition(raw, CATALOG)
    assert [(problem.path, problem.code) for problem in refused.value.problems] == [("", "bad_value")]


def test_a_good_definition_compiles_to_entries_and_a_program() -> None:
    compiled = compile_definition(
        definition(steps=[message(fallback=[{"channel": "sms"}]), branch(), nested(MAX_DEPTH)]),
        CATALOG,
        version_id="v1",
    )
    (entry,) = compiled.entries
    assert (entry.workflow, entry.version_id, entry.trigger_id) == ("thanks", "v1", "moved")
    assert entry.event_types == ("order.status_changed", "order.created")
    assert [node.path for node in compiled.program.nodes][:3] == ["steps[0]", "steps[1]", "steps[1].then[0]"]


def test_references_say_what_must_exist_and_where_it_is_named() -> None:
    steps = [message(fallback=[{"channel": "sms", "template": "short"}])]
    found = references(compile_definition(definition(steps=steps), CATALOG).definition, CATALOG)
    assert {(one.path, one.kind, one.name) for one in found} == {
        ("steps[0].config.channel", "channel", "zns"),
        ("steps[0].config.template", "template", "hello"),
        ("steps[0].fallback[0].channel", "channel", "sms"),
        ("steps[0].fallback[0].template", "template", "short"),
    }


WORDS = st.sampled_from(
    ["name", "title", "triggers", "conditions", "settings", "steps", "id", "type", "config", "action", "wait", "if",
     "then", "else", "exit", "for", "reason", "fallback", "field", "op", "value", "all", "any", "not", "reentry",
     "after", "mode", "conversion", "event", "within", "order_status", "send_message", "update_contact", "P1D",
     "contact.name", "equals", "thanks", "x"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=25,
)


@given(JSON)
def test_any_json_is_compiled_or_refused(raw: Any) -> None:
    refused_or_compiled(raw)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found += places(one, (*path, key))
    return found


GOOD = definition(
    title="Thanks",
    conditions={"all": [{"field": "contact.tags", "op": "has_any", "value": ["VIP"]}]},
    settings={"reentry": {"after": "P1D"}, "mode": "single", "conversion": {"event": "order.created", "within": "P7D"}},
    steps=[
        message(fallback=[{"channel": "sms"}]),
        {"id": "w", "wait": {"for": "P1D"}},
        branch(),
        {"id": "x", "exit": {}},
    ],
)


@settings(max_examples=300)
@given(st.data(), JSON)
def test_a_good_definition_with_anything_at_any_place_is_compiled_or_refused(data: st.DataObject, value: Any) -> None:
    place = data.draw(st.sampled_from(places(GOOD)[1:]))
    raw = copy.deepcopy(GOOD)
    holder: Any = raw
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    refused_or_compiled(raw)


def refused_or_compiled(raw: Any) -> None:
    try:
        compile_definition(raw, CATALOG)
    except InvalidInput as error:
        assert error.problems  # noqa: PT017  (some examples raise nothing)
        assert all(problem.code and problem.message for problem in error.problems)  # noqa: PT017
