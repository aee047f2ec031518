"""Workflows and versions, as they are shown, published and tried out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from nhip.domain.authored import Fate, PublishPlan, StandingRuns, StoredVersion, StoredWorkflow
from nhip.domain.errors import Problem
from nhip.engine.definitions.next_times import NextTimes, next_times
from nhip.services.workflows.definition_checks import Checked
from nhip.services.workflows.workflows import Archived, Published
from nhip_admin_api.presenting import moment


class WorkflowSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow in a list, without its definition."""

    name: str
    title: str
    state: str
    published_version: int | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredWorkflow) -> Self:
        """Show what is stored."""
        return cls(
            name=stored.name,
            title=stored.title,
            state=stored.state,
            published_version=stored.published_version,
            created_at=moment(stored.created_at),
            updated_at=moment(stored.updated_at),
        )


def workflow_view(
    stored: StoredWorkflow, published: StoredVersion | None, times: Sequence[NextTimes]
) -> dict[str, Any]:
    """A workflow with the fields of its draft at the top, so that what was read can be changed and sent back."""
    return {
        "title": "",
        "conditions": None,
        "settings": {},
        **stored.draft,
        "state": stored.state,
        "revision": stored.revision,
        "published_version": stored.published_version,
        "has_unpublished_changes": published is None or published.definition != stored.draft,
        "created_at": moment(stored.created_at),
        "updated_at": moment(stored.updated_at),
        "next_times": times,
    }


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs of a version stand on one of its steps, and what becomes of them."""

    version: int
    step: str
    """Empty for runs that are queued, and stand on none yet."""
    runs: int
    fate: Fate
    to: str | None
    """The step of the new version that they stand on now, for those that move."""

    @classmethod
    def of(cls, standing: StandingRuns) -> Self:
        """Show what was counted."""
        return cls(
            version=standing.version, step=standing.step, runs=standing.runs, fate=standing.fate, to=standing.to or None
        )


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """What would stop a publish, and what looks like a mistake."""

    valid: bool
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    running: list[Standing]
    """The runs under way: those whose version is replaced by a publish, which takes a plan for them."""
    next_times: tuple[NextTimes, ...]
    """When each time trigger would tick, or look whom it concerns, if this were published now."""

    @classmethod
    def of(cls, checked: Checked, standing: Sequence[StandingRuns], now: datetime) -> Self:
        """Show what was found."""
        return cls(
            valid=not checked.problems,
            problems=checked.problems,
            warnings=checked.warnings,
            running=[Standing.of(one) for one in standing],
            next_times=next_times(checked.compiled, now) if checked.compiled is not None else (),
        )


class PublishRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a draft is published."""

    plan: PublishPlan = msgspec.field(default_factory=PublishPlan)
    """What becomes of the runs of older versions."""


class PublishAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a publish did."""

    name: str
    state: str
    version: int
    created: bool
    """False where the draft was published already: the version is the one it was published as."""
    published_at: datetime
    warnings: tuple[Problem, ...]
    running: list[Standing]

    @classmethod
    def of(cls, published: Published) -> Self:
        """Show what was done."""
        return cls(
            name=published.workflow.name,
            state=published.workflow.state,
            version=published.version.number,
            created=published.created,
            published_at=moment(published.version.published_at),
            warnings=published.warnings,
            running=[Standing.of(one) for one in published.standing],
        )


class StateAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a workflow stands now."""

    name: str
    state: str
    version: int | None = None
    cancelled_runs: int | None = None

    @classmethod
    def of(cls, stored: StoredWorkflow) -> Self:
        """Show the state."""
        return cls(name=stored.name, state=stored.state, version=stored.published_version)

    @classmethod
    def of_archived(cls, archived: Archived) -> Self:
        """Show the state, and how many runs ended with it."""
        stored = archived.workflow
        return cls(
            name=stored.name,
            state=stored.state,
            version=stored.published_version,
            cancelled_runs=archived.cancelled_runs,
        )


class VersionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list."""

    version: int
    published_at: datetime
    published_by: str | None

    @classmethod
    def of(cls, stored: StoredVersion) -> Self:
        """Show what is stored."""
        return cls(version=stored.number, published_at=moment(stored.published_at), published_by=stored.published_by)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its definition, which never changes."""

    version: int
    published_at: datetime
    published_by: str | None
    definition: dict[str, Any]

    @classmethod
    def of(cls, stored: StoredVersion) -> Self:
        """Show what is stored."""
        return cls(
            version=stored.number,
            published_at=moment(stored.published_at),
            published_by=stored.published_by,
            definition=stored.definition,
        )


class DryRunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to try a workflow out with."""

    event: Annotated[dict[str, Any], Meta(description="A CloudEvent as `POST /v1/events` takes it")]
    version: Annotated[int, Meta(ge=1, description="A published version instead of the draft")] | None = None
