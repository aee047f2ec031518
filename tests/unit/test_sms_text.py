"""Segments of text messages, and Vietnamese without diacritics."""

import unicodedata

import pytest
from hypothesis import given, strategies as st

from nhip_channels.sms_text import Segments, segments, strip_diacritics


@pytest.mark.parametrize(
    ("letter", "length", "expected"),
    [
        ("a", 0, ("GSM-7", 1)),
        ("a", 160, ("GSM-7", 1)),
        ("a", 161, ("GSM-7", 2)),
        ("a", 306, ("GSM-7", 2)),
        ("a", 307, ("GSM-7", 3)),
        ("ế", 70, ("UCS-2", 1)),
        ("ế", 71, ("UCS-2", 2)),
        ("ế", 134, ("UCS-2", 2)),
        ("ế", 135, ("UCS-2", 3)),
        ("€", 80, ("GSM-7", 1)),
        ("€", 81, ("GSM-7", 2)),
        ("😀", 35, ("UCS-2", 1)),
        ("😀", 36, ("UCS-2", 2)),
        ("é", 160, ("GSM-7", 1)),
        ("\x1b", 1, ("UCS-2", 1)),
    ],
)
def test_the_boundaries_between_parts(letter: str, length: int, expected: tuple[str, int]) -> None:
    assert segments(letter * length) == Segments(*expected)


def test_a_pair_is_not_parted() -> None:
    """152 letters and an escape pair do not fit one part of 153, so it goes into the next, and pushes one letter on."""
    assert segments("a" * 152 + "€" + "a" * 152).parts == 3
    assert segments("a" * 151 + "€" + "a" * 153).parts == 2
    assert segments("ế" * 66 + "😀" + "ế" * 66).parts == 3


def test_one_vietnamese_letter_makes_the_whole_text_dearer() -> None:
    assert segments("a" * 159) == Segments("GSM-7", 1)
    assert segments("a" * 158 + "ơ") == Segments("UCS-2", 3)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Nguyễn Thị Hoàng Anh", "Nguyen Thi Hoang Anh"),
        (unicodedata.normalize("NFD", "Nguyễn Thị Hoàng Anh"), "Nguyen Thi Hoang Anh"),
        ("Đơn hàng đã giao", "Don hang da giao"),
        ("ĂÂÊÔƠƯ ăâêôơư", "AAEOOU aaeoou"),
        ("Cảm ơn – “quý khách” … ‘nhé’ — 150.000\u00a0₫", "Cam on - \"quy khach\" ... 'nhe' - 150.000 d"),
        ("a\u200bb\ufeff", "ab"),
        ("Tặng 🎁!", "Tang ?!"),
        ("1 € = [x] {y} ^z~ | \\", "1 € = [x] {y} ^z~ | \\"),
        ("dòng\nhai", "dong\nhai"),
        ("", ""),
    ],
)
def test_diacritics_are_left_out(text: str, plain: str) -> None:
    assert strip_diacritics(text) == plain


@given(st.text())
def test_a_stripped_text_is_always_gsm_and_stays_as_it_is(text: str) -> None:
    plain = strip_diacritics(text)
    assert segments(plain).encoding == "GSM-7"
    assert strip_diacritics(plain) == plain


@given(st.text(max_size=400))
def test_a_longer_text_never_costs_less(text: str) -> None:
    assert segments(text + "a").parts >= segments(text).parts >= 1
