"""Telesales: campaigns, the calls that agents have to make in them, and what came of each."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from nhip.domain.customers import Contact, ExternalId
from nhip.domain.duty import ClockTime, Day
from nhip.domain.struct import Struct

TELESALES_OUTCOME: Final = "telesales.outcome"
"""The type of the event that tells what came of a call, or that there will be none."""
TELESALES_RETURNED: Final = "telesales.returned"
"""The type of the event that tells that an agent has an entry no more, of whom no outcome was heard."""
MOST_AGENTS: Final = 500
LONGEST_HOLD_MINUTES: Final = 43_200
MOST_TURNS: Final = 50
"""How much of its history an entry keeps: the latest."""
MOST_RETRIES: Final = 50
CANCELLED: Final = "cancelled"
"""In the event, the outcome of an entry that nobody calls any more."""

Lifecycle = Literal["lead", "customer"]
Note = Annotated[str, Meta(max_length=4000)]


class Outcome(StrEnum):
    """What came of a call."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REFUSED = "refused"
    CALL_BACK = "call_back"


class EntryState(StrEnum):
    """Where an entry stands. What is ``open`` and not due yet is shown as ``waiting``, which is never stored."""

    WAITING = "waiting"
    OPEN = "open"
    TAKEN = "taken"
    DONE = "done"
    CANCELLED = "cancelled"


class ReturnReason(StrEnum):
    """Why an agent has an entry no more."""

    HELD_TOO_LONG = "held_too_long"
    ABSENT = "absent"
    LEFT = "left"
    REMOVED = "removed"
    RELEASED = "released"


OPEN_STATES: Final = (EntryState.OPEN, EntryState.TAKEN)
"""The stored states of an entry that somebody still has to call."""


# --- what admins may say ----------------------------------------------------------------------------------------------


class CallingHours(Struct):
    """When agents may call. Advertising calls are allowed from 08:00 to 17:00 (Decree 91/2020/NĐ-CP, Vietnam)."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)] = (
        "mon", "tue", "wed", "thu", "fri", "sat", "sun",
    )  # fmt: skip
    from_: ClockTime = msgspec.field(default="08:00", name="from")
    to: ClockTime = "17:00"
    timezone: Annotated[str, Meta(max_length=100, description="An IANA name")] = "Asia/Ho_Chi_Minh"
    holidays: Annotated[bool, Meta(description="Whether agents may call on holidays of the workspace's calendar")] = (
        False
    )


class Retry(Struct):
    """When a call is tried again."""

    after: Annotated[str, Meta(description="How long after, as ISO 8601: PT4H")]
    times: Annotated[int, Meta(ge=1, le=MOST_RETRIES, description="How many more times at most")]


class CallBacks(Struct):
    """How often a contact may ask to be called back."""

    times: Annotated[int, Meta(ge=1, le=MOST_RETRIES)] | None = None


class RetryRules(Struct):
    """Per outcome, when a call is tried again; null is never. Whoever answered or refused is not called again."""

    no_answer: Retry | None = Retry(after="PT4H", times=3)
    busy: Retry | None = Retry(after="PT30M", times=3)
    call_back: Annotated[
        CallBacks | None, Meta(description="At the time that was given; without `times` as often as asked")
    ] = CallBacks()


class CampaignDraft(Struct):
    """A campaign as it shall be."""

    object: Annotated[Lifecycle, Meta(description="Whom it is for: `lead` or `customer`")]
    title: Annotated[str, Meta(max_length=200)] = ""
    agents: Annotated[tuple[ExternalId, ...], Meta(max_length=MOST_AGENTS, description="External ids of staff")] = ()
    auto_distribution: Annotated[
        bool, Meta(description="Each entry goes to the next agent in turn; otherwise agents take entries")
    ] = False
    hours: CallingHours = CallingHours()
    retry: RetryRules = RetryRules()
    hold_minutes: Annotated[
        Annotated[int, Meta(ge=1, le=LONGEST_HOLD_MINUTES)] | None,
        Meta(description="How long an agent has an entry that they took and say no outcome of; null is for ever"),
    ] = 60


class CallReport(Struct):
    """What came of a call."""

    outcome: Outcome
    call_back_at: Annotated[str, Meta(max_length=40, description="RFC 3339 with offset; for `call_back`")] | None = None
    note: Note | None = None
    agent: Annotated[ExternalId, Meta(description="Who called; the entry's own agent where it is left out")] | None = (
        None
    )


class Taking(Struct):
    """Which agent takes an entry."""

    agent: ExternalId


class Releasing(Struct):
    """Which agent gives an entry back."""

    agent: ExternalId


class Giving(Struct):
    """Whom an entry is given to; null is nobody in particular."""

    agent: ExternalId | None


# --- as it is stored --------------------------------------------------------------------------------------------------


class Campaign(msgspec.Struct, kw_only=True):
    """One row of ``telesales_campaigns``."""

    workspace_id: int
    name: str
    id: str
    title: str
    object: Lifecycle
    agents: tuple[str, ...]
    auto_distribution: bool
    hours: CallingHours
    retry: RetryRules
    hold_minutes: int | None
    last_agent: str | None
    """Whose turn was the last."""
    revision: int
    created_at: int
    updated_at: int


class Turn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of an entry's history: who had it, or has it from then on."""

    at: int
    what: Literal["given", "taken", "called", "returned", "cancelled"]
    agent: str | None = None
    """To whom it was given, who took it, who called, or who has it no more."""
    to: str | None = None
    """Who has it next, where it went back and somebody has."""
    reason: str | None = None
    """Why it went back."""
    outcome: str | None = None
    """Of the call."""


