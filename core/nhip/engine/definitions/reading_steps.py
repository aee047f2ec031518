"""Read the steps of a definition."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from nhip.domain.workflow import ActionStep, ExitStep, IfStep, RepeatStep, SplitStep, Step, WaitFor, WaitStep, Way
from nhip.engine.definitions.reading import Reading
from nhip.engine.definitions.reading_waits import read_wait
from nhip.plugin_api import Action

MAX_STEPS: Final = 500
MAX_DEPTH: Final = 16
MAX_WAYS: Final = 20
MAX_PASSES: Final = 1000
"""How often one loop may go round."""
MAX_ALL_PASSES: Final = 10_000
"""How often a loop may go round with all the loops around it."""
_MAX_FALLBACKS: Final = 5
_IN_ITS_PLACE: Final = WaitStep(id="", wait=WaitFor(duration=timedelta()))
"""Stands where a step could not be read, so that those after it are told by their own places."""
_FORMS: Final = {
    "action": frozenset({"config", "fallback", "expires_after"}),
    "wait": frozenset[str](),
    "if": frozenset({"then", "else"}),
    "split": frozenset[str](),
    "repeat": frozenset({"steps"}),
    "exit": frozenset[str](),
}


def read_steps(reading: Reading, raw: Any, path: str, depth: int = 0, passes: int = 1) -> tuple[Step, ...]:
    """A list of steps; ``passes`` is how often the loops around it may go round."""
    if not isinstance(raw, list):
        reading.fault(path, "bad_value", "a list of steps is needed here")
        return ()
    if depth > MAX_DEPTH:
        reading.fault(path, "too_deep", f"steps are nested at most {MAX_DEPTH} deep")
        return ()
    steps: list[Step] = []
    for position, item in enumerate(raw):
        place = f"{path}[{position}]"
        if len(reading.ids) >= MAX_STEPS:
            reading.fault(place, "too_many_steps", f"a workflow has at most {MAX_STEPS} steps")
            break
        step = _step(reading, item, place, depth, passes)
        steps.append(step if step is not None else _IN_ITS_PLACE)
    return tuple(steps)


def _step(reading: Reading, raw: Any, path: str, depth: int, passes: int) -> Step | None:
    if not isinstance(raw, dict):
        reading.fault(path, "bad_value", "a step is an object")
        return None
    forms = [form for form in _FORMS if form in raw]
    if len(forms) != 1:
        reading.fault(path, "unknown_step", f"a step has exactly one of {', '.join(_FORMS)}")
        return None
    [form] = forms
    reading.unknown(raw, {"id", form} | _FORMS[form], path)
    identifier = reading.unique(raw, path)
    match form:
        case "action":
            return _action(reading, raw, path, identifier)
        case "wait":
            wait = read_wait(reading, raw["wait"], f"{path}.wait")
            return None if wait is None else WaitStep(id=identifier, wait=wait)
        case "exit":
            return _exit(reading, raw["exit"], f"{path}.exit", identifier)
        case "split":
            return _split(reading, raw["split"], path, identifier, depth, passes)
        case "repeat":
            return _repeat(reading, raw, path, identifier, depth, passes)
        case _:
            condition = reading.condition(raw["if"], f"{path}.if")
            then = read_steps(reading, raw.get("then", []), f"{path}.then", depth + 1, passes)
            otherwise = read_steps(reading, raw.get("else", []), f"{path}.else", depth + 1, passes)
            if condition is None:
                return None
            if not raw.get("then") and not raw.get("else"):
                reading.fault(path, "no_effect", "neither way of this branch has a step")
            return IfStep(id=identifier, condition=condition, then=then, otherwise=otherwise)


def _exit(reading: Reading, body: Any, path: str, identifier: str) -> Step | None:
    if not isinstance(body, dict):
        reading.fault(path, "bad_value", 'an exit is an object: {"reason": "done"}')
        return None
    reading.unknown(body, {"reason"}, path)
    return ExitStep(id=identifier, reason=reading.text(body, "reason", f"{path}.reason", default="exit"))


def _split(reading: Reading, raw: Any, path: str, identifier: str, depth: int, passes: int) -> Step | None:
    place = f"{path}.split"
    if not isinstance(raw, list) or not 2 <= len(raw) <= MAX_WAYS:
        reading.fault(place, "bad_value", f"a split is a list of 2 to {MAX_WAYS} ways")
        return None
    ways: list[Way] = []
    for position, item in enumerate(raw):
        here = f"{place}[{position}]"
        if not isinstance(item, dict):
            reading.fault(here, "bad_value", 'a way is an object: {"weight": 50, "steps": []}')
            ways.append(Way(weight=0, name="", steps=()))
            continue
        reading.unknown(item, {"weight", "name", "steps"}, here)
        weight = item.get("weight")
        if type(weight) is not int or not 0 <= weight <= 100:
            reading.fault(f"{here}.weight", "bad_value", "a weight is a whole number of percent, 0 to 100")
            weight = 0
        name = reading.text(item, "name", f"{here}.name", default=str(position), limit=63)
        if any(way.name == name for way in ways):
            reading.fault(f"{here}.name", "duplicate_id", f"two ways have the name {name!r}")
        steps = read_steps(reading, item.get("steps", []), f"{here}.steps", depth + 1, passes)
        ways.append(Way(weight=weight, name=name, steps=steps))
    total = sum(way.weight for way in ways)
    if total != 100 and all(isinstance(item, dict) for item in raw):
        reading.fault(place, "bad_weights", f"the weights have to sum to 100, and sum to {total}")
    return SplitStep(id=identifier, ways=tuple(ways))


def _repeat(
    reading: Reading, raw: Mapping[str, Any], path: str, identifier: str, depth: int, passes: int
) -> Step | None:
    body, place = raw["repeat"], f"{path}.repeat"
    if not isinstance(body, dict):
        reading.fault(place, "bad_value", 'a loop is {"repeat": {"times": 3, "until": {…}}, "steps": […]}')
        return None
    reading.unknown(body, {"times", "until"}, place)
    times = body.get("times")
    if times is None:
        reading.fault(f"{place}.times", "unbounded", f"a loop needs a bound: times, 1 to {MAX_PASSES}")
    elif type(times) is not int or not 1 <= times <= MAX_PASSES:
        reading.fault(f"{place}.times", "bad_value", f"times is a whole number, 1 to {MAX_PASSES}")
        times = None
    elif passes * times > MAX_ALL_PASSES:
        message = f"with the loops around it, this one goes round more than {MAX_ALL_PASSES} times"
        reading.fault(f"{place}.times", "too_many", message)
    until = reading.condition(body["until"], f"{place}.until") if body.get("until") is not None else None
    steps = read_steps(reading, raw.get("steps"), f"{path}.steps", depth + 1, passes * (times or 1))
    if raw.get("steps") == []:
        reading.fault(f"{path}.steps", "no_effect", "a loop has at least one step")
    if times is None:
        return None
    return RepeatStep(id=identifier, times=times, until=until, steps=steps)


def _action(reading: Reading, raw: Mapping[str, Any], path: str, identifier: str) -> Step | None:
    kind = raw["action"]
    if not isinstance(kind, str) or kind not in reading.catalog.actions:
        reading.fault(f"{path}.action", "unknown_action", f"no action plugin of the kind {kind!r}")
        return None
    plugin = reading.catalog.actions[kind]()
    config = raw.get("config", {})
    fallback = raw.get("fallback", [])
    if not isinstance(config, dict):
        reading.fault(f"{path}.config", "bad_value", "a configuration is an object")
        return None
    if (
        not isinstance(fallback, list)
        or len(fallback) > _MAX_FALLBACKS
        or not all(isinstance(one, dict) for one in fallback)
    ):
        reading.fault(f"{path}.fallback", "bad_value", f"a fallback is a list of at most {_MAX_FALLBACKS} objects")
        fallback = []
    if fallback and plugin.effect != "message":
        reading.fault(f"{path}.fallback", "not_allowed", f"the action {kind!r} sends no message, so nothing falls back")
    _checked(reading, plugin, config, f"{path}.config")
    for position, change in enumerate(fallback):
        _checked(reading, plugin, {**config, **change}, f"{path}.fallback[{position}]")
    expires = raw.get("expires_after")
    return ActionStep(
        id=identifier, action=kind, config=config, fallback=tuple(fallback),
        expires_after=reading.duration(expires, f"{path}.expires_after") if expires is not None else None,
    )  # fmt: skip


def _checked(reading: Reading, plugin: Action, config: dict[str, Any], path: str) -> None:
    decoded = reading.plugin_config(plugin, config, path)
    if decoded is not None:
        for problem in plugin.check(decoded):
            reading.fault(f"{path}.{problem.path}" if problem.path else path, problem.code, problem.message)
