"""YAML that means what JSON means."""

from pathlib import Path
from typing import Any

import pytest

from nhip.domain.errors import InvalidInput
from nhip.testing.plain_yaml import read_definition, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("null", None),
        ("~", None),
        ("", None),
        ("20:00", "20:00"),
        ("08:30", "08:30"),
        ("0987654321", "0987654321"),
        ("0123", "0123"),
        ("+84987654321", "+84987654321"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("0", 0),
        ("-12", -12),
        ("1500000", 1_500_000),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        (".5", ".5"),
        ("2026-03-02", "2026-03-02"),
        ("2026-03-02T09:00:00+07:00", "2026-03-02T09:00:00+07:00"),
        ("P90D", "P90D"),
        ("=", "="),
        ("'12'", "12"),
        ("[1, a]", [1, "a"]),
        ("{on: created, a: {b: [true]}}", {"on": "created", "a": {"b": [True]}}),
        ('{"name": "Hoàng Anh"}', {"name": "Hoàng Anh"}),
    ],
)
def test_a_value_is_what_it_looks_like(text: str, value: Any) -> None:
    read = read_yaml(f"key: {text}\n", "a.yaml")["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml, line 3", "the key 'a' comes twice"),
        ("a:\n  - b: [\n", "a.yaml, line 3", "expected the node content"),
        ("1: x\n", "a.yaml, line 1", "a key must be a text"),
        ("? [a, b]\n: x\n", "a.yaml, line 1", "a key must be a text"),
        ("a: !!python/object/apply:os.system [ls]\n", "a.yaml, line 1", "could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "a.yaml, line 2", "but found another document"),
        ("a: \x07\n", "a.yaml", "special characters are not allowed"),
        ("[" * 2_000, "a.yaml", "recursion"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, place: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_yaml(text, "a.yaml")

    [problem] = caught.value.problems
    assert problem.path == place
    assert message in problem.message


def test_a_file_that_is_no_object_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    with pytest.raises(InvalidInput, match=r"list\.yaml: No such file"):
        read_definition(file)
    file.write_text("- 1\n")
    with pytest.raises(InvalidInput, match="an object is expected"):
        read_definition(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_definition(file)
