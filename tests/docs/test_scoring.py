"""What the page on scores shows is what the engine takes, and what it answers."""

import json
from typing import Any, get_args

import msgspec

from nhip.engine.customers.score_rules import ScoreRuleDraft, read_rules
from nhip.engine.definitions.definition import compile_definition
from nhip_admin_api.schemas.scores import Score
from nhip_triggers.engagement_score import Operator
from tests.docs.pages import DOCS, blocks
from tests.support.api import shipped_catalog

PAGE = (DOCS / "scoring.md").read_text()


def shown() -> list[Any]:
    return [json.loads(body) for body in blocks("scoring.md", "json")]


def test_the_rules_are_rules() -> None:
    rules = read_rules(shown()[0]["rules"], customs=shipped_catalog().conditions)
    assert [rule.id for rule in rules] == ["opened", "engaged", "bought", "left"]


def test_every_field_of_a_rule_is_told() -> None:
    table = {line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `")}
    fields = set(ScoreRuleDraft.__struct_fields__) - {"title"}
    assert fields <= table


def test_the_score_is_an_answer_and_adds_up() -> None:
    score = msgspec.convert(shown()[1], Score)
    assert score.score == round(sum(part.points for part in score.rules))
    assert [part.id for part in score.rules] == [rule["id"] for rule in shown()[0]["rules"]]


def test_the_trigger_and_the_wait_compile() -> None:
    trigger, wait = shown()[2:]
    compile_definition({"name": "shown", "triggers": [trigger], "steps": [wait]}, shipped_catalog())


def test_every_operator_is_told() -> None:
    section = PAGE.partition("## The trigger")[2]
    for operator in get_args(Operator):
        assert f"`{operator}`" in section, operator
