"""Telesales: what admins write of campaigns, and what agents do with the calls in them.

Whoever changes an entry and tells of it holds the contact first, then the campaign, then the entry: the order in which
steps take them, too.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from nhip.catalog import Catalog
from nhip.domain.customers import Contact
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
    ShownCampaign,
    ShownEntry,
)
from nhip.domain.times import format_micros, from_micros, parse_duration, parse_time, to_micros
from nhip.engine.assignment import HOLIDAY
from nhip.engine.definition import NAME
from nhip.engine.moments import zone_names
from nhip.engine.telesales import LATEST_RETRY, SOONEST_RETRY, calling_time, deal, holiday_now, next_agent, next_call
from nhip.ports import Unit
from nhip.services.calendars import closed_days
from nhip.services.call_queue import active_agents
from nhip.services.ingest import ENGINE_SOURCE, Ingest
from nhip.services.revisions import check_match
from nhip.services.usage import check_unused

NEXT: Final = "next"
"""In place of an entry's id: the one that the agent calls next."""
LATEST_CALL_BACK: Final = timedelta(days=366)


class Telesales:
    """The service; its methods run inside units."""

    def __init__(self, catalog: Catalog, ingest: Ingest) -> None:
        self._catalog = catalog
        self._ingest = ingest

    # --- campaigns ----------------------------------------------------------------------------------------------------

    def find(self, unit: Unit, workspace_id: int, name: str, *, lock: bool = False) -> Campaign:
        """The campaign of that name.

        Raises:
            NotFound: there is none.
        """
        found = unit.telesales.campaign(workspace_id, name, lock=lock)
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

        Entries of agents who are not in it any more, or have left, are nobody's afterwards, or with auto-distribution
        given to the others in turn.

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
            dealt = self._deal_again(unit, stored, open_entries, now)
            if not changed and not dealt:
                return self.show(unit, workspace_id, name, now), False
            if changed:
                stored.updated_at = now
                stored.revision += 1
            unit.telesales.update_campaign(stored)
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

    def _deal_again(self, unit: Unit, campaign: Campaign, entries: Sequence[Entry], now: int) -> bool:
        """Take entries from agents who cannot call any more; the caller stores the campaign where this is true."""
        active = active_agents(unit, campaign)
        stranded = [entry for entry in entries if entry.agent is not None and entry.agent not in active]
        heirs: list[str | None] = [None] * len(stranded)
        if campaign.auto_distribution:
            heirs = deal(campaign.agents, active, campaign.last_agent, len(stranded))
        for entry, heir in zip(stranded, heirs, strict=True):
            entry.agent, entry.state, entry.updated_at = heir, EntryState.OPEN, now
            campaign.last_agent = heir or campaign.last_agent
            unit.telesales.update_entry(entry)
        return bool(stranded)

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
        campaign = self.find(unit, workspace_id, name)
        active = active_agents(unit, campaign)
        _check_agent(campaign, active, agent)
        opening = _opening(unit, campaign, now)
        if entry_id == NEXT:
            entry = unit.telesales.take_next(workspace_id, name, agent, active, now) if opening.at <= now else None
            if entry is None:
                return None
        else:
            entry = self._entry(unit, workspace_id, name, entry_id, lock=True)
            if entry.state == EntryState.TAKEN and entry.agent == agent:
                return self._show(unit, campaign, entry, now)
            _check_open(entry)
            if entry.agent is not None and entry.agent != agent and entry.agent in active:
                raise Conflict(f"the entry is {entry.agent}'s", agent=entry.agent)
            if opening.at > now:
                raise opening.refusal()
        entry.agent, entry.state, entry.updated_at = agent, EntryState.TAKEN, now
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
        campaign = self.find(unit, workspace_id, name)
        if agent is not None:
            _check_agent(campaign, active_agents(unit, campaign), agent)
        entry = self._entry(unit, workspace_id, name, entry_id, lock=True)
        _check_open(entry)
        if (entry.agent, entry.state) != (agent, EntryState.OPEN):
            entry.agent, entry.state, entry.updated_at = agent, EntryState.OPEN, now
            unit.telesales.update_entry(entry)
            unit.audit.write(workspace_id, actor, "telesales_entry.give", entry.id, now, {"agent": agent})
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
            unit.telesales.update_entry(entry)
            unit.audit.write(workspace_id, actor, "telesales_entry.cancel", entry.id, now)
            self._tell(unit, entry, contact, CANCELLED, now)
        return self._show(unit, campaign, entry, now)

    def report(
        self, unit: Unit, workspace_id: int, name: str, entry_id: str, call: CallReport, *, actor: str, now: int
    ) -> ShownEntry:
        """An agent says what came of a call: it is over, or tried again by the campaign's rules. That is an event.

        The same said again, before the next call is due, changes nothing.

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
        active = active_agents(unit, campaign)
        if call.agent is not None:
            _check_agent(campaign, active, call.agent)
            if entry.agent is not None and entry.agent != call.agent and entry.agent in active:
                raise Conflict(f"the entry is {entry.agent}'s", agent=entry.agent)
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
        if following.due is None:
            entry.state, entry.agent, entry.closed_at = EntryState.DONE, called_by, now
        else:
            entry.state, entry.due_at = EntryState.OPEN, to_micros(following.due)
            entry.agent = self._next_caller(unit, campaign, call.outcome, called_by, active)
        unit.telesales.update_entry(entry)
        detail = {"outcome": call.outcome.value, "agent": called_by}
        unit.audit.write(workspace_id, actor, "telesales_entry.outcome", entry.id, now, detail)
        self._tell(unit, entry, contact, call.outcome.value, now, called_by)
        return self._show(unit, campaign, entry, now)

    def _next_caller(
        self, unit: Unit, campaign: Campaign, outcome: Outcome, called_by: str | None, active: frozenset[str]
    ) -> str | None:
        """Who calls next. Where agents take entries, anybody, but for a call back that one of them promised; where they
        get them in turn whoever called, or in place of one who left the next.
        """
        if not campaign.auto_distribution:
            return called_by if outcome is Outcome.CALL_BACK and called_by in active else None
        if called_by in active:
            return called_by
        heir = next_agent(campaign.agents, active, campaign.last_agent)
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


def _check_agent(campaign: Campaign, active: frozenset[str], agent: str) -> None:
    if agent not in campaign.agents:
        raise invalid("agent", "unknown_agent", f"the campaign {campaign.name!r} has no agent {agent!r}")
    if agent not in active:
        raise invalid("agent", "inactive_agent", f"{agent!r} has left")


def _check_open(entry: Entry) -> None:
    if entry.state not in OPEN_STATES:
        became = entry.outcome if entry.state == EntryState.DONE else entry.reason
        raise Conflict(f"the entry is {entry.state} ({became})", state=entry.state, outcome=entry.outcome)


def _is_repeated(entry: Entry, call: CallReport, now: int) -> bool:
    """Whether this was said before: of a closed entry, or of one whose next call is not due yet."""
    if entry.state == EntryState.TAKEN or (entry.state == EntryState.OPEN and entry.due_at <= now):
        return False
    if entry.state == EntryState.CANCELLED or (entry.outcome, entry.outcome_note) != (call.outcome, call.note):
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
