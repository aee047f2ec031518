"""Turn msgspec's validation errors into located problems."""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from nhip.domain.errors import InvalidInput, Problem, invalid

T = TypeVar("T")

_PLACE: Final = re.compile(r" - at `(key in )?\$(?P<path>.*)`$")
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `(?P<field>.*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>.*)`$")
_PATTERN: Final = "Expected `str` matching regex"
_MOST_PROBLEMS: Final = 50


def problem_of(error: msgspec.ValidationError, prefix: str = "") -> Problem:
    """The problem that a validation error tells, with its path under ``prefix``."""
    text = str(error)
    place = _PLACE.search(text)
    path = place["path"] if place else ""
    message = text[: place.start()] if place else text
    code = "bad_value"
    for pattern, name in ((_UNKNOWN, "unknown_field"), (_MISSING, "missing")):
        match = pattern.match(message)
        if match:
            code, path = name, f"{path}.{match['field']}"
    path = (prefix + path) if prefix else path.removeprefix(".")
    return Problem(path=path, code=code, message=message)


def convert(raw: Any, wanted: type[T], path: str = "") -> T:
    """``raw`` as a ``wanted``.

    Raises:
        InvalidInput: it is not one; the problem's path lies under ``path``.
    """
    try:
        return msgspec.convert(raw, wanted)
    except msgspec.ValidationError as error:
        raise InvalidInput(_faults(raw, wanted, path)) from error
    except RecursionError:
        raise invalid(path, "too_deep", "nested too deep") from None


def _faults(raw: Any, wanted: Any, path: str, meaning: str = "") -> list[Problem]:
    """Every fault, where msgspec tells the first alone. ``meaning`` is what the place above says that it is for."""
    try:
        msgspec.convert({"held": raw}, _holder(wanted))
    except msgspec.ValidationError as error:
        told = problem_of(error)
    except RecursionError:
        return [Problem(path=path, code="too_deep", message="nested too deep")]
    else:
        return []
    told = msgspec.structs.replace(told, path=_join(path, told.path.removeprefix("held").removeprefix(".")))
    bare, said = _bare(wanted, raw)
    inside = list(islice(_inside(raw, bare, path, said or meaning), _MOST_PROBLEMS))
    return inside or [_plainly(told, raw, bare, said or meaning)]


@cache
def _holder(wanted: Any) -> type[msgspec.Struct]:
    """An object that holds one value of a type. msgspec reads some types well inside an object that stays, and by
    themselves not: it frees what such a type holds once too often.
    """
    return msgspec.defstruct("Holder", [("held", wanted)])


def _inside(raw: Any, wanted: Any, path: str, meaning: str) -> Iterator[Problem]:
    """The faults of what an object or a list holds."""
    if isinstance(raw, dict) and isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
        config = wanted.__struct_config__
        for name, value in raw.items():
            if name in fields:
                yield from _faults(value, fields[name].type, _join(path, name))
            elif config.forbid_unknown_fields and name != config.tag_field:
                said = f"Object contains unknown field `{name}`"
                yield Problem(path=_join(path, name), code="unknown_field", message=said)
        for name, field in fields.items():
            if field.required and name not in raw:
                said = f"Object missing required field `{name}`"
                yield Problem(path=_join(path, name), code="missing", message=said)
    elif isinstance(raw, dict) and get_origin(wanted) in (dict, Mapping) and len(get_args(wanted)) == 2:
        for name, value in raw.items():
            yield from _faults(value, get_args(wanted)[1], _join(path, name), meaning)
    elif isinstance(raw, list) and get_origin(wanted) in (list, tuple, frozenset, set):
        items = [item for item in get_args(wanted) if item is not Ellipsis]
        for position, value in enumerate(raw if len(items) == 1 else ()):
            yield from _faults(value, items[0], f"{path}[{position}]", meaning)


def _bare(wanted: Any, raw: Any) -> tuple[Any, str]:
    """A type without its notes, of several the one that has the shape of ``raw``; and what they say that it is for."""
    if get_origin(wanted) is Annotated:
        inner, *notes = get_args(wanted)
        bare, said = _bare(inner, raw)
        meanings = [note.description for note in notes if isinstance(note, msgspec.Meta) and note.description]
        return bare, meanings[0] if meanings else said
    if get_origin(wanted) in (Union, UnionType):
        shaped = [found for one in get_args(wanted) if _has_shape((found := _bare(one, raw))[0], raw)]
        return shaped[0] if len(shaped) == 1 else (wanted, "")
    return wanted, ""


def _has_shape(wanted: Any, raw: Any) -> bool:
    origin = get_origin(wanted) or wanted
    if isinstance(raw, dict):
        return origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, msgspec.Struct))
    if isinstance(raw, list):
        return origin in (list, tuple, frozenset, set)
    return isinstance(raw, str) and (
        origin in (str, Literal) or (isinstance(origin, type) and issubclass(origin, Enum))
    )


def _plainly(problem: Problem, raw: Any, wanted: Any, meaning: str) -> Problem:
    """A problem in words that say what is possible instead, where they can be known."""
    message = problem.message
    if isinstance(raw, str) and isinstance(wanted, type) and issubclass(wanted, Enum):
        message = f"{raw!r} is none of {', '.join(str(one.value) for one in wanted)}"
    elif isinstance(raw, str) and get_origin(wanted) is Literal:
        message = f"{raw!r} is none of {', '.join(map(str, get_args(wanted)))}"
    elif message.startswith(_PATTERN) and meaning:
        message = f"this is not what belongs here: {meaning}"  # without the value, which may be a secret
    return msgspec.structs.replace(problem, message=message)


def _join(path: str, name: Any) -> str:
    if not path or not name or str(name).startswith("["):
        return f"{path}{name}"
    return f"{path}.{name}"
