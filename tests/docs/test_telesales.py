"""The page on telesales says what the code does: its examples are accepted, its lists are the code's."""

import json
from typing import Any

import msgspec

from nhip.domain.telesales import CampaignDraft, EntryState, Outcome
from nhip.engine.definitions.definition import compile_definition
from tests.docs.pages import DOCS, blocks
from tests.support.api import shipped_catalog

PAGE = (DOCS / "telesales.md").read_text()
EXAMPLES: list[Any] = [json.loads(body) for body in blocks("telesales.md", "json")]
TRIGGER = {"id": "t", "type": "order_status", "config": {"to": ["delivered"]}}


def test_the_campaign_is_a_campaign() -> None:
    [campaign] = [one for one in EXAMPLES if "object" in one]
    msgspec.convert(campaign, CampaignDraft)
    for field in CampaignDraft.__struct_fields__:
        assert f"| `{field}` |" in PAGE or field == "title", field


def test_what_is_left_out_is_as_the_page_says() -> None:
    usual = msgspec.to_builtins(CampaignDraft(object="lead"))
    assert (usual["hours"]["from"], usual["hours"]["to"], len(usual["hours"]["days"])) == ("08:00", "17:00", 7)
    assert usual["retry"] == {
        "no_answer": {"after": "PT4H", "times": 3},
        "busy": {"after": "PT30M", "times": 3},
        "call_back": {"times": None},
    }


def test_the_workflows_are_workflows() -> None:
    [workflow] = [one for one in EXAMPLES if "steps" in one]
    steps = [one for one in EXAMPLES if "action" in one]
    [settings] = [one for one in EXAMPLES if "time_saved" in one]
    compile_definition(workflow, shipped_catalog())
    compile_definition({"name": "w", "triggers": [TRIGGER], "steps": steps, "settings": settings}, shipped_catalog())


def test_every_state_and_outcome_is_named() -> None:
    for word in (*EntryState, *Outcome):
        assert f"`{word}`" in PAGE, word
