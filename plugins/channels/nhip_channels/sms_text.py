"""What a text message costs, and how Vietnamese text becomes plain: GSM 03.38 and UCS-2 (3GPP TS 23.038, TS 23.040)."""

import unicodedata
from typing import Final, NamedTuple

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Each of these costs two septets, which may not be parted."""

_PLAIN: Final = str.maketrans(
    {
        "đ": "d",
        "Đ": "D",
        "₫": "d",
        "–": "-",
        "—": "-",
        "−": "-",
        "‐": "-",
        "‑": "-",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "‘": "'",
        "’": "'",
        "`": "'",
        "…": "...",
        "•": "-",
        "\t": " ",
        "\u00a0": " ",
        "\u2009": " ",
        "\u200a": " ",
        "\u200b": "",
        "\u202f": " ",
        "\ufeff": "",
    }
)


class Segments(NamedTuple):
    """How a text travels: its encoding, and the number of parts that are paid for."""

    encoding: str
    """``GSM-7`` or ``UCS-2``."""
    parts: int


def segments(text: str) -> Segments:
    """Count the parts of a text: 160 septets or 70 UTF-16 units in one, 153 or 67 in each of several.

    Neither an escape pair nor a surrogate pair straddles two parts. One Vietnamese letter such as ``ế`` makes the whole
    text UCS-2.
    """
    is_gsm = all(letter in _BASIC or letter in _EXTENDED for letter in text)
    if is_gsm:
        units, single, part = [2 if letter in _EXTENDED else 1 for letter in text], 160, 153
    else:
        units, single, part = [2 if ord(letter) > 0xFFFF else 1 for letter in text], 70, 67
    encoding = "GSM-7" if is_gsm else "UCS-2"
    if sum(units) <= single:
        return Segments(encoding, 1)
    count, used = 1, 0
    for unit in units:
        if used + unit > part:
            count, used = count + 1, 0
        used += unit
    return Segments(encoding, count)


def strip_diacritics(text: str) -> str:
    """Write Vietnamese without diacritics, in GSM-7 alone: ``Nguyễn – 150.000₫`` becomes ``Nguyen - 150.000d``.

    Typographic signs become plain ones; what has no plain form (an emoji) becomes ``?``.
    """
    bare = "".join(letter for letter in unicodedata.normalize("NFD", text) if unicodedata.category(letter) != "Mn")
    plain = unicodedata.normalize("NFC", bare.translate(_PLAIN))
    return "".join(letter if letter in _BASIC or letter in _EXTENDED else "?" for letter in plain)
