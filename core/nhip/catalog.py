"""The typed facade over pluggy: finds plugins, checks them, keeps the broken ones apart, and is frozen from then on.

The untyped ``pm.hook`` stands in this module only. Set ``NHIP_TRACE_PLUGINS=1`` to see every hook call on stderr.
"""

import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final, Literal, Self, cast

import pluggy

from nhip import hookspecs
from nhip.domain.errors import NotFound, PluginRefused
from nhip.domain.struct import Struct
from nhip.plugin_api import Action, Bundle, Channel, Condition, Plugin, RecordType, Trigger
from nhip.plugin_rules import BASES, Sort, check_class, check_hooks, check_version, struct_schema

log = logging.getLogger(__name__)

SHIPPED: Final = "nhip"
"""The distribution whose plugins come first and need no allowing."""

_HOOKS: Final[Mapping[str, Sort]] = {f"nhip_register_{sort}s": sort for sort in BASES}


class PluginStatus(Struct):
    """What became of one plugin at start-up."""

    name: str
    """Its entry point's name, or its module's where it was given by hand."""
    module: str
    distribution: str | None
    version: str | None
    """The distribution's."""
    state: Literal["loaded", "failed", "denied"]
    reason: str | None = None
    """For a person: why it is not loaded."""
    kinds: tuple[str, ...] = ()
    """What it adds: ``trigger.order_status``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Every plugin that works, by sort and kind, and the status of every plugin that was found."""

    triggers: Mapping[str, type[Trigger]] = field(default_factory=dict)
    conditions: Mapping[str, type[Condition]] = field(default_factory=dict)
    actions: Mapping[str, type[Action]] = field(default_factory=dict)
    channels: Mapping[str, type[Channel]] = field(default_factory=dict)
    record_types: Mapping[str, type[RecordType]] = field(default_factory=dict)
    bundles: Mapping[str, type[Bundle]] = field(default_factory=dict)
    plugins: tuple[PluginStatus, ...] = ()

    @classmethod
    def load(
        cls,
        *,
        allow: Collection[str] = (),
        deny: Collection[str] = (),
        extra_modules: Iterable[ModuleType | str] = (),
    ) -> Self:
        """Find and check the plugins of the entry-point group ``nhip``, then ``extra_modules``. No plugin can stop it.

        Order, which decides who keeps a kind that two plugins claim: shipped ones, the others by name, extra modules.

        Args:
            allow: where not empty, the only plugins of other distributions that load. An item is the name of a
                distribution, an entry point or a module, with ``*`` as a wildcard (``acme-*``).
            deny: plugins that never load, whoever ships them; wins over ``allow``.
            extra_modules: modules, or names of modules, to take as plugins as well; they need no allowing.
        """
        found = [*_installed(), *(_given(module) for module in extra_modules)]
        for pattern in {*allow, *deny}:
            if not any(plugin.matches(pattern) for plugin in found):
                log.warning("no plugin matches %r of the allow-list or deny-list", pattern)
        register = _Register()
        for plugin in found:
            register.add(plugin, allow, deny)
        return cls(
            triggers=register.classes("trigger"),
            conditions=register.classes("condition"),
            actions=register.classes("action"),
            channels=register.classes("channel"),
            record_types=register.classes("record_type"),
            bundles=register.classes("bundle"),
            plugins=tuple(register.statuses),
        )

    def of(self, sort: Sort) -> Mapping[str, type[Plugin]]:
        """The classes of one sort by kind, for code that treats all sorts alike."""
        match sort:
            case "trigger":
                return self.triggers
            case "condition":
                return self.conditions
            case "action":
                return self.actions
            case "channel":
                return self.channels
            case "record_type":
                return self.record_types
            case "bundle":
                return self.bundles

    def schema(self, sort: Sort, kind: str) -> dict[str, Any]:
        """The JSON Schema of a plugin's configuration (of a record type: its fields), described by its docstring.

        Raises:
            NotFound: no plugin of that sort and kind.
        """
        plugin = self._find(sort, kind)
        struct = plugin.fields_type if issubclass(plugin, RecordType) else plugin.config_type
        return struct_schema(struct, description(plugin))

    def secrets_schema(self, kind: str) -> dict[str, Any]:
        """The JSON Schema of a channel's secrets.

        Raises:
            NotFound: no such channel.
        """
        self._find("channel", kind)
        return struct_schema(self.channels[kind].secrets_type, None)

    def _find(self, sort: Sort, kind: str) -> type[Plugin]:
        plugin = self.of(sort).get(kind)
        if plugin is None:
            raise NotFound(sort.replace("_", " "), kind)
        return plugin


def description(plugin: type[Plugin]) -> str | None:
    """What a plugin class says about itself: its own docstring, not one that it inherits."""
    text = plugin.__dict__.get("__doc__")
    return inspect.cleandoc(text) if text else None


@dataclass(frozen=True, slots=True)
class _Found:
    """A plugin before it is imported."""

    name: str
    module: str
    distribution: str | None
    version: str | None
    load: Callable[[], object]
    given: bool = False

    def matches(self, pattern: str) -> bool:
        return any(fnmatchcase(name, pattern) for name in (self.distribution, self.name, self.module) if name)

    def __str__(self) -> str:
        return f"{self.module} ({self.distribution} {self.version})" if self.distribution else self.module


