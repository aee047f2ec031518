"""The rules that a plugin keeps so that the catalog takes it; each one broken is a reason that an admin can read."""

import inspect
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import msgspec

from nhip.domain.errors import PluginRefused
from nhip.domain.messages import DeliveryClass
from nhip.hookspecs import HOOKSPEC_VERSION, PROJECT
from nhip.plugin_api import (
    Action,
    Bundle,
    Capabilities,
    Channel,
    Condition,
    Config,
    LocalAction,
    MessageAction,
    Plugin,
    RecordFields,
    RecordType,
    RemoteAction,
    Trigger,
)

Sort = Literal["trigger", "condition", "action", "channel", "record_type", "bundle"]
"""What a plugin can add."""

BASES: Final[Mapping[Sort, type[Plugin]]] = {
    "trigger": Trigger,
    "condition": Condition,
    "action": Action,
    "channel": Channel,
    "record_type": RecordType,
    "bundle": Bundle,
}
RESERVED_ROOTS: Final = frozenset(
    {"contact", "account", "previous", "event", "run", "steps", "trigger", "data", "staff"}
)
"""Roots of the facts and words of the engine, which no record type may be called."""
RESERVED_FIELDS: Final = frozenset({"external_id", "contact", "status", "custom"})
"""What the engine adds to every record type by itself."""

_KIND: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MARK: Final = f"{PROJECT}_impl"


def check_version(plugin: object) -> None:
    """Refuse a plugin whose ``NHIP_HOOKSPEC_VERSION`` leaves out the running one.

    Raises:
        PluginRefused: with the versions it asks for, or because they cannot be read.
    """
    wanted = getattr(plugin, "NHIP_HOOKSPEC_VERSION", None)
    match wanted:
        case None:
            return
        case int() if not isinstance(wanted, bool):
            lowest = highest = wanted
        case (int() as lowest, int() as highest):
            pass
        case _:
            raise PluginRefused(f"NHIP_HOOKSPEC_VERSION must be a number or (lowest, highest), not {wanted!r}")
    if not lowest <= HOOKSPEC_VERSION <= highest:
        span = str(lowest) if lowest == highest else f"{lowest} to {highest}"
        raise PluginRefused(f"needs hook specification version {span}; this is version {HOOKSPEC_VERSION}")


def check_hooks(plugin: object, known: Collection[str]) -> None:
    """Refuse misspelt hooks, hooks without their marker, asynchronous hooks and wrappers around other plugins' hooks.

    Raises:
        PluginRefused: naming the attribute, and the hook that was probably meant.
    """
    found = False
    for name in dir(plugin):
        attribute = getattr(plugin, name, None)
        options: dict[str, Any] | None = getattr(attribute, _MARK, None)
        named = name.startswith(f"{PROJECT}_") and callable(attribute)
        if isinstance(attribute, ModuleType) or (options is None and not named):
            continue
        hook = (options or {}).get("specname") or name
        if hook not in known:
            raise PluginRefused(f"{name!r} is no hook{_meant(hook, known)}")
        if options is None:
            raise PluginRefused(f"hook {name!r} lacks the marker @hookimpl, so it would never be called")
        if inspect.iscoroutinefunction(attribute) or inspect.isasyncgenfunction(attribute):
            raise PluginRefused(f"hook {name!r} is asynchronous; a hook only returns classes")
        if options.get("wrapper") or options.get("hookwrapper"):
            raise PluginRefused(f"hook {name!r} wraps the hooks of other plugins, which is not allowed")
        found = True
    if not found:
        raise PluginRefused("registers nothing: no function with the marker @hookimpl")


def check_class(sort: Sort, cls: object) -> type[Plugin]:
    """Refuse what is not a complete plugin class of its sort; answers with the class.

    Raises:
        PluginRefused: naming the class and what is wrong with it.
    """
    base = BASES[sort]
    if not isinstance(cls, type):
        raise PluginRefused(f"{cls!r} is not a class; a hook returns classes, not instances")
    if not issubclass(cls, base) or cls is base:
        raise PluginRefused(f"{cls.__qualname__} does not extend {base.__name__}, as a {sort.replace('_', ' ')} must")
    _check_kind(sort, cls)
    _check_methods(cls)
    _check_config(cls, "config_type", getattr(cls, "config_type", None))
    if issubclass(cls, Action):
        if not issubclass(cls, (LocalAction, RemoteAction, MessageAction)):
            raise PluginRefused(f"{cls.__qualname__} must extend LocalAction, RemoteAction or MessageAction")
    elif issubclass(cls, Channel):
        _check_channel(cls)
    elif issubclass(cls, RecordType):
        _check_fields(cls)
    elif issubclass(cls, Bundle):
        for name in ("title", "version"):
            if not isinstance(getattr(cls, name, None), str):
                raise PluginRefused(f"{cls.__qualname__} has no {name}")
        if not isinstance(getattr(cls, "folder", None), Path) or not cls.folder.is_dir():
            raise PluginRefused(f"{cls.__qualname__}: folder has to be the path of a folder with recipes")
    return cls


