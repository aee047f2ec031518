"""The condition ``working_hours``: its edges, its nights, and its time zones."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from nhip.plugin_api import CALENDAR
from nhip_conditions.working_hours import WorkingHours, WorkingHoursConfig

SATURDAY_8 = "2026-11-21T08:00:00+07:00"
HOLIDAYS = {date(2026, 11, 24): "Ngày Văn hóa Việt Nam"}


@pytest.mark.parametrize(
    ("config", "moment", "holds"),
    [
        ({"days": ["sat"]}, SATURDAY_8, True),
        ({"days": ["sat"]}, "2026-11-21T07:59:59+07:00", False),
        ({"days": ["sat"]}, "2026-11-21T17:29:59+07:00", True),
        ({"days": ["sat"]}, "2026-11-21T17:30:00+07:00", False),
        ({}, SATURDAY_8, False),
        ({}, "2026-11-20T08:00:00+07:00", True),
        ({"days": ["fri"], "from": "22:00", "to": "06:00"}, "2026-11-20T23:00:00+07:00", True),
        ({"days": ["fri"], "from": "22:00", "to": "06:00"}, "2026-11-21T05:59:00+07:00", True),
        ({"days": ["fri"], "from": "22:00", "to": "06:00"}, "2026-11-21T22:00:00+07:00", False),
        ({"days": ["fri"], "from": "22:00", "to": "06:00"}, "2026-11-20T05:00:00+07:00", False),
        ({"days": ["sat"], "timezone": "Asia/Tokyo"}, "2026-11-21T06:00:00+07:00", True),
        ({"days": ["sat"], "timezone": "contact"}, "2026-11-21T06:00:00+07:00", True),
        ({"days": ["sat"], "from": "08:00", "to": "08:00"}, SATURDAY_8, False),
        ({}, "2026-11-24T09:00:00+07:00", False),  # a holiday
        ({"holidays": True}, "2026-11-24T09:00:00+07:00", True),
        ({"from": "22:00", "to": "06:00"}, "2026-11-24T05:00:00+07:00", True),  # since the day before
        ({"from": "22:00", "to": "06:00"}, "2026-11-25T05:00:00+07:00", False),  # since the holiday
    ],
)
def test_the_hours(config: dict[str, Any], moment: str, holds: bool) -> None:
    facts = {"contact": {"timezone": "Asia/Tokyo"}, CALENDAR: HOLIDAYS.get}
    now = datetime.fromisoformat(moment).astimezone(UTC)

    verdict = WorkingHours().check(msgspec.convert(config, WorkingHoursConfig), facts, now)

    assert verdict.holds is holds


def test_the_verdict_says_what_it_saw() -> None:
    now = datetime(2026, 11, 21, 13, tzinfo=UTC)

    (reason,) = WorkingHours().check(WorkingHoursConfig(), {}, now).reasons

    assert (reason.code, reason.expected, reason.actual) == (
        "outside_hours",
        "mon tue wed thu fri 08:00-17:30",
        "sat 20:00",
    )


def test_the_verdict_says_which_holiday_it_is() -> None:
    now = datetime(2026, 11, 24, 3, tzinfo=UTC)

    (reason,) = WorkingHours().check(WorkingHoursConfig(), {CALENDAR: HOLIDAYS.get}, now).reasons

    assert (reason.code, reason.actual) == ("holiday", "tue 10:00, Ngày Văn hóa Việt Nam")


def test_an_unknown_zone_does_not_hold_and_says_so() -> None:
    config = msgspec.convert({"timezone": "Asia/Hanoi"}, WorkingHoursConfig)

    verdict = WorkingHours().check(config, {}, datetime(2026, 11, 20, 2, tzinfo=UTC))

    assert (verdict.holds, verdict.reasons[0].code) == (False, "unknown_timezone")
