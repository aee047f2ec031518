"""The filters of templates, and how a value becomes text: money, dates, names and phones as Vietnam writes them.

A filter takes a value of the facts and answers with a new one; it never calls a method that a template named. What it
cannot do it says by :class:`TemplateError`.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import phonenumbers
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, get_currency_precision
from jinja2 import Undefined

from nhip.domain.errors import TemplateError

LOCALE: Final = "vi_VN"
TIMEZONE: Final = "Asia/Ho_Chi_Minh"
MAX_TEXT: Final = 64_000
"""Characters that one value may have: what a filter takes, and what it makes."""
URL_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel", "sms"})

_NO_BREAK: Final = str.maketrans({"\u00a0": " ", "\u202f": " "})


def to_text(value: Any) -> Any:
    """Say how a value is written: what ``{{ value }}`` puts into a message.

    Raises:
        TemplateError: it is empty, or an object or list, which has no one way to be written.
    """
    match value:
        case str() | Undefined():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            if not math.isfinite(value):
                raise TemplateError("a number without an end cannot be written")
            return str(int(value)) if value.is_integer() else str(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return as_datetime(value)
        case date():
            return as_date(value)
        case {"amount": int(), "currency": str()}:
            return money(value)
        case None:
            raise TemplateError("the value is empty; use the filter default to say what stands there instead")
        case _:
            raise TemplateError(f"{_sort_of(value)} cannot be written as text; name one of its fields")


def money(value: Any, style: str = "symbol") -> str:
    """Write an amount of money: ``150.000 ₫``; with the style ``plain`` in ASCII, for SMS: ``150.000d``."""
    match value:
        case {"amount": int(amount), "currency": str(currency)} if not isinstance(amount, bool):
            return _money(amount, currency, style)
        case int() if not isinstance(value, bool):
            return _money(value, "VND", style)
        case _:
            raise TemplateError(f"money: {_sort_of(value)} is no amount of money")


@lru_cache(maxsize=4_096)
def _money(amount: int, currency: str, style: str) -> str:
    if re.fullmatch(r"[A-Z]{3}", currency) is None:
        raise TemplateError("money: a currency is three capital letters, as in VND")
    digits = get_currency_precision(currency)
    worth = Decimal(amount).scaleb(-digits)
    match style:
        case "symbol":
            return format_currency(worth, currency, locale=LOCALE).translate(_NO_BREAK)
        case "plain":
            pattern = "#,##0." + "0" * digits if digits else "#,##0"
            return format_decimal(worth, pattern, locale=LOCALE) + ("d" if currency == "VND" else f" {currency}")
        case _:
            raise TemplateError("money: the style is symbol or plain")


def number(value: Any, digits: Any = 3) -> str:
    """Write a number with Vietnamese separators, ``1.234,5``, with at most ``digits`` places."""
    return format_decimal(rounded(value, digits), locale=LOCALE)


def rounded(value: Any, digits: Any = 0) -> int | Decimal:
    """Round half away from zero, to at most six places."""
    if not isinstance(digits, int) or not 0 <= digits <= 6:
        raise TemplateError("round: 0 to 6 places")
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise TemplateError(f"round: {_sort_of(value)} is no number")
    try:
        exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    except InvalidOperation:
        raise TemplateError("round: not a number, or one too long") from None
    return exact if digits else int(exact)


def as_date(value: Any, format: Any = "dd/MM/yyyy", timezone: Any = None) -> str:  # noqa: A002
    """Write the day of a time: ``21/11/2026``. The format is Unicode's (``dd/MM``), or short, medium, long, full."""
    moment = _moment(value, timezone)
    return format_date(moment, _pattern(format), locale=LOCALE).translate(_NO_BREAK)


def as_datetime(value: Any, format: Any = "HH:mm dd/MM/yyyy", timezone: Any = None) -> str:  # noqa: A002
    """Write a time with its day: ``08:00 21/11/2026``."""
    moment = _moment(value, timezone)
    if not isinstance(moment, datetime):
        raise TemplateError("datetime: this is a day without a time; use the filter date")
    return format_datetime(moment, _pattern(format), locale=LOCALE).translate(_NO_BREAK)


def as_time(value: Any, format: Any = "HH:mm", timezone: Any = None) -> str:  # noqa: A002
    """Write the time of day: ``08:00``."""
    return as_datetime(value, format, timezone)


def given_name(value: Any) -> str:
    """The name by which a Vietnamese person is addressed, the last of the full name: ``Nguyễn Hoàng Anh`` → ``Anh``."""
    words = _text(value, "given_name").split()
    return words[-1] if words else ""


def phone(value: Any) -> str:
    """Write a phone number for people: ``0987 654 321``, and a foreign one with its country: ``+1 650-253-0000``."""
    return _phone(_text(value, "phone")[:32])


@lru_cache(maxsize=4_096)
def _phone(text: str) -> str:
    try:
        parsed = phonenumbers.parse(text, "VN")
    except phonenumbers.NumberParseException:
        return text
    style = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(parsed, style.NATIONAL if parsed.country_code == 84 else style.INTERNATIONAL)


def default(value: Any, instead: Any = "") -> Any:
    """Answer with ``instead`` where the value is absent, null or an empty text."""
    return instead if isinstance(value, Undefined) or value is None or value == "" else value


def upper(value: Any) -> str:
    """In capitals."""
    return _text(value, "upper").upper()


def lower(value: Any) -> str:
    """In small letters."""
    return _text(value, "lower").lower()


def capitalize(value: Any) -> str:
    """The first letter as a capital, the others as they are."""
    text = _text(value, "capitalize")
    return text[:1].upper() + text[1:]