class Entry(msgspec.Struct, kw_only=True):
    """One row of ``telesales_entries``: a contact that has to be called in a campaign."""

    id: str
    workspace_id: int
    campaign: str
    contact_id: str
    state: str
    agent: str | None
    priority: int
    note: str | None
    due_at: int
    attempts: int
    counts: dict[str, int]
    """Per outcome, how many calls came to it."""
    outcome: str | None
    """Of the last call."""
    call_back_at: int | None
    outcome_note: str | None
    run_id: str | None
    """The run that asked for the call."""
    reason: str | None
    """Why it was cancelled."""
    created_at: int
    updated_at: int
    closed_at: int | None
    back_at: int | None = None
    """When its agent has it no more; ``None`` while nothing says so."""
    returns: int = 0
    """How often it went back."""
    history: tuple[Turn, ...] = ()
    """The latest, oldest first."""

    def note_turn(self, turn: Turn) -> None:
        """Add to the history."""
        self.history = (*self.history, turn)[-MOST_TURNS:]


class GoingBack(Struct):
    """An entry whose agent has it no more."""

    workspace_id: int
    campaign: str
    id: str
    contact_id: str


class EntryFilter(Struct):
    """Which entries a list shall show."""

    state: EntryState | None = None
    agent: str | None = None


class EntryPlace(Struct):
    """Where an entry stands in a list that was begun at ``now``: what it is sorted by."""

    now: int
    group: int
    first: int
    second: int
    id: str


class ShownEntry(msgspec.Struct, kw_only=True):
    """An entry as people look at it."""

    entry: Entry
    state: str
    """``waiting`` where it is not due yet, or nobody may call at this hour."""
    due_at: int
    """When it may be called, within the hours."""
    contact: Contact | None
    place: EntryPlace | None = None
    reason: str | None = None
    """Why it was cancelled, or ``holiday`` where it waits only because nobody calls on this day."""


class ShownCampaign(msgspec.Struct, kw_only=True):
    """A campaign with how many entries it has of each state."""

    campaign: Campaign
    counts: Mapping[str, int]


class QueuedCall(Struct):
    """What became of asking for a call."""

    entry: str
    """Its id."""
    agent: str | None
    due_at: datetime
    """When it may be called, within the campaign's hours."""
    created: bool
    """False where the contact had an entry already that is not closed."""
