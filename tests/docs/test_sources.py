"""The page on sources says what sources do."""

import json
import re

import msgspec

from nhip.domain.sources import SourceDraft
from nhip.engine.definitions.definition import compile_definition
from nhip.engine.incoming.mapping import Constant, Read
from nhip.engine.incoming.reading_mapping import read_mapping
from nhip.services.doors.source_presets import source_presets
from tests.docs.pages import DOCS, blocks
from tests.support.api import shipped_catalog

PAGE = (DOCS / "sources.md").read_text()


def test_the_examples_hold() -> None:
    draft, mapping, workflow = (json.loads(body) for body in blocks("sources.md", "json"))
    msgspec.convert(draft, SourceDraft)
    read_mapping(mapping)
    compile_definition(workflow, shipped_catalog())


def test_every_preset_is_listed_with_its_events_and_its_signature() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| ([^|]*\| [^|]*) \|$", PAGE.partition("<!-- presets:")[2], re.MULTILINE))
    for name, preset in source_presets().items():
        types = set()
        for rule in read_mapping(preset.mapping).rules:
            match rule.event:
                case Constant(value=kind):
                    types.add(kind)
                case Read(values=kinds):
                    types |= set((kinds or {}).values())
        assert types | {preset.verification.type} <= set(re.findall(r"`([\w.]+)`", listed[name])), name


def test_the_tag_sends_what_the_preset_reads() -> None:
    [tag] = blocks("sources.md", "html")
    for name in source_presets()["site_visit"].example:
        assert name in tag
