"""Scores on the way of an event: what it is worth to its contact, and the events that follow where the score moves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nhip.domain.customers import Contact
from nhip.domain.scores import ScoreMove
from nhip.engine.customers import scoring
from nhip.engine.customers.score_rules import ScoreBook
from nhip.engine.customers.scoring import Hit
from nhip.plugin_api import Facts
from nhip.services.runs.entries import Happening


def hits_of(book: ScoreBook, happenings: Sequence[Happening], facts: Facts, now: datetime) -> list[Hit]:
    """The rules that count these events of one contact."""
    return [
        (rule, happening.time)
        for happening in happenings
        if book.concerns(happening.type)
        for rule in book.counting(happening.type, {**facts, "event": happening.said()}, now)
    ]


def look_at(contact: Contact, book: ScoreBook, hits: Sequence[Hit], now: int) -> tuple[ScoreMove, ...]:
    """Count events for a contact, none to see what time did; the contact has the new score. Answers the moves."""
    scored = scoring.count(scoring.read_state(contact.score_state), book.rules, book.revision, hits, now)
    contact.score = scored.state.turns[-1]
    contact.score_state = scoring.write_state(scored.state)
    contact.score_due_at = scoring.next_look(scored.state, now)
    return scored.moves


def told(move: ScoreMove) -> dict[str, Any]:
    """The data of the event that a move is."""
    return {"score": move.score, "previous": move.previous, "change": move.score - move.previous,
            "rules": list(move.rules), "turn": move.turn, "turns": list(move.turns)}  # fmt: skip
