"""The numbers of tickets: how many, about what, how long they took, and how content customers were."""

from collections import Counter
from collections.abc import Sequence

from nhip.domain.errors import invalid
from nhip.domain.history import Span
from nhip.domain.ticket_numbers import Opened, TicketNumbers
from nhip.ports import Unit


def measure_tickets(unit: Unit, workspace_id: int, span: Span) -> TicketNumbers:
    """Count the tickets of a workspace.

    Raises:
        InvalidInput: the span is empty.
    """
    if span.until <= span.since:
        raise invalid("until", "bad_value", "until has to be after since")
    groups = unit.ticket_measures.opened(workspace_id, span)
    return TicketNumbers(
        opened=sum(one.count for one in groups),
        opened_and_resolved=sum(one.resolved for one in groups),
        handling=unit.ticket_measures.handling(workspace_id, span),
        by_type=_by(groups, "type"),
        by_sub_type=_by(groups, "sub_type"),
        by_source=_by(groups, "source"),
        satisfaction=unit.ticket_measures.satisfaction(workspace_id, span),
    )


def _by(groups: Sequence[Opened], name: str) -> dict[str, int]:
    """The most frequent first. Tickets that do not say are under the empty name."""
    counts: Counter[str] = Counter()
    for one in groups:
        counts[getattr(one, name) or ""] += one.count
    return dict(counts.most_common())