def title(value: Any) -> str:
    """Each word with a capital, the other letters small: ``nguyễn THỊ anh`` → ``Nguyễn Thị Anh``."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in _text(value, "title").split(" "))


def trim(value: Any) -> str:
    """Without blanks at both ends."""
    return _text(value, "trim").strip()


def unaccent(value: Any) -> str:
    """Without diacritics, for an SMS in ASCII: ``Đặng Thuỳ`` → ``Dang Thuy``."""
    apart = unicodedata.normalize("NFD", _text(value, "unaccent"))
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", bare).replace("đ", "d").replace("Đ", "D")


def truncate(value: Any, length: Any = 160, end: Any = "…") -> str:
    """Cut after ``length`` characters at most, ``end`` counted in, between words where it can."""
    text, mark = _text(value, "truncate"), _text(end, "truncate")
    if not isinstance(length, int) or length < len(mark):
        raise TemplateError("truncate: the length must be a number, and at least that of the end")
    if len(text) <= length:
        return text
    cut = text[: length - len(mark)]
    if not text[len(cut)].isspace() and (words := cut.rsplit(None, 1)) and len(words) == 2:
        cut = words[0]
    return cut.rstrip() + mark


def join(value: Any, separator: Any = ", ", attribute: Any = None) -> str:
    """Write the items of a list one after the other; with ``attribute``, that field of each."""
    between = _text(separator, "join")
    parts: list[str] = []
    size = 0
    for each in _items(value, "join"):
        item = each
        if attribute is not None:
            if not isinstance(each, Mapping) or each.get(attribute) is None:
                raise TemplateError(f"join: an item has no {attribute!r}")
            item = each[attribute]
        parts.append(_text(item, "join"))
        size += len(parts[-1]) + len(between)
        if size > MAX_TEXT:
            raise TemplateError("join: the text becomes too long")
    return between.join(parts)


def length(value: Any) -> int:
    """How many items, fields or characters there are."""
    if not isinstance(value, (str, Mapping, list, tuple)):
        raise TemplateError(f"length: {_sort_of(value)} has no length")
    return len(value)


def first(value: Any) -> Any:
    """The first item; nothing where the list is empty."""
    return next(iter(_items(value, "first")), None)


def last(value: Any) -> Any:
    """The last item; nothing where the list is empty."""
    items = _items(value, "last")
    return items[-1] if items else None


def urlencode(value: Any) -> str:
    """As a part of a URL: ``a b&c`` → ``a%20b%26c``."""
    return quote(_text(value, "urlencode"), safe="")


def url(value: Any) -> str:
    """A link that may be followed: ``http``, ``https``, ``mailto``, ``tel`` or ``sms``, and nothing else."""
    text = _text(value, "url").strip()
    scheme = text.partition(":")[0].lower()
    if scheme not in URL_SCHEMES or any(ord(letter) <= 32 for letter in text):
        raise TemplateError("url: not a link that may be followed")
    return text


def rating_filter(address: Callable[[str, int | None], str] | None) -> Callable[..., str]:
    """The filter ``rating_url`` of an engine; ``address`` knows the page of a ticket's own id."""

    def rating_url(value: Any, stars: Any = None) -> str:
        """The address at which the customer rates a ticket; ``rating_url(5)`` opens with five stars chosen."""
        if not isinstance(value, Mapping):
            raise TemplateError(f"rating_url: {_sort_of(value)} is no ticket")
        if stars is not None and (type(stars) is not int or not 1 <= stars <= 5):
            raise TemplateError("rating_url: 1 to 5 stars")
        if address is None:
            raise TemplateError("rating_url: there is no address to rate tickets at")
        return address(str(value.get("id")), stars)

    return rating_url


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "capitalize": capitalize,
    "count": length,
    "date": as_date,
    "datetime": as_datetime,
    "default": default,
    "first": first,
    "given_name": given_name,
    "join": join,
    "last": last,
    "length": length,
    "lower": lower,
    "money": money,
    "number": number,
    "phone": phone,
    "rating_url": rating_filter(None),
    "round": rounded,
    "time": as_time,
    "title": title,
    "trim": trim,
    "truncate": truncate,
    "unaccent": unaccent,
    "upper": upper,
    "url": url,
    "urlencode": urlencode,
}
"""Every filter that a template may use, by the name it uses. Each engine has a ``rating_url`` of its own."""


def _text(value: Any, name: str) -> str:
    text = to_text(value)
    if not isinstance(text, str):
        raise TemplateError(f"{name}: {_sort_of(value)} is no text")
    return text


def _items(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise TemplateError(f"{name}: {_sort_of(value)} is no list")
    return value


def _sort_of(value: Any) -> str:
    match value:
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case str():
            return "a text"
        case bool():
            return "true or false"
        case int() | float() | Decimal():
            return "a number"
        case None:
            return "an empty value"
        case _:
            return f"a {type(value).__name__}"


def _pattern(format: Any) -> str:  # noqa: A002
    if not isinstance(format, str) or not 1 <= len(format) <= 40:
        raise TemplateError("a format is a text of at most 40 characters")
    return format


def _moment(value: Any, timezone: Any) -> datetime | date:
    """A day as it is; a time in the zone asked for. A time that names no zone is taken to be in that zone already."""
    try:
        zone = ZoneInfo(_text(timezone or TIMEZONE, "time zone")[:64])
    except (KeyError, ValueError, OSError):
        raise TemplateError("no such time zone") from None
    moment = value
    if isinstance(value, str):
        try:
            moment = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            raise TemplateError("a text that is no RFC 3339 time or day") from None
    if isinstance(moment, datetime):
        return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
    if isinstance(moment, date):
        return moment
    raise TemplateError(f"{_sort_of(value)} is no time")
