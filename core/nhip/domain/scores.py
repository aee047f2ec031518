"""Engagement scores: the rules that make them, what one contact's is made of, and how it moves."""

from typing import Any, Final

import msgspec

from nhip.domain.conditions import Node
from nhip.domain.struct import Struct

SCORE_CHANGED: Final = "contact.score_changed"
"""The type of event that a score which moved is."""
MOST_POINTS: Final = 1_000_000
"""What a rule can hold that says no cap."""


class ScoreRule(Struct):
    """Which events are worth how many points."""

    id: str
    title: str
    events: tuple[str, ...]
    where: Node | None
    points: int
    """What one event adds; negative takes away."""
    cap: int | None
    """The most that the rule can hold for one contact, in either direction."""
    half_life: int
    """Microseconds in which half of what it holds is gone; 0 where it stays."""

    @property
    def most(self) -> int:
        """The cap, or what holds where none is said."""
        return MOST_POINTS if self.cap is None else self.cap


class RuleState(Struct, array_like=True):
    """What one rule holds for one contact."""

    value: float
    """Points at ``as_of``."""
    uncapped: float
    """What they would be without a cap."""
    as_of: int
    """The time of the youngest event that counted."""
    count: int
    last_at: int
    """When it last counted."""
    half_life: int


class ScoreState(Struct, array_like=True):
    """What a contact's score is made of. It says all that is needed to read the score at any later moment."""

    revision: int
    """The revision of the rules that it follows."""
    turn: int
    """The score where it last turned: the beginning of the present rise or fall."""
    turns: tuple[int, ...]
    """Where the score turned, as far as a later crossing depends on it; the last is the score as it was stored."""
    rules: dict[str, RuleState]


class ScoreMove(Struct):
    """One move of a score."""

    previous: int
    score: int
    turn: int
    """Where the rise or fall began that this move belongs to."""
    turns: tuple[int, ...]
    """Where the score turned before; the last is ``previous``."""
    rules: tuple[str, ...]
    """The rules that counted; none where time alone moved it."""


class StoredScoreRules(msgspec.Struct, kw_only=True):
    """A workspace's rules as they are stored."""

    workspace_id: int
    id: str
    rules: list[dict[str, Any]]
    """As they were written."""
    revision: int
    recount_after: str | None
    """The contact up to which they have been carried into the scores; ``None`` when they have been into all."""
    created_at: int
    updated_at: int


class ScoreLine(Struct):
    """What one rule holds for a contact, and why."""

    id: str
    title: str
    points: float
    count: int
    last_at: int | None
    capped: bool
    """Whether it would hold more without its cap."""
    uncapped: float
    cap: int | None
    half_life: int


class ScoreExplanation(Struct):
    """Why a contact has the score that it has."""

    score: int
    as_of: int
    rules: tuple[ScoreLine, ...]
