"""Holidays: which days they are, and what they do to hours."""

from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from nhip.domain.calendars import Calendar
from nhip.domain.conditions import Custom
from nhip.domain.customers import Staff
from nhip.domain.errors import StorageUnavailable
from nhip.domain.telesales import CallingHours
from nhip.domain.verdict import Verdict
from nhip.domain.workflow import WaitWindow
from nhip.engine.conditions.decide import judge
from nhip.engine.desk.assignment import obstacle
from nhip.engine.desk.telesales import calling_time, holiday_now
from nhip.engine.facts.calendars import ClosedDays, closed_days, faults
from nhip.engine.times.waits import window_opening
from nhip.plugin_api import CALENDAR, holiday_of

FEW: list[dict[str, Any]] = [
    {"date": "2027-02-05", "to": "2027-02-11", "title": "Tết"},
    {"date": "2026-09-02", "title": "Quốc khánh", "yearly": True},
    {"date": "2026-12-30", "to": "2027-01-02", "title": "Tết Dương lịch", "yearly": True},
    {"date": "2024-02-29", "title": "29/2", "yearly": True},
    {"date": "2027-02-08", "title": "Mùng ba"},
]


def calendar(*holidays: dict[str, Any]) -> Calendar:
    return msgspec.convert({"holidays": holidays}, Calendar)


TET = closed_days(calendar(*FEW))


@pytest.mark.parametrize(
    ("day", "title"),
    [
        ("2027-02-04", None),
        ("2027-02-05", "Tết"),
        ("2027-02-08", "Tết"),
        ("2027-02-11", "Tết"),
        ("2027-02-12", None),
        ("2028-02-05", None),
        ("2030-09-02", "Quốc khánh"),
        ("2020-09-02", "Quốc khánh"),
        ("2031-12-31", "Tết Dương lịch"),
        ("2032-01-02", "Tết Dương lịch"),
        ("2032-01-03", None),
        ("2028-02-29", "29/2"),
        ("2027-02-28", None),
        ("2027-03-01", None),
        ("0001-01-01", None),
        ("9999-12-31", "Tết Dương lịch"),
    ],
)
def test_which_days_are_closed(day: str, title: str | None) -> None:
    assert TET(date.fromisoformat(day)) == title


@pytest.mark.parametrize(
    ("holiday", "path"),
    [
        ({"date": "2027-02-05", "to": "2027-02-04", "title": "Tết"}, "holidays[1].to"),
        ({"date": "2027-02-05", "to": "2027-05-08", "title": "Tết"}, "holidays[1].to"),
        ({"date": "2027-02-05", "title": " "}, "holidays[1].title"),
    ],
)
def test_a_mistake_has_its_place(holiday: dict[str, Any], path: str) -> None:
    assert [one.path for one in faults(calendar(FEW[0], holiday))] == [path]
    assert not list(faults(calendar({"date": "2027-02-05", "to": "2027-05-07", "title": "Hè"})))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}:00+07:00")


@pytest.mark.parametrize(
    ("said", "moment", "expected"),
    [
        pytest.param({"hours": {}}, "2027-02-08T12:00", "holiday", id="at work but for Tết"),
        pytest.param({"hours": {}}, "2027-02-08T20:00", "out_of_hours", id="in the evening anyway"),
        pytest.param({"hours": {}}, "2027-02-06T12:00", "out_of_hours", id="on a Saturday anyway"),
        pytest.param({}, "2027-02-08T20:00", "holiday", id="who has not said any hours"),
        pytest.param({}, "2027-02-12T00:00", None, id="after it"),
        pytest.param({"hours": {"holidays": True}}, "2027-02-08T12:00", None, id="on duty at Tết"),
        pytest.param(
            {"hours": [{}, {"from": "10:00", "holidays": True}]}, "2027-02-08T12:00", None, id="in one of two shifts"
        ),
        pytest.param(
            {"hours": {"days": ["thu"], "from": "22:00", "to": "06:00"}}, "2027-02-05T05:00", None,
            id="in a night that began before",
        ),
        pytest.param(
            {"hours": {"days": ["thu"], "from": "22:00", "to": "06:00"}}, "2027-02-12T05:00", "holiday",
            id="in a night that began on it",
        ),
        pytest.param(
            {"hours": {"timezone": "Europe/Paris", "to": "20:00"}}, "2027-02-12T00:30", "holiday",
            id="where it is still the day before",
        ),
    ],
)  # fmt: skip
def test_whoever_is_not_at_work_because_of_a_holiday(said: dict[str, Any], moment: str, expected: str | None) -> None:
    person = msgspec.convert({"external_id": "NV-1", "name": "Lan", **said}, Staff)
    assert obstacle(person, at(moment), hours=True, closed=TET) == expected
    assert obstacle(person, at(moment), hours=False, closed=TET) is None


