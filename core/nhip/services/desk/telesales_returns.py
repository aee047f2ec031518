"""Entries that their agents have no more: taken and never said an outcome of, or of agents who are away or have left.

Until when an agent has an entry is written on it (``back_at``) whenever that may change. What is over goes back in
units of few entries; whoever does so holds them, so that each goes back once, however many workers there are.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nhip.domain.customers import Contact, Staff
from nhip.domain.errors import StorageUnavailable
from nhip.domain.events import IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.telesales import TELESALES_RETURNED, Campaign, Entry, EntryState, GoingBack, ReturnReason, Turn
from nhip.domain.times import format_micros, from_micros
from nhip.engine.desk.telesales import taken_since
from nhip.ports import Clock, Storage, Unit
from nhip.services.desk.call_queue import people_of, plan, whose_turn
from nhip.services.events.ingest import ENGINE_SOURCE, Ingest

log = logging.getLogger("nhip.worker")

_ENTRIES: Final = 50
"""Entries of one round."""
_AFTER_A_FAULT: Final = 60_000_000
"""Microseconds after which a campaign is tried again that failed in this process."""
_ENGINE: Final = "engine"


class TelesalesReturns:
    """The service. :meth:`run` serves a worker; the other methods run inside units."""

    def __init__(self, ingest: Ingest, clock: Clock) -> None:
        self._ingest = ingest
        self._clock = clock
        self._held: dict[tuple[int, str], int] = {}

    async def run(self, storage: Storage) -> tuple[int, bool]:
        """One round: a unit for each campaign. One that fails stops no other.

        Answers how many entries were looked at, and whether there may be more.

        Raises:
            StorageUnavailable: the database cannot take it now.
        """
        found: Sequence[GoingBack] = await storage.read(self.due)
        by_campaign: dict[tuple[int, str], list[GoingBack]] = {}
        for one in found:
            by_campaign.setdefault((one.workspace_id, one.campaign), []).append(one)
        for (workspace_id, name), wanted in by_campaign.items():
            try:
                await storage.transact(self.sweep, workspace_id, name, wanted)
            except StorageUnavailable:
                raise
            except Exception:
                log.exception("entries did not go back", extra={"campaign": name})
                self._held[workspace_id, name] = self._clock.micros() + _AFTER_A_FAULT
        return len(found), len(found) == _ENTRIES

    def due(self, unit: Unit) -> Sequence[GoingBack]:
        """What goes back now, but for that of campaigns which failed a moment ago."""
        now = self._clock.micros()
        self._held = {one: until for one, until in self._held.items() if until > now}
        return unit.telesales.going_back(now, _ENTRIES, self._held)

    def sweep(self, unit: Unit, workspace_id: int, name: str, wanted: Sequence[GoingBack]) -> None:
        """Let these entries of a campaign go back, as far as they still have to."""
        now = self._clock.micros()
        contact_ids = sorted({one.contact_id for one in wanted})
        unit.customers.lock_contacts(workspace_id, contact_ids)
        campaign = unit.telesales.campaign(workspace_id, name, lock=True)
        if campaign is None:
            return
        entries = unit.telesales.hold_going_back(workspace_id, name, [one.id for one in wanted], now)
        people = people_of(unit, campaign)
        contacts = {one.id: one for one in unit.customers.contacts(workspace_id, contact_ids)}
        events: list[IncomingEvent] = []
        for entry in entries:
            if entry.contact_id not in contact_ids:  # its contact was merged meanwhile: the next round holds the other
                continue
            plan(entry, campaign, people, now)
            if entry.back_at is None or entry.back_at > now:
                unit.telesales.update_entry(entry)
                continue
            why, contact = _why(campaign, people, entry, now), contacts.get(entry.contact_id)
            event = give_back(unit, campaign, people, entry, contact, why, actor=_ENGINE, now=now)
            events += [event] if event is not None else []
        if events:
            self._ingest.ingest(unit, workspace_id, events, now)


def give_back(
    unit: Unit, campaign: Campaign, people: Mapping[str, Staff], entry: Entry, contact: Contact | None,
    reason: ReturnReason, *, actor: str, now: int,
) -> IncomingEvent | None:  # fmt: skip
    """Take an entry from its agent: it is the next one's in turn where the campaign distributes, else everybody's.

    The caller holds the contact, the campaign and the entry, and lets the event in that this answers with.
    """
    had, to = entry.agent, None
    if campaign.auto_distribution:
        due = from_micros(max(now, entry.due_at))
        to = whose_turn(unit, campaign, people, due, [had] if had is not None else [])
    if to is not None:
        campaign.last_agent = to
        unit.telesales.set_last_agent(campaign.workspace_id, campaign.name, to)
    entry.agent, entry.state, entry.updated_at = to, EntryState.OPEN, now
    entry.returns += 1
    entry.note_turn(Turn(at=now, what="returned", agent=had, to=to, reason=reason.value))
    plan(entry, campaign, people, now)
    unit.telesales.update_entry(entry)
    said = {name: value for name, value in (("agent", had), ("reason", reason.value), ("to", to)) if value is not None}
    unit.audit.write(entry.workspace_id, actor, "telesales_entry.return", entry.id, now, said)
    if contact is None:
        return None
    data: dict[str, Any] = {
        "campaign": entry.campaign, "entry": entry.id, **said, "returns": entry.returns,
        "due_at": format_micros(entry.due_at),
    }  # fmt: skip
    identifier = new_id()
    return IncomingEvent(
        id=identifier, source=ENGINE_SOURCE, source_id=identifier, type=TELESALES_RETURNED,
        subject=contact.external_id, time=None, data=data,
    )  # fmt: skip


def _why(campaign: Campaign, people: Mapping[str, Staff], entry: Entry, now: int) -> ReturnReason:
    """Why an entry goes back that is due to."""
    if entry.agent not in campaign.agents:
        return ReturnReason.REMOVED
    if entry.agent not in people:
        return ReturnReason.LEFT
    if entry.state == EntryState.TAKEN and campaign.hold_minutes is not None:
        since = taken_since(entry.history) or entry.updated_at
        if since + campaign.hold_minutes * 60_000_000 <= now:
            return ReturnReason.HELD_TOO_LONG
    return ReturnReason.ABSENT
