"""The fast path for Vietnamese mobile numbers says what the library says."""

import phonenumbers
import pytest

from nhip.engine.incoming.phones import normalise_phone


def by_library(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text, "VN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@pytest.mark.parametrize("first", range(10))
def test_every_prefix_agrees_with_the_library(first: int) -> None:
    """A wrong prefix on the fast path would make a number of nothing, or lose one."""
    for prefix in range(first * 1000, first * 1000 + 1000):
        text = f"{prefix:04d}123456"
        assert normalise_phone(text) == by_library(text), text


@pytest.mark.parametrize(
    "text",
    ["0987654321", "84987654321", "+84987654321", "098 765 4321", "098.765.4321", "(098) 765-4321", "+84 98 765 43 21"],
)
def test_every_spelling_is_one_number(text: str) -> None:
    assert normalise_phone(text) == "+84987654321"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+14155552671", "+14155552671"),
        ("02438257863", "+842438257863"),
        ("", None), (" ", None), ("abc", None), ("12", None), ("098765432", None), ("09876543210", None),
        ("0987654321\n", "+84987654321"), ("9" * 100, None), ("+", None), ("\0", None),
    ],
)  # fmt: skip
def test_other_numbers_ask_the_library(text: str, number: str | None) -> None:
    assert normalise_phone(text) == number
