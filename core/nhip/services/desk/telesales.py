"""Telesales: what admins write of campaigns, and what agents do with the calls in them.

Whoever changes an entry and tells of it holds the contact first, then the campaign, then the entry: the order in which
steps take them, too.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from nhip.catalog import Catalog
from nhip.domain.customers import Contact, Staff
from nhip.domain.errors import Conflict, InvalidInput, NotFound, Problem, invalid
from nhip.domain.events import IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.telesales import (
    CANCELLED,
    OPEN_STATES,
    TELESALES_OUTCOME,
    CallReport,
    Campaign,
    CampaignDraft,
    Entry,
    EntryFilter,
    EntryPlace,
    EntryState,
    Outcome,
    Retry,
    ReturnReason,
    ShownCampaign,
    ShownEntry,
    Turn,
)
from nhip.domain.times import format_micros, from_micros, parse_duration, parse_time, to_micros
from nhip.engine.definitions.definition import NAME
from nhip.engine.desk.assignment import HOLIDAY
from nhip.engine.desk.telesales import LATEST_RETRY, SOONEST_RETRY, calling_time, holiday_now, late_agents, next_call
from nhip.engine.facts.moments import zone_names
from nhip.ports import Unit
from nhip.services.desk.call_queue import people_of, plan, whose_turn
from nhip.services.desk.telesales_returns import give_back
from nhip.services.events.ingest import ENGINE_SOURCE, Ingest
from nhip.services.workspace.calendars import closed_days
from nhip.services.workspace.revisions import check_match
from nhip.services.workspace.usage import check_unused

NEXT: Final = "next"
"""In place of an entry's id: the one that the agent calls next."""
LATEST_CALL_BACK: Final = timedelta(days=366)


