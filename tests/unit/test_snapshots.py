"""What a snapshot changes, and the events that follow from it."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from nhip.engine.customers.snapshots import (
    activity_kind,
    activity_kinds,
    contact_events,
    merge,
    record_events,
    retagged,
    told_apart,
)

VALUES = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3) | st.lists(st.text(max_size=2), max_size=3)
)
KNOWN = VALUES.filter(lambda value: value is not None)
NAMES = st.sampled_from(["name", "phone", "tags", "status", "score"])
CUSTOM = st.dictionaries(st.sampled_from(["a", "b", "custom"]), VALUES, max_size=3)
SNAPSHOTS = st.builds(
    lambda fields, custom: {**fields, **({"custom": custom} if custom is not None else {})},
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.none() | CUSTOM,
)
CURRENT = st.builds(
    lambda fields, custom: {**fields, **({"custom": custom} if custom else {})},
    st.dictionaries(NAMES, KNOWN, max_size=4),
    st.dictionaries(st.sampled_from(["a", "b", "custom"]), KNOWN, max_size=3),
)


def without_empty_custom(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name != "custom" or value}


@given(CURRENT, SNAPSHOTS)
def test_applying_a_snapshot_twice_changes_nothing_more(current: dict[str, Any], snapshot: dict[str, Any]) -> None:
    merged, _ = merge(current, snapshot)
    assert merge(merged, snapshot) == (merged, {})


@given(CURRENT, SNAPSHOTS)
def test_previous_restores_the_old(current: dict[str, Any], snapshot: dict[str, Any]) -> None:
    merged, previous = merge(current, snapshot)
    restored, _ = merge(merged, previous)
    assert without_empty_custom(restored) == current


@given(CURRENT, SNAPSHOTS)
def test_the_snapshot_is_true_afterwards_and_nothing_else_changed(
    current: dict[str, Any], snapshot: dict[str, Any]
) -> None:
    merged, previous = merge(current, snapshot)
    for name, value in snapshot.items():
        if name == "custom":
            for key, one in value.items():
                assert merged.get("custom", {}).get(key) == one
        else:
            assert merged.get(name) == value
    for name in current.keys() - snapshot.keys():
        assert merged[name] == current[name]
    assert previous.keys() <= snapshot.keys()


@given(CURRENT, SNAPSHOTS)
def test_the_current_attributes_are_left_alone(current: dict[str, Any], snapshot: dict[str, Any]) -> None:
    before = repr(current)
    merge(current, snapshot)
    assert repr(current) == before


@pytest.mark.parametrize(
    ("old", "new"), [(True, 1), (1, True), (0, False), (1, 1.0)], ids=["true 1", "1 true", "0 false", "1 1.0"]
)
def test_values_of_another_type_are_other_values(old: Any, new: Any) -> None:
    assert merge({"status": old}, {"status": new})[1] == {"status": old}


@pytest.mark.parametrize(
    ("created", "previous", "now", "events"),
    [
        (True, {}, {"tags": ["a"]}, ["contact.created"]),
        (False, {}, {}, []),
        (False, {"name": "a"}, {"name": "b"}, ["contact.updated"]),
        (False, {"tags": ["a"]}, {"tags": ["a", "b"]}, ["contact.tag_added"]),
        (False, {"tags": ["a", "b"]}, {"tags": []}, ["contact.tag_removed", "contact.tag_removed"]),
        (False, {"tags": None, "name": None}, {"tags": ["x"], "name": "b"}, ["contact.updated", "contact.tag_added"]),
        (False, {"tags": ["a", "b"]}, {"tags": ["b", "a"]}, []),
    ],
    ids=["created", "nothing", "name", "tag more", "tags fewer", "both", "order of tags"],
)
def test_what_a_change_of_a_contact_means(
    created: bool, previous: dict[str, Any], now: dict[str, Any], events: list[str]
) -> None:
    assert [kind for kind, _ in contact_events(created, previous, now)] == events


@pytest.mark.parametrize(
    ("created", "previous", "events"),
    [
        (True, {}, ["order.created"]),
        (False, {}, []),
        (False, {"note": "a"}, ["order.updated"]),
        (False, {"status": "new"}, ["order.status_changed"]),
        (False, {"status": None, "note": "a"}, ["order.updated", "order.status_changed"]),
    ],
    ids=["created", "nothing", "field", "status", "both"],
)
def test_what_a_change_of_a_record_means(created: bool, previous: dict[str, Any], events: list[str]) -> None:
    found = list(record_events("order", created, previous, {"external_id": "DH-1", "status": "sent"}))
    assert [kind for kind, _ in found] == events
    if "status" in previous:
        assert found[-1][1] == {"external_id": "DH-1", "from": previous["status"], "to": "sent"}


PUT_ON = [("contact.tag_added", {"tag": tag}) for tag in ("VIP", "hot")]


@pytest.mark.parametrize(
    ("kind", "data", "says", "rest"),
    [
        ("contact.tag_added", {}, "VIP", ["hot"]),
        ("contact.tag_added", {"tag": "hot"}, "hot", ["VIP"]),
        ("contact.tag_added", {"tag": "other"}, "other", ["VIP", "hot"]),
        ("contact.tag_removed", {}, None, ["VIP", "hot"]),
        ("contact.updated", {}, None, ["VIP", "hot"]),
    ],
)
def test_an_event_about_a_tag_is_about_one(kind: str, data: dict[str, str], says: str | None, rest: list[str]) -> None:
    said, following = told_apart(kind, data, [*PUT_ON, ("contact.updated", {"changed": ["tags"]})])
    assert said.get("tag") == says
    assert [more["tag"] for one, more in following if one == "contact.tag_added"] == rest
    assert any(one == "contact.updated" for one, _ in following) == (kind != "contact.updated")


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("order.created", "order"), ("order.updated", None), ("order.status_changed", None), ("contact.created", None),
        ("site.visited", "site"), ("message.replied", "message"), ("message.delivered", None), ("message.failed", None),
        ("opened", "opened"),
    ],
)  # fmt: skip
def test_what_an_event_counts_as(event_type: str, kind: str | None) -> None:
    assert activity_kind(event_type, {"order": None}) == kind


@pytest.mark.parametrize(
    ("event_type", "kinds"),
    [
        ("message.replied", ("message", "care")), ("task.completed", ("care",)), ("call.ended", ("call", "care")),
        ("site.visited", ("site",)), ("task.created", ("task",)), ("contact.updated", ()),
    ],
)  # fmt: skip
def test_speaking_with_somebody_counts_as_care_too(event_type: str, kinds: tuple[str, ...]) -> None:
    assert activity_kinds(event_type, {"task": None}, {"outcome": "answered"}) == kinds


def test_a_call_that_nobody_takes_is_no_care() -> None:
    assert activity_kinds("telesales.outcome", {}, {"outcome": "no_answer"}) == ("telesales",)


@pytest.mark.parametrize(
    ("add", "remove", "expected"),
    [
        (["vip", "Mới", "MỚI"], [], ["VIP", "Quan tâm", "Mới"]),
        ([], ["quan ta\u0302m"], ["VIP"]),
        (["vip"], ["Vip"], ["Quan tâm", "vip"]),
    ],
    ids=["there already", "another Unicode form", "anew"],
)
def test_a_tag_is_the_same_in_another_case_and_form(add: list[str], remove: list[str], expected: list[str]) -> None:
    assert retagged(["VIP", "Quan tâm"], add, remove) == expected
