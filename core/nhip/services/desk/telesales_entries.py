"""Entries of telesales campaigns: who is to be called, and what agents do with them.

Whoever changes an entry and tells of it holds the contact first, then the campaign, then the entry: the order in which
steps take them, too.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from nhip.domain.customers import Contact, Staff
from nhip.domain.errors import Conflict, NotFound
from nhip.domain.events import IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.telesales import (
    CANCELLED,
    TELESALES_OUTCOME,
    CallReport,
    Campaign,
    Entry,
    EntryFilter,
    EntryPlace,
    EntryState,
    Outcome,
    ReturnReason,
    ShownEntry,
    Turn,
)
from nhip.domain.times import format_micros, from_micros, to_micros
from nhip.engine.desk.assignment import HOLIDAY
from nhip.engine.desk.telesales import late_agents, next_call
from nhip.ports import Unit
from nhip.services.desk.call_queue import people_of, plan, whose_turn
from nhip.services.desk.calling_hours import Opening, opening_of
from nhip.services.desk.entry_checks import call_back_at, check_agent, check_free, check_open, is_repeated
from nhip.services.desk.telesales_campaigns import find_campaign
from nhip.services.desk.telesales_returns import give_back
from nhip.services.events.ingest import ENGINE_SOURCE, Ingest
from nhip.services.workspace.calendars import closed_days

NEXT: Final = "next"
"""In place of an entry's id: the one that the agent calls next."""