def _installed() -> list[_Found]:
    def order(point: EntryPoint) -> tuple[bool, str, str, str]:
        distribution = point.dist.name if point.dist else ""
        return distribution != SHIPPED, point.name, distribution, point.value

    return [
        _Found(
            name=point.name,
            module=point.value.partition(":")[0].strip(),
            distribution=point.dist.name if point.dist else None,
            version=point.dist.version if point.dist else None,
            load=point.load,
        )
        for point in sorted(entry_points(group=hookspecs.PROJECT), key=order)
    ]


def _given(module: ModuleType | str) -> _Found:
    name = module if isinstance(module, str) else module.__name__
    load = partial(import_module, module) if isinstance(module, str) else lambda: module
    return _Found(name=name, module=name, distribution=None, version=None, load=load, given=True)


class _Register:
    """Takes plugins one by one; what a broken one leaves behind is its status only."""

    def __init__(self) -> None:
        self.statuses: list[PluginStatus] = []
        self._classes: dict[tuple[Sort, str], type[Plugin]] = {}
        self._owners: dict[tuple[Sort, str], _Found] = {}
        self._pm = pluggy.PluginManager(hookspecs.PROJECT)
        self._pm.add_hookspecs(hookspecs)
        if os.environ.get("NHIP_TRACE_PLUGINS", "") not in ("", "0"):
            self._pm.add_hookcall_monitoring(_trace_call, _trace_answer)

    def classes(self, sort: Sort) -> Mapping[str, Any]:
        """What was taken of one sort, each checked to extend the base of that sort."""
        return MappingProxyType({kind: cls for (of, kind), cls in self._classes.items() if of == sort})

    def add(self, found: _Found, allow: Collection[str], deny: Collection[str]) -> None:
        """Take all that a plugin adds, or nothing and a reason."""
        if any(found.matches(pattern) for pattern in deny):
            return self._settle(found, "denied", "on the deny-list")
        trusted = found.given or found.distribution == SHIPPED or not allow
        if not trusted and not any(found.matches(pattern) for pattern in allow):
            return self._settle(found, "denied", "not on the allow-list")
        try:
            plugin = found.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a stranger's module does at import
            return self._refuse(found, f"cannot be imported: {_told(error)}", error)
        if self._pm.is_registered(plugin):
            if not found.given:
                self._refuse(found, f"is already loaded as {self._pm.get_name(plugin)}", None)
            return None
        try:
            added = self._read(found, plugin)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a stranger's hook does
            if self._pm.is_registered(plugin):
                self._pm.unregister(plugin)
            return self._refuse(found, error.detail if isinstance(error, PluginRefused) else _told(error), error)
        self._classes |= added
        self._owners |= dict.fromkeys(added, found)
        return self._settle(found, "loaded", None, tuple(f"{sort}.{kind}" for sort, kind in added))

    def _read(self, found: _Found, plugin: object) -> dict[tuple[Sort, str], type[Plugin]]:
        check_version(plugin)
        check_hooks(plugin, _HOOKS)
        self._pm.register(plugin, name=f"{found.name} of {found}")
        others = [other for other in self._pm.get_plugins() if other is not plugin]
        added: dict[tuple[Sort, str], type[Plugin]] = {}
        for caller in self._pm.get_hookcallers(plugin) or ():
            sort = _HOOKS[caller.name]
            for classes in self._pm.subset_hook_caller(caller.name, others)():
                if not isinstance(classes, (list, tuple)):
                    raise PluginRefused(f"{caller.name} must return a list of classes, not {type(classes).__name__}")
                for cls in cast(Sequence[object], classes):
                    taken = check_class(sort, cls)
                    key = (sort, taken.kind)
                    if owner := found if key in added else self._owners.get(key):
                        raise PluginRefused(
                            f"{sort.replace('_', ' ')} {taken.kind!r} of {found} is already registered by {owner}"
                        )
                    added[key] = taken
        return added

    def _refuse(self, found: _Found, reason: str, error: BaseException | None) -> None:
        log.debug("plugin %s is not loaded: %s", found, reason, exc_info=error)
        self._settle(found, "failed", reason)

    def _settle(
        self,
        found: _Found,
        state: Literal["loaded", "failed", "denied"],
        reason: str | None,
        kinds: tuple[str, ...] = (),
    ) -> None:
        self.statuses.append(
            PluginStatus(
                name=found.name,
                module=found.module,
                distribution=found.distribution,
                version=found.version,
                state=state,
                reason=reason,
                kinds=kinds,
            )
        )


def _told(error: BaseException) -> str:
    """An exception in one line, with the place in the plugin that raised it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _trace_call(hook: str, implementations: Sequence[pluggy.HookImpl], arguments: Mapping[str, Any]) -> None:
    sys.stderr.write(f"nhip: {hook} -> {', '.join(each.plugin_name for each in implementations)}\n")


def _trace_answer(
    outcome: pluggy.Result[Any], hook: str, implementations: Sequence[pluggy.HookImpl], arguments: Mapping[str, Any]
) -> None:
    answer = repr(outcome.exception) if outcome.exception else ", ".join(map(repr, outcome.get_result()))
    sys.stderr.write(f"nhip: {hook} <- {answer}\n")
