"""What may be said of an entry, and by whom."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from nhip.domain.errors import Conflict, invalid
from nhip.domain.telesales import OPEN_STATES, CallReport, Campaign, Entry, EntryState, Outcome
from nhip.domain.times import from_micros, parse_time, to_micros

LATEST_CALL_BACK: Final = timedelta(days=366)


def check_agent(campaign: Campaign, active: Collection[str], agent: str) -> None:
    """Refuse whoever does not call in the campaign.

    Raises:
        InvalidInput: no such agent in the campaign, or one who left.
    """
    if agent not in campaign.agents:
        raise invalid("agent", "unknown_agent", f"the campaign {campaign.name!r} has no agent {agent!r}")
    if agent not in active:
        raise invalid("agent", "inactive_agent", f"{agent!r} has left")


def check_free(entry: Entry, active: Collection[str], agent: str) -> None:
    """Refuse an entry that somebody else has.

    Raises:
        Conflict: another active agent has it.
    """
    if entry.agent is not None and entry.agent != agent and entry.agent in active:
        raise Conflict(f"the entry is {entry.agent}'s", agent=entry.agent)


def check_open(entry: Entry) -> None:
    """Refuse an entry that is over.

    Raises:
        Conflict: it is, with what it came to.
    """
    if entry.state in OPEN_STATES:
        return
    if entry.state != EntryState.DONE:
        raise Conflict(f"the entry is {entry.state} ({entry.reason})", state=entry.state, outcome=entry.outcome)
    caller = f" by {entry.agent}" if entry.agent is not None else ""
    said = f"the entry is {entry.state}{caller} ({entry.outcome})"
    raise Conflict(said, state=entry.state, outcome=entry.outcome, agent=entry.agent)


def is_repeated(entry: Entry, call: CallReport, now: int) -> bool:
    """Whether this was said before: of a closed entry, or of one whose next call is not due yet."""
    if entry.state == EntryState.TAKEN or (entry.state == EntryState.OPEN and entry.due_at <= now):
        return False
    if entry.state == EntryState.CANCELLED or (entry.outcome, entry.outcome_note) != (call.outcome, call.note):
        return False
    if entry.state == EntryState.DONE and call.agent is not None and call.agent != entry.agent:
        return False
    if call.call_back_at is None:
        return entry.call_back_at is None
    try:
        return to_micros(parse_time(call.call_back_at)) == entry.call_back_at
    except ValueError:
        return False


def call_back_at(call: CallReport, now: int) -> int | None:
    """When the customer is called back, in microseconds, where that is what came of the call.

    Raises:
        InvalidInput: the time is missing, not asked for, or not to come within a year.
    """
    path = "call_back_at"
    if call.outcome is not Outcome.CALL_BACK:
        if call.call_back_at is not None:
            raise invalid(path, "not_allowed", f"a time to call back goes with call_back, not with {call.outcome}")
        return None
    if call.call_back_at is None:
        raise invalid(path, "missing", "when shall they be called back?")
    try:
        moment = parse_time(call.call_back_at)
    except ValueError as error:
        raise invalid(path, "bad_value", str(error)) from None
    if moment <= from_micros(now):
        raise invalid(path, "in_the_past", f"{call.call_back_at} is over already")
    if moment > from_micros(now) + LATEST_CALL_BACK:
        raise invalid(path, "too_late", f"{call.call_back_at} is more than {LATEST_CALL_BACK.days} days from now")
    return to_micros(moment)
