"""What a JSON body may hold: one look tells what the slow walk would, and the walk names the place."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from nhip.domain.errors import InvalidInput, MalformedInput, NhipError
from nhip_admin_api.limits import LOCATED_BYTES, check_json, is_json


def place_of(body: bytes) -> str | None:
    """The place of the fault that the check finds, or nothing."""
    try:
        check_json(body)
    except InvalidInput as error:
        return error.problems[0].path
    except MalformedInput as error:
        return str(error.data.get("path", ""))
    return None


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param(b'{"a": {"b": [1, {"c": "\\u0000"}]}}', "a.b[1].c", id="NUL"),
        pytest.param(b'{"\\u0000": 1}', "", id="NUL in a key"),
        pytest.param(b'{"a": {"x": 1, "x": 2}}', "a.x", id="a key twice"),
        pytest.param(b'{"a" :1, "b":2, "b":3}', "b", id="a key twice, another one spaced"),
        pytest.param(b'{"a":"\\u0022:", "b":1, "b":2}', "b", id="a key twice, a quote escaped"),
        pytest.param(b'{"a":1, "\\u0061":2}', "a", id="a key twice, once escaped"),
        pytest.param(b'[{"n": 9223372036854775808}]', "[0].n", id="an integer past 64 bits"),
        pytest.param(b'{"n": -9223372036854775809}', "n", id="a negative one"),
        pytest.param(b'{"n": ' + b"9" * 6000 + b"}", "n", id="an integer of 6,000 digits"),
        pytest.param(b'{"a":' * 40 + b"1" + b"}" * 40, ".".join("a" * 32), id="nested too deep"),
    ],
)
def test_a_fault_has_its_place(body: bytes, place: str) -> None:
    assert place_of(body) == place


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000, id="brackets without end"),
        pytest.param(b'{"a":' * 100_000, id="objects without end"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": 1e999}', id="past every float"),
        pytest.param(b'{"a": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"a": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"a": 1', id="cut off"),
        pytest.param(b'{"a": 1}}', id="too much"),
        pytest.param(b'"' + b"\\" * 100_001, id="a text without end"),
        pytest.param(b"\x00", id="a NUL byte"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedInput):
        check_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'[{"a": 1}, {"a": 2}]',
        b'{"a": "\\\\u0000"}',
        b'{"a": "say \\"x\\": y", "b": "a :b"}',
        b'{"n": 9223372036854775807, "m": -9223372036854775808, "t": "12345678901234567890123"}',
        b'{"a": {"a": {"a": 1}}}',
    ],
)
def test_what_is_sound_passes(body: bytes) -> None:
    check_json(body)


def test_in_a_large_body_the_place_is_not_looked_for() -> None:
    body = b'{"pad": "' + b"x" * LOCATED_BYTES + b'", "a": "\\u0000"}'
    assert place_of(body) == ""


_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"))
)
_values: Any = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab":{[ \\', max_size=3), inner, max_size=4),
)


@given(_values, st.sampled_from([None, 1]), st.booleans())
def test_every_sound_value_passes_however_it_is_written(value: Any, indent: int | None, ascii_only: bool) -> None:
    check_json(json.dumps(value, indent=indent, ensure_ascii=ascii_only, separators=(" ,", " : ")).encode())


@given(st.binary(max_size=200))
def test_whatever_comes_it_passes_or_is_refused_on_purpose(body: bytes) -> None:
    try:
        check_json(body)
    except NhipError:
        return
    assert not body or json.loads(body) is not ...


@pytest.mark.parametrize(
    ("media", "yes"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json;charset="utf-8"', True),
        ("application/problem+json", True),
        ("", True),
        ("application/json; charset=latin-1", False),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
    ],
)
def test_which_media_types_are_json(media: str, yes: bool) -> None:
    assert is_json(media) is yes
