"""Numbers as calls tell them, and plans as they are stored."""

import pytest

from nhip.domain.calls import (
    CallPlan,
    Connect,
    Gather,
    HangUp,
    Play,
    Queue,
    RecordVoice,
    Say,
    caller_number,
    dialled_number,
    read_plan,
    write_plan,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+842873000000", "+842873000000"),
        ("028 7300 0000", "+842873000000"),
        ("(028) 7300.0000", "+842873000000"),
        ("842873000000", "+842873000000"),
        ("00842873000000", "+842873000000"),
        ("1900 1234", "+8419001234"),
        ("8419001234", "+8419001234"),
        ("1800-1560", "+8418001560"),
        ("+12025550123", "+12025550123"),
        ("101", "101"),
        ("care", "care"),
        ("", ""),
    ],
)
def test_a_dialled_number_has_one_spelling(text: str, number: str) -> None:
    assert dialled_number(text) == number
    assert dialled_number(number) == number


@pytest.mark.parametrize("text", ["", None, "anonymous", "Anonymous", "Restricted", "+266696687", "7378742833", " "])
def test_who_hides_has_no_number(text: str | None) -> None:
    assert caller_number(text) is None


def test_who_shows_a_number_has_it() -> None:
    assert caller_number("0987 654 321") == "+84987654321"
    assert caller_number("101") == "101"


def test_a_plan_is_read_as_it_was_written() -> None:
    gather = Gather(prompts=(Say(text="Bấm 1"), Play(url="https://cdn.example/menu.mp3")), digits=1, timeout=4.0)
    steps = (Say(text="Chào"), Connect(to="+84901234567"), Queue(name="care"), RecordVoice(), HangUp(), gather)
    plan = CallPlan(steps=steps)
    assert read_plan(write_plan(plan)) == plan