def struct_schema(struct: type[msgspec.Struct], description: str | None) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a struct, with the struct itself at the root instead of behind a reference."""
    schema = msgspec.json.schema(struct)
    definitions: dict[str, Any] = schema.get("$defs", {})
    reference = schema.get("$ref", "")
    if reference:
        name = reference.removeprefix("#/$defs/")
        body = dict(definitions[name])
        if f'"{reference}"'.encode() not in msgspec.json.encode(definitions):
            definitions = {key: value for key, value in definitions.items() if key != name}
    else:
        body = dict(schema)
        body.pop("$defs", None)
    if description:
        body["description"] = description
    if definitions:
        body["$defs"] = definitions
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **body}


def _meant(hook: str, known: Collection[str]) -> str:
    close = get_close_matches(hook, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; hooks are {', '.join(sorted(known))}"


def _check_kind(sort: Sort, cls: type[Plugin]) -> None:
    kind = getattr(cls, "kind", None)
    if not isinstance(kind, str) or not kind:
        raise PluginRefused(f"{cls.__qualname__} has no kind")
    if len(kind) > 64 or _KIND.fullmatch(kind) is None:
        raise PluginRefused(
            f"{cls.__qualname__} has the kind {kind!r}; a kind is lower-case words joined by underscores, "
            "64 characters at most"
        )
    if sort == "record_type" and kind in RESERVED_ROOTS:
        raise PluginRefused(f"{cls.__qualname__} has the kind {kind!r}, a word that the engine uses itself")


def _check_methods(cls: type[Plugin]) -> None:
    for name in dir(cls):
        method = getattr(cls, name, None)
        if getattr(method, "__isabstractmethod__", False):
            raise PluginRefused(f"{cls.__qualname__} does not define {name}()")
        if name.startswith("_") or not inspect.isroutine(method):
            continue
        for ancestor in cls.__mro__:
            if ancestor.__module__ != Plugin.__module__ or name not in ancestor.__dict__:
                continue
            asked = inspect.iscoroutinefunction(getattr(ancestor, name))
            given = inspect.iscoroutinefunction(inspect.unwrap(method))
            if asked != given and not (asked and hasattr(method, "__wrapped__")):
                how = "async def" if asked else "def, not async def"
                raise PluginRefused(f"{cls.__qualname__}.{name} must be written with {how}")
            break


def _check_config(cls: type[Plugin], name: str, config: object) -> None:
    where = f"{cls.__qualname__}.{name}"
    if not isinstance(config, type) or not issubclass(config, Config):
        raise PluginRefused(f"{where} is not a subclass of Config")
    _check_struct(where, config)


def _check_struct(where: str, struct: type[msgspec.Struct]) -> None:
    options = struct.__struct_config__
    if not (options.frozen and options.forbid_unknown_fields):
        raise PluginRefused(f"{where} must be frozen and forbid unknown fields")
    try:
        msgspec.json.Decoder(struct)
        struct_schema(struct, None)
    except Exception as error:
        raise PluginRefused(f"{where} has no JSON Schema: {error}") from error


def _check_channel(cls: type[Channel]) -> None:
    if not isinstance(getattr(cls, "delivery_class", None), DeliveryClass):
        raise PluginRefused(f"{cls.__qualname__} has no delivery_class")
    if not isinstance(getattr(cls, "capabilities", None), Capabilities):
        raise PluginRefused(f"{cls.__qualname__} has no capabilities")
    if cls.capabilities.batch_size < 1 or cls.capabilities.in_flight < 1:
        raise PluginRefused(f"{cls.__qualname__}.capabilities: batch_size and in_flight are at least 1")
    _check_config(cls, "secrets_type", getattr(cls, "secrets_type", None))


def _check_fields(cls: type[RecordType]) -> None:
    struct = getattr(cls, "fields_type", None)
    where = f"{cls.__qualname__}.fields_type"
    if not isinstance(struct, type) or not issubclass(struct, RecordFields):
        raise PluginRefused(f"{where} is not a subclass of RecordFields")
    _check_struct(where, struct)
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    if reserved := sorted(RESERVED_FIELDS & fields.keys()):
        raise PluginRefused(f"{where} defines {', '.join(reserved)}, which every record has already")
    if required := sorted(name for name, field in fields.items() if field.required):
        raise PluginRefused(f"{where} has fields without a default: {', '.join(required)}")
    if cls.amount_field is not None and cls.amount_field not in fields:
        raise PluginRefused(f"{cls.__qualname__}.amount_field names no field: {cls.amount_field!r}")
