"""Read a workflow definition, finding every fault with its place, and compile it."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.conditions import Node, all_of, test
from nhip.domain.errors import InvalidInput, Problem
from nhip.domain.scans import SCAN_EVENTS, Scan, SegmentScan, scan_key
from nhip.domain.struct import Struct
from nhip.domain.workflow import ActionStep, Definition, TriggerUse
from nhip.engine.definitions.program import END, Program, compile_steps, walk
from nhip.engine.definitions.reading import Reading, is_id
from nhip.engine.definitions.reading_settings import read_settings
from nhip.engine.definitions.reading_steps import read_steps
from nhip.engine.facts.decoding import convert
from nhip.engine.matching.index import Entry
from nhip.engine.times.schedule import scan_problems

NAME: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,99}\Z")
_FIELDS: Final = frozenset({"name", "title", "triggers", "conditions", "settings", "steps"})
MAX_TRIGGERS: Final = 50


class Compiled(Struct):
    """A definition with what the engine needs of it."""

    definition: Definition
    program: Program
    entries: tuple[Entry, ...]
    asked: Mapping[str, tuple[Scan, ...]] = msgspec.field(default_factory=dict)
    """What its time triggers ask, by their ids."""
    hears: frozenset[str] = frozenset()
    """The types of events that its runs may wait for, or that may end them."""

    @property
    def scans(self) -> tuple[Scan, ...]:
        """What its time triggers ask, all together."""
        return tuple(scan for mine in self.asked.values() for scan in mine)


class Reference(Struct):
    """Something a definition names that has to exist when it is published."""

    path: str
    kind: str
    """``channel``, ``template``, …"""
    name: str


def compile_definition(raw: Any, catalog: Catalog, *, version_id: str = "") -> Compiled:
    """Read and compile a definition as it came in.

    Raises:
        InvalidInput: with every problem, each under its path (``steps[3].then[0].config.template``).
    """
    reading = Reading(catalog)
    if not isinstance(raw, dict):
        raise InvalidInput([Problem(path="", code="bad_value", message="a workflow is an object")])
    reading.unknown(raw, _FIELDS, "")
    name = raw.get("name")
    if not isinstance(name, str) or not NAME.match(name):
        reading.fault("name", "bad_value", "a name is lower-case letters, digits, - and _, at most 100")
        name = ""
    title = reading.text(raw, "title", "title", default="")
    triggers = _triggers(reading, raw.get("triggers"))
    conditions = reading.condition(raw["conditions"], "conditions") if raw.get("conditions") is not None else None
    settings = read_settings(reading, raw.get("settings", {}), conditions)
    steps = read_steps(reading, raw.get("steps"), "steps")
    if isinstance(raw.get("steps"), list) and not raw["steps"]:
        reading.fault("steps", "missing", "a workflow has at least one step")
    program = compile_steps(steps, settings.exit_when)
    _refuse_unreachable(reading, program)
    entries: list[Entry] = []
    asked: dict[str, tuple[Scan, ...]] = {}
    for position, use in enumerate(triggers):
        path = f"triggers[{position}]"
        if use.type in catalog.triggers and not any(p.path.startswith(path) for p in reading.problems):
            lowered = _lowered(reading, name, use, path)
            if lowered is not None:
                types, condition, scans = lowered
                both = all_of(condition, conditions) if condition is not None or conditions is not None else None
                entries.append(
                    Entry(workflow=name, version_id=version_id, trigger_id=use.id, event_types=types, condition=both)
                )
                if scans:
                    asked[use.id] = scans
    if reading.problems:
        raise InvalidInput(reading.problems)
    definition = Definition(
        name=name, title=title, triggers=triggers, conditions=conditions, settings=settings, steps=steps
    )
    actions = {node.action for node in program.nodes if node.action}
    heard = {kind for action in actions for kind in getattr(catalog.actions[action], "hears", ())}
    return Compiled(
        definition=definition, program=program, entries=tuple(entries), asked=asked,
        hears=program.awaits | program.leaves_at | heard,
    )  # fmt: skip


def references(definition: Definition, catalog: Catalog) -> tuple[Reference, ...]:
    """What the definition's triggers and actions name: segments, channels, templates, …, with the places."""
    found = []
    for position, use in enumerate(definition.triggers):
        trigger = catalog.triggers[use.type]()
        named = trigger.references(msgspec.convert(use.config, trigger.config_type))
        for kind, names in named.items():
            place = f"triggers[{position}].config"
            found += [Reference(path=f"{place}.{field}", kind=kind, name=name) for field, name in names]
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


