"""The trigger `engagement_score`: what each operator makes of a move."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from nhip import InvalidInput
from nhip.engine.conditions.decide import judge
from nhip.engine.conditions.tree import parse
from nhip.engine.matching.index import Entry, MatchIndex
from nhip.services.workflows.custom_conditions import custom_conditions
from nhip_triggers.engagement_score import EngagementScore, EngagementScoreConfig
from tests.support.api import shipped_catalog

NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)


def starts(config: dict[str, Any], *path: int, now: int | None = None, industry: str = "Giáo dục") -> bool:
    """Whether the last move of a path starts a workflow; `now` is the score by the time it is decided."""
    lowered = EngagementScore().lower(msgspec.convert(config, EngagementScoreConfig))
    assert lowered.event_types == ("contact.score_changed",)
    *turns, score = path
    facts = {
        "contact": {"score": score if now is None else now, "industry": industry},
        "event": {"data": {"previous": turns[-1], "score": score, "turns": turns, "turn": turns[-1]}},
    }
    trees = [lowered.condition, None if lowered.where is None else parse(lowered.where, "where")]
    customs = custom_conditions(shipped_catalog())
    return all(tree is None or judge(tree, facts, NOW, "", customs).holds for tree in trees)


def on(operator: str, value: int, **more: Any) -> dict[str, Any]:
    return {"operator": operator, "value": value, **more}


@pytest.mark.parametrize(
    ("config", "path", "expected"),
    [
        pytest.param(on("rises_above", 200), (199, 201), True, id="over it"),
        pytest.param(on("rises_above", 200), (199, 200), True, id="to it"),
        pytest.param(on("rises_above", 200), (0, 250), True, id="from nothing"),
        pytest.param(on("rises_above", 200), (200, 201), False, id="there already"),
        pytest.param(on("rises_above", 200), (201, 199), False, id="the other way"),
        pytest.param(on("rises_above", 200, hysteresis=20), (0, 199, 201), True, id="the first time"),
        pytest.param(on("rises_above", 200, hysteresis=20), (0, 210, 180, 201), False, id="not low enough"),
        pytest.param(on("rises_above", 200, hysteresis=20), (0, 210, 179, 201), True, id="low enough"),
        pytest.param(on("falls_below", 200), (200, 199), True, id="below it"),
        pytest.param(on("falls_below", 200), (201, 200), False, id="down to it"),
        pytest.param(on("falls_below", 200, hysteresis=20), (0, 201, 199), False, id="not high enough"),
        pytest.param(on("falls_below", 200, hysteresis=20), (0, 220, 199), True, id="high enough"),
        pytest.param(on("falls_below", 0, hysteresis=20), (0, -1), True, id="never below before"),
        pytest.param(on("changes_by", 50), (100, 150), True, id="up by it"),
        pytest.param(on("changes_by", 50), (100, 50), True, id="down by it"),
        pytest.param(on("changes_by", 50), (100, 149), False, id="by less"),
        pytest.param(on("equals", 200), (199, 200), True, id="equal"),
        pytest.param(on("equals", 200), (199, 201), False, id="past it"),
        pytest.param(on("not_equals", 200), (199, 201), True, id="another"),
        pytest.param(on("greater_than", 195), (196, 197), True, id="at each change"),
        pytest.param(on("greater_than", 195), (194, 195), False, id="not greater"),
        pytest.param(on("greater_or_equal", 195), (194, 195), True, id="or equal"),
        pytest.param(on("less_than", 10), (12, 9), True, id="less"),
        pytest.param(on("less_or_equal", 10), (12, 10), True, id="less or equal"),
    ],
)
def test_the_operators(config: dict[str, Any], path: tuple[int, ...], expected: bool) -> None:
    assert starts(config, *path) is expected


def test_a_crossing_counts_while_the_score_is_still_across() -> None:
    assert not starts(on("falls_below", 200), 210, 190, now=250)
    assert not starts(on("rises_above", 200), 190, 210, now=150)


@pytest.mark.parametrize(("industry", "expected"), [("giáo dục", True), ("Giáo dục đại học", False), ("Y tế", False)])
def test_the_industry_is_compared_whole(industry: str, expected: bool) -> None:
    config = on("rises_above", 200, industry=["Giáo dục", "Bất động sản"])
    assert starts(config, 199, 201, industry=industry) is expected


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (on("greater_than", 1, hysteresis=1), "hysteresis"),
        (on("changes_by", 5, hysteresis=1), "hysteresis"),
        (on("changes_by", 0), "value"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(config: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        EngagementScore().lower(msgspec.convert(config, EngagementScoreConfig))
    assert [problem.path for problem in raised.value.problems] == [path]


@pytest.mark.parametrize(
    "config", [{}, {"operator": "rises_above"}, on("contains_phrase", 1), on("reaches", 200), on("equals", 1, to=2)]
)
def test_a_wrong_configuration_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(config, EngagementScoreConfig)


def test_ten_thousand_marks_are_found_by_the_index() -> None:
    """A mark is a bound that the index sorts by, so that who moves by a point asks few of them."""
    index = MatchIndex()
    for value in range(10_000):
        lowered = EngagementScore().lower(EngagementScoreConfig(operator="rises_above", value=value))
        entry = Entry(
            workflow=f"w{value}", version_id=f"w{value}", trigger_id="t", event_types=lowered.event_types,
            condition=lowered.condition,
        )  # fmt: skip
        index.publish(entry.workflow, [entry])
    facts = {"contact": {"score": 9_990}, "event": {"data": {"previous": 9_988, "score": 9_990}}}
    assert [entry.workflow for entry in index.match("contact.score_changed", facts, NOW)] == ["w9989", "w9990"]
