"""When waits end: tables of the hard hours, and laws for all the others."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings, strategies as st

from nhip.domain.times import parse_time, to_micros
from nhip.domain.workflow import WaitEvent, WaitFor, Waiting, WaitUntil, WaitWindow
from nhip.engine.definitions.reading_waits import DAYS
from nhip.engine.times.waits import (
    ELAPSED,
    MISSING,
    OPEN,
    PAST,
    TIMED_OUT,
    instant,
    outcome_at_end,
    wait_ending,
    window_opening,
)
from tests.support.definitions import ZONES, clocks, durations

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

moments = st.integers(0, 7 * 366 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def contact(zone: str | None, **fields: Any) -> dict[str, Any]:
    return {"contact": {**({"timezone": zone} if zone else {}), **fields}}


def window(opens: str, closes: str, days: str = "mon tue wed thu fri sat sun", zone: str = "contact") -> WaitWindow:
    numbers = tuple(DAYS.index(day) for day in days.split())
    return WaitWindow(from_=time.fromisoformat(opens), to=time.fromisoformat(closes), days=numbers, timezone=zone)


def until(**said: Any) -> WaitUntil:
    if "at" in said:
        said["at"] = time.fromisoformat(said["at"])
    if "moment" in said:
        said["moment"] = parse_time(said["moment"])
    return WaitUntil(**said)


# --- hours ------------------------------------------------------------------------------------------------------------

WEEKDAYS = "mon tue wed thu fri"
WINDOWS: dict[str, tuple[WaitWindow, str, str, str]] = {
    "before it opens": (window("08:00", "20:00"), BERLIN, "2026-06-01T07:59:59+02:00", "2026-06-01T08:00:00+02:00"),
    "the moment it opens": (window("08:00", "20:00"), BERLIN, "2026-06-01T08:00:00+02:00", ""),
    "the last moment": (window("08:00", "20:00"), BERLIN, "2026-06-01T19:59:59+02:00", ""),
    "the moment it closes": (
        window("08:00", "20:00"), BERLIN, "2026-06-01T20:00:00+02:00", "2026-06-02T08:00:00+02:00",
    ),
    "over the weekend": (
        window("08:00", "20:00", WEEKDAYS), NEW_YORK, "2026-11-20T20:00:00-05:00", "2026-11-23T08:00:00-05:00",
    ),
    "once a week, just missed": (
        window("08:00", "09:00", "sat"), NEW_YORK, "2026-11-21T09:00:00-05:00", "2026-11-28T08:00:00-05:00",
    ),
    "over midnight, before": (
        window("22:00", "02:00", "fri"), BERLIN, "2026-11-20T21:00:00+01:00", "2026-11-20T22:00:00+01:00",
    ),
    "over midnight, within, after it": (window("22:00", "02:00", "fri"), BERLIN, "2026-11-21T01:59:00+01:00", ""),
    "over midnight, a day on which it does not begin": (
        window("22:00", "02:00", "fri"), BERLIN, "2026-11-20T01:59:00+01:00", "2026-11-20T22:00:00+01:00",
    ),
    "over midnight from a Sunday into a Monday": (
        window("22:00", "02:00", "sun"), BERLIN, "2026-11-23T01:00:00+01:00", "",
    ),
    "all but an hour": (
        window("05:00", "04:00"), BERLIN, "2026-11-21T04:30:00+01:00", "2026-11-21T05:00:00+01:00",
    ),
    "in a zone of its own": (
        window("08:00", "20:00", zone=NEW_YORK), BERLIN, "2026-11-20T08:00:00+01:00", "2026-11-20T08:00:00-05:00",
    ),
    "where it is still the day before": (
        window("08:00", "20:00", "fri", zone=NEW_YORK), BERLIN, "2026-11-21T01:30:00+01:00", "",
    ),
    "a contact without a zone": (
        window("08:00", "20:00"), "", "2026-11-21T07:00:00+07:00", "2026-11-21T08:00:00+07:00",
    ),
    "a contact of no known zone": (
        window("08:00", "20:00"), "Mars/Olympus", "2026-11-21T07:00:00+07:00", "2026-11-21T08:00:00+07:00",
    ),
    "the night in which spring begins, Berlin": (
        window("22:00", "06:00"), BERLIN, "2026-03-29T04:30:00+02:00", "",
    ),
    "the morning after it": (
        window("08:00", "20:00"), BERLIN, "2026-03-28T20:00:00+01:00", "2026-03-29T08:00:00+02:00",
    ),
    "hours that begin in the hour that is skipped, Berlin": (
        window("02:30", "06:00"), BERLIN, "2026-03-29T00:00:00+01:00", "2026-03-29T03:30:00+02:00",
    ),
    "hours that begin in the hour that is skipped, New York": (
        window("02:30", "06:00"), NEW_YORK, "2026-03-08T00:00:00-05:00", "2026-03-08T03:30:00-04:00",
    ),
    "hours that lie within the hour that is skipped": (
        window("02:15", "02:45"), BERLIN, "2026-03-29T00:00:00+01:00", "2026-03-29T03:15:00+02:00",
    ),
    "hours that are over when the skipped hour is": (
        window("02:30", "03:15"), BERLIN, "2026-03-29T00:00:00+01:00", "2026-03-30T02:30:00+02:00",
    ),
    "hours of which the clocks skip everything": (
        window("02:00", "03:00", "sun"), BERLIN, "2026-03-29T00:00:00+01:00", "2026-04-05T02:00:00+02:00",
    ),
    "hours that begin in the hour that comes twice": (
        window("02:30", "06:00"), BERLIN, "2026-10-25T00:00:00+02:00", "2026-10-25T02:30:00+02:00",
    ),
    "the second time that this hour comes": (window("02:30", "06:00"), BERLIN, "2026-10-25T02:10:00+01:00", ""),
    "hours that end in the hour that comes twice": (
        window("22:00", "01:30"), NEW_YORK, "2026-11-01T01:10:00-05:00", "2026-11-01T22:00:00-05:00",
    ),
    "where the clocks go by half an hour": (
        window("02:15", "06:00"), "Australia/Lord_Howe", "2026-10-04T00:00:00+10:30", "2026-10-04T02:45:00+11:00",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wait", "zone", "now", "opens"), WINDOWS.values(), ids=WINDOWS.keys())
def test_a_window_opens(wait: WaitWindow, zone: str, now: str, opens: str) -> None:
    ending = wait_ending(wait, contact(zone), at(now))
    assert (ending.until, ending.outcome) == ((at(opens), None) if opens else (None, OPEN))


windows = st.builds(
    WaitWindow, from_=clocks, to=clocks,
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    timezone=st.just("contact"),
).filter(lambda one: one.from_ != one.to)  # fmt: skip


def is_open(one: WaitWindow, moment: datetime, zone: str) -> bool:
    """What somebody says who looks at a clock on the wall and at a calendar."""
    local = moment.astimezone(ZoneInfo(zone))
    today, yesterday = local.weekday() in one.days, (local - DAY).weekday() in one.days
    if one.from_ < one.to:
        return today and one.from_ <= local.time() < one.to
    return (today and local.time() >= one.from_) or (yesterday and local.time() < one.to)


def is_ordinary(moment: datetime, zone: str) -> bool:
    """Whether the clocks go on evenly around that day."""
    place = ZoneInfo(zone)
    around = {(moment + timedelta(hours=hours)).astimezone(place).utcoffset() for hours in range(-48, 49, 6)}
    return len(around) == 1


@settings(deadline=None)
@given(windows, st.sampled_from(ZONES), moments)
def test_a_window_opens_when_the_clock_on_the_wall_says_so(one: WaitWindow, zone: str, now: datetime) -> None:
    opens = window_opening(one, contact(zone), now)
    assert now <= opens <= now + 9 * DAY
    assert opens.tzinfo is UTC
    if is_ordinary(opens, zone):
        assert is_open(one, opens, zone)
    if all(is_ordinary(now + day * DAY, zone) for day in range(9)):
        assert (opens == now) == is_open(one, now, zone)
        between = opens - now
        assert not any(is_open(one, now + between * part / 16, zone) for part in range(16 if between else 0))


@settings(deadline=None)
@given(windows, st.sampled_from(ZONES), moments)
@example(window("02:30", "03:15"), BERLIN, at("2026-03-29T00:00:00+01:00"))
def test_who_waited_for_a_window_finds_it_open(one: WaitWindow, zone: str, now: datetime) -> None:
    opens = window_opening(one, contact(zone), now)
    assert wait_ending(one, contact(zone), opens).outcome == OPEN
    assert wait_ending(one, contact(zone), opens).until is None


# --- times and days ---------------------------------------------------------------------------------------------------

UNTIL: dict[str, tuple[WaitUntil, dict[str, Any], str]] = {
    "a time": (until(moment="2027-01-01T00:00:00Z"), contact(BERLIN), "2027-01-01T00:00:00+00:00"),
    "a time, an hour before": (
        until(moment="2027-01-01T00:00:00Z", offset=-HOUR), contact(BERLIN), "2026-12-31T23:00:00+00:00",
    ),
    "a day begins where the contact is": (until(day="2026-12-24"), contact(NEW_YORK), "2026-12-24T00:00:00-05:00"),
    "a day begins where the step says": (
        until(day="2026-12-24", timezone=BERLIN), contact(NEW_YORK), "2026-12-24T00:00:00+01:00",
    ),
    "a day at a time": (until(day="2026-12-24", at="18:30"), contact(BERLIN), "2026-12-24T18:30:00+01:00"),
    "three days before it": (
        until(day="2026-12-24", days=-3, at="09:00"), contact(BERLIN), "2026-12-21T09:00:00+01:00",
    ),
    "a field's day": (until(field="contact.d"), contact(BERLIN, d="2026-12-24"), "2026-12-24T00:00:00+01:00"),
    "a field's time": (
        until(field="contact.d"), contact(BERLIN, d="2026-12-24T10:00:00+07:00"), "2026-12-24T10:00:00+07:00",
    ),
    "a field's time, at another hour of its day there": (
        until(field="contact.d", at="08:00"), contact(NEW_YORK, d="2026-12-24T02:00:00Z"), "2026-12-23T08:00:00-05:00",
    ),
    "days keep the hour over the change, spring": (
        until(field="contact.d", days=1), contact(BERLIN, d="2027-03-27T20:00:00+01:00"), "2027-03-28T20:00:00+02:00",
    ),
    "hours do not": (
        until(field="contact.d", offset=timedelta(hours=24)),
        contact(BERLIN, d="2027-03-27T20:00:00+01:00"), "2027-03-28T21:00:00+02:00",
    ),
    "days keep the hour over the change, autumn": (
        until(field="contact.d", days=1),
        contact(NEW_YORK, d="2027-11-06T20:00:00-04:00"), "2027-11-07T20:00:00-05:00",
    ),
    "into the hour that is skipped": (
        until(day="2027-03-28", at="02:30"), contact(BERLIN), "2027-03-28T03:30:00+02:00",
    ),
    "into the hour that comes twice": (
        until(day="2027-10-31", at="02:30"), contact(BERLIN), "2027-10-31T02:30:00+02:00",
    ),
    "from the second of those hours into the skipped one": (
        until(field="contact.d", days=154),
        contact(BERLIN, d="2026-10-25T02:30:00+01:00"), "2027-03-28T03:30:00+02:00",
    ),
    "from the second of those hours into the next year's": (
        until(field="contact.d", days=371),
        contact(BERLIN, d="2026-10-25T02:30:00+01:00"), "2027-10-31T02:30:00+02:00",
    ),
    "the second of those hours itself": (
        until(field="contact.d"), contact(BERLIN, d="2027-10-31T02:30:00+01:00"), "2027-10-31T02:30:00+01:00",
    ),
    "the leap day": (until(day="2028-02-28", days=1, at="09:00"), contact(BERLIN), "2028-02-29T09:00:00+01:00"),
    "a year without one": (until(day="2027-02-28", days=1, at="09:00"), contact(BERLIN), "2027-03-01T09:00:00+01:00"),
    "a day that its place left out": (
        until(day="2040-12-30", timezone="Pacific/Apia"), {}, "2040-12-30T00:00:00+13:00",
    ),
    "the far future": (until(field="contact.d"), contact("UTC", d="9998-12-31"), "9000-01-01T00:00:00+00:00"),
    "the end of time": (
        until(field="contact.d"), contact("UTC", d="9999-12-31T23:00:00Z"), "9000-01-01T00:00:00+00:00",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wait", "facts", "ends"), UNTIL.values(), ids=UNTIL.keys())
def test_a_wait_until(wait: WaitUntil, facts: dict[str, Any], ends: str) -> None:
    ending = wait_ending(wait, facts, at("2026-11-21T08:00:00+07:00"))
    assert (ending.until, ending.outcome) == (at(ends), None)


NO_WAIT: dict[str, tuple[WaitUntil, Any, str]] = {
    "nothing there": (until(field="contact.d"), ..., MISSING),
    "null": (until(field="contact.d"), None, MISSING),
    "a text": (until(field="contact.d"), "soon", MISSING),
    "a text as long as a day": (until(field="contact.d"), "2026-13-01", MISSING),
    "a week": (until(field="contact.d"), "2026-W52-1", MISSING),
    "a time without an offset": (until(field="contact.d"), "2026-12-24T10:00:00", MISSING),
    "a number": (until(field="contact.d"), 1_900_000_000, MISSING),
    "a list": (until(field="contact.d"), ["2026-12-24"], MISSING),
    "beyond the calendar": (until(field="contact.d", days=10_000), "9999-12-31", MISSING),
    "before the calendar": (until(field="contact.d", days=-10_000), "0001-01-01", MISSING),
    "this very moment": (until(moment="2026-11-21T01:00:00Z"), ..., PAST),
    "a moment ago": (until(moment="2026-11-21T00:59:59Z"), ..., PAST),
    "today, which has begun": (until(field="contact.d"), "2026-11-21", PAST),
    "long ago": (until(field="contact.d"), "1900-01-01", PAST),
    "the beginning of time, which was no time yet in Greenwich": (until(field="contact.d"), "0001-01-01", MISSING),
    "its reminder is late": (until(field="contact.d", days=-3), "2026-11-23", PAST),
}


@pytest.mark.parametrize(("wait", "value", "outcome"), NO_WAIT.values(), ids=NO_WAIT.keys())
def test_a_wait_until_what_is_not_to_come(wait: WaitUntil, value: Any, outcome: str) -> None:
    facts = contact("Asia/Ho_Chi_Minh", **({} if value is ... else {"d": value}))
    ending = wait_ending(wait, facts, at("2026-11-21T08:00:00+07:00"))
    assert (ending.until, ending.outcome) == (None, outcome)


@settings(deadline=None)
@given(moments, st.sampled_from(ZONES), st.integers(-400, 400), st.none() | clocks)
@example(at("2026-10-25T02:30:00+01:00"), BERLIN, 154, None)
@example(at("2026-10-25T02:30:00+01:00"), BERLIN, 371, None)
def test_days_are_counted_on_the_calendar_and_the_clock(
    moment: datetime, zone: str, days: int, clock: time | None
) -> None:
    """The clock on the wall shows the wanted time, for the first time on that day, or had skipped it."""
    wait = until(moment=moment.isoformat(), days=days, timezone=zone)
    if clock is not None:
        wait = WaitUntil(moment=moment, days=days, at=clock, timezone=zone)
    ends = wait_ending(wait, {}, at("2000-01-01T00:00:00Z")).until
    assert ends is not None
    place = ZoneInfo(zone)
    local = moment.astimezone(place)
    if not days and clock is None:
        assert ends == moment
        return
    wanted = datetime.combine(local.date() + days * DAY, clock or local.time().replace(fold=0))
    shown = ends.astimezone(place).replace(tzinfo=None)
    earlier = [(ends - timedelta(minutes=m)).astimezone(place).replace(tzinfo=None) for m in range(1, 181)]
    if shown == wanted:
        assert wanted not in earlier
    else:
        assert shown > wanted
        assert wanted not in earlier
        assert min(earlier) < wanted  # the clocks went from before it to after it


@settings(deadline=None)
@given(st.dates(date(2024, 1, 1), date(2031, 1, 1)), clocks, st.sampled_from(ZONES))
def test_an_instant_is_what_the_clocks_show(day: date, clock: time, zone: str) -> None:
    found = instant(day, clock, ZoneInfo(zone))
    assert found.tzinfo is UTC
    assert instant(day, clock, ZoneInfo(zone)) <= instant(day + DAY, clock, ZoneInfo(zone)) - timedelta(hours=22)
    shown = found.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert timedelta() <= shown - datetime.combine(day, clock) <= HOUR


# --- lengths of time --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, "Australia/Lord_Howe"])
@pytest.mark.parametrize("length", [SECOND, HOUR, DAY, 7 * DAY, 400 * DAY])
@pytest.mark.parametrize(
    "now", ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2028-02-28T23:59:59Z", "2026-11-21T01:00:00.000001Z"]
)
def test_a_length_of_time_is_that_long_whatever_the_clocks_do(zone: str, length: timedelta, now: str) -> None:
    for wait in (WaitFor(duration=length), WaitEvent(events=("a.b",), timeout=length)):
        assert wait_ending(wait, contact(zone), at(now)).until == at(now) + length


def test_nothing_lasts_beyond_what_can_be_stored() -> None:
    late = datetime(9998, 12, 1, tzinfo=UTC)
    for wait in (WaitFor(duration=10_000 * DAY), WaitEvent(events=("a.b",), timeout=10_000 * DAY)):
        ends = wait_ending(wait, {}, late - 9_000 * DAY * 40).until
        assert ends is not None
        assert to_micros(ends) < 2**62
    ends = wait_ending(WaitFor(duration=10_000 * DAY), {}, datetime(8990, 1, 1, tzinfo=UTC)).until
    assert ends == datetime(9000, 1, 1, tzinfo=UTC)


def test_the_outcome_says_what_ended_the_wait() -> None:
    assert outcome_at_end(WaitEvent(events=("a.b",), timeout=DAY)) == TIMED_OUT
    for wait in (WaitFor(duration=DAY), window("08:00", "20:00"), until(day="2026-12-24"), None):
        assert outcome_at_end(wait) == ELAPSED


anything: st.SearchStrategy[Waiting] = st.one_of(
    st.builds(WaitFor, duration=durations),
    st.builds(WaitEvent, events=st.just(("a.b",)), timeout=durations),
    windows,
    st.builds(
        WaitUntil, field=st.just("contact.d"), days=st.integers(-400, 400),
        offset=st.timedeltas(timedelta(days=-1), timedelta(days=1)), at=st.none() | clocks,
        timezone=st.sampled_from(("contact", *ZONES)),
    ),
)  # fmt: skip
values = st.one_of(
    st.none(), st.text(max_size=10), st.integers(), moments.map(datetime.isoformat),
    st.dates().map(date.isoformat), st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
)  # fmt: skip


@settings(deadline=None)
@given(anything, values, st.sampled_from((*ZONES, "Nowhere/Else", "")), moments)
def test_no_wait_ends_before_it_begins(wait: Waiting, value: Any, zone: str, now: datetime) -> None:
    ending = wait_ending(wait, contact(zone, d=value), now)
    assert (ending.until is None) != (ending.outcome is None)
    if ending.until is not None:
        assert ending.until > now
        assert ending.until.utcoffset() == timedelta()
        assert to_micros(ending.until) < 2**62
