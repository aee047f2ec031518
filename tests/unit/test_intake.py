"""What comes in is checked at the door: bytes, envelopes, contacts, records."""

import time
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from nhip.catalog import Catalog
from nhip.domain.errors import InvalidInput, MalformedInput
from nhip.domain.times import parse_time, to_micros
from nhip.engine.incoming.intake import MAX_NESTING, Intake, check_bytes, decode_events

INTAKE = Intake(Catalog.load())
EVENT: dict[str, Any] = {"id": "1", "source": "shop", "type": "order.updated"}


def encoded(**changes: Any) -> bytes:
    return msgspec.json.encode({**EVENT, **changes})


def taken(**changes: Any) -> Any:
    return INTAKE.event(decode_events(encoded(**changes), batch=False)[0])


def nest(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + closing * depth).encode()


class TestBytes:
    @pytest.mark.parametrize("depth", [1, MAX_NESTING - 1, MAX_NESTING])
    def test_nesting_up_to_the_bound_passes(self, depth: int) -> None:
        check_bytes(nest(depth))

    @pytest.mark.parametrize("depth", [MAX_NESTING + 1, 1_000, 200_000])
    def test_nesting_past_it_is_refused(self, depth: int) -> None:
        for body in (nest(depth), nest(depth, '{"a":', "}"), nest(depth)[: depth + 1]):
            with pytest.raises(MalformedInput):
                check_bytes(body)

    def test_brackets_inside_texts_do_not_count(self) -> None:
        check_bytes(msgspec.json.encode({"text": "[" * 500 + '\\"{' * 500}))

    def test_neither_do_many_side_by_side(self) -> None:
        check_bytes(b"[" + b",".join([b"[{}]"] * 5_000) + b"]")

    @pytest.mark.parametrize(
        "body",
        [
            b"[" + b"[]," * 40 + b'"' + b'\\"' * 500_000,
            b"[" + b"[]," * 40 + b'"' + b"\\\\" * 500_000,
            b"[" + b"[]," * 40 + b'"' * 1_000_000,
        ],
        ids=["escaped quotes", "backslashes", "quotes"],
    )
    def test_a_text_that_never_ends_costs_no_more_than_its_length(self, body: bytes) -> None:
        started = time.process_time()
        with pytest.raises(MalformedInput):
            check_bytes(body)
        assert time.process_time() - started < 1.0

    @pytest.mark.parametrize(
        ("text", "refused"),
        [
            (rb'"\u0000"', True),
            (rb'"a\u0000b"', True),
            (rb'"\\\u0000"', True),
            (rb'"\\u0000"', False),
            (rb'"\\\\u0000"', False),
            (rb'"\\\\\u0000"', True),
            (rb'"u0000"', False),
            (rb'"\u0001"', False),
        ],
        ids=["alone", "inside", "after a backslash", "escaped", "twice escaped", "after two", "no escape", "another"],
    )
    def test_a_nul_is_refused_however_it_is_written(self, text: bytes, refused: bool) -> None:
        if refused:
            with pytest.raises(MalformedInput):
                check_bytes(text)
        else:
            check_bytes(text)
            assert "\0" not in msgspec.json.decode(text)

    @given(st.text())
    def test_a_nul_is_refused_exactly_when_there_is_one(self, text: str) -> None:
        body = msgspec.json.encode({"text": text})
        if "\0" in text:
            with pytest.raises(MalformedInput):
                check_bytes(body)
        else:
            check_bytes(body)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, body: bytes) -> None:
        for batch in (True, False):
            with suppress(MalformedInput, InvalidInput):
                decode_events(body, batch=batch)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"nul",
            b"\xff",
            b'{"id":"\xff"}',
            b'{"id":"\\ud800"}',
            b"NaN",
            b'{"a":1e400}',
            b'{"a":' + b"9" * 5_000,
        ],
        ids=["empty", "open", "word", "no UTF-8", "no UTF-8 inside", "surrogate", "NaN", "huge", "digits"],
    )
    def test_what_is_not_json_is_malformed(self, body: bytes) -> None:
        with pytest.raises((MalformedInput, InvalidInput)):
            decode_events(body, batch=False)

    def test_a_fault_in_a_batch_says_which_event(self) -> None:
        body = b"[" + encoded() + b"," + encoded(id=3) + b"]"
        with pytest.raises(InvalidInput) as refused:
            decode_events(body, batch=True)
        assert refused.value.problems[0].path == "[1].id"


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "version": ({"specversion": "0.3"}, "specversion", "bad_value"),
    "binary data": ({"data_base64": "AA=="}, "data_base64", "bad_value"),
    "the engine's source": ({"source": "nhip"}, "source", "bad_value"),
    "tag without a name": ({"type": "contact.tag_added", "data": {"contact": {"phone": "0987654321"}}},
                           "data.tag", "missing"),
    "tag that is no text": ({"type": "contact.tag_removed", "data": {"tag": ["VIP"]}}, "data.tag", "bad_value"),
    "type with capitals": ({"type": "Order.Updated"}, "type", "bad_value"),
    "type with a line break": ({"type": "order.updated\n"}, "type", "bad_value"),
    "type with spaces": ({"type": "order updated"}, "type", "bad_value"),
    "time without offset": ({"time": "2026-11-21T08:00:00"}, "time", "bad_value"),
    "date only": ({"time": "2026-11-21"}, "time", "bad_value"),
    "no time": ({"time": "yesterday"}, "time", "bad_value"),
    "year 0001": ({"time": "0001-01-01T00:00:00+14:00"}, "time", "bad_value"),
    "year 9999": ({"time": "9999-12-31T23:59:59-14:00"}, "time", "bad_value"),
    "subject and contact differ": (
        {"subject": "KH-1", "data": {"contact": {"external_id": "KH-2"}}}, "subject", "contradiction",
    ),
    "contact not an object": ({"data": {"contact": "KH-1"}}, "data.contact", "bad_value"),
    "contact is null": ({"data": {"contact": None}}, "data.contact", "bad_value"),
    "unknown field of a contact": ({"data": {"contact": {"colour": "red"}}}, "data.contact.colour", "unknown_field"),
    "read-only field": ({"data": {"contact": {"score": 5}}}, "data.contact.score", "unknown_field"),
    "empty external id": ({"data": {"contact": {"external_id": ""}}}, "data.contact.external_id", "bad_value"),
    "phone": ({"data": {"contact": {"phone": "12"}}}, "data.contact.phone", "bad_phone"),
    "email": ({"data": {"contact": {"email": "anh@localhost"}}}, "data.contact.email", "bad_email"),
    "no day of any calendar": ({"data": {"contact": {"birthday": "2026-02-30"}}}, "data.contact.birthday", "bad_value"),
    "time zone": ({"data": {"contact": {"timezone": "Asia/Saigon2"}}}, "data.contact.timezone", "unknown_timezone"),
    "birthday": ({"data": {"contact": {"birthday": "21.11.1990"}}}, "data.contact.birthday", "bad_value"),
    "tags": ({"data": {"contact": {"tags": ["a", 1]}}}, "data.contact.tags[1]", "bad_value"),
    "unknown field of a record": ({"data": {"order": {"external_id": "1", "x": 1}}}, "data.order.x", "unknown_field"),
    "record without id": ({"data": {"order": {"status": "new"}}}, "data.order.external_id", "missing"),
    "wrong field of a record": (
        {"data": {"order": {"external_id": "1", "total": {"amount": "x"}}}}, "data.order.total.amount", "bad_value",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "path", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_at_its_place(changes: dict[str, Any], path: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        taken(**changes)
    assert [(problem.path, problem.code) for problem in refused.value.problems] == [(path, code)]


def test_every_fault_of_every_snapshot_is_told() -> None:
    contact = {
        "phone": "12", "email": "anh@localhost", "name": 5, "tags": ["a", 1, ""], "birthday": "21.11.1990",
        "timezone": "Asia/Saigon2", "colour": "red", "lifecycle": "friend",
    }  # fmt: skip
    order = {"status": 5, "total": {"amount": "x", "currency": "VND"}}
    appointment = {"external_id": "LH-1", "starts_at": 7}
    with pytest.raises(InvalidInput) as refused:
        taken(data={"contact": contact, "order": order, "appointment": appointment})
    told = {problem.path.removeprefix("data."): problem.code for problem in refused.value.problems}
    assert len(told) == len(refused.value.problems)
    assert told == {
        "contact.name": "bad_value", "contact.tags[1]": "bad_value", "contact.tags[2]": "bad_value",
        "contact.birthday": "bad_value", "contact.colour": "unknown_field", "contact.lifecycle": "bad_value",
        "contact.phone": "bad_phone", "contact.email": "bad_email", "contact.timezone": "unknown_timezone",
        "order.status": "bad_value", "order.total.amount": "bad_value", "order.external_id": "missing",
        "appointment.starts_at": "bad_value",
    }  # fmt: skip
    with pytest.raises(InvalidInput) as refused:
        INTAKE.contact({"phone": "12", "email": "x", "birthday": "2026-02-30"})
    assert [problem.path for problem in refused.value.problems] == ["phone", "email", "birthday"]


def test_a_fault_lies_under_the_events_own_path() -> None:
    envelope = decode_events(encoded(data={"contact": {"phone": "12"}}), batch=False)[0]
    with pytest.raises(InvalidInput) as refused:
        INTAKE.event(envelope, "[3]")
    assert refused.value.problems[0].path == "[3].data.contact.phone"


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T08:00:00+07:00", "2026-11-21T01:00:00Z", "2026-11-21T01:00:00.000000Z", "2026-11-20T18:00:00-07:00"],
)
def test_a_time_is_the_same_in_every_zone(text: str) -> None:
    assert taken(time=text).time == to_micros(parse_time("2026-11-21T01:00:00Z"))


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("anh@example.com", "anh@example.com"), (" Anh@Example.COM ", "anh@example.com"),
        ("a.b+c@mail.example.vn", "a.b+c@mail.example.vn"), ("anh@sieuthị.vn", "anh@sieuthị.vn"),
        ("anh", None), ("@example.com", None), ("anh@", None), ("anh@example", None), ("a b@example.com", None),
        ("a@b@example.com", None), ("anh@example.com\nbcc: x@y.vn", None), ("<anh@example.com>", None),
        ("a" * 65 + "@example.com", None), ("anh@" + "a" * 190 + ".com", None), ("anh@example.c", None),
    ],
)  # fmt: skip
def test_an_email_is_kept_in_lower_case_or_refused(email: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(InvalidInput):
            INTAKE.contact({"email": email})
    else:
        assert INTAKE.contact({"email": email}) == {"email": kept}


@pytest.mark.parametrize("name", ["phone", "email", "zalo_user_id"])
def test_an_empty_address_is_none(name: str) -> None:
    assert INTAKE.contact({name: ""}) == {name: None}


def test_tags_are_kept_once_and_in_order() -> None:
    assert INTAKE.contact({"tags": ["b", "a", "b"]}) == {"tags": ["b", "a"]}


def test_extension_attributes_are_allowed() -> None:
    assert taken(traceparent="00-…").type == "order.updated"


def test_the_subject_becomes_the_contacts_external_id() -> None:
    assert taken(subject="KH-1", data={"contact": {"name": "Anh"}}).contact == {"name": "Anh", "external_id": "KH-1"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["external_id", "phone", "email", "tags", "custom", "lifecycle", "birthday", "timezone", "name"]
)


@given(st.dictionaries(FIELDS, JSON, max_size=4) | JSON)
def test_any_contact_is_taken_or_refused(raw: Any) -> None:
    try:
        INTAKE.contact(raw)
    except InvalidInput as error:
        assert error.problems  # noqa: PT017  (most examples raise nothing)


@given(st.dictionaries(st.sampled_from(["external_id", "contact", "status", "total", "items", "custom"]), JSON) | JSON)
def test_any_record_is_taken_or_refused(raw: Any) -> None:
    try:
        INTAKE.record("order", raw)
    except InvalidInput as error:
        assert error.problems  # noqa: PT017  (most examples raise nothing)
