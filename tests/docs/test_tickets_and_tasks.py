"""The page on tickets and tasks: its steps are steps, its taxonomy is one, and its numbers are what is shipped."""

import json
from typing import Any

import msgspec

from nhip import Taxonomy
from nhip.domain.calendars import Calendar
from nhip.engine.customers.taxonomies import faults
from nhip.engine.definitions.definition import compile_definition
from nhip.engine.facts import calendars
from nhip_bundles.records import TICKET_TAXONOMY
from tests.docs.pages import DOCS, blocks
from tests.support.api import shipped_catalog

PAGE = "tickets-and-tasks.md"
BLOCKS: list[Any] = [json.loads(body) for body in blocks(PAGE, "json")]


def test_its_steps_are_steps() -> None:
    steps = [block for block in BLOCKS if "action" in block]
    triggers = [{"id": "t", "type": "ticket", "config": {"on": "resolved"}}]

    compiled = compile_definition({"name": "page", "triggers": triggers, "steps": steps}, shipped_catalog())

    assert len(compiled.definition.steps) == len(BLOCKS) - 2


def test_its_taxonomy_is_one() -> None:
    [taxonomy] = [block for block in BLOCKS if "statuses" in block]
    assert list(faults(msgspec.convert(taxonomy, Taxonomy))) == []


def test_its_calendar_is_one() -> None:
    [calendar] = [block for block in BLOCKS if "holidays" in block]
    assert list(calendars.faults(msgspec.convert(calendar, Calendar))) == []


def test_it_says_how_many_words_are_shipped() -> None:
    sizes = [len(getattr(TICKET_TAXONOMY, name)) for name in ("statuses", "types", "sub_types", "sources")]
    text = (DOCS / PAGE).read_text()
    assert (
        f"statuses ({sizes[0]}), types ({sizes[1]}), sub-types ({sizes[2]}, each of a type) and sources ({sizes[3]})"
        in text
    )
