"""Read a workflow definition, finding every fault with its place, and compile it."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.conditions import Node, all_of
from nhip.domain.errors import InvalidInput, Problem
from nhip.domain.struct import Struct
from nhip.domain.times import parse_duration
from nhip.domain.workflow import (
    ActionStep,
    Conversion,
    Definition,
    ExitStep,
    IfStep,
    Reentry,
    Settings,
    Step,
    TriggerUse,
    WaitStep,
)
from nhip.engine.conditions import parse
from nhip.engine.decoding import convert
from nhip.engine.index import Entry
from nhip.engine.program import Program, compile_steps, walk
from nhip.plugin_api import Action

NAME: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,99}\Z")
_ID: Final = re.compile(r"^[a-z][a-z0-9_]{0,62}\Z")
_FIELDS: Final = frozenset({"name", "title", "triggers", "conditions", "settings", "steps"})
_SETTINGS: Final = frozenset({"reentry", "mode", "conversion", "exit_when", "holdout_percent"})
_FORMS: Final = {"action": {"config", "fallback"}, "wait": set[str](), "if": {"then", "else"}, "exit": set[str]()}
MAX_STEPS: Final = 500
MAX_DEPTH: Final = 16
MAX_TRIGGERS: Final = 50
ENGINE_ROOTS: Final = ("contact", "account", "previous", "event", "run", "steps", "trigger")
"""The roots of field paths that are not record types."""


class Compiled(Struct):
    """A definition with what the engine needs of it."""

    definition: Definition
    program: Program
    entries: tuple[Entry, ...]


class Reference(Struct):
    """Something a definition names that has to exist when it is published."""

    path: str
    kind: str
    """``channel``, ``template``, …"""
    name: str


class _Reader:
    """Collects the problems of one definition while reading it."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.problems: list[Problem] = []
        self.roots = frozenset({*ENGINE_ROOTS, *catalog.record_types})
        self.ids: dict[str, str] = {}

    def fault(self, path: str, code: str, message: str) -> None:
        self.problems.append(Problem(path=path, code=code, message=message))

    def take(self, error: InvalidInput, prefix: str = "") -> None:
        """Keep another reader's problems, laid under ``prefix``."""
        for problem in error.problems:
            path = f"{prefix}.{problem.path}" if prefix and problem.path else prefix or problem.path
            self.fault(path, problem.code, problem.message)

    def text(self, raw: Mapping[str, Any], key: str, path: str, *, default: str | None = None, limit: int = 200) -> str:
        value = raw.get(key, default)
        if not isinstance(value, str) or (default is None and not value) or len(value) > limit:
            self.fault(path, "bad_value", f"a text of at most {limit} characters is needed here")
            return default or ""
        return value

    def unknown(self, raw: Mapping[str, Any], known: frozenset[str] | set[str], path: str) -> None:
        for key in raw:
            if key not in known:
                self.fault(f"{path}.{key}" if path else key, "unknown_field", f"unknown field {key!r}")

    def condition(self, raw: Any, path: str) -> Node | None:
        try:
            return parse(raw, path, roots=self.roots, customs=self.catalog.conditions)
        except InvalidInput as error:
            self.take(error)
            return None

    def plugin_config(self, plugin: Any, raw: Any, path: str) -> Any:
        """The decoded configuration of a plugin, or ``None`` after noting why not."""
        try:
            return convert(raw, plugin.config_type, path)
        except InvalidInput as error:
            self.take(error)
            return None

    def unique(self, raw: Mapping[str, Any], path: str) -> str:
        value = raw.get("id")
        if not isinstance(value, str) or not _ID.match(value):
            self.fault(f"{path}.id", "bad_value", "an id is lower-case letters, digits and underscores, 1 to 63")
            return ""
        if value in self.ids:
            self.fault(f"{path}.id", "duplicate_id", f"the id {value!r} stands at {self.ids[value]} too")
        self.ids.setdefault(value, path)
        return value

    # --- triggers ---------------------------------------------------------------------------------------------------

    def triggers(self, raw: Any) -> tuple[TriggerUse, ...]:
        if not isinstance(raw, list) or not raw or len(raw) > MAX_TRIGGERS:
            self.fault("triggers", "bad_value", f"a list of 1 to {MAX_TRIGGERS} triggers is needed here")
            return ()
        uses, ids = [], set[str]()
        for position, item in enumerate(raw):
            path = f"triggers[{position}]"
            if not isinstance(item, dict):
                self.fault(path, "bad_value", "a trigger is an object with id, type and config")
                continue
            self.unknown(item, {"id", "type", "config"}, path)
            identifier = item.get("id", item.get("type"))
            if not isinstance(identifier, str) or not _ID.match(identifier):
                self.fault(f"{path}.id", "bad_value", "an id is lower-case letters, digits and underscores, 1 to 63")
                continue
            if identifier in ids:
                self.fault(f"{path}.id", "duplicate_id", f"two triggers have the id {identifier!r}")
            ids.add(identifier)
            kind = self.text(item, "type", f"{path}.type")
            config = item.get("config", {})
            if kind and kind not in self.catalog.triggers:
                self.fault(f"{path}.type", "unknown_trigger", f"no trigger plugin of the kind {kind!r}")
            elif kind:
                self.plugin_config(self.catalog.triggers[kind], config, f"{path}.config")
            uses.append(TriggerUse(id=identifier, type=kind, config=config if isinstance(config, dict) else {}))
        return tuple(uses)

    def lowered(self, use: TriggerUse, path: str) -> tuple[tuple[str, ...], Node | None] | None:
        plugin = self.catalog.triggers[use.type]()
        try:
            lowered = plugin.lower(convert(use.config, plugin.config_type, f"{path}.config"))
        except InvalidInput as error:
            self.take(error, "" if error.problems and error.problems[0].path.startswith(path) else f"{path}.config")
            return None
        condition = lowered.condition
        if lowered.where is not None:
            where = self.condition(lowered.where, f"{path}.config.where")
            condition = all_of(condition, where)
        return lowered.event_types, condition

    # --- steps ------------------------------------------------------------------------------------------------------

    def steps(self, raw: Any, path: str, depth: int = 0) -> tuple[Step, ...]:
        if not isinstance(raw, list):
            self.fault(path, "bad_value", "a list of steps is needed here")
            return ()
        if depth > MAX_DEPTH:
            self.fault(path, "too_deep", f"steps are nested at most {MAX_DEPTH} deep")
            return ()
        steps: list[Step] = []
        for position, item in enumerate(raw):
            place = f"{path}[{position}]"
            if len(self.ids) >= MAX_STEPS:
                self.fault(place, "too_many_steps", f"a workflow has at most {MAX_STEPS} steps")
                break
            step = self.step(item, place, depth)
            if step is not None:
                steps.append(step)
            if isinstance(step, ExitStep) and position + 1 < len(raw):
                self.fault(f"{path}[{position + 1}]", "unreachable", "no run can come here: the step before it exits")
        return tuple(steps)

    def step(self, raw: Any, path: str, depth: int) -> Step | None:
        if not isinstance(raw, dict):
            self.fault(path, "bad_value", "a step is an object")
            return None
        forms = [form for form in _FORMS if form in raw]
        if len(forms) != 1:
            self.fault(path, "unknown_step", f"a step has exactly one of {', '.join(_FORMS)}")
            return None
        form = forms[0]
        self.unknown(raw, {"id", form, *_FORMS[form]}, path)
        identifier = self.unique(raw, path)
        match form:
            case "action":
                return self.action(raw, path, identifier)
            case "wait":
                return self.wait(raw["wait"], f"{path}.wait", identifier)
            case "exit":
                body = raw["exit"]
                if not isinstance(body, dict):
                    self.fault(f"{path}.exit", "bad_value", 'an exit is an object: {"reason": "done"}')
                    return None
                self.unknown(body, {"reason"}, f"{path}.exit")
                return ExitStep(id=identifier, reason=self.text(body, "reason", f"{path}.exit.reason", default="exit"))
            case _:
                condition = self.condition(raw["if"], f"{path}.if")
                then = self.steps(raw.get("then", []), f"{path}.then", depth + 1)
                otherwise = self.steps(raw.get("else", []), f"{path}.else", depth + 1)
                if condition is None:
                    return None
                return IfStep(id=identifier, condition=condition, then=then, otherwise=otherwise)

    def wait(self, raw: Any, path: str, identifier: str) -> Step | None:
        if not isinstance(raw, dict) or set(raw) != {"for"} or not isinstance(raw["for"], str):
            self.fault(path, "bad_value", 'a wait is an object with a duration: {"for": "P1D"}')
            return None
        try:
            return WaitStep(id=identifier, duration=parse_duration(raw["for"]))
        except ValueError as error:
            self.fault(f"{path}.for", "bad_value", str(error))
            return None

    def action(self, raw: Mapping[str, Any], path: str, identifier: str) -> Step | None:
        kind = raw["action"]
        if not isinstance(kind, str) or kind not in self.catalog.actions:
            self.fault(f"{path}.action", "unknown_action", f"no action plugin of the kind {kind!r}")
            return None
        plugin = self.catalog.actions[kind]()
        config = raw.get("config", {})
        fallback = raw.get("fallback", [])
        if not isinstance(config, dict):
            self.fault(f"{path}.config", "bad_value", "a configuration is an object")
            return None
        if not isinstance(fallback, list) or len(fallback) > 5 or not all(isinstance(one, dict) for one in fallback):
            self.fault(f"{path}.fallback", "bad_value", "a fallback is a list of at most 5 objects")
            fallback = []
        if fallback and plugin.effect != "message":
            self.fault(
                f"{path}.fallback", "not_allowed", f"the action {kind!r} sends no message, so nothing falls back"
            )
        self.checked(plugin, config, f"{path}.config")
        for position, change in enumerate(fallback):
            self.checked(plugin, {**config, **change}, f"{path}.fallback[{position}]")
        return ActionStep(id=identifier, action=kind, config=config, fallback=tuple(fallback))

    def checked(self, plugin: Action, config: dict[str, Any], path: str) -> None:
        decoded = self.plugin_config(plugin, config, path)
        if decoded is not None:
            for problem in plugin.check(decoded):
                self.fault(f"{path}.{problem.path}" if problem.path else path, problem.code, problem.message)

    # --- settings ---------------------------------------------------------------------------------------------------

    def settings(self, raw: Any) -> Settings:
        if not isinstance(raw, dict):
            self.fault("settings", "bad_value", "settings are an object")
            return Settings()
        self.unknown(raw, _SETTINGS, "settings")
        mode = raw.get("mode", "parallel")
        if mode not in ("parallel", "single"):
            self.fault("settings.mode", "bad_value", "mode is parallel or single")
        if raw.get("exit_when", []) != []:
            self.fault("settings.exit_when", "not_allowed", "this version of Nhịp has no exit_when; leave it empty")
        if raw.get("holdout_percent", 0) != 0:
            self.fault("settings.holdout_percent", "not_allowed", "this version of Nhịp has no holdout; set it to 0")
        return Settings(
            reentry=self.reentry(raw.get("reentry", "every_event")),
            single=mode == "single",
            conversion=self.conversion(raw.get("conversion")),
        )

    def duration(self, value: Any, path: str) -> Any:
        try:
            return parse_duration(value if isinstance(value, str) else "")
        except ValueError as error:
            self.fault(path, "bad_value", str(error))
            return None

    def reentry(self, raw: Any) -> Reentry:
        if raw == "every_event":
            return Reentry()
        if raw == "once":
            return Reentry(once=True)
        if isinstance(raw, dict) and set(raw) == {"after"}:
            return Reentry(after=self.duration(raw["after"], "settings.reentry.after"))
        self.fault("settings.reentry", "bad_value", 'reentry is every_event, once or {"after": "P30D"}')
        return Reentry()

    def conversion(self, raw: Any) -> Conversion | None:
        if raw is None:
            return None
        if not isinstance(raw, dict) or set(raw) != {"event", "within"} or not isinstance(raw["event"], str):
            self.fault(
                "settings.conversion", "bad_value", 'a conversion is {"event": "order.created", "within": "P7D"}'
            )
            return None
        within = self.duration(raw["within"], "settings.conversion.within")
        return Conversion(event=raw["event"], within=within) if within is not None else None


