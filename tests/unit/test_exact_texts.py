"""A text is what it is said to be to its last character, and its digits are 0 to 9."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from nhip.catalog import Catalog
from nhip.domain import authored, customers, duty, telesales
from nhip.domain.errors import InvalidInput
from nhip.domain.scans import Cron, TickScan
from nhip.domain.times import parse_duration
from nhip.engine.definitions.definition import compile_definition
from nhip.engine.times.schedule import scan_problems
from nhip.plugin_rules import BASES

CATALOG = Catalog.load()
VIETNAM = "Asia/Ho_Chi_Minh"


@pytest.mark.parametrize("text", ["P1D", "PT90M", "P1W2DT3H4M5S", "P0D", "PT0S"])
def test_a_duration_is_nothing_more_and_nothing_else(text: str) -> None:
    parse_duration(text)
    arabic = text.translate({ord("0") + digit: 0x0660 + digit for digit in range(10)})
    for other in (f"{text}\n", f" {text}", f"{text} ", arabic, text + "T", text[0], text.lower()):
        with pytest.raises(ValueError, match="is not an ISO 8601 duration"):
            parse_duration(other)


@pytest.mark.parametrize("text", ["0 9 * * *\n", "0\n9 * * *", "٠ 9 * * *", "0\u30009 * * *"])
def test_a_cron_expression_is_one_line(text: str) -> None:
    assert [problem.path for problem in scan_problems(TickScan(when=Cron(expression=text, timezone=VIETNAM)))] == [
        "cron"
    ]
    assert not scan_problems(TickScan(when=Cron(expression="0 9\t* * *", timezone=VIETNAM)))


@pytest.mark.parametrize("text", ["08:00\n", "٠٨:٠٠", "08:0０"])
def test_a_time_of_day_is_refused_wherever_it_stands(text: str) -> None:
    definition: dict[str, Any] = {
        "name": "w",
        "triggers": [{"id": "t", "type": "birthday", "config": {"at": text}}],
        "steps": [{"id": "a", "wait": {"until": "contact.birthday", "at": text}}],
    }
    with pytest.raises(InvalidInput) as refused:
        compile_definition(definition, CATALOG)
    paths = [problem.path for problem in refused.value.problems]
    assert paths == ["triggers[0].config.at", "steps[0].wait.at"]
    assert all("time of day" in one.message.lower() for one in refused.value.problems)
    taken: tuple[tuple[Any, Any], ...] = ((duty.ClockTime, text), (telesales.CallingHours, {"from": text}))
    for wanted, raw in taken:
        with pytest.raises(msgspec.ValidationError, match="matching regex"):
            msgspec.convert(raw, wanted)


@pytest.mark.parametrize(
    ("wanted", "raw"),
    [
        (customers.DateText, "1990-02-01\n"),
        (customers.DateText, "199٠-02-01"),
        (authored.Price, {"amount": 1, "currency": "VND\n"}),
    ],
)
def test_dates_and_currencies(wanted: Any, raw: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="matching regex"):
        msgspec.convert(raw, wanted)


def test_no_pattern_of_a_plugin_lets_a_line_break_follow_or_takes_other_digits() -> None:
    patterns = {one for sort in BASES for kind in CATALOG.of(sort) for one in patterns_of(CATALOG.schema(sort, kind))}
    assert len(patterns) > 5
    loose = [one for one in patterns if r"\d" in one or ("$" in one and not one.endswith(r"$(?!\n)"))]
    assert not loose


def patterns_of(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for value in schema.values():
            yield from patterns_of(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from patterns_of(value)
