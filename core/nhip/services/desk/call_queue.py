"""Put a contact into a telesales campaign, for whoever asks inside a unit: an action does. And who has an entry, until
when.

Deciding and storing are apart, because what an action asks for is stored only when the action succeeds.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from nhip.domain.customers import Contact, Staff
from nhip.domain.errors import ActionFailed
from nhip.domain.ids import new_id
from nhip.domain.telesales import OPEN_STATES, Campaign, Entry, EntryState, Turn
from nhip.domain.times import from_micros, to_micros
from nhip.engine.desk.assignment import obstacle
from nhip.engine.desk.telesales import calling_time, goes_back_at, next_agent, taken_since
from nhip.ports import Unit
from nhip.services.workspace.calendars import closed_days


class Placed(msgspec.Struct, kw_only=True):
    """A contact's place in a campaign: a new entry, or the one it had."""

    entry: Entry
    created: bool
    turn: bool = False
    """Whether giving it to its agent was that agent's turn."""


def place(  # noqa: PLR0913  (what there is to say of a call)
    unit: Unit,
    workspace_id: int,
    campaign_name: str,
    contact: Contact,
    lifecycle: str,
    *,
    distribute: bool | None,
    priority: int,
    note: str | None,
    run_id: str,
    now: int,
) -> Placed:
    """Decide who calls a contact, and when. The caller holds the contact, so that nobody else does so at once.

    Raises:
        ActionFailed: there is no such campaign, or it is not for such contacts.
    """
    campaign = unit.telesales.campaign(workspace_id, campaign_name)
    if campaign is None:
        raise ActionFailed(f"there is no telesales campaign {campaign_name!r}")
    if lifecycle != campaign.object:
        said = f"the telesales campaign {campaign_name!r} is for {campaign.object}s, and {contact.external_id!r} is a"
        raise ActionFailed(f"{said} {lifecycle}", campaign=campaign_name, object=campaign.object)
    known = unit.telesales.open_entry(workspace_id, campaign_name, contact.id)
    if known is not None:
        return Placed(entry=known, created=False)
    due = calling_time(campaign.hours, from_micros(now), closed_days(unit, workspace_id))
    agent, people = None, dict[str, Staff]()
    if campaign.auto_distribution if distribute is None else distribute:
        held = unit.telesales.campaign(workspace_id, campaign_name, lock=True)
        if held is not None:
            campaign, people = held, people_of(unit, held)
            agent = whose_turn(unit, campaign, people, due)
    entry = Entry(
        id=new_id(), workspace_id=workspace_id, campaign=campaign_name, contact_id=contact.id, state=EntryState.OPEN,
        agent=agent, priority=priority, note=note, due_at=to_micros(due),
        attempts=0, counts={}, outcome=None, call_back_at=None, outcome_note=None, run_id=run_id, reason=None,
        created_at=now, updated_at=now, closed_at=None,
    )  # fmt: skip
    if agent is not None:
        entry.note_turn(Turn(at=now, what="given", agent=agent))
    plan(entry, campaign, people, now)
    return Placed(entry=entry, created=True, turn=agent is not None)


def store(unit: Unit, placed: Placed) -> None:
    """Write what was decided, in the same unit."""
    entry = placed.entry
    if placed.turn and entry.agent is not None:
        unit.telesales.set_last_agent(entry.workspace_id, entry.campaign, entry.agent)
    if placed.created:
        unit.telesales.insert_entry(entry)


# --- who has an entry -------------------------------------------------------------------------------------------------


def people_of(unit: Unit, campaign: Campaign) -> dict[str, Staff]:
    """Of a campaign's agents, those who have not left."""
    found = unit.staff.find(campaign.workspace_id, campaign.agents) if campaign.agents else {}
    return {name: person for name, person in found.items() if person.active}


def whose_turn(
    unit: Unit, campaign: Campaign, people: Mapping[str, Staff], due: datetime, but: Collection[str] = ()
) -> str | None:
    """The agent whose turn it is, of those who are not away when the call is due; they are held until the unit ends.

    The caller holds the campaign, so that two units never give the same turn.
    """
    able = {name for name, person in people.items() if name not in but and _is_there(person, due)}
    while (name := next_agent(campaign.agents, able, campaign.last_agent)) is not None:
        person = unit.staff.hold(campaign.workspace_id, name)
        if person is not None and _is_there(person, due):
            return name
        able.discard(name)
    return None


def plan(entry: Entry, campaign: Campaign, people: Mapping[str, Staff], now: int, *, here: bool = False) -> None:
    """Reckon until when its agent has an entry. ``here``: they were seen just now, so their absence is none."""
    if entry.agent is None or entry.state not in OPEN_STATES:
        entry.back_at = None
        return
    taken_at = None
    if entry.state == EntryState.TAKEN:
        taken_at = from_micros(taken_since(entry.history) or entry.updated_at)
    hold = timedelta(minutes=campaign.hold_minutes) if campaign.hold_minutes is not None else None
    person = people.get(entry.agent)
    back = goes_back_at(person, taken_at, from_micros(entry.due_at), hold, from_micros(now), here=here)
    entry.back_at = to_micros(back) if back is not None else None


def plan_again(unit: Unit, workspace_id: int, agent: str, now: int) -> None:
    """Reckon it again for all that an agent has, because what is known of them changed."""
    entries = unit.telesales.entries_of(workspace_id, agent)
    person = unit.staff.find(workspace_id, [agent]).get(agent) if entries else None
    campaigns: dict[str, Campaign | None] = {}
    for entry in entries:
        if entry.campaign not in campaigns:
            campaigns[entry.campaign] = unit.telesales.campaign(workspace_id, entry.campaign)
        campaign = campaigns[entry.campaign]
        if campaign is None:
            continue
        people = {agent: person} if person is not None and person.active and agent in campaign.agents else {}
        before = entry.back_at
        plan(entry, campaign, people, now)
        if entry.back_at != before:
            unit.telesales.update_entry(entry)


def _is_there(person: Staff, when: datetime) -> bool:
    return obstacle(person, when, hours=False) is None
