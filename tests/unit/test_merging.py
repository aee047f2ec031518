"""What two contacts are as one, and that a merge forgets no table."""

from typing import Any

import msgspec
import pytest

from nhip.adapters.db.stores.merging import LEFT, MOVED
from nhip.adapters.db.tables import metadata
from nhip.domain.customers import Contact
from nhip.domain.errors import InvalidInput
from nhip.domain.merging import Keep
from nhip.domain.runs import OpenRun
from nhip.domain.scores import ScoreRule
from nhip.domain.workflow import Mode
from nhip.engine.customers import scoring
from nhip.engine.customers.merging import leaving, unite

DAY = scoring.DAY


def contact(known_as: str, /, **attributes: Any) -> Contact:
    return Contact(
        id=f"id-{known_as}", external_id=known_as, attributes={"lifecycle": "lead", "tags": [], **attributes}, score=0,
        revision=0, created_at=0, updated_at=0,
    )  # fmt: skip


def keep(**said: str) -> Keep:
    return msgspec.convert(said, Keep)


class TestFields:
    def test_what_one_does_not_say_the_other_does(self) -> None:
        mine = contact("A", name="Lan", phone="1", tags=["a", "b"], custom={"size": "M", "points": 0, "note": ""})
        theirs = contact(
            "B", name="Lan Anh", phone="1", email="lan@x.vn", tags=["b", "c"], lifecycle="customer",
            timezone="Asia/Tokyo", custom={"size": "L", "points": 5, "note": "calls back", "shoe": 38},
        )  # fmt: skip
        united = unite(mine, theirs, Keep())
        assert united.fields == {
            "email": "lan@x.vn", "timezone": "Asia/Tokyo", "lifecycle": "customer",
            "custom": {"note": "calls back", "shoe": 38}, "tags": ["a", "b", "c"],
        }  # fmt: skip
        assert set(united.filled) == {"email", "timezone", "lifecycle", "custom.note", "custom.shoe"}
        assert united.tags == ("c",)
        assert msgspec.to_builtins(united.given_up) == {
            "name": {"of": "B", "value": "Lan Anh"},
            "custom.size": {"of": "B", "value": "L"},
            "custom.points": {"of": "B", "value": 5},
        }

    def test_whose_value_is_kept_can_be_said(self) -> None:
        mine, theirs = contact("A", name="Lan", phone="1", email="a@x.vn"), contact("B", name="An", phone="2")
        united = unite(mine, theirs, keep(phone="B", name="B", email="A"))
        assert united.fields == {"phone": "2", "name": "An"}
        assert msgspec.to_builtins(united.given_up) == {
            "phone": {"of": "A", "value": "1"}, "name": {"of": "A", "value": "Lan"},
        }  # fmt: skip

    def test_an_account_and_a_company_come_from_one_contact(self) -> None:
        united = unite(contact("A", company_name="Mai"), contact("B", account="ACC-9", company_name="Cúc"), Keep())
        assert united.fields == {}
        assert set(united.given_up) == {"account", "company_name"}

    @pytest.mark.parametrize(
        ("said", "problems"),
        [
            ({}, [("keep.phone", "differs"), ("keep.email", "differs")]),
            ({"phone": "A"}, [("keep.email", "differs")]),
            ({"phone": "A", "email": "C"}, [("keep.email", "unknown_contact")]),
            ({"phone": "A", "email": "B", "zalo_user_id": "B"}, [("keep.zalo_user_id", "nothing_to_keep")]),
        ],
    )
    def test_identities_that_differ_need_a_decision(
        self, said: dict[str, str], problems: list[tuple[str, str]]
    ) -> None:
        mine, theirs = (
            contact("A", phone="+841", email="a@x.vn", zalo_user_id="9"),
            contact("B", phone="+842", email="b@x.vn"),
        )
        with pytest.raises(InvalidInput) as raised:
            unite(mine, theirs, keep(**said))
        assert [(one.path, one.code) for one in raised.value.problems] == problems
        assert not any(secret in one.message for one in raised.value.problems for secret in ("+84", "@"))


class TestRuns:
    @pytest.mark.parametrize(
        ("mode", "left"),
        [
            (Mode.SINGLE, [("3", "contact_merged")]),
            (Mode.RESTART, [("1", "restarted")]),
            (Mode.QUEUED, []),
            (Mode.PARALLEL, []),
        ],
    )
    def test_runs_end_as_if_both_had_been_one_all_along(self, mode: Mode, left: list[tuple[str, str]]) -> None:
        def run(identifier: str, workflow: str, version: str = "v") -> OpenRun:
            return OpenRun(
                id=identifier, workflow=workflow, version_id=version, contact_id="", root_event_id="", state="running"
            )

        mine = [run("1", "greet"), run("2", "other"), run("5", "lost", "unknown")]
        theirs = [run("3", "greet"), run("4", "third"), run("6", "lost", "unknown")]
        assert [(one.id, reason) for one, reason in leaving(mine, theirs, {"v": mode})] == left


class TestScores:
    RULES = (
        ScoreRule(id="a", title="", events=("x",), where=None, points=10, cap=None, half_life=7 * DAY),
        ScoreRule(id="b", title="", events=("y",), where=None, points=40, cap=100, half_life=0),
    )

    def count(self, *hits: tuple[int, int], now: int, onto: str | None = None) -> Any:
        said = [(self.RULES[number], time) for number, time in hits]
        return scoring.count(scoring.read_state(onto), self.RULES, 1, said, now).state

    def test_two_scores_together_are_what_one_contact_would_have(self) -> None:
        now = 30 * DAY
        mine, theirs = ((0, DAY), (1, 2 * DAY)), ((0, 3 * DAY), (0, 9 * DAY), (1, 4 * DAY))
        joined = scoring.joined(self.count(*mine, now=now), self.count(*theirs, now=now), self.RULES, 1, now)
        alone = self.count(*mine, *theirs, now=now)
        assert joined.rules.keys() == alone.rules.keys()
        for name, one in joined.rules.items():
            assert (one.count, one.last_at, one.as_of) == (
                alone.rules[name].count, alone.rules[name].last_at, alone.rules[name].as_of
            )  # fmt: skip
            assert one.value == pytest.approx(alone.rules[name].value)
        assert joined.turns == self.count(*mine, now=now).turns

    def test_a_cap_holds_for_both_together(self) -> None:
        mine, theirs = self.count((1, 1), (1, 2), now=9), self.count((1, 3), (1, 4), now=9)
        joined = scoring.joined(mine, theirs, self.RULES, 1, 9)
        assert (joined.rules["b"].value, joined.rules["b"].uncapped) == (100, 160)

    def test_both_follow_the_rules_of_now(self) -> None:
        mine, theirs = self.count((1, 1), now=9), self.count((0, 3), (1, 4), now=9)
        joined = scoring.joined(mine, theirs, self.RULES[1:], 2, 9)
        assert {name: one.value for name, one in joined.rules.items()} == {"b": 80}


def test_a_merge_knows_every_column_that_points_at_a_contact() -> None:
    """Whoever adds one says in the store of merges what becomes of it."""
    pointing = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if "contact" in column.name or column.name in ("owner_id", "merged_id")
    }
    assert pointing == {*MOVED, *LEFT}
