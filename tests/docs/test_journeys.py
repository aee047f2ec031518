"""What the page on journeys shows is what the engine takes."""

import json
from typing import Any

from nhip.catalog import Catalog
from nhip.engine.definitions.definition import compile_definition
from nhip.engine.definitions.reading_waits import DAYS
from tests.docs.pages import blocks

TRIGGER = {"id": "t", "type": "event", "config": {"type": "shop.opened"}}


def shown() -> list[dict[str, Any]]:
    """Every JSON object of the page; several may follow each other in one block."""
    found = []
    decoder = json.JSONDecoder()
    for block in blocks("journeys.md", "json"):
        rest = block.strip()
        while rest:
            value, end = decoder.raw_decode(rest)
            found.append(value)
            rest = rest[end:].strip()
    return found


def test_every_step_and_setting_compiles() -> None:
    values = shown()
    steps = [value for value in values if "id" in value]
    [settings] = [value["settings"] for value in values if "settings" in value]
    definition = {"name": "shown", "triggers": [TRIGGER], "settings": settings, "steps": steps}
    compiled = compile_definition(definition, Catalog.load())
    assert len(compiled.definition.steps) == len(steps) == 6
    assert len(values) == len(steps) + 2


def test_the_days_of_a_window_have_the_names_that_the_page_uses() -> None:
    window = next(value["wait"]["window"] for value in shown() if "window" in value.get("wait", {}))
    assert tuple(window["days"]) == DAYS[:5]
