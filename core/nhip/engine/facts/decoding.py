"""Turn msgspec's validation errors into located problems."""

import re
from typing import Any, Final, TypeVar

import msgspec

from nhip.domain.errors import InvalidInput, Problem, invalid

T = TypeVar("T")

_PLACE: Final = re.compile(r" - at `(key in )?\$(?P<path>.*)`$")
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `(?P<field>.*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>.*)`$")


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
        raise InvalidInput([problem_of(error, path)]) from error
    except RecursionError:
        raise invalid(path, "too_deep", "nested too deep") from None
