"""Who calls, when, and whether again: tables, and what must always hold."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, strategies as st

from nhip.domain.customers import Staff
from nhip.domain.duty import Absence
from nhip.domain.telesales import CallingHours, Outcome, Retry, RetryRules, Turn
from nhip.domain.times import parse_time
from nhip.engine.desk.telesales import away_from, calling_time, goes_back_at, late_agents, next_agent, next_call

VIETNAM = CallingHours()
NOW = parse_time("2026-11-20T15:00:00+07:00")


def hours(days: str = "mon tue wed thu fri", **said: str) -> CallingHours:
    return msgspec.convert({"days": days.split(), **said}, CallingHours)


@pytest.mark.parametrize(
    ("when", "wanted", "expected"),
    [
        (VIETNAM, "2026-11-20T10:00:00+07:00", "2026-11-20T10:00:00+07:00"),
        (VIETNAM, "2026-11-20T07:59:59+07:00", "2026-11-20T08:00:00+07:00"),
        (VIETNAM, "2026-11-20T17:00:00+07:00", "2026-11-21T08:00:00+07:00"),
        (VIETNAM, "2026-11-20T16:59:59+07:00", "2026-11-20T16:59:59+07:00"),
        (hours(), "2026-11-20T17:00:00+07:00", "2026-11-23T08:00:00+07:00"),
        (hours(), "2026-11-22T12:00:00+07:00", "2026-11-23T08:00:00+07:00"),
        (hours("sun"), "2026-11-22T17:30:00+07:00", "2026-11-29T08:00:00+07:00"),
        # New York's clocks go back on 1 November 2026 and skip from 02:00 to 03:00 on 8 March.
        (hours(timezone="America/New_York"), "2026-10-30T18:00:00-04:00", "2026-11-02T08:00:00-05:00"),
        (hours("sun", **{"from": "02:30", "to": "05:00", "timezone": "America/New_York"}),
         "2026-03-08T01:00:00-05:00", "2026-03-08T03:30:00-04:00"),
    ],
    ids=["within", "early", "late", "last-second", "friday-evening", "sunday", "once-a-week", "autumn", "spring"],
)  # fmt: skip
def test_calls_are_made_within_the_hours(when: CallingHours, wanted: str, expected: str) -> None:
    found = calling_time(when, parse_time(wanted))
    assert found == parse_time(expected)
    assert found.tzinfo == UTC


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
some_hours = st.builds(
    lambda days, first, length, place: msgspec.convert(
        {
            "days": sorted(days, key=DAYS.index),
            "from": f"{first // 60:02}:{first % 60:02}",
            "to": f"{min(first + length, 1439) // 60:02}:{min(first + length, 1439) % 60:02}",
            "timezone": place,
        },
        CallingHours,
    ),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(0, 1200),
    st.integers(120, 1439),
    st.sampled_from(["Asia/Ho_Chi_Minh", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(some_hours, moments)
def test_a_calling_time_is_within_the_hours_and_not_before_it_was_wanted(when: CallingHours, wanted: datetime) -> None:
    found = calling_time(when, wanted)
    assert wanted <= found <= wanted + timedelta(days=8)
    assert calling_time(when, found) == found
    local = found.astimezone(ZoneInfo(when.timezone))
    assert DAYS[local.weekday()] in when.days
    assert when.from_ <= f"{local:%H:%M}" < when.to


@given(some_hours, moments, st.timedeltas(timedelta(), timedelta(days=20)))
def test_whoever_is_wanted_later_is_not_called_earlier(when: CallingHours, wanted: datetime, more: timedelta) -> None:
    assert calling_time(when, wanted) <= calling_time(when, wanted + more)


# --- turns ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("active", "last", "expected"),
    [
        ("abc", None, "a"),
        ("abc", "a", "b"),
        ("abc", "c", "a"),
        ("ac", "a", "c"),
        ("c", "c", "c"),
        ("", "a", None),
        ("abc", "gone", "a"),
        ("ac", "b", "c"),
    ],
)
def test_it_is_the_next_ones_turn(active: str, last: str | None, expected: str | None) -> None:
    assert next_agent(tuple("abc"), frozenset(active), last) == expected


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.sets(st.sampled_from("abcdefgh")),
    st.sampled_from("abcdefgh") | st.none(),
    st.integers(0, 60),
)
def test_turns_are_fair(agents: list[str], active: set[str], last: str | None, count: int) -> None:
    dealt: list[str | None] = []
    for _ in range(count):
        dealt.append(next_agent(agents, active, last))
        last = dealt[-1] or last
    able = set(agents) & active
    assert set(dealt) <= able if able else not any(dealt)
    if able:
        turns = Counter(dealt)
        shares = [turns[agent] for agent in able]
        assert max(shares) - min(shares) <= 1


# --- until when -------------------------------------------------------------------------------------------------------

HOLD = timedelta(hours=1)


def at(clock: str) -> datetime:
    return parse_time(f"2026-11-20T{clock}:00+07:00")


def agent(*away: str, active: bool = True) -> Staff:
    """Somebody who is away at such times: ``"12:00-13:00"``."""
    times = tuple(Absence(from_=at(one[:5]), until=at(one[6:])) for one in away)
    return Staff(external_id="NV-1", name="Lan", active=active, absences=times)


@pytest.mark.parametrize(
    ("person", "taken", "due", "hold", "here", "expected"),
    [
        (agent(), None, "08:00", HOLD, False, None),
        (agent(), "09:30", "08:00", HOLD, False, "10:30"),
        (agent(), "08:00", "08:00", HOLD, False, "09:00"),
        (agent(), "09:30", "08:00", None, False, None),
        (None, None, "12:00", HOLD, False, "10:00"),
        (agent(active=False), "09:30", "08:00", None, False, "10:00"),
        (agent("10:15-11:00"), "09:30", "08:00", HOLD, False, "10:15"),
        (agent("12:00-13:00", "11:00-11:30"), None, "08:00", HOLD, False, "11:00"),
        (agent("09:00-11:00"), None, "08:00", None, False, "10:00"),
        (agent("09:00-11:00"), None, "10:30", None, False, "10:30"),
        (agent("09:00-11:00"), None, "11:00", None, False, None),
        (agent("09:00-11:00"), "10:00", "08:00", HOLD, True, "11:00"),
        (agent("08:00-09:00"), None, "08:00", None, False, None),
    ],
    ids=[
        "given", "taken", "held-too-long", "for-ever", "removed", "left", "away-soon", "away-first", "away-now",
        "away-when-due", "back-when-due", "seen-just-now", "was-away",
    ],
)  # fmt: skip
def test_until_when_an_agent_has_an_entry(
    person: Staff | None, taken: str | None, due: str, hold: timedelta | None, here: bool, expected: str | None
) -> None:
    found = goes_back_at(person, at(taken) if taken else None, at(due), hold, at("10:00"), here=here)
    assert found == (at(expected) if expected else None)


spans = st.tuples(st.integers(0, 100), st.integers(1, 50)).map(
    lambda one: Absence(from_=NOW + timedelta(minutes=one[0]), until=NOW + timedelta(minutes=sum(one)))
)


@given(st.lists(spans, max_size=4), st.integers(0, 160))
def test_whoever_is_away_is_first_away_then(absences: list[Absence], since: int) -> None:
    start = NOW + timedelta(minutes=since)
    minutes = (start + timedelta(minutes=more) for more in range(200))
    slow = next((one for one in minutes if any(a.from_ <= one < a.until for a in absences)), None)
    assert away_from(absences, start) == slow


@pytest.mark.parametrize(
    ("history", "late"),
    [
        ("", ""),
        ("taken:a", ""),
        ("taken:a returned:a", "a"),
        ("taken:a returned:a given:b", "a"),
        ("taken:a returned:a returned:b", "ab"),
        ("taken:a returned:a taken:b", ""),
        ("taken:a returned:a taken:b returned:b", "b"),
        ("taken:a returned:a called:b", ""),
    ],
)
def test_who_may_still_say_what_came_of_a_call(history: str, late: str) -> None:
    turns = [msgspec.convert({"at": 0, "what": one[:-2], "agent": one[-1]}, Turn) for one in history.split()]
    assert late_agents(turns) == set(late)


# --- again ------------------------------------------------------------------------------------------------------------

RULES = RetryRules(no_answer=Retry(after="PT4H", times=2), busy=None)


@pytest.mark.parametrize(
    ("outcome", "counts", "expected"),
    [
        ("answered", {}, None),
        ("refused", {"no_answer": 1}, None),
        ("no_answer", {}, "2026-11-21T08:00:00+07:00"),
        ("no_answer", {"no_answer": 1, "busy": 7}, "2026-11-21T08:00:00+07:00"),
        ("no_answer", {"no_answer": 2}, None),
        ("busy", {}, None),
        ("call_back", {"call_back": 9}, "2026-11-22T08:00:00+07:00"),
    ],
)
def test_a_call_is_tried_again_by_the_rules(outcome: str, counts: dict[str, int], expected: str | None) -> None:
    back = parse_time("2026-11-21T20:00:00+07:00") if outcome == "call_back" else None
    found = next_call(Outcome(outcome), counts, back, RULES, VIETNAM, NOW)
    assert found.due == (parse_time(expected) if expected else None)
    assert found.is_final == (expected is None)
    assert found.counts == {**counts, outcome: counts.get(outcome, 0) + 1}


@given(st.lists(st.sampled_from(["no_answer", "busy"]), max_size=30), st.integers(1, 5), st.integers(1, 5))
def test_nobody_is_called_for_ever(outcomes: list[str], times: int, others: int) -> None:
    rules = RetryRules(no_answer=Retry(after="PT1H", times=times), busy=Retry(after="PT1M", times=others))
    counts: dict[str, int] = {}
    calls = 0
    for outcome in outcomes:
        found: Any = next_call(Outcome(outcome), counts, None, rules, VIETNAM, NOW)
        counts, calls = found.counts, calls + 1
        if found.is_final:
            break
    assert calls <= times + others + 1
