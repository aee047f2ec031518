"""What was counted of tickets."""

from collections.abc import Mapping

from nhip.domain.struct import Struct


class Opened(Struct):
    """The tickets that were opened in a span, with the same type, sub-type and source."""

    type: str | None
    sub_type: str | None
    source: str | None
    count: int
    resolved: int
    """How many of them are resolved by now."""


class Handling(Struct):
    """How long the tickets took that were resolved in a span, from being opened; in microseconds."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None


class Satisfaction(Struct):
    """What customers said of the tickets that were resolved in a span."""

    rated: int
    content: int
    """How many gave four or five stars."""


class TicketNumbers(Struct):
    """The numbers of one span."""

    opened: int
    handling: Handling
    by_type: Mapping[str, int]
    by_sub_type: Mapping[str, int]
    by_source: Mapping[str, int]
    satisfaction: Satisfaction
    opened_and_resolved: int
