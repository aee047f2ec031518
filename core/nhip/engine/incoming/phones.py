"""Phone numbers: E.164 inside, Vietnamese spellings accepted outside."""

import re
from functools import lru_cache
from typing import Final

import phonenumbers

REGION: Final = "VN"
_MOBILE: Final = re.compile(
    r"(?:\+?84|0)((?:3[2-9][0-9]|5(?:[689][0-9]|2[238]|59)|7[06-9][0-9]|8(?:[1-8][0-9]|9[6-9])|9(?:[0-46-8][0-9]|9[013-9]))"
    r"[0-9]{6})"
)
"""Today's Vietnamese mobile numbers in the spellings that systems send. Everything else asks the library; a test holds
the two against each other for every prefix."""


def normalise_phone(text: str) -> str | None:
    """E.164 (``+84987654321``) of a phone number, or ``None`` when it is not a valid one.

    Numbers without a country code are Vietnamese.
    """
    match = _MOBILE.fullmatch(text)
    return f"+84{match[1]}" if match else _by_library(text)


@lru_cache(maxsize=8192)
def _by_library(text: str) -> str | None:
    if len(text) > 40:
        return None
    try:
        number = phonenumbers.parse(text, REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
