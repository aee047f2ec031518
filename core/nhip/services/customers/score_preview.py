"""What scores would be if other rules had held all along: the stored events of a few contacts, counted once more."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nhip.domain.past_events import EventFilter, PastEvent
from nhip.domain.scores import ScoreExplanation
from nhip.domain.struct import Struct
from nhip.domain.times import format_micros, from_micros
from nhip.engine.customers import scoring
from nhip.engine.customers.score_rules import ScoreBook
from nhip.plugin_api import CALENDAR
from nhip.ports import Unit
from nhip.services.customers import contacts
from nhip.services.workspace.calendars import closed_days

MOST_EVENTS: Final = 1_000
"""The newest events of each contact that a preview counts."""


class ScorePreview(Struct):
    """One contact's score as it is, and as it would be."""

    contact: str
    score: int
    preview: ScoreExplanation
    is_complete: bool
    """Whether every stored event was counted, and not only the newest."""


def preview(unit: Unit, workspace_id: int, book: ScoreBook, names: Sequence[str], now: int) -> list[ScorePreview]:
    """Count what these contacts did by other rules, over the facts that were stored with each event.

    Raises:
        NotFound: no such contact in this workspace.
    """
    found: list[ScorePreview] = []
    calendar = closed_days(unit, workspace_id)
    for name in names:
        contact = contacts.find(unit, workspace_id, name)
        newest = unit.past_events.page(workspace_id, EventFilter(contact=name), after=None, limit=MOST_EVENTS + 1)
        events = newest[:MOST_EVENTS]
        roots = {event.id: event.facts for event in events if event.facts is not None}
        state = scoring.read_state(None)
        for event in reversed(events):
            if book.concerns(event.type):
                facts = {**roots.get(event.root_id, {}), "event": _said(event), CALENDAR: calendar}
                moment = from_micros(event.received_at)
                hits = [(rule, event.time_at) for rule in book.counting(event.type, facts, moment)]
                state = scoring.count(state, book.rules, book.revision, hits, event.received_at).state
        found.append(
            ScorePreview(
                contact=name,
                score=scoring.score_at(contact, now),
                preview=scoring.explain(state, book.rules, now),
                is_complete=len(newest) <= MOST_EVENTS,
            )
        )
    return found


def _said(event: PastEvent) -> Mapping[str, Any]:
    return {
        "id": event.id, "source": event.source, "source_id": event.source_id, "type": event.type,
        "subject": event.subject, "time": format_micros(event.time_at), "data": event.data,
    }  # fmt: skip
