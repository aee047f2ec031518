"""When schedules tick: cron where clocks are changed, what was missed, what cannot be."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from nhip.domain.scans import Cron, DateScan, Missed, SilenceScan, TickScan
from nhip.engine.times.schedule import (
    GRACE,
    last_tick,
    next_tick,
    scan_problems,
    tick_to_run,
    ticks_between,
    upcoming,
)

VIETNAM = "Asia/Ho_Chi_Minh"
BERLIN = "Europe/Berlin"


def local(text: str, zone: str = VIETNAM) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        pytest.param("0 9 * * *", "2026-11-21T08:00", ["2026-11-21T09:00", "2026-11-22T09:00"], id="daily"),
        pytest.param("0 9 * * *", "2026-11-21T09:00", ["2026-11-22T09:00"], id="the moment itself is over"),
        pytest.param("0 9 * * 1", "2026-11-21T08:00", ["2026-11-23T09:00", "2026-11-30T09:00"], id="mondays"),
        pytest.param("*/20 8 * * *", "2026-11-21T08:10", ["2026-11-21T08:20", "2026-11-21T08:40"], id="steps"),
        pytest.param("0 0 31 * *", "2026-11-21T08:00", ["2026-12-31T00:00", "2027-01-31T00:00"], id="only long months"),
        pytest.param("0 0 L * *", "2026-11-21T08:00", ["2026-11-30T00:00", "2026-12-31T00:00"], id="last day"),
        pytest.param("0 0 29 2 *", "2026-11-21T08:00", ["2028-02-29T00:00", "2032-02-29T00:00"], id="leap days"),
        pytest.param("30 8 * * FRI#2", "2026-11-21T08:00", ["2026-12-11T08:30"], id="second friday"),
        pytest.param("0 9 1 1,4,7,10 *", "2026-11-21T08:00", ["2027-01-01T09:00", "2027-04-01T09:00"], id="quarters"),
    ],
)
def test_ticks(expression: str, after: str, expected: list[str]) -> None:
    cron = Cron(expression=expression, timezone=VIETNAM)
    assert upcoming(cron, local(after), len(expected)) == [local(one) for one in expected]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        # On 29 March 2026 Berlin's clocks go from 02:00 to 03:00, on 25 October from 03:00 to 02:00.
        pytest.param("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"], id="a skipped time"),
        pytest.param("0 3 * * *", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T01:00"], id="just behind it"),
        pytest.param("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"], id="shown twice"),
        pytest.param("30 2 * * *", "2026-10-25T00:45", ["2026-10-26T01:30"], id="between the two passes"),
        pytest.param("0 9 * * *", "2026-03-28T12:00", ["2026-03-29T07:00", "2026-03-30T07:00"], id="summer begins"),
        pytest.param("0 9 * * *", "2026-10-24T12:00", ["2026-10-25T08:00", "2026-10-26T08:00"], id="summer ends"),
    ],
)
def test_ticks_where_clocks_are_changed(expression: str, after: str, expected: list[str]) -> None:
    cron = Cron(expression=expression, timezone=BERLIN)
    assert upcoming(cron, utc(after), len(expected)) == [utc(one) for one in expected]


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_an_hourly_schedule_goes_by_the_time_that_passes(day: str, count: int) -> None:
    cron = Cron(expression="0 * * * *", timezone=BERLIN)
    start = local(f"{day}T00:00", BERLIN) - timedelta(seconds=1)
    end = local(f"{day}T23:59", BERLIN)
    ticks = list(ticks_between(cron, start, end))
    assert len(ticks) == count
    assert {later - sooner for sooner, later in pairwise(ticks)} == {timedelta(hours=1)}


@pytest.mark.parametrize(
    ("missed", "late", "expected"),
    [
        # Every ten minutes; everything up to 08:00 is done.
        pytest.param(Missed.SKIP, 5, None, id="skip, nothing due"),
        pytest.param(Missed.SKIP, 10, 10, id="skip, in time"),
        pytest.param(Missed.SKIP, 11, 10, id="skip, within the grace"),
        pytest.param(Missed.SKIP, 12, None, id="skip, too late"),
        pytest.param(Missed.SKIP, 40, 40, id="skip, the newest is in time"),
        pytest.param(Missed.LAST, 9, None, id="last, nothing due"),
        pytest.param(Missed.LAST, 45, 40, id="last of four"),
        pytest.param(Missed.ALL, 9, None, id="all, nothing due"),
        pytest.param(Missed.ALL, 45, 10, id="all, the first of four"),
    ],
)
def test_what_becomes_of_missed_ticks(missed: Missed, late: int, expected: int | None) -> None:
    cron, since = Cron(expression="*/10 * * * *", timezone=VIETNAM), local("2026-11-21T08:00")
    tick = tick_to_run(cron, missed, since, since + timedelta(minutes=late))
    assert tick == (since + timedelta(minutes=expected) if expected is not None else None)


EXPRESSIONS = ["* * * * *", "*/7 * * * *", "0 9 * * *", "30 2 * * *", "15 1,2,3 * * *", "0 0 1 * *", "0 12 * * 1-5"]
crons = st.builds(Cron, expression=st.sampled_from(EXPRESSIONS), timezone=st.sampled_from([VIETNAM, BERLIN, "UTC"]))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@settings(deadline=None)
@given(crons, moments, st.lists(st.integers(0, 1_000), min_size=1, max_size=8))
def test_looking_often_and_looking_once_see_the_same_ticks(cron: Cron, start: datetime, pauses: list[int]) -> None:
    """However time is cut into pieces, every tick is seen exactly once."""
    seen, since = [], start
    for pause in pauses:
        until = since + timedelta(minutes=pause)
        seen += list(ticks_between(cron, since, until))
        since = until
    assert seen == list(ticks_between(cron, start, since))
    assert seen == sorted(set(seen))


@settings(deadline=None)
@given(crons, moments, st.integers(0, 2_000))
def test_the_last_tick_is_the_last(cron: Cron, since: datetime, minutes: int) -> None:
    until = since + timedelta(minutes=minutes)
    assert last_tick(cron, since, until) == next(reversed(list(ticks_between(cron, since, until))), None)


@settings(deadline=None)
@given(crons, moments, st.integers(0, 2_000))
def test_catching_up_with_all_is_as_if_one_had_been_there(cron: Cron, since: datetime, minutes: int) -> None:
    now, run, done = since + timedelta(minutes=minutes), [], since
    while (tick := tick_to_run(cron, Missed.ALL, done, now)) is not None:
        run.append(tick)
        done = tick
    assert run == list(ticks_between(cron, since, now))


@given(crons, moments, st.integers(0, 2_000), st.sampled_from(Missed))
def test_a_tick_that_is_run_is_new_and_not_early(cron: Cron, since: datetime, minutes: int, missed: Missed) -> None:
    now = since + timedelta(minutes=minutes)
    tick = tick_to_run(cron, missed, since, now)
    if tick is not None:
        assert since < tick <= now
        assert tick >= now - GRACE or missed is not Missed.SKIP


@given(crons, moments)
def test_a_tick_shows_the_time_that_was_asked_for(cron: Cron, after: datetime) -> None:
    """But for the hour that clocks skip."""
    if cron.expression == "0 9 * * *":
        tick = next_tick(cron, after)
        assert tick is not None
        shown = tick.astimezone(ZoneInfo(cron.timezone))
        assert (shown.hour, shown.minute) == (9, 0)


@pytest.mark.parametrize(
    ("scan", "path"),
    [
        pytest.param(TickScan(when=Cron(expression="0 9 * *", timezone=VIETNAM)), "cron", id="four fields"),
        pytest.param(TickScan(when=Cron(expression="0 0 9 * * *", timezone=VIETNAM)), "cron", id="seconds"),
        pytest.param(TickScan(when=Cron(expression="61 9 * * *", timezone=VIETNAM)), "cron", id="no such minute"),
        pytest.param(TickScan(when=Cron(expression="0 0 30 2 *", timezone=VIETNAM)), "cron", id="never"),
        pytest.param(TickScan(when=Cron(expression="0 0 29 2 MON#5L", timezone=VIETNAM)), "cron", id="nonsense"),
        pytest.param(TickScan(when=Cron(expression="0 9 * * *", timezone="Asia/Hanoi")), "timezone", id="zone"),
        pytest.param(
            SilenceScan(activity="order", days=0, when=Cron(expression="0 9 * * *", timezone=VIETNAM)), "days", id="0"
        ),
        pytest.param(DateScan(field="birthday", days=0, at="08:00", timezone="contact"), "field", id="no owner"),
        pytest.param(DateScan(field="contact.birthday", days=0, at="8:00", timezone="contact"), "at", id="clock"),
        pytest.param(DateScan(field="contact.birthday", days=0, at="08:00", timezone="x"), "timezone", id="date zone"),
    ],
)
def test_what_cannot_be(scan: TickScan | SilenceScan | DateScan, path: str) -> None:
    assert [problem.path for problem in scan_problems(scan)] == [path]
