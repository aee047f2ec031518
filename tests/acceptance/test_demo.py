"""`nhip demo`, run as people run it: its table agrees with the provider's ledger, also when the server is killed."""

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from nhip.demo.scenario import CONTACTS, EVENTS, plan
from nhip.demo.workflows import RECIPES
from nhip.testing.standins import Ledger

PEOPLE = plan().people


def perform(folder: Path, *options: str) -> dict[str, Any]:
    """Run the demonstration in a process of its own, and answer with what it printed."""
    command = [sys.executable, "-m", "nhip", "demo", "--json", "--data-dir", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def messages(folder: Path) -> list[tuple[str, str]]:
    """What the provider accepted, by template and by what it is about."""
    return sorted(
        (entry.content["template_id"], entry.content["template_data"]["code"])
        for entry in Ledger.load(folder / "zalo-ledger.jsonl")
    )


def test_the_table_agrees_with_the_ledger_and_a_kill_changes_nothing(tmp_path: Path) -> None:
    calm = perform(tmp_path / "calm", "--events", "400")
    killed = perform(tmp_path / "killed", "--events", "400", "--kill-after", "120")

    for said in (calm, killed):
        assert said["agrees"]
        assert said["reckoning"]["disagreements"] == []
        assert said["reckoning"]["repeated"] == 0
        assert len(said["reckoning"]["rows"]) == 10
        assert sum(row["sent"] for row in said["reckoning"]["rows"]) == 266
        assert all(row["sent"] == row["ledger"] == row["delivered"] for row in said["reckoning"]["rows"])
    assert (calm["restarts"], killed["restarts"]) == (0, 1)
    sent = messages(tmp_path / "calm")
    assert len(sent) == len(set(sent)) == 266
    assert messages(tmp_path / "killed") == sent


def test_a_folder_with_a_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "nhip.db").touch()

    command = [sys.executable, "-m", "nhip", "demo", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "holds a database already" in done.stderr


def test_the_case_is_as_it_was_published() -> None:
    case = plan()

    assert (len(case.events), len(case.people), case.messages) == (EVENTS, CONTACTS, 10_000)
    assert sum(planned.accepted for planned in case.events) == 10_000
    assert [recipe.record for recipe in RECIPES] == ["ticket"] * 5 + ["order"] * 3 + ["deal"] * 2
    assert {planned.starts for planned in case.events} - {None} == {recipe.name for recipe in RECIPES}
    assert len({planned.event["id"] for planned in case.events}) == EVENTS
    assert {planned.person.external_id for planned in case.events} == {person.external_id for person in case.people}


@pytest.mark.parametrize("events", [100, 101, 399, 1_000])
def test_every_size_makes_two_messages_of_three_events(events: int) -> None:
    case = plan(events)

    assert len(case.events) == events
    assert sum(planned.accepted for planned in case.events) == case.messages == events * 2 // 3
    assert {planned.starts for planned in case.events} - {None} == {recipe.name for recipe in RECIPES}


def test_a_plan_follows_from_its_size() -> None:
    first, second = plan(200), plan(200)

    assert [planned.event["data"] for planned in first.events] == [planned.event["data"] for planned in second.events]


def test_people_are_vietnamese_and_some_cannot_be_reached() -> None:
    assert all(unicodedata.is_normalized("NFC", person.name) for person in PEOPLE)
    assert all(2 <= len(person.name.split()) <= 4 and len(person.name) <= 30 for person in PEOPLE)
    assert 0.01 < sum(person.phone is None for person in PEOPLE) / CONTACTS < 0.05
    assert 0.005 < sum(person.refused for person in PEOPLE) / CONTACTS < 0.03
    numbers = [person.phone for person in PEOPLE if person.reachable]
    assert len(set(numbers)) == len(numbers)


def test_a_customer_s_snapshot_is_what_the_api_takes() -> None:
    from nhip.catalog import Catalog
    from nhip.engine.incoming.intake import Intake

    intake = Intake(Catalog.load())

    for person in PEOPLE:
        known = intake.contact(person.snapshot())
        assert known.get("phone", "").startswith("+84") == (person.phone is not None)
