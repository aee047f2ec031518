"""YAML that means what JSON means: texts, numbers, true, false, null, lists and objects, and nothing else.

YAML 1.1, which the library reads, has surprises for whoever writes workflows: ``on`` is true, ``20:00`` is 1200, and
``2026-03-02`` is no text. Here only ``true`` and ``false`` are truth values, a number is written as in JSON (so a phone
number that begins with 0 is a text), and times are texts. A key that comes twice is an error.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from nhip.domain.errors import invalid


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # the library has no types
    """A safe loader with the values of JSON."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """An object; raises for keys that are no texts or come twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
            seen.add(key.value)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return found


for _tag, _pattern, _first in (
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("bool", r"^(?:true|false)$", list("tf")),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def read_yaml(text: str, name: str) -> Any:
    """Read one YAML document, or JSON, which is YAML.

    Raises:
        InvalidInput: it cannot be read; the problem's path is ``name`` and the line.
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}, line {mark.line + 1}" if mark else name
        raise invalid(place, "malformed_input", error.problem or str(error)) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise invalid(name, "malformed_input", str(error)) from None


def read_file(path: Path) -> Any:
    """Read a YAML or JSON file.

    Raises:
        InvalidInput: it cannot be read; the problem's path begins with the file's.
    """
    try:
        return read_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise invalid(str(path), "unreadable_file", why or str(error)) from None


def read_definition(path: Path) -> dict[str, Any]:
    """Read a workflow definition, or another object, from a YAML or JSON file.

    Raises:
        InvalidInput: it cannot be read, or is no object.
    """
    said = read_file(path)
    if not isinstance(said, dict):
        raise invalid(str(path), "bad_value", "an object is expected")
    return said
