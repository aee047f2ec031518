"""The numbers of tickets, as they are shown."""

from datetime import datetime
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from nhip.domain.history import Span
from nhip.domain.ticket_numbers import TicketNumbers
from nhip_admin_api.presenting import moment


class HandlingTime(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from being opened to being resolved; null where nothing was resolved."""

    mean_s: float | None
    p50_s: float | None
    p90_s: float | None


class RatedTickets(msgspec.Struct, frozen=True, kw_only=True):
    """What customers said of what was resolved in the span."""

    rated: int
    rate: Annotated[float | None, Meta(description="The share of the rated with four or five stars")]


class TicketMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Tickets in a span."""

    since: datetime
    until: datetime
    opened: int
    resolved: Annotated[int, Meta(description="Whenever they were opened")]
    handling_time: HandlingTime
    by_type: Annotated[dict[str, int], Meta(description="Of the opened; the empty name is for those that do not say")]
    by_sub_type: dict[str, int]
    by_source: dict[str, int]
    satisfaction: RatedTickets
    success_rate: Annotated[
        float | None, Meta(description="Of those that were opened in the span, the share that is resolved by now")
    ]

    @classmethod
    def of(cls, numbers: TicketNumbers, span: Span) -> Self:
        """Show what was counted."""
        handling, satisfaction = numbers.handling, numbers.satisfaction
        return cls(
            since=moment(span.since),
            until=moment(span.until),
            opened=numbers.opened,
            resolved=handling.count,
            handling_time=HandlingTime(
                mean_s=_seconds(handling.mean), p50_s=_seconds(handling.p50), p90_s=_seconds(handling.p90)
            ),
            by_type=dict(numbers.by_type),
            by_sub_type=dict(numbers.by_sub_type),
            by_source=dict(numbers.by_source),
            satisfaction=RatedTickets(rated=satisfaction.rated, rate=_share(satisfaction.content, satisfaction.rated)),
            success_rate=_share(numbers.opened_and_resolved, numbers.opened),
        )


def _seconds(micros: float | None) -> float | None:
    return round(micros / 1_000_000, 3) if micros is not None else None


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