class Telesales:
    """The service; its methods run inside units."""

    def __init__(self, catalog: Catalog, ingest: Ingest) -> None:
        self._catalog = catalog
        self._ingest = ingest

    # --- campaigns ----------------------------------------------------------------------------------------------------

    def find(self, unit: Unit, workspace_id: int, name: str, *, lock: bool = False, share: bool = False) -> Campaign:
        """The campaign of that name, held until the unit ends where that is wanted.

        Raises:
            NotFound: there is none.
        """
        found = unit.telesales.campaign(workspace_id, name, lock=lock, share=share)
        if found is None:
            raise NotFound("telesales campaign", name)
        return found

    def show(self, unit: Unit, workspace_id: int, name: str, now: int) -> ShownCampaign:
        """A campaign with how many entries it has.

        Raises:
            NotFound: there is none.
        """
        campaign = self.find(unit, workspace_id, name)
        counts = unit.telesales.counts(workspace_id, name, now, hours_open=_opening(unit, campaign, now).at <= now)
        return ShownCampaign(campaign=campaign, counts=counts)

    def page(self, unit: Unit, workspace_id: int, after: str | None, limit: int) -> Sequence[Campaign]:
        """By name, after a name."""
        return unit.telesales.campaigns(workspace_id, after, limit)

    def save(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        draft: CampaignDraft,
        *,
        if_match: str | None,
        actor: str,
        now: int,
    ) -> tuple[ShownCampaign, bool]:
        """Make or replace a campaign; answers whether it was made. What is unchanged keeps its revision.

        Entries of agents who are not in it any more go back as soon as a worker looks.

        Raises:
            InvalidInput: with the place of each problem: ``agents[1]``.
            StaleRevision: ``if_match`` does not hold.
            Conflict: it has open entries, and would be for others than they are.
        """
        problems = list(_problems(unit, workspace_id, name, draft))
        if problems:
            raise InvalidInput(problems)
        stored = unit.telesales.campaign(workspace_id, name, lock=True)
        check_match(stored, if_match)
        said: dict[str, Any] = {one: getattr(draft, one) for one in CampaignDraft.__struct_fields__}
        created = stored is None
        if stored is None:
            stored = Campaign(
                workspace_id=workspace_id, name=name, id=new_id(), last_agent=None, revision=1, created_at=now,
                updated_at=now, **said,
            )  # fmt: skip
            unit.telesales.insert_campaign(stored)
        else:
            open_entries = unit.telesales.open_entries(workspace_id, name)
            if stored.object != draft.object and open_entries:
                said_why = f"{len(open_entries)} entries of it are open, of {stored.object}s"
                raise Conflict(f"the campaign cannot be for {draft.object}s: {said_why}")
            changed = any(getattr(stored, one) != value for one, value in said.items())
            for one, value in said.items():
                setattr(stored, one, value)
            if not changed:
                return self.show(unit, workspace_id, name, now), False
            stored.updated_at = now
            stored.revision += 1
            unit.telesales.update_campaign(stored)
            people = people_of(unit, stored)
            for entry in open_entries:
                before = entry.back_at
                plan(entry, stored, people, now)
                if entry.back_at != before:
                    unit.telesales.update_entry(entry)
        action = "telesales_campaign.create" if created else "telesales_campaign.change"
        unit.audit.write(workspace_id, actor, action, name, now, {"revision": stored.revision})
        return self.show(unit, workspace_id, name, now), created

    def delete(self, unit: Unit, workspace_id: int, name: str, *, if_match: str | None, actor: str, now: int) -> None:
        """Take a campaign away with its closed entries.

        Raises:
            NotFound: there is none.
            StaleRevision: ``if_match`` does not hold.
            Conflict: a workflow still needs it, or somebody is still to be called.
        """
        check_match(self.find(unit, workspace_id, name, lock=True), if_match)
        check_unused(unit, self._catalog, workspace_id, "telesales_campaign", name)
        still = len(unit.telesales.open_entries(workspace_id, name))
        if still:
            raise Conflict(f"{still} contacts are still to be called in the campaign {name!r}", open=still)
        unit.telesales.delete_campaign(workspace_id, name)
        unit.audit.write(workspace_id, actor, "telesales_campaign.delete", name, now)

    # --- entries ------------------------------------------------------------------------------------------------------

    def entries(
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
        campaign = self.find(unit, workspace_id, name)
        moment = after.now if after is not None else now
        opening = _opening(unit, campaign, moment)
        rows = unit.telesales.entries(
            workspace_id, name, wanted, after, limit, now=moment, hours_open=opening.at <= moment
        )
        contacts = _contacts(unit, workspace_id, [entry.contact_id for entry, _ in rows])
        return [_shown(entry, contacts.get(entry.contact_id), opening, moment, place=place) for entry, place in rows]

    def entry(self, unit: Unit, workspace_id: int, name: str, entry_id: str, now: int) -> ShownEntry:
        """One entry.

        Raises:
            NotFound: there is none.
        """
        campaign = self.find(unit, workspace_id, name)
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
        campaign = self.find(unit, workspace_id, name, share=True)
        unit.staff.hold(workspace_id, agent)
        people = people_of(unit, campaign)
        _check_agent(campaign, people, agent)
        opening = _opening(unit, campaign, now)
        if entry_id == NEXT:
            entry = unit.telesales.take_next(workspace_id, name, agent, people, now) if opening.at <= now else None
            if entry is None:
                return None
        else:
            entry = self._entry(unit, workspace_id, name, entry_id, lock=True)
            if entry.state == EntryState.TAKEN and entry.agent == agent:
                return self._show(unit, campaign, entry, now)
            _check_open(entry)
            _check_free(entry, people, agent)
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
        campaign = self.find(unit, workspace_id, name, share=True)
        if agent is not None:
            unit.staff.hold(workspace_id, agent)
        people = people_of(unit, campaign)
        if agent is not None:
            _check_agent(campaign, people, agent)
        entry = self._entry(unit, workspace_id, name, entry_id, lock=True)
        _check_open(entry)
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
        _check_open(entry)
        people = people_of(unit, campaign)
        if entry.agent == agent:
            event = give_back(unit, campaign, people, entry, contact, ReturnReason.RELEASED, actor=actor, now=now)
            if event is not None:
                self._ingest.ingest(unit, workspace_id, [event], now)
        elif agent not in late_agents(entry.history):
            _check_agent(campaign, people, agent)
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
            _check_open(entry)
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
        if _is_repeated(entry, call, now):
            return self._show(unit, campaign, entry, now)
        back_at = _call_back_at(call, now)
        _check_open(entry)
        people = people_of(unit, campaign)
        if call.agent is not None and call.agent not in late_agents(entry.history):
            if any(turn.agent == call.agent for turn in entry.history):
                _check_free(entry, people, call.agent)
            _check_agent(campaign, people, call.agent)
            _check_free(entry, people, call.agent)
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

    # --- look up ------------------------------------------------------------------------------------------------------

    def _entry(self, unit: Unit, workspace_id: int, name: str, entry_id: str, *, lock: bool = False) -> Entry:
        found = unit.telesales.entry(workspace_id, name, entry_id, lock=lock)
        if found is None:
            raise NotFound("telesales entry", entry_id)
        return found

    def _hold(self, unit: Unit, workspace_id: int, name: str, entry_id: str) -> tuple[Campaign, Entry, Contact]:
        """The entry with its campaign and contact, held until the unit ends."""
        self.find(unit, workspace_id, name)
        contact_id = self._entry(unit, workspace_id, name, entry_id).contact_id
        unit.customers.lock_contacts(workspace_id, [contact_id])
        campaign = self.find(unit, workspace_id, name, lock=True)
        entry = self._entry(unit, workspace_id, name, entry_id, lock=True)
        if entry.contact_id != contact_id:
            raise Conflict("the contact was merged into another meanwhile", retry=True)
        contacts = unit.customers.contacts(workspace_id, [contact_id])
        if not contacts:
            raise Conflict("the contact was deleted, so there is nobody to call")
        return campaign, entry, contacts[0]

    def _show(self, unit: Unit, campaign: Campaign, entry: Entry, now: int) -> ShownEntry:
        contacts = _contacts(unit, campaign.workspace_id, [entry.contact_id])
        return _shown(entry, contacts.get(entry.contact_id), _opening(unit, campaign, now), now)


class _Opening(NamedTuple):
    """When agents may call."""

    at: int
    """Now, or else when they may next."""
    holiday: str | None
    """The title of the holiday that alone keeps them from it now."""

    def refusal(self) -> Conflict:
        """The answer to an agent who would call now."""
        at = format_micros(self.at)
        if self.holiday is None:
            return Conflict(f"nobody may call before {at}", opens_at=at)
        said = f"nobody may call before {at}: it is a holiday, {self.holiday}"
        return Conflict(said, opens_at=at, reason=HOLIDAY, holiday=self.holiday)


def _opening(unit: Unit, campaign: Campaign, now: int) -> _Opening:
    closed, moment = closed_days(unit, campaign.workspace_id), from_micros(now)
    at = calling_time(campaign.hours, moment, closed)
    return _Opening(to_micros(at), holiday_now(campaign.hours, moment, closed) if at > moment else None)


def _contacts(unit: Unit, workspace_id: int, ids: Sequence[str]) -> dict[str, Contact]:
    return {one.id: one for one in unit.customers.contacts(workspace_id, sorted(set(ids)))} if ids else {}


def _shown(
    entry: Entry, contact: Contact | None, opening: _Opening, now: int, *, place: EntryPlace | None = None
) -> ShownEntry:
    is_open = entry.state == EntryState.OPEN
    due_at = max(entry.due_at, opening.at) if is_open and opening.at > now else entry.due_at
    state = EntryState.WAITING if is_open and due_at > now else EntryState(entry.state)
    is_kept = is_open and entry.due_at <= now and opening.holiday is not None
    reason = HOLIDAY if is_kept else entry.reason
    return ShownEntry(entry=entry, state=state.value, due_at=due_at, contact=contact, place=place, reason=reason)


# --- what may be said -------------------------------------------------------------------------------------------------


def _check_agent(campaign: Campaign, active: Collection[str], agent: str) -> None:
    if agent not in campaign.agents:
        raise invalid("agent", "unknown_agent", f"the campaign {campaign.name!r} has no agent {agent!r}")
    if agent not in active:
        raise invalid("agent", "inactive_agent", f"{agent!r} has left")


def _check_free(entry: Entry, active: Collection[str], agent: str) -> None:
    if entry.agent is not None and entry.agent != agent and entry.agent in active:
        raise Conflict(f"the entry is {entry.agent}'s", agent=entry.agent)


def _check_open(entry: Entry) -> None:
    if entry.state in OPEN_STATES:
        return
    if entry.state != EntryState.DONE:
        raise Conflict(f"the entry is {entry.state} ({entry.reason})", state=entry.state, outcome=entry.outcome)
    caller = f" by {entry.agent}" if entry.agent is not None else ""
    said = f"the entry is {entry.state}{caller} ({entry.outcome})"
    raise Conflict(said, state=entry.state, outcome=entry.outcome, agent=entry.agent)


def _is_repeated(entry: Entry, call: CallReport, now: int) -> bool:
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


def _call_back_at(call: CallReport, now: int) -> int | None:
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


def _problems(unit: Unit, workspace_id: int, name: str, draft: CampaignDraft) -> Iterator[Problem]:
    if not NAME.match(name):
        message = "a name is lower-case letters, digits, - and _, at most 100"
        yield Problem(path="name", code="bad_value", message=message)
    found = unit.staff.find(workspace_id, draft.agents) if draft.agents else {}
    for position, agent in enumerate(draft.agents):
        path = f"agents[{position}]"
        if agent in draft.agents[:position]:
            yield Problem(path=path, code="duplicate", message=f"{agent!r} is named twice")
        elif agent not in found:
            yield Problem(path=path, code="unknown_staff", message=f"there is no staff {agent!r}")
        elif not found[agent].active:
            yield Problem(path=path, code="inactive_agent", message=f"{agent!r} has left")
    if draft.hours.timezone not in zone_names():
        message = f"there is no time zone {draft.hours.timezone!r}"
        yield Problem(path="hours.timezone", code="unknown_timezone", message=message)
    if draft.hours.to <= draft.hours.from_:
        yield Problem(path="hours.to", code="bad_value", message="the hours end later on the day than they begin")
    for outcome in ("no_answer", "busy"):
        rule: Retry | None = getattr(draft.retry, outcome)
        if rule is None:
            continue
        path = f"retry.{outcome}.after"
        try:
            after = parse_duration(rule.after)
        except ValueError as error:
            yield Problem(path=path, code="bad_value", message=str(error))
            continue
        if not SOONEST_RETRY <= after <= LATEST_RETRY:
            message = "a call is tried again after a minute at the soonest and a year at the latest"
            yield Problem(path=path, code="bad_value", message=message)
