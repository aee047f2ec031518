"""Small translations that every resource needs: times in, times out."""

from datetime import datetime

from nhip.domain.errors import invalid
from nhip.domain.times import from_micros, parse_time, to_micros


def moment(micros: int) -> datetime:
    """A stored time, as an aware datetime in UTC; it is written as RFC 3339."""
    return from_micros(micros)


def moment_or_none(micros: int | None) -> datetime | None:
    """As :func:`moment`, where there may be none."""
    return None if micros is None else from_micros(micros)


def micros_of(text: str | None, name: str) -> int | None:
    """The stored form of a time in a query, given as RFC 3339 with offset.

    Raises:
        InvalidInput: it is not one; the path is the parameter's name.
    """
    if text is None:
        return None
    try:
        # A plus sign that was not percent-encoded arrives as a space.
        return to_micros(parse_time(text.replace(" ", "+")))
    except ValueError as error:
        raise invalid(name, "bad_value", str(error)) from None
