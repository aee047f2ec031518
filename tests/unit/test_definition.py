"""A definition is refused with every fault at its place, and nothing but `InvalidInput` ever comes out."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from nhip.catalog import Catalog
from nhip.domain.errors import InvalidInput
from nhip.engine.definitions.definition import compile_definition, references
from nhip.engine.definitions.lint import lint
from nhip.engine.definitions.reading_steps import MAX_DEPTH, MAX_PASSES, MAX_STEPS

CATALOG = Catalog.load()


VIP = {"field": "contact.tags", "op": "has_any", "value": ["VIP"]}
NAMED = {"field": "contact.name", "op": "is_not_empty"}
HOURS = {"from": "08:00", "to": "20:00"}


def step(name: str = "mark", **changes: Any) -> dict[str, Any]:
    return {"id": name, "action": "update_contact", "config": {"add_tags": ["VIP"]}, **changes}


def message(name: str = "tell", **changes: Any) -> dict[str, Any]:
    return {"id": name, "action": "send_message", "config": {"channel": "zns", "template": "hello"}, **changes}


def branch(name: str = "fork", *, condition: Any = VIP, otherwise: Any = (), **changes: Any) -> dict[str, Any]:
    whole = {"id": name, "if": condition, "then": [step(f"{name}_then")], "else": list(otherwise)}
    return {**whole, **changes}


def waiting(said: Any, name: str = "w") -> dict[str, Any]:
    return {"id": name, "wait": said}


def leaving(name: str = "x") -> dict[str, Any]:
    return {"id": name, "exit": {"reason": "done"}}


def loop(*steps: Any, name: str = "loop", times: Any = 3, **changes: Any) -> dict[str, Any]:
    return {"id": name, "repeat": {"times": times, **changes}, "steps": list(steps) or [waiting({"for": "P1D"}, "day")]}


def split(*ways: Any, name: str = "ab") -> dict[str, Any]:
    return {"id": name, "split": list(ways)}


def way(weight: Any = 50, *steps: Any, **changes: Any) -> dict[str, Any]:
    return {"weight": weight, "steps": list(steps), **changes}


def loops(*times: int) -> dict[str, Any]:
    """Loops in each other, the outermost first."""
    inner: dict[str, Any] = step("deepest")
    for number, many in reversed(list(enumerate(times))):
        inner = loop(inner, name=f"l{number}", times=many)
    return inner


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
    "exit_when of null": ({"settings": {"exit_when": [{"where": None}]}}, "settings.exit_when[0]", "bad_value"),
    # journeys: what no run comes to
    "after ways that all end": (
        {"steps": [branch(then=[leaving()], otherwise=[leaving("y")]), step()]}, "steps[1]", "unreachable",
    ),
    "after a split whose ways all end": (
        {"steps": [split(way(50, leaving()), way(50, leaving("y"))), step()]}, "steps[1]", "unreachable",
    ),
    "after an exit in a way": (
        {"steps": [split(way(50, leaving(), step()), way(50))]}, "steps[0].split[0].steps[1]", "unreachable",
    ),
    "after an exit in a loop": ({"steps": [loop(leaving(), step())]}, "steps[0].steps[1]", "unreachable"),
    "a branch that nobody comes to": ({"steps": [leaving(), branch()]}, "steps[1]", "unreachable"),
    "a wait that nobody comes to": ({"steps": [leaving(), waiting({"for": "P1D"})]}, "steps[1]", "unreachable"),
    "a split that nobody comes to": ({"steps": [leaving(), split(way(), way())]}, "steps[1]", "unreachable"),
    "a loop that nobody comes to": ({"steps": [leaving(), loop()]}, "steps[1]", "unreachable"),
    "an exit that nobody comes to": ({"steps": [leaving(), leaving("y")]}, "steps[1]", "unreachable"),
    # journeys: loops
    "loop without a bound": ({"steps": [{**loop(), "repeat": {}}]}, "steps[0].repeat.times", "unbounded"),
    "loop with until alone": (
        {"steps": [{**loop(), "repeat": {"until": VIP}}]}, "steps[0].repeat.times", "unbounded",
    ),
    "loop that never goes round": ({"steps": [loop(times=0)]}, "steps[0].repeat.times", "bad_value"),
    "loop of a negative bound": ({"steps": [loop(times=-1)]}, "steps[0].repeat.times", "bad_value"),
    "loop of half a pass": ({"steps": [loop(times=1.5)]}, "steps[0].repeat.times", "bad_value"),
    "loop of so many as true": ({"steps": [loop(times=True)]}, "steps[0].repeat.times", "bad_value"),
    "loop of a text": ({"steps": [loop(times="3")]}, "steps[0].repeat.times", "bad_value"),
    "loop of too many passes": ({"steps": [loop(times=MAX_PASSES + 1)]}, "steps[0].repeat.times", "bad_value"),
    "loops of too many passes together": (
        {"steps": [loops(101, 100)]}, "steps[0].steps[0].repeat.times", "too_many",
    ),
    "loops nested too many": (
        {"steps": [loops(*[1] * (MAX_DEPTH + 1))]}, "steps[0]" + ".steps[0]" * MAX_DEPTH + ".steps", "too_deep",
    ),
    "loop not an object": ({"steps": [{**loop(), "repeat": 3}]}, "steps[0].repeat", "bad_value"),
    "loop without steps": ({"steps": [{"id": "l", "repeat": {"times": 3}}]}, "steps[0].steps", "bad_value"),
    "loop of no steps": ({"steps": [{"id": "l", "repeat": {"times": 3}, "steps": []}]}, "steps[0].steps", "no_effect"),
    "unknown field of a loop": ({"steps": [loop(every="P1D")]}, "steps[0].repeat.every", "unknown_field"),
    "loop's condition": ({"steps": [loop(until={"field": "a"})]}, "steps[0].repeat.until", ""),
    # journeys: splits
    "split not a list": ({"steps": [{"id": "ab", "split": {}}]}, "steps[0].split", "bad_value"),
    "split of one way": ({"steps": [split(way(100))]}, "steps[0].split", "bad_value"),
    "split of too many ways": ({"steps": [split(*[way(5)] * 21)]}, "steps[0].split", "bad_value"),
    "weights that are too little": ({"steps": [split(way(50), way(49))]}, "steps[0].split", "bad_weights"),
    "weights that are too much": ({"steps": [split(way(50), way(51))]}, "steps[0].split", "bad_weights"),
    "weights that are nothing": ({"steps": [split(way(0), way(0))]}, "steps[0].split", "bad_weights"),
    "way without a weight": (
        {"steps": [split(way(), {"steps": []})]}, "steps[0].split[1].weight", "bad_value",
    ),
    "negative weight": ({"steps": [split(way(-1), way(101))]}, "steps[0].split[0].weight", "bad_value"),
    "half a percent": ({"steps": [split(way(0.5), way(99.5))]}, "steps[0].split[0].weight", "bad_value"),
    "way not an object": ({"steps": [split(way(), 50)]}, "steps[0].split[1]", "bad_value"),
    "unknown field of a way": ({"steps": [split(way(then=[]), way())]}, "steps[0].split[0].then", "unknown_field"),
    "steps of a way not a list": (
        {"steps": [split({"weight": 50, "steps": {}}, way())]}, "steps[0].split[0].steps", "bad_value",
    ),
    "two ways of one name": (
        {"steps": [split(way(name="a"), way(name="a"))]}, "steps[0].split[1].name", "duplicate_id",
    ),
    "a way of the name that another has by its place": (
        {"steps": [split(way(name="1"), way())]}, "steps[0].split[1].name", "duplicate_id",
    ),
    "way's name not a text": ({"steps": [split(way(name=1), way())]}, "steps[0].split[0].name", "bad_value"),
    "way's name too long": ({"steps": [split(way(name="x" * 64), way())]}, "steps[0].split[0].name", "bad_value"),
    # journeys: waits
    "wait of no form": ({"steps": [waiting({})]}, "steps[0].wait", "bad_value"),
    "wait of two forms": ({"steps": [waiting({"for": "P1D", "event": "a.b"})]}, "steps[0].wait", "bad_value"),
    "wait of two times": (
        {"steps": [waiting({"for": "P1D", "until": "2026-12-24"})]}, "steps[0].wait", "bad_value",
    ),
    "field of another form of wait": (
        {"steps": [waiting({"for": "P1D", "timeout": "P1D"})]}, "steps[0].wait.timeout", "unknown_field",
    ),
    "negative wait": ({"steps": [waiting({"for": "-P1D"})]}, "steps[0].wait.for", "bad_value"),
    "wait of more than 10,000 days": ({"steps": [waiting({"for": "P10001D"})]}, "steps[0].wait.for", "bad_value"),
    "wait of a number": ({"steps": [waiting({"for": 3600})]}, "steps[0].wait.for", "bad_value"),
    "until a field of no root": (
        {"steps": [waiting({"until": "moon.full"})]}, "steps[0].wait.until", "unknown_field",
    ),
    "until a field of an empty part": (
        {"steps": [waiting({"until": "contact..renewal"})]}, "steps[0].wait.until", "unknown_field",
    ),
    "until nothing": ({"steps": [waiting({"until": ""})]}, "steps[0].wait.until", "bad_value"),
    "until a number": ({"steps": [waiting({"until": 1_900_000_000})]}, "steps[0].wait.until", "bad_value"),
    "until a day that is none": ({"steps": [waiting({"until": "2026-02-30"})]}, "steps[0].wait.until", "bad_value"),
    "until a time without an offset": (
        {"steps": [waiting({"until": "2026-12-24T10:00:00"})]}, "steps[0].wait.until", "bad_value",
    ),
    "until an offset of a month": (
        {"steps": [waiting({"until": "2026-12-24", "offset": "-P1M"})]}, "steps[0].wait.offset", "bad_value",
    ),
    "until an offset of two signs": (
        {"steps": [waiting({"until": "2026-12-24", "offset": "--P1D"})]}, "steps[0].wait.offset", "bad_value",
    ),
    "until an hour that is none": (
        {"steps": [waiting({"until": "2026-12-24", "at": "24:00"})]}, "steps[0].wait.at", "bad_value",
    ),
    "until an hour with seconds": (
        {"steps": [waiting({"until": "2026-12-24", "at": "08:00:00"})]}, "steps[0].wait.at", "bad_value",
    ),
    "until in an unknown zone": (
        {"steps": [waiting({"until": "2026-12-24", "timezone": "Mars/Olympus"})]},
        "steps[0].wait.timezone", "unknown_timezone",
    ),
    "zone not a text": (
        {"steps": [waiting({"until": "2026-12-24", "timezone": 7})]}, "steps[0].wait.timezone", "unknown_timezone",
    ),
    "zone that is a path": (
        {"steps": [waiting({"until": "2026-12-24", "timezone": "../Europe/Berlin"})]},
        "steps[0].wait.timezone", "unknown_timezone",
    ),
    "window not an object": ({"steps": [waiting({"window": "08:00"})]}, "steps[0].wait.window", "bad_value"),
    "window without hours": ({"steps": [waiting({"window": {}})]}, "steps[0].wait.window.from", "bad_value"),
    "window without an end": (
        {"steps": [waiting({"window": {"from": "08:00"}})]}, "steps[0].wait.window.to", "bad_value",
    ),
    "window of no time": (
        {"steps": [waiting({"window": {"from": "08:00", "to": "08:00"}})]}, "steps[0].wait.window.to", "bad_value",
    ),
    "window on no days": (
        {"steps": [waiting({"window": {**HOURS, "days": []}})]}, "steps[0].wait.window.days", "bad_value",
    ),
    "window on a day that is none": (
        {"steps": [waiting({"window": {**HOURS, "days": ["mon", "Tue"]}})]}, "steps[0].wait.window.days", "bad_value",
    ),
    "window in an unknown zone": (
        {"steps": [waiting({"window": {**HOURS, "timezone": "+07:00"}})]},
        "steps[0].wait.window.timezone", "unknown_timezone",
    ),
    "unknown field of a window": (
        {"steps": [waiting({"window": {**HOURS, "at": "08:00"}})]}, "steps[0].wait.window.at", "unknown_field",
    ),
    "waiting for no event": ({"steps": [waiting({"event": []})]}, "steps[0].wait.event", "bad_value"),
    "waiting for too many events": (
        {"steps": [waiting({"event": [f"a.b{n}" for n in range(21)]})]}, "steps[0].wait.event", "bad_value",
    ),
    "waiting for what is no type": (
        {"steps": [waiting({"event": "Order Created"})]}, "steps[0].wait.event", "bad_value",
    ),
    "waiting for a type with a bar": ({"steps": [waiting({"event": "a|b"})]}, "steps[0].wait.event", "bad_value"),
    "waiting for a wildcard": ({"steps": [waiting({"event": ["order.*"]})]}, "steps[0].wait.event", "bad_value"),
    "waiting for a number": ({"steps": [waiting({"event": [1]})]}, "steps[0].wait.event", "bad_value"),
    "waiting for a type that ends in a line break": (
        {"steps": [waiting({"event": "a.b\n"})]}, "steps[0].wait.event", "bad_value",
    ),
    "waiting for a negative time": (
        {"steps": [waiting({"event": "a.b", "timeout": "-P1D"})]}, "steps[0].wait.timeout", "bad_value",
    ),
    "waiting for what is no condition": (
        {"steps": [waiting({"event": "a.b", "where": {"field": "a"}})]}, "steps[0].wait.where", "",
    ),
    # journeys: how they end and how late they may be
    "exit_when not a list": ({"settings": {"exit_when": {"event": "a.b"}}}, "settings.exit_when", "bad_value"),
    "exit_when of too many": (
        {"settings": {"exit_when": [{"event": "a.b"}] * 21}}, "settings.exit_when", "bad_value",
    ),
    "exit_when at no type": (
        {"settings": {"exit_when": [{"event": "A b"}]}}, "settings.exit_when[0].event", "bad_value",
    ),
    "unknown field of an exit_when": (
        {"settings": {"exit_when": [{"event": "a.b", "if": VIP}]}}, "settings.exit_when[0].if", "unknown_field",
    ),
    "exit_when of a broken condition": (
        {"settings": {"exit_when": [{"event": "a.b", "where": {"field": "x"}}]}}, "settings.exit_when[0].where", "",
    ),
    "exit_when of nothing to ask": (
        {"settings": {"exit_when": [{"where": {"all": []}}]}}, "settings.exit_when[0].where", "always_holds",
    ),
    "exit_when of the conditions of entry": (
        {"conditions": VIP, "settings": {"exit_when": [{"where": VIP}]}},
        "settings.exit_when[0].where", "always_holds",
    ),
    "exit_when of some of the conditions of entry": (
        {"conditions": {"all": [VIP, NAMED]}, "settings": {"exit_when": [{"event": "a.b"}, {"where": NAMED}]}},
        "settings.exit_when[1].where", "always_holds",
    ),
    "exit_when of all the conditions of entry": (
        {"conditions": {"all": [VIP, NAMED]}, "settings": {"exit_when": [{"where": {"all": [NAMED, VIP]}}]}},
        "settings.exit_when[0].where", "always_holds",
    ),
    "expires_after of a month": ({"settings": {"expires_after": "P1M"}}, "settings.expires_after", "bad_value"),
    "expires_after of a number": ({"settings": {"expires_after": 60}}, "settings.expires_after", "bad_value"),
    "negative expires_after": ({"settings": {"expires_after": "-PT1H"}}, "settings.expires_after", "bad_value"),
    "expires_after of a step": ({"steps": [step(expires_after="soon")]}, "steps[0].expires_after", "bad_value"),
    "expires_after of a wait": (
        {"steps": [{**waiting({"for": "P1D"}), "expires_after": "P1D"}]}, "steps[0].expires_after", "unknown_field",
    ),
    "mode not a text": ({"settings": {"mode": ["single"]}}, "settings.mode", "bad_value"),
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


def test_only_the_first_of_the_steps_that_nobody_comes_to_is_told() -> None:
    with pytest.raises(InvalidInput) as refused:
        compile_definition(definition(steps=[leaving(), branch(then=[loop(step("a"))]), step("b")]), CATALOG)
    assert [(one.path, one.code) for one in refused.value.problems] == [
        ("steps[1]", "unreachable"), ("steps[2]", "unreachable"),
    ]  # fmt: skip


GOOD_JOURNEYS: dict[str, dict[str, Any]] = {
    "as many passes as may be": {"steps": [loops(1000, 10)]},
    "as deep as may be": {"steps": [loops(*[1] * MAX_DEPTH)]},
    "after a loop that ends in an exit": {"steps": [loop(leaving()), step()]},
    "after a branch of which one way ends": {"steps": [branch(then=[leaving()]), step()]},
    "after a split of which one way ends": {"steps": [split(way(1, leaving()), way(99)), step()]},
    "a way for nobody": {"steps": [split(way(0, step()), way(100))]},
    "twenty ways": {"steps": [split(*[way(5)] * 20)]},
    "a wait of no time": {"steps": [waiting({"for": "PT0S"})]},
    "an offset forwards": {"steps": [waiting({"until": "contact.birthday", "offset": "+P1DT2H", "at": "00:00"})]},
    "hours over midnight": {"steps": [waiting({"window": {"from": "22:00", "to": "06:00", "days": ["sun", "sun"]}})]},
    "twenty events": {"steps": [waiting({"event": [f"a.b{n}" for n in range(20)]})]},
    "an end that some conditions of entry contradict": {
        "conditions": VIP, "settings": {"exit_when": [{"where": {"not": VIP}}]},
    },
    "an end that asks more than the entry": {
        "conditions": VIP, "settings": {"exit_when": [{"where": {"all": [VIP, NAMED]}}]},
    },
    "an end that never comes": {"settings": {"exit_when": [{"where": {"any": []}}]}},
    "an end at an event, under the conditions of entry": {
        "conditions": VIP, "settings": {"exit_when": [{"event": "a.b", "where": VIP}]},
    },
}  # fmt: skip


@pytest.mark.parametrize("changes", GOOD_JOURNEYS.values(), ids=GOOD_JOURNEYS.keys())
def test_what_is_odd_and_allowed_compiles(changes: dict[str, Any]) -> None:
    compile_definition(definition(**changes), CATALOG)


def test_all_faults_are_told_at_once() -> None:
    bad = definition(name="NO", triggers=[{"id": "a", "type": "no"}], steps=[step(action="no"), "x"], settings={"x": 1})
    with pytest.raises(InvalidInput) as refused:
        compile_definition(bad, CATALOG)
    assert [problem.path for problem in refused.value.problems] == [
        "name", "triggers[0].type", "settings.x", "steps[0].action", "steps[1]",
    ]  # fmt: skip


def test_a_step_that_nobody_comes_to_keeps_its_place_behind_one_that_cannot_be_read() -> None:
    ways = split("no way", way(100, step("a", action="no"), leaving(), waiting({"for": "P1D"})))
    with pytest.raises(InvalidInput) as refused:
        compile_definition(definition(steps=[step(action="no"), ways, leaving("end"), step("b")]), CATALOG)
    assert [(problem.path, problem.code) for problem in refused.value.problems] == [
        ("steps[0].action", "unknown_action"),
        ("steps[1].split[0]", "bad_value"),
        ("steps[1].split[1].steps[0].action", "unknown_action"),
        ("steps[1].split[1].steps[2]", "unreachable"),
        ("steps[3]", "unreachable"),
    ]


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


WARNINGS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "a loop in which nothing waits": ({"steps": [loop(step())]}, [("steps[0]", "hasty_loop")]),
    "a loop in which a branch acts": ({"steps": [loop(branch())]}, [("steps[0]", "hasty_loop")]),
    "the inner one of two": (
        {"steps": [loop(loop(step(), name="inner"), waiting({"for": "P1D"}))]}, [("steps[0].steps[0]", "hasty_loop")],
    ),
    "a loop that waits on one way": ({"steps": [loop(step(), branch(then=[waiting({"for": "P1D"})]))]}, []),
    "a loop that does nothing": ({"steps": [loop(branch(then=[leaving()]), times=2)]}, []),
    "an event without a time-out": ({"steps": [waiting({"event": "a.b"})]}, [("steps[0].wait", "long_wait")]),
    "an event for a year": (
        {"steps": [waiting({"event": "a.b", "timeout": "P365D"})]}, [("steps[0].wait", "long_wait")],
    ),
    "an event for less": ({"steps": [waiting({"event": "a.b", "timeout": "P364D"})]}, []),
    "a wait of a year": ({"steps": [waiting({"for": "P365D"})]}, []),
    "conditions of a loop, a wait and an end that read what is not there": (
        {
            "steps": [
                loop(until={"field": "steps.gone.outcome", "op": "equals", "value": "done"}),
                waiting({"event": "a.b", "timeout": "P1D", "where": {"field": "contact.nmae", "op": "is_empty"}}),
            ],
            "settings": {"exit_when": [{"where": {"field": "contact.nmae", "op": "is_empty"}}]},
        },
        [
            ("settings.exit_when[0].where", "unknown_field"), ("steps[0].repeat.until", "unknown_field"),
            ("steps[1].wait.where", "unknown_field"),
        ],
    ),
    "a message after the conversion, behind a loop of waits": (
        {
            "steps": [waiting({"for": "P8D"}), loop(message(), waiting({"for": "P1D"}, "day"))],
            "settings": {"conversion": {"event": "order.created", "within": "P7D"}},
        },
        [("steps[1].steps[0]", "after_conversion")],
    ),
    "steps that no way leads through before": (
        {
            "conditions": {"field": "steps.fork.outcome", "op": "is_empty"},
            "steps": [
                branch(condition={"field": "steps.w.outcome", "op": "equals", "value": "done"},
                       then=[step("yes")], otherwise=[message("no", config={
                           "channel": "zns", "template": "hello",
                           "data": {"a": ["{{ steps.yes.output.at }}", "{{ steps.fork.outcome }} {{ contact.name }}"],
                                    "b": "{# {{ steps.yes.output }} #}", "c": "steps.yes"}})]),
                waiting({"event": "a.b", "timeout": "P1D",
                         "where": {"field": "steps.w.output.data.at", "op": "is_empty"}}),
                waiting({"until": "steps.yes.output.at"}, "after"),
            ],
        },
        [("conditions", "read_too_early"), ("steps[0].else[0].config.data.a[0]", "read_too_early"),
         ("steps[0].if", "read_too_early"), ("steps[1].wait.where", "read_too_early")],
    ),
    "steps that the pass before led through": (
        {
            "steps": [loop(
                branch(condition={"field": "steps.day.outcome", "op": "is_empty"}), waiting({"for": "P1D"}, "day"),
                until={"field": "steps.day.outcome", "op": "equals", "value": "done"},
            )],
            "settings": {"exit_when": [{"where": {"field": "steps.day.outcome", "op": "is_not_empty"}}]},
        },
        [],
    ),
    "a conversion by what is no type of event": (
        {"settings": {"conversion": {"event": "Order created", "within": "P7D"}}},
        [("settings.conversion.event", "no_event_type")],
    ),
    "times of fields that there are not": (
        {
            "triggers": [
                {"id": "b", "type": "date_reminder", "config": {"field": "contact.birthdya", "offsets": ["-P3D"]}},
                {"id": "n", "type": "date_reminder", "config": {"field": "contact.custom.renewal"}},
            ],
            "steps": [waiting({"until": "contact.nmae"}), waiting({"until": "steps.w.output.data.at"}, "x"),
                      waiting({"until": "steps.v.output.data.at"}, "y")],
        },
        [("steps[0].wait.until", "unknown_field"), ("steps[2].wait.until", "unknown_field"),
         ("triggers[0].config", "unknown_field")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), WARNINGS.values(), ids=WARNINGS.keys())
def test_what_is_allowed_and_probably_not_meant(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = lint(compile_definition(definition(**changes), CATALOG), {"contact": frozenset({"name", "tags", "custom"})})
    assert sorted((one.path, one.code) for one in found) == expected


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
