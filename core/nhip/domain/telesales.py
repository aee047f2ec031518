"""Telesales: campaigns, the calls that agents have to make in them, and what came of each."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from nhip.domain.customers import Contact, ExternalId
from nhip.domain.struct import Struct

TELESALES_OUTCOME: Final = "telesales.outcome"
"""The type of the event that tells what came of a call, or that there will be none."""
MOST_AGENTS: Final = 500
MOST_RETRIES: Final = 50
CANCELLED: Final = "cancelled"
"""In the event, the outcome of an entry that nobody calls any more."""

Lifecycle = Literal["lead", "customer"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
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


OPEN_STATES: Final = (EntryState.OPEN, EntryState.TAKEN)
"""The stored states of an entry that somebody still has to call."""


# --- what admins may say ----------------------------------------------------------------------------------------------


class CallingHours(Struct):
    """When agents may call. Advertising calls are allowed from 08:00 to 17:00 (Decree 91/2020/NĐ-CP, Vietnam)."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)] = (
        "mon", "tue", "wed", "thu", "fri", "sat", "sun",
    )  # fmt: skip
    from_: Clock = msgspec.field(default="08:00", name="from")
    to: Clock = "17:00"
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
    last_agent: str | None
    """Whose turn was the last."""
    revision: int
    created_at: int
    updated_at: int


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
