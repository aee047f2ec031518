"""The page on calls: its workflow is one, and it names what there is."""

import json
import re

from nhip.domain.calls import CallOutcome
from nhip.engine.definitions.definition import compile_definition
from nhip.services.doors.call_requests import EVENT_TYPES
from nhip_actions.call_targets import Target
from tests.docs.pages import DOCS, blocks
from tests.support.api import shipped_catalog

PAGE = (DOCS / "voice.md").read_text()


def test_the_workflow_is_a_workflow() -> None:
    [body] = blocks("voice.md", "json")
    compile_definition(json.loads(body), shipped_catalog())


def test_every_event_and_outcome_is_named() -> None:
    assert set(re.findall(r"^\| `(call\.\w+)` \|", PAGE, re.MULTILINE)) == EVENT_TYPES
    found = re.search(r"^Outcomes: `([\w ]+)`", PAGE, re.MULTILINE)
    assert found
    assert found[1].split() == [outcome.value for outcome in CallOutcome]


def test_every_way_of_a_target_is_shown() -> None:
    shown = set(re.findall(r'"(\w+)":', " ".join(re.findall(r"^\| `(\{.*?\})`", PAGE, re.MULTILINE))))
    assert shown == set(Target.__struct_fields__)
