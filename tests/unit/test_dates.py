"""Days that come back, and the moments at which they are looked for."""

import calendar
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from nhip.domain.scans import DateScan, MomentScan, Repetition
from nhip.engine.times.dates import (
    MINUTE_MICROS,
    Watch,
    day_in,
    meetings,
    minute_in,
    minutes_met,
    next_meeting,
    slot_of,
    slots_on,
    watch_named,
)

YEARLY, QUARTERLY, MONTHLY = Repetition.YEARLY, Repetition.QUARTERLY, Repetition.MONTHLY


def met(held: str, every: Repetition, year: int) -> list[str]:
    """The days of a year on which a day is met."""
    first = date(year, 1, 1)
    days = [first + timedelta(days=n) for n in range(366 if calendar.isleap(year) else 365)]
    slot = slot_of(date.fromisoformat(held), every)
    return [day.isoformat()[5:] for day in days if slot in slots_on(day, every)]


@pytest.mark.parametrize(
    ("held", "every", "year", "expected"),
    [
        pytest.param("1990-05-17", YEARLY, 2026, ["05-17"], id="birthday"),
        pytest.param("1992-02-29", YEARLY, 2026, ["02-28"], id="29 February, ordinary year"),
        pytest.param("1992-02-29", YEARLY, 2028, ["02-29"], id="29 February, leap year"),
        pytest.param("1991-02-28", YEARLY, 2028, ["02-28"], id="28 February stays"),
        pytest.param("1991-02-28", YEARLY, 2026, ["02-28"], id="28 February, ordinary year"),
        pytest.param("2026-01-31", QUARTERLY, 2026, ["01-31", "04-30", "07-31", "10-31"], id="quarters from the 31st"),
        pytest.param("2026-11-30", QUARTERLY, 2027, ["02-28", "05-30", "08-30", "11-30"], id="quarters by February"),
        pytest.param(
            "2026-01-31", MONTHLY, 2026,
            ["01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30",
             "12-31"],
            id="each month from the 31st",
        ),
        pytest.param("2026-07-09", Repetition.NEVER, 2026, ["07-09"], id="once"),
        pytest.param("2026-07-09", Repetition.NEVER, 2027, [], id="once only"),
    ],
)  # fmt: skip
def test_when_days_come_back(held: str, every: Repetition, year: int, expected: list[str]) -> None:
    assert met(held, every, year) == expected


days = st.dates(date(1900, 1, 1), date(2100, 12, 31))
years = st.integers(1990, 2060)


@given(days, years)
def test_everybody_has_one_birthday_a_year(held: date, year: int) -> None:
    assert len(met(held.isoformat(), YEARLY, year)) == 1


@given(days, years)
def test_every_month_has_one_day_of_it(held: date, year: int) -> None:
    assert [one[:2] for one in met(held.isoformat(), MONTHLY, year)] == [f"{month:02}" for month in range(1, 13)]


@given(days, years)
def test_every_quarter_has_one_day_of_it(held: date, year: int) -> None:
    months = [int(one[:2]) for one in met(held.isoformat(), QUARTERLY, year)]
    assert len(months) == 4
    assert {month % 3 for month in months} == {held.month % 3}


@given(days, st.sampled_from(Repetition))
def test_a_day_meets_itself(held: date, every: Repetition) -> None:
    assert slot_of(held, every) in slots_on(held, every)


