"""Presets of sources: data files beside this module, one of each, read once."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

from nhip.domain.sources import SourcePreset


@cache
def source_presets() -> Mapping[str, SourcePreset]:
    """Every preset by its name."""
    found = {}
    for file in sorted(files(__name__).iterdir(), key=lambda one: one.name):
        name, _, kind = file.name.partition(".")
        if kind == "json":
            said = msgspec.json.decode(file.read_bytes(), type=dict[str, object])
            found[name] = msgspec.convert({"name": name, **said}, SourcePreset)
    return found