class TelesalesEntries:
    """The service; its methods run inside units."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def page(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        wanted: EntryFilter,
        after: EntryPlace | None,
        limit: int,
        now: int,
    ) -> list[ShownEntry]:
        """Who is being called, who is due by priority, who is not due by time, and who is done with.

        Raises:
            NotFound: there is no such campaign.
        """
        campaign = find_campaign(unit, workspace_id, name)
        moment = after.now if after is not None else now
        opening = opening_of(unit, campaign, moment)
        rows = unit.telesales.entries(
            workspace_id, name, wanted, after, limit, now=moment, hours_open=opening.at <= moment
        )
        contacts = _contacts(unit, workspace_id, [entry.contact_id for entry, _ in rows])
        return [_shown(entry, contacts.get(entry.contact_id), opening, moment, place=place) for entry, place in rows]

    def show(self, unit: Unit, workspace_id: int, name: str, entry_id: str, now: int) -> ShownEntry:
        """One entry.

        Raises:
            NotFound: there is none.
        """
        campaign = find_campaign(unit, workspace_id, name)
        return self._show(unit, campaign, self._entry(unit, workspace_id, name, entry_id), now)

    def take(
        self, unit: Unit, workspace_id: int, name: str, entry_id: str, agent: str, *, actor: str, now: int
    ) -> ShownEntry | None:
        """An agent takes an entry, or with :data:`NEXT` the next one, where there is any. Nobody else gets it then.

        Raises:
            NotFound: no such campaign or entry.
            InvalidInput: no such agent in the campaign, or one who left.
            Conflict: it is somebody else's, is over, or nobody may call now.
        """
        campaign = find_campaign(unit, workspace_id, name, share=True)
        unit.staff.hold(workspace_id, agent)
        people = people_of(unit, campaign)
        check_agent(campaign, people, agent)
        opening = opening_of(unit, campaign, now)
        if entry_id == NEXT:
            entry = unit.telesales.take_next(workspace_id, name, agent, people, now) if opening.at <= now else None
            if entry is None:
                return None
        else:
            entry = self._entry(unit, workspace_id, name, entry_id, lock=True)
            if entry.state == EntryState.TAKEN and entry.agent == agent:
                return self._show(unit, campaign, entry, now)
            check_open(entry)
            check_free(entry, people, agent)
            if opening.at > now:
                raise opening.refusal()
        entry.agent, entry.state, entry.updated_at = agent, EntryState.TAKEN, now
        entry.note_turn(Turn(at=now, what="taken", agent=agent))
        plan(entry, campaign, people, now, here=True)
        unit.telesales.update_entry(entry)
        unit.audit.write(workspace_id, actor, "telesales_entry.take", entry.id, now, {"agent": agent})
        return self._show(unit, campaign, entry, now)

    def give(
        self, unit: Unit, workspace_id: int, name: str, entry_id: str, agent: str | None, *, actor: str, now: int
    ) -> ShownEntry:
        """Give an entry to another agent, or back to all of them.

        Raises:
            NotFound: no such campaign or entry.
            InvalidInput: no such agent in the campaign, or one who left.
            Conflict: the entry is over.
        """
        campaign = find_campaign(unit, workspace_id, name, share=True)
        if agent is not None:
            unit.staff.hold(workspace_id, agent)
        people = people_of(unit, campaign)
        if agent is not None:
            check_agent(campaign, people, agent)
        entry = self._entry(unit, workspace_id, name, entry_id, lock=True)
        check_open(entry)
        if (entry.agent, entry.state) != (agent, EntryState.OPEN):
            entry.agent, entry.state, entry.updated_at = agent, EntryState.OPEN, now
            entry.note_turn(Turn(at=now, what="given", agent=agent))
            plan(entry, campaign, people, now, here=True)
            unit.telesales.update_entry(entry)
            unit.audit.write(workspace_id, actor, "telesales_entry.give", entry.id, now, {"agent": agent})
        return self._show(unit, campaign, entry, now)

    def release(
        self, unit: Unit, workspace_id: int, name: str, entry_id: str, agent: str, *, actor: str, now: int
    ) -> ShownEntry:
        """An agent gives an entry back: it is the next one's in turn where the campaign distributes, else everybody's.
        That is an event. Again, while nobody took it since, changes nothing.

        Raises:
            NotFound: no such campaign or entry.
            InvalidInput: no such agent in the campaign.
            Conflict: it is over, or not theirs.
        """
        campaign, entry, contact = self._hold(unit, workspace_id, name, entry_id)
        check_open(entry)
        people = people_of(unit, campaign)
        if entry.agent == agent:
            event = give_back(unit, campaign, people, entry, contact, ReturnReason.RELEASED, actor=actor, now=now)
            if event is not None:
                self._ingest.ingest(unit, workspace_id, [event], now)
        elif agent not in late_agents(entry.history):
            check_agent(campaign, people, agent)
            has = f"{entry.agent}'s" if entry.agent is not None else "nobody's"
            raise Conflict(f"the entry is {has}", agent=entry.agent)
        return self._show(unit, campaign, entry, now)

    def cancel(self, unit: Unit, workspace_id: int, name: str, entry_id: str, *, actor: str, now: int) -> ShownEntry:
        """Nobody calls any more; a run that waits for the outcome goes on with ``cancelled``. Again changes nothing.

        Raises:
            NotFound: no such campaign or entry.
            Conflict: the call is done.
        """
        campaign, entry, contact = self._hold(unit, workspace_id, name, entry_id)
        if entry.state != EntryState.CANCELLED:
            check_open(entry)
            entry.state, entry.reason, entry.closed_at, entry.updated_at = EntryState.CANCELLED, "cancelled", now, now
            entry.back_at = None
            entry.note_turn(Turn(at=now, what="cancelled"))
            unit.telesales.update_entry(entry)
            unit.audit.write(workspace_id, actor, "telesales_entry.cancel", entry.id, now)
            self._tell(unit, entry, contact, CANCELLED, now)
        return self._show(unit, campaign, entry, now)

    def report(
        self, unit: Unit, workspace_id: int, name: str, entry_id: str, call: CallReport, *, actor: str, now: int
    ) -> ShownEntry:
        """An agent says what came of a call: it is over, or tried again by the campaign's rules. That is an event.

        The same said again, before the next call is due, changes nothing. Who had the entry when it went back may still
        say what came of the call until somebody else takes it.

        Raises:
            NotFound: no such campaign or entry.
            InvalidInput: a time to call back is missing, not asked for, or not to come; no such agent, or one who left.
            Conflict: it is over and came to something else, or somebody else has it.
        """
        campaign, entry, contact = self._hold(unit, workspace_id, name, entry_id)
        if is_repeated(entry, call, now):
            return self._show(unit, campaign, entry, now)
        back_at = call_back_at(call, now)
        check_open(entry)
        people = people_of(unit, campaign)
        if call.agent is not None and call.agent not in late_agents(entry.history):
            if any(turn.agent == call.agent for turn in entry.history):
                check_free(entry, people, call.agent)
            check_agent(campaign, people, call.agent)
            check_free(entry, people, call.agent)
        called_by = call.agent or entry.agent
        back = from_micros(back_at) if back_at is not None else None
        closed = closed_days(unit, workspace_id)
        following = next_call(
            call.outcome, entry.counts, back, campaign.retry, campaign.hours, from_micros(now), closed
        )
        entry.attempts += 1
        entry.counts = following.counts
        entry.outcome, entry.call_back_at, entry.outcome_note = call.outcome.value, back_at, call.note
        entry.updated_at = now
        entry.note_turn(Turn(at=now, what="called", agent=called_by, outcome=call.outcome.value))
        if following.due is None:
            entry.state, entry.agent, entry.closed_at = EntryState.DONE, called_by, now
        else:
            entry.state, entry.due_at = EntryState.OPEN, to_micros(following.due)
            entry.agent = self._next_caller(unit, campaign, call.outcome, called_by, people, following.due)
        plan(entry, campaign, people, now)
        unit.telesales.update_entry(entry)
        detail = {"outcome": call.outcome.value, "agent": called_by}
        unit.audit.write(workspace_id, actor, "telesales_entry.outcome", entry.id, now, detail)
        self._tell(unit, entry, contact, call.outcome.value, now, called_by)
        return self._show(unit, campaign, entry, now)

    def _next_caller(
        self, unit: Unit, campaign: Campaign, outcome: Outcome, called_by: str | None, people: Mapping[str, Staff],
        due: datetime,
    ) -> str | None:  # fmt: skip
        """Who calls next. Where agents take entries, anybody, but for a call back that one of them promised; where they
        get them in turn whoever called, or in place of one who left the next.
        """
        stays = campaign.auto_distribution or outcome is Outcome.CALL_BACK
        if stays and called_by is not None and called_by in people:
            person = unit.staff.hold(campaign.workspace_id, called_by)
            if person is not None and person.active:
                return called_by
        if not campaign.auto_distribution:
            return None
        heir = whose_turn(unit, campaign, people, due)
        if heir is not None:
            unit.telesales.set_last_agent(campaign.workspace_id, campaign.name, heir)
        return heir

    def _tell(
        self, unit: Unit, entry: Entry, contact: Contact, outcome: str, now: int, agent: str | None = None
    ) -> None:
        """Let the contact's runs and the workflows know, in this unit."""
        data: dict[str, Any] = {
            "campaign": entry.campaign,
            "entry": entry.id,
            "outcome": outcome,
            "attempts": entry.attempts,
            "final": entry.closed_at is not None,
        }
        more = {"agent": agent, "note": entry.outcome_note if outcome != CANCELLED else None}
        data |= {name: value for name, value in more.items() if value is not None}
        if entry.closed_at is None:
            data["due_at"] = format_micros(entry.due_at)
        identifier = new_id()
        event = IncomingEvent(
            id=identifier, source=ENGINE_SOURCE, source_id=identifier, type=TELESALES_OUTCOME,
            subject=contact.external_id, time=None, data=data,
        )  # fmt: skip
        self._ingest.ingest(unit, entry.workspace_id, [event], now)

    def _entry(self, unit: Unit, workspace_id: int, name: str, entry_id: str, *, lock: bool = False) -> Entry:
        found = unit.telesales.entry(workspace_id, name, entry_id, lock=lock)
        if found is None:
            raise NotFound("telesales entry", entry_id)
        return found

    def _hold(self, unit: Unit, workspace_id: int, name: str, entry_id: str) -> tuple[Campaign, Entry, Contact]:
        """The entry with its campaign and contact, held until the unit ends."""
        find_campaign(unit, workspace_id, name)
        contact_id = self._entry(unit, workspace_id, name, entry_id).contact_id
        unit.customers.lock_contacts(workspace_id, [contact_id])
        campaign = find_campaign(unit, workspace_id, name, lock=True)
        entry = self._entry(unit, workspace_id, name, entry_id, lock=True)
        if entry.contact_id != contact_id:
            raise Conflict("the contact was merged into another meanwhile", retry=True)
        contacts = unit.customers.contacts(workspace_id, [contact_id])
        if not contacts:
            raise Conflict("the contact was deleted, so there is nobody to call")
        return campaign, entry, contacts[0]

    def _show(self, unit: Unit, campaign: Campaign, entry: Entry, now: int) -> ShownEntry:
        contacts = _contacts(unit, campaign.workspace_id, [entry.contact_id])
        return _shown(entry, contacts.get(entry.contact_id), opening_of(unit, campaign, now), now)


def _contacts(unit: Unit, workspace_id: int, ids: Sequence[str]) -> dict[str, Contact]:
    return {one.id: one for one in unit.customers.contacts(workspace_id, sorted(set(ids)))} if ids else {}


def _shown(
    entry: Entry, contact: Contact | None, opening: Opening, now: int, *, place: EntryPlace | None = None
) -> ShownEntry:
    is_open = entry.state == EntryState.OPEN
    due_at = max(entry.due_at, opening.at) if is_open and opening.at > now else entry.due_at
    state = EntryState.WAITING if is_open and due_at > now else EntryState(entry.state)
    is_kept = is_open and entry.due_at <= now and opening.holiday is not None
    reason = HOLIDAY if is_kept else entry.reason
    return ShownEntry(entry=entry, state=state.value, due_at=due_at, contact=contact, place=place, reason=reason)