def compile_definition(raw: Any, catalog: Catalog, *, version_id: str = "") -> Compiled:
    """Read and compile a definition as it came in.

    Raises:
        InvalidInput: with every problem, each under its path (``steps[3].then[0].config.template``).
    """
    reader = _Reader(catalog)
    if not isinstance(raw, dict):
        raise InvalidInput([Problem(path="", code="bad_value", message="a workflow is an object")])
    reader.unknown(raw, _FIELDS, "")
    name = raw.get("name")
    if not isinstance(name, str) or not NAME.match(name):
        reader.fault("name", "bad_value", "a name is lower-case letters, digits, - and _, at most 100")
        name = ""
    title = reader.text(raw, "title", "title", default="")
    triggers = reader.triggers(raw.get("triggers"))
    conditions = reader.condition(raw["conditions"], "conditions") if raw.get("conditions") is not None else None
    settings = reader.settings(raw.get("settings", {}))
    steps = reader.steps(raw.get("steps"), "steps")
    if isinstance(raw.get("steps"), list) and not raw["steps"]:
        reader.fault("steps", "missing", "a workflow has at least one step")
    for path, step in walk(steps):
        if isinstance(step, IfStep) and not step.then and not step.otherwise:
            reader.fault(path, "no_effect", "neither way of this branch has a step")
    entries = []
    for position, use in enumerate(triggers):
        if use.type in catalog.triggers and not any(
            p.path.startswith(f"triggers[{position}]") for p in reader.problems
        ):
            lowered = reader.lowered(use, f"triggers[{position}]")
            if lowered is not None:
                types, condition = lowered
                both = all_of(condition, conditions) if condition is not None or conditions is not None else None
                entries.append(
                    Entry(workflow=name, version_id=version_id, trigger_id=use.id, event_types=types, condition=both)
                )
    if reader.problems:
        raise InvalidInput(reader.problems)
    definition = Definition(
        name=name, title=title, triggers=triggers, conditions=conditions, settings=settings, steps=steps
    )
    return Compiled(definition=definition, program=compile_steps(steps), entries=tuple(entries))


def references(definition: Definition, catalog: Catalog) -> tuple[Reference, ...]:
    """What the definition's actions name: channels, templates, …, with the places that name them."""
    found = []
    for path, step in walk(definition.steps):
        if not isinstance(step, ActionStep):
            continue
        plugin = catalog.actions[step.action]()
        places = [(f"{path}.config", step.config)]
        places += [(f"{path}.fallback[{n}]", {**step.config, **change}) for n, change in enumerate(step.fallback)]
        for place, config in places:
            decoded = msgspec.convert(config, plugin.config_type)
            for kind, names in plugin.references(decoded).items():
                found += [Reference(path=f"{place}.{field}", kind=kind, name=name) for field, name in names]
    return tuple(found)
