"""Score rules and scores, as they are shown."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from nhip.domain.scores import ScoreExplanation, ScoreLine, StoredScoreRules
from nhip.domain.times import format_duration
from nhip.services.customers.score_preview import ScorePreview
from nhip_admin_api.presenting import moment, moment_or_none


class ScoreRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace's scores are made of."""

    rules: list[dict[str, Any]]
    revision: int
    updated_at: datetime | None

    @classmethod
    def of(cls, stored: StoredScoreRules | None) -> Self:
        """Show what is stored; no rules where there never were any."""
        if stored is None:
            return cls(rules=[], revision=0, updated_at=None)
        return cls(rules=stored.rules, revision=stored.revision, updated_at=moment(stored.updated_at))


class ScorePart(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule holds for a contact."""

    id: str
    title: str
    points: Annotated[float, Meta(description="What it holds now, to the hundredth")]
    count: Annotated[int, Meta(description="How often it counted")]
    last_at: Annotated[datetime | None, Meta(description="When it last counted")]
    capped: Annotated[bool, Meta(description="Whether it would hold more without its cap")]
    uncapped: Annotated[float, Meta(description="What it would hold without its cap")]
    cap: int | None
    half_life: str | None

    @classmethod
    def of(cls, line: ScoreLine) -> Self:
        """Show what was found."""
        half_life = format_duration(timedelta(microseconds=line.half_life)) if line.half_life else None
        return cls(
            id=line.id,
            title=line.title,
            points=line.points,
            count=line.count,
            last_at=moment_or_none(line.last_at),
            capped=line.capped,
            uncapped=line.uncapped,
            cap=line.cap,
            half_life=half_life,
        )


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A contact's score, and why it is what it is."""

    score: int
    as_of: datetime
    rules: list[ScorePart]

    @classmethod
    def of(cls, found: ScoreExplanation) -> Self:
        """Show what was found."""
        return cls(score=found.score, as_of=moment(found.as_of), rules=[ScorePart.of(line) for line in found.rules])


class ScorePreviewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules to try out, and on whom."""

    rules: Annotated[list[dict[str, Any]], Meta(description="As `PUT /v1/score-rules` takes them")]
    contacts: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=200)]],
        Meta(min_length=1, max_length=20, description="External ids"),
    ]


class PreviewedScore(msgspec.Struct, frozen=True, kw_only=True):
    """One contact's score as it is, and as it would be."""

    contact: str
    score: int
    preview: Score
    complete: Annotated[bool, Meta(description="Whether all of its stored events were counted, not only the newest")]

    @classmethod
    def of(cls, found: ScorePreview) -> Self:
        """Show what was found."""
        return cls(
            contact=found.contact, score=found.score, preview=Score.of(found.preview), complete=found.is_complete
        )


class ScorePreviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules would come to."""

    items: list[PreviewedScore]
