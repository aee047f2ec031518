"""What ``route_call`` and ``ivr_call`` make of their configurations."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from nhip_actions.opening_hours import OpeningHours, is_open
from nhip_actions.route_call import RouteCall, RouteCallConfig
from nhip_triggers.ivr_call import IvrCall, IvrCallConfig

MENU: dict[str, Any] = {"menu": "Bấm 1.", "options": {"1": "care"}}


def problems(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = RouteCall().check(msgspec.convert(config, RouteCallConfig))
    return [(problem.path, problem.code) for problem in found]


@pytest.mark.parametrize(
    "config",
    [
        MENU,
        {"fallback": "care"},
        {**MENU, "fallback": {"record": True, "say": "Mời nói"}},
        {**MENU, "options": {"1": {"menu": ["Bấm 2", {"play": "https://x/y.mp3"}], "options": {"2": "+84901234567"}}}},
        {**MENU, "stores": {"CH-1": {"hours": {"days": ["sat"], "from": "22:00", "to": "02:00"}}}},
    ],
)
def test_what_leads_somewhere_is_accepted(config: dict[str, Any]) -> None:
    assert problems(config) == []


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({}, ("menu", "missing")),
        ({"menu": "Bấm 1."}, ("options", "missing")),
        ({"options": {"1": "care"}}, ("menu", "missing")),
        ({**MENU, "options": {"1": {}}}, ("options.1", "missing")),
        ({**MENU, "options": {"1": {"to": "care", "hang_up": True}}}, ("options.1", "contradiction")),
        ({**MENU, "options": {"1": {"menu": "Bấm 2"}}}, ("options.1.options", "missing")),
        ({**MENU, "fallback": {"menu": "Bấm 2", "options": {"2": "x"}}}, ("fallback.menu", "bad_value")),
        ({**MENU, "hours": {"timezone": "Mars/Olympus"}}, ("hours.timezone", "unknown_timezone")),
        ({**MENU, "stores": {"A": {"hours": {"timezone": "x"}}}}, ("stores.A.hours.timezone", "unknown_timezone")),
        ({**MENU, "longest": "four hours"}, ("longest", "bad_value")),
    ],
)
def test_what_leads_nowhere_is_refused_with_its_place(config: dict[str, Any], found: tuple[str, str]) -> None:
    assert found in problems(config)


@pytest.mark.parametrize("key", ["10", "a", "", " "])
def test_an_option_is_one_key(key: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"menu": "x", "options": {key: "care"}}, RouteCallConfig)


@pytest.mark.parametrize(
    ("hours", "moment", "expected"),
    [
        ({"from": "08:00", "to": "21:30"}, "2026-11-21T01:00:00", True),  # 08:00 in Vietnam
        ({"from": "08:00", "to": "21:30"}, "2026-11-21T14:30:00", False),
        ({"days": ["sun"]}, "2026-11-21T05:00:00", False),  # a Saturday
        ({"days": ["sat"], "from": "22:00", "to": "02:00"}, "2026-11-21T18:30:00", True),  # Sunday, 01:30
        ({"from": "00:00", "to": "00:00"}, "2026-11-21T05:00:00", True),
        ({}, "2026-11-24T05:00:00", False),  # a holiday
        ({"holidays": True}, "2026-11-24T05:00:00", True),
        ({"from": "22:00", "to": "02:00"}, "2026-11-23T18:30:00", True),  # since the evening before it
        ({"from": "22:00", "to": "02:00"}, "2026-11-24T18:30:00", False),  # in the night after it
    ],
)
def test_a_store_is_open_when_its_hours_say_so(hours: dict[str, Any], moment: str, expected: bool) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    holiday = {date(2026, 11, 24): "Ngày Văn hóa Việt Nam"}.get
    assert is_open(msgspec.convert(hours, OpeningHours), now, holiday) is expected
    assert is_open(None, now, holiday)


def test_a_call_starts_by_the_number_that_was_dialled() -> None:
    lowered = IvrCall().lower(IvrCallConfig(numbers=("1900 1234", "028 7300 0000")))
    assert lowered.event_types == ("call.inbound",)
    assert msgspec.to_builtins(lowered.condition)["value"] == ["+8419001234", "+842873000000"]
    assert IvrCall().lower(IvrCallConfig()).condition is None
