"""Put a contact into a telesales campaign, for whoever asks inside a unit: an action does.

Deciding and storing are apart, because what an action asks for is stored only when the action succeeds.
"""

import msgspec

from nhip.domain.customers import Contact
from nhip.domain.errors import ActionFailed
from nhip.domain.ids import new_id
from nhip.domain.telesales import Campaign, Entry, EntryState
from nhip.domain.times import from_micros, to_micros
from nhip.engine.telesales import calling_time, next_agent
from nhip.ports import Unit
from nhip.services.calendars import closed_days


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
    agent = None
    if campaign.auto_distribution if distribute is None else distribute:
        agent = whose_turn(unit, workspace_id, campaign_name)
    due = calling_time(campaign.hours, from_micros(now), closed_days(unit, workspace_id))
    entry = Entry(
        id=new_id(), workspace_id=workspace_id, campaign=campaign_name, contact_id=contact.id, state=EntryState.OPEN,
        agent=agent, priority=priority, note=note, due_at=to_micros(due),
        attempts=0, counts={}, outcome=None, call_back_at=None, outcome_note=None, run_id=run_id, reason=None,
        created_at=now, updated_at=now, closed_at=None,
    )  # fmt: skip
    return Placed(entry=entry, created=True, turn=agent is not None)


def store(unit: Unit, placed: Placed) -> None:
    """Write what was decided, in the same unit."""
    entry = placed.entry
    if placed.turn and entry.agent is not None:
        unit.telesales.set_last_agent(entry.workspace_id, entry.campaign, entry.agent)
    if placed.created:
        unit.telesales.insert_entry(entry)


def whose_turn(unit: Unit, workspace_id: int, name: str) -> str | None:
    """The agent whose turn it is. Holds the campaign until the unit ends: two units never give the same turn."""
    campaign = unit.telesales.campaign(workspace_id, name, lock=True)
    if campaign is None:
        return None
    return next_agent(campaign.agents, active_agents(unit, campaign), campaign.last_agent)


def active_agents(unit: Unit, campaign: Campaign) -> frozenset[str]:
    """Of a campaign's agents, those who have not left."""
    found = unit.staff.find(campaign.workspace_id, campaign.agents)
    return frozenset(name for name, person in found.items() if person.active)