def _triggers(reading: Reading, raw: Any) -> tuple[TriggerUse, ...]:
    if not isinstance(raw, list) or not raw or len(raw) > MAX_TRIGGERS:
        reading.fault("triggers", "bad_value", f"a list of 1 to {MAX_TRIGGERS} triggers is needed here")
        return ()
    uses, ids = [], set[str]()
    for position, item in enumerate(raw):
        path = f"triggers[{position}]"
        if not isinstance(item, dict):
            reading.fault(path, "bad_value", "a trigger is an object with id, type and config")
            continue
        reading.unknown(item, {"id", "type", "config"}, path)
        identifier = item.get("id", item.get("type"))
        if not is_id(identifier):
            reading.fault(f"{path}.id", "bad_value", "an id is lower-case letters, digits and underscores, 1 to 63")
            continue
        if identifier in ids:
            reading.fault(f"{path}.id", "duplicate_id", f"two triggers have the id {identifier!r}")
        ids.add(identifier)
        kind = reading.text(item, "type", f"{path}.type")
        config = item.get("config", {})
        if kind and kind not in reading.catalog.triggers:
            reading.fault(f"{path}.type", "unknown_trigger", f"no trigger plugin of the kind {kind!r}")
        elif kind:
            reading.plugin_config(reading.catalog.triggers[kind], config, f"{path}.config")
        uses.append(TriggerUse(id=identifier, type=kind, config=config if isinstance(config, dict) else {}))
    return tuple(uses)


def _lowered(
    reading: Reading, workflow: str, use: TriggerUse, path: str
) -> tuple[tuple[str, ...], Node | None, tuple[Scan, ...]] | None:
    """The types of events of a trigger, what has to hold of them, and what time has to be asked."""
    plugin = reading.catalog.triggers[use.type]()
    try:
        lowered = plugin.lower(convert(use.config, plugin.config_type, f"{path}.config"))
    except InvalidInput as error:
        reading.take(error, "" if error.problems and error.problems[0].path.startswith(path) else f"{path}.config")
        return None
    condition, types = lowered.condition, lowered.event_types
    scans = tuple(_own(scan, workflow) for scan in lowered.scans)
    if scans:
        faults = dict.fromkeys(fault for scan in scans for fault in scan_problems(scan))
        for fault in faults:
            reading.fault(f"{path}.config.{fault.path}", fault.code, fault.message)
        if faults:
            return None
        asked = test("event.data.scan", "in", [scan_key(scan) for scan in scans])
        condition = all_of(asked, condition)
        types = (*types, *dict.fromkeys(SCAN_EVENTS[type(scan)] for scan in scans))
    if lowered.where is not None:
        condition = all_of(condition, reading.condition(lowered.where, f"{path}.config.where"))
    return types, condition, scans


def _own(scan: Scan, workflow: str) -> Scan:
    """A scan that begins with what is there already is a workflow's own; others may be shared."""
    if isinstance(scan, SegmentScan):
        return msgspec.structs.replace(scan, asker=workflow if scan.present else None)
    return scan


def _refuse_unreachable(reading: Reading, program: Program) -> None:
    reached: set[int] = set()
    open_ends = [program.entry]
    while open_ends:
        number = open_ends.pop()
        if number != END and number not in reached:
            reached.add(number)
            open_ends += program.nodes[number].exits
    told = ""
    for node in program.nodes:
        if node.number not in reached and not (told and node.path.startswith(told)):
            told = node.path
            reading.fault(node.path, "unreachable", "no run can come here: every way to it ends before")