@pytest.mark.parametrize(
    ("hours", "moment", "opens", "reason"),
    [
        ({}, "2027-02-05T10:00", "2027-02-12T08:00", "Tết"),
        ({}, "2027-02-05T18:00", "2027-02-12T08:00", None),
        ({}, "2027-02-04T17:00", "2027-02-12T08:00", None),
        ({}, "2027-02-04T16:59", "2027-02-04T16:59", None),
        ({"holidays": True}, "2027-02-05T10:00", "2027-02-05T10:00", None),
        ({"days": ["thu"]}, "2027-02-05T10:00", "2027-02-18T08:00", None),
    ],
)
def test_nobody_is_called_on_a_holiday(hours: dict[str, Any], moment: str, opens: str, reason: str | None) -> None:
    when = msgspec.convert(hours, CallingHours)
    assert calling_time(when, at(moment), TET) == at(opens)
    assert holiday_now(when, at(moment), TET) == reason


def window(*, holidays: bool, opens: int = 8, closes: int = 20) -> WaitWindow:
    return WaitWindow(from_=time(opens), to=time(closes), timezone="Asia/Ho_Chi_Minh", holidays=holidays)


def test_a_window_keeps_holidays_where_it_says_so() -> None:
    assert window_opening(window(holidays=True), {}, at("2027-02-05T10:00"), TET) == at("2027-02-05T10:00")
    assert window_opening(window(holidays=False), {}, at("2027-02-05T10:00"), TET) == at("2027-02-12T08:00")
    night = window(holidays=False, opens=22, closes=6)
    assert window_opening(night, {}, at("2027-02-05T05:00"), TET) == at("2027-02-05T05:00")
    assert window_opening(night, {}, at("2027-02-12T05:00"), TET) == at("2027-02-12T22:00")


def test_whoever_is_always_closed_is_looked_at_again_after_a_year() -> None:
    now = at("2027-02-05T10:00")
    opens = window_opening(window(holidays=False), {}, now, lambda _: "closed for ever")
    assert timedelta(days=365) < opens - now < timedelta(days=380)


def test_a_calendar_that_cannot_be_read_is_no_open_day() -> None:
    def unread(_config: Any, facts: Any, now: datetime) -> Verdict:
        return Verdict(holds=holiday_of(facts, now.date()) is None)

    def broken(_: date) -> str | None:
        raise StorageUnavailable("the calendar cannot be read")

    now = at("2027-02-05T10:00")
    with pytest.raises(StorageUnavailable):
        judge(Custom(condition="unread", config={}), {CALENDAR: broken}, now, "", {"unread": unread})


closures = st.frozensets(st.dates(date(2027, 1, 1), date(2027, 2, 15)), max_size=30)


@given(closures, st.datetimes(datetime(2027, 1, 1), datetime(2027, 2, 10)), st.integers(0, 23), st.integers(0, 23))  # noqa: DTZ001
def test_a_window_never_opens_on_a_holiday_and_skips_no_other_day(
    closed: frozenset[date], naive: datetime, opens: int, closes: int
) -> None:
    if opens == closes:
        return
    now = naive.replace(tzinfo=at("2027-01-01T00:00").tzinfo)
    holiday: ClosedDays = lambda day: "closed" if day in closed else None  # noqa: E731
    one = window(holidays=False, opens=opens, closes=closes)

    found = window_opening(one, {}, now, holiday).astimezone(now.tzinfo)

    begun = found.date() if closes > opens or found.hour >= opens else found.date() - timedelta(days=1)
    assert begun not in closed
    free = window_opening(window(holidays=True, opens=opens, closes=closes), {}, now)
    assert found >= free
    days = (free.astimezone(now.tzinfo).date() + timedelta(days=ahead) for ahead in range((found - free).days))
    assert all(day in closed or day - timedelta(days=1) in closed for day in days)
