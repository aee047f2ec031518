"""Who of a department is told: each once, in order, and everybody else with the reason why not."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from nhip.domain.customers import Staff
from nhip.engine.desk.teams import gather

MONDAY_NOON = datetime(2026, 11, 23, 5, tzinfo=UTC)
"""12:00 in Vietnam."""
AWAY = [{"from": "2026-11-23T00:00:00+07:00", "until": "2026-11-24T00:00:00+07:00"}]
AT_NIGHT = {"from": "22:00", "to": "06:00"}


def person(name: str, **said: Any) -> Staff:
    return msgspec.convert({"external_id": name, "name": name, **said}, Staff)


CARE = (
    person("E", email="Chung@shop.vn"),
    person("D", email="chung@shop.vn", hours=AT_NIGHT),
    person("C", email="c@shop.vn", absences=AWAY),
    person("B", hours={}),
    person("A", email="a@shop.vn", active=False),
)


@pytest.mark.parametrize(
    ("said", "members", "passed"),
    [
        ({"who": "on_duty"}, "BE", {"A": "left", "C": "absent", "D": "out_of_hours"}),
        ({"who": "present"}, "BDE", {"A": "left", "C": "absent"}),
        ({"who": "everybody"}, "BCDE", {"A": "left"}),
        (
            {"who": "everybody", "reached_by": "email"},
            "CD",
            {"A": "left", "B": "no_address", "E": "same_address"},
        ),
        ({"who": "everybody", "most": 2}, "BC", {"A": "left", "D": "too_many", "E": "too_many"}),
        ({"who": "on_duty", "reached_by": "phone"}, "", dict.fromkeys("ABCDE", "no_address")),
    ],
)
def test_who_is_told(said: dict[str, Any], members: str, passed: dict[str, str]) -> None:
    team = gather(CARE, now=MONDAY_NOON, **{"reached_by": None, "most": 50, **said})
    assert [one.staff for one in team.members] == list(members)
    assert {one.staff: one.reason for one in team.passed} == passed


def test_where_nobody_is_at_work_whoever_is_not_away_is_told() -> None:
    team = gather(CARE[1:3], "on_duty", MONDAY_NOON, reached_by=None, most=50)
    assert [one.staff for one in team.members] == ["D"]
