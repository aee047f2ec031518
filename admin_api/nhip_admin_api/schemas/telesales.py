"""Telesales campaigns and their entries, as they are shown."""

from datetime import datetime
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from nhip.domain import telesales
from nhip.domain.telesales import CallingHours, RetryRules, ShownCampaign, ShownEntry
from nhip_admin_api.presenting import moment, moment_or_none

State = Literal["waiting", "open", "taken", "done", "cancelled"]


class TelesalesCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign."""

    name: str
    title: str
    object: Annotated[str, Meta(description="Whom it is for: `lead` or `customer`")]
    agents: Annotated[list[str], Meta(description="External ids of staff, in the order of their turns")]
    auto_distribution: bool
    hours: CallingHours
    retry: RetryRules
    hold_minutes: Annotated[
        int | None, Meta(description="How long an agent has an entry that they took; null is for ever")
    ]
    revision: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: telesales.Campaign) -> Self:
        """Show what is stored."""
        said = {name: getattr(stored, name) for name in ("name", "title", "object", "hours", "retry", "revision")}
        return cls(
            **said,
            agents=list(stored.agents),
            auto_distribution=stored.auto_distribution,
            hold_minutes=stored.hold_minutes,
            created_at=moment(stored.created_at),
            updated_at=moment(stored.updated_at),
        )


class EntryCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many entries there are of each state."""

    waiting: int = 0
    open: int = 0
    taken: int = 0
    done: int = 0
    cancelled: int = 0


class CountedCampaign(TelesalesCampaign, frozen=True, kw_only=True):
    """A campaign with how many entries it has."""

    entries: EntryCounts

    @classmethod
    def counted(cls, shown: ShownCampaign) -> Self:
        """Show what is stored and counted."""
        plain = TelesalesCampaign.of(shown.campaign)
        said = {name: getattr(plain, name) for name in TelesalesCampaign.__struct_fields__}
        return cls(**said, entries=EntryCounts(**shown.counts))


class EntryTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an entry's history."""

    at: datetime
    what: Literal["given", "taken", "called", "returned", "cancelled"]
    agent: Annotated[str | None, Meta(description="To whom it was given, who took it, called, or has it no more")]
    to: Annotated[str | None, Meta(description="Whose it is since it went back; null for anybody's")]
    reason: Annotated[
        str | None,
        Meta(description="Why it went back: `held_too_long`, `absent`, `left`, `removed` or `released`"),
    ]
    outcome: Annotated[str | None, Meta(description="Of the call")]

    @classmethod
    def of(cls, turn: telesales.Turn) -> Self:
        """Show what is stored."""
        return cls(
            at=moment(turn.at), what=turn.what, agent=turn.agent, to=turn.to, reason=turn.reason, outcome=turn.outcome
        )


class TelesalesEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A contact who is to be called, or was."""

    id: str
    campaign: str
    contact: Annotated[str | None, Meta(description="The external id; null when the contact was deleted")]
    name: str | None
    phone: str | None
    state: Annotated[
        State,
        Meta(description="`waiting` is not due yet, or outside the hours; `taken` is being called by `agent`"),
    ]
    agent: Annotated[str | None, Meta(description="Whose it is; null for anybody's")]
    priority: int
    note: str | None
    due_at: Annotated[datetime, Meta(description="When it may be called, within the hours")]
    attempts: Annotated[int, Meta(description="How many calls were made")]
    outcome: Annotated[str | None, Meta(description="Of the last call")]
    outcome_note: str | None
    call_back_at: datetime | None
    run: Annotated[str | None, Meta(description="The run that asked for the call")]
    reason: Annotated[
        str | None, Meta(description="Why it was cancelled; `holiday` where it waits only because the day is one")
    ]
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    held_until: Annotated[
        datetime | None,
        Meta(description="When it goes back unless its agent says an outcome; null while nothing says so"),
    ]
    returns: Annotated[int, Meta(description="How often it went back")]
    history: Annotated[list[EntryTurn], Meta(description="The latest 50 steps, oldest first")]

    @classmethod
    def of(cls, shown: ShownEntry) -> Self:
        """Show an entry with what is known of the contact."""
        entry, contact = shown.entry, shown.contact
        same = ("id", "campaign", "agent", "priority", "note", "attempts", "outcome", "outcome_note")
        return cls(
            **{name: getattr(entry, name) for name in same},
            contact=contact.external_id if contact is not None else None,
            name=contact.attributes.get("name") if contact is not None else None,
            phone=contact.attributes.get("phone") if contact is not None else None,
            state=msgspec.convert(shown.state, State),
            reason=shown.reason,
            due_at=moment(shown.due_at),
            call_back_at=moment_or_none(entry.call_back_at),
            run=entry.run_id,
            created_at=moment(entry.created_at),
            updated_at=moment(entry.updated_at),
            closed_at=moment_or_none(entry.closed_at),
            held_until=moment_or_none(entry.back_at),
            returns=entry.returns,
            history=[EntryTurn.of(turn) for turn in entry.history],
        )
