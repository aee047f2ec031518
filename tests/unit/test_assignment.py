"""Who gets it: tables for the obstacles, and laws for turns and loads."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from nhip.domain.customers import Staff
from nhip.engine.desk.assignment import Candidate, choose, obstacle

MONDAY_NOON = datetime(2026, 11, 23, 5, tzinfo=UTC)
"""12:00 in Vietnam."""


def person(name: str, **said: Any) -> Staff:
    return msgspec.convert({"external_id": name, "name": name, **said}, Staff)


def candidates(*people: Staff) -> list[Candidate]:
    return [Candidate(person=one) for one in people]


@pytest.mark.parametrize(
    ("said", "moment", "expected"),
    [
        pytest.param({}, MONDAY_NOON, None, id="nobody said any hours"),
        pytest.param({"active": False}, MONDAY_NOON, "left", id="left"),
        pytest.param({"hours": {}}, MONDAY_NOON, None, id="within the usual hours"),
        pytest.param({"hours": {}}, MONDAY_NOON + timedelta(hours=5.5), "out_of_hours", id="at the last minute"),
        pytest.param({"hours": {}}, MONDAY_NOON - timedelta(hours=4), None, id="at the first minute"),
        pytest.param({"hours": {}}, MONDAY_NOON - timedelta(days=1), "out_of_hours", id="on Sunday"),
        pytest.param({"hours": {"timezone": "Europe/Paris"}}, MONDAY_NOON, "out_of_hours", id="too early elsewhere"),
        pytest.param(
            {"hours": [{"to": "11:00"}, {"days": ["mon"], "from": "11:30"}]}, MONDAY_NOON, None, id="in another shift"
        ),
        pytest.param(
            {"hours": {"days": ["sun"], "from": "22:00", "to": "13:00"}}, MONDAY_NOON, None, id="since the day before"
        ),
        pytest.param(
            {"hours": {"days": ["mon"], "from": "06:00", "to": "06:00"}}, MONDAY_NOON, None, id="the whole day round"
        ),
        pytest.param(
            {"absences": [{"from": "2026-11-23T00:00:00+07:00", "until": "2026-11-24T00:00:00+07:00"}]},
            MONDAY_NOON, "absent", id="away",
        ),
        pytest.param(
            {"absences": [{"from": "2026-11-23T00:00:00+07:00", "until": "2026-11-23T12:00:00+07:00"}]},
            MONDAY_NOON, None, id="just back",
        ),
    ],
)  # fmt: skip
def test_what_stands_against_somebody(said: dict[str, Any], moment: datetime, expected: str | None) -> None:
    assert obstacle(person("NV-1", **said), moment, hours=True) == expected


def test_hours_count_only_where_they_are_asked_for() -> None:
    assert obstacle(person("NV-1", hours={}), MONDAY_NOON - timedelta(days=1), hours=False) is None


def test_whoever_has_least_to_do_gets_it_and_of_equals_the_next_in_turn() -> None:
    people = [Candidate(person=person(name), load=load) for name, load in (("A", 2), ("B", 1), ("C", 1))]

    chosen = [choose(people, "least_busy", last, MONDAY_NOON, hours=False).staff for last in (None, "B", "C")]

    assert chosen == ["B", "C", "B"]


def test_those_who_were_passed_over_are_named() -> None:
    people = candidates(person("B", active=False), person("A", hours={"days": ["sun"]}))

    choice = choose(people, "round_robin", None, MONDAY_NOON, hours=True)

    assert choice.staff is None
    assert [(one.staff, one.reason) for one in choice.passed] == [("A", "out_of_hours"), ("B", "left")]


# --- laws -------------------------------------------------------------------------------------------------------------

NAMES = "ABCDEFGH"
somebody = st.builds(
    person,
    st.sampled_from(NAMES),
    active=st.booleans(),
    hours=st.sampled_from([None, {}, {"days": ["mon"], "from": "20:00", "to": "13:00"}, {"days": ["sat"]}]),
    absences=st.sampled_from([(), ({"from": MONDAY_NOON, "until": MONDAY_NOON + timedelta(hours=9)},)]),
)
teams = st.lists(somebody, max_size=8, unique_by=lambda one: one.external_id)
moments = st.integers(0, 24 * 14).map(lambda hours: MONDAY_NOON + timedelta(hours=hours))
hows = st.sampled_from(["round_robin", "least_busy"])


@given(teams, hows, st.none() | st.sampled_from(NAMES), moments, st.booleans())
def test_nobody_is_chosen_whom_anything_stands_against(
    team: list[Staff], how: Any, last: str | None, moment: datetime, hours: bool
) -> None:
    choice = choose(candidates(*team), how, last, moment, hours=hours)

    free = {one.external_id for one in team if obstacle(one, moment, hours=hours) is None}
    assert (choice.staff in free) if free else (choice.staff is None)
    assert {one.staff for one in choice.passed} == {one.external_id for one in team} - free


@given(teams.flatmap(lambda team: st.tuples(st.just(team), st.permutations(team))), hows, moments)
def test_the_order_of_the_candidates_is_no_matter(
    two: tuple[list[Staff], list[Staff]], how: Any, now: datetime
) -> None:
    first, second = (choose(candidates(*team), how, "D", now, hours=True) for team in two)
    assert first == second


@given(
    always=st.sets(st.sampled_from(NAMES), min_size=1),
    sometimes=st.lists(st.sets(st.sampled_from(NAMES)), min_size=1, max_size=40),
)
def test_whoever_is_always_there_gets_as_many_turns_as_the_others_who_are(
    always: set[str], sometimes: list[set[str]]
) -> None:
    """Others come, go, and are new; it is fair all the same, after any number of turns."""
    last: str | None = None
    turns: Counter[str] = Counter()
    for also in sometimes:
        team = candidates(*(person(name) for name in always | also))
        last = choose(team, "round_robin", last, MONDAY_NOON, hours=False).staff
        assert last is not None
        turns[last] += 1
        counts = [turns[name] for name in always]
        assert max(counts) - min(counts) <= 1


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 5), min_size=1), st.integers(1, 30))
def test_giving_it_to_whoever_has_least_to_do_evens_the_work_out(loads: dict[str, int], times: int) -> None:
    last: str | None = None
    most = max(loads.values())
    for _ in range(times):
        team = [Candidate(person=person(name), load=load) for name, load in loads.items()]
        last = choose(team, "least_busy", last, MONDAY_NOON, hours=False).staff
        assert last is not None
        loads[last] += 1
    assert max(loads.values()) <= max(most, min(loads.values()) + 1)