ZONES = ["Asia/Ho_Chi_Minh", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
scans = st.builds(
    DateScan,
    field=st.just("contact.birthday"),
    days=st.integers(-30, 30),
    at=st.sampled_from(["00:00", "02:30", "08:00", "23:59"]),
    timezone=st.just("contact"),
)


@given(scans, st.lists(st.sampled_from(ZONES), unique=True), moments, st.lists(st.integers(0, 4_000), max_size=6))
def test_every_day_is_looked_for_once_in_each_zone(
    scan: DateScan, zones: list[str], start: datetime, pauses: list[int]
) -> None:
    """However time is cut into pieces, and although clocks are changed in between."""
    seen, since = [], start
    for pause in pauses:
        until = since + timedelta(minutes=pause)
        seen += meetings(scan, zones, since, until)
        since = until
    assert seen == meetings(scan, zones, start, since)
    for zone in zones:
        looked_for = [one.day for one in seen if one.zone == zone]
        assert looked_for == [looked_for[0] + timedelta(days=n) for n in range(len(looked_for))] if looked_for else True


@given(scans, st.lists(st.sampled_from(ZONES), unique=True, min_size=1), moments)
def test_the_next_look_is_the_first_of_those_that_come(scan: DateScan, zones: list[str], after: datetime) -> None:
    coming = next_meeting(scan, zones, after)
    assert coming is not None
    assert coming > after
    assert meetings(scan, zones, after, coming)[0].moment == coming
    assert meetings(scan, zones, after, coming - timedelta(microseconds=1)) == []


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("1990-05-17", "America/New_York", "1990-05-17"),
        ("2026-11-20T23:30:00Z", "Asia/Ho_Chi_Minh", "2026-11-21"),
        ("2026-11-20T23:30:00Z", "Europe/Berlin", "2026-11-21"),
        ("2026-11-20T22:30:00Z", "Europe/Berlin", "2026-11-20"),
        ("2026-02-30", "UTC", None),
        ("tomorrow", "UTC", None),
        (20261120, "UTC", None),
        (None, "UTC", None),
        (["2026-11-20"], "UTC", None),
    ],
)
def test_the_day_that_a_field_holds(value: object, zone: str, expected: str | None) -> None:
    assert day_in(value, zone) == (date.fromisoformat(expected) if expected else None)


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2026-11-20T23:30:00Z", "Asia/Ho_Chi_Minh", "2026-11-20T23:30"),
        ("2026-11-20T23:30:00.000001Z", "UTC", "2026-11-20T23:31"),
        ("2026-11-20T23:29:59+01:00", "UTC", "2026-11-20T22:30"),
        ("2026-11-20", "America/New_York", "2026-11-20T05:00"),
        ("1969-12-31T23:59:30Z", "UTC", "1970-01-01T00:00"),
        ("9999-12-31T23:59:59Z", "UTC", None),
        ("2026-11-20T23:30:00", "UTC", None),
        (None, "UTC", None),
    ],
)
def test_the_minute_that_a_field_holds(value: object, zone: str, expected: str | None) -> None:
    minute = int(datetime.fromisoformat(f"{expected}:00+00:00").timestamp()) // 60 if expected else None
    assert minute_in(value, zone) == minute


def at_minutes(minutes: int, within: int = 60) -> MomentScan:
    return MomentScan(field="task.due_at", minutes=minutes, timezone="contact", within=within)


@given(st.integers(-600, 600), st.lists(st.integers(1, 59 * MINUTE_MICROS), min_size=1, max_size=8))
def test_every_minute_is_looked_for_once_while_nobody_is_late(minutes: int, pauses: list[int]) -> None:
    """However time is cut into pieces that are shorter than what is still told."""
    scan = at_minutes(minutes if minutes >= 0 else minutes - 60)
    since = start = 29_000_000 * MINUTE_MICROS
    seen: list[int] = []
    for pause in pauses:
        first, last = minutes_met(scan, since, since + pause)
        seen += range(first + 1, last + 1)
        since += pause
    assert seen == [minute - scan.minutes for minute in range(start // MINUTE_MICROS + 1, since // MINUTE_MICROS + 1)]


@pytest.mark.parametrize(
    ("scan", "told"),
    [
        pytest.param(at_minutes(10), range(-69, -9), id="an hour late"),
        pytest.param(at_minutes(-120), range(61, 121), id="an hour late, long before"),
        pytest.param(at_minutes(-15), range(1, 16), id="never when the time is there"),
        pytest.param(at_minutes(0, within=1), range(1), id="a minute at least"),
    ],
)
def test_what_is_stale_is_not_looked_for(scan: MomentScan, told: range) -> None:
    now = 29_000_000
    first, last = minutes_met(scan, 0, now * MINUTE_MICROS)
    assert [minute - now for minute in range(first + 1, last + 1)] == list(told)


@pytest.mark.parametrize("every", [YEARLY, None])
def test_a_watch_is_known_by_its_key(every: Repetition | None) -> None:
    watch = Watch(field="contact.custom.a|b", every=every, timezone="contact")
    assert watch_named(watch.key) == watch
    assert (watch.root, watch.path) == ("contact", "custom.a|b")
