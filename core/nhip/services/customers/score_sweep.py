"""Scores that move by themselves: those that decay, when they are due, and all of them when their rules changed.

It works in units of few contacts. Each holds its contacts, and what somebody else holds is left to them, so any number
of workers may sweep at once.
"""

from collections.abc import Sequence
from typing import Final

from nhip.domain.customers import Contact
from nhip.domain.events import IncomingEvent
from nhip.domain.scores import SCORE_CHANGED
from nhip.engine.customers.score_rules import ScoreBook
from nhip.ports import Clock, Storage, Unit
from nhip.services.events.ingest import ENGINE_SOURCE, Ingest
from nhip.services.events.known import Known, Reads
from nhip.services.events.scoring import look_at

_CONTACTS: Final = 200
"""Contacts of one unit."""
_UNITS: Final = 25
"""Units of one pass, so that a pass is short however much is due."""


class ScoreSweep:
    """The service. :meth:`run` serves a worker; the other methods run inside units."""

    def __init__(self, ingest: Ingest, clock: Clock) -> None:
        self._ingest = ingest
        self._clock = clock

    async def run(self, storage: Storage) -> None:
        """Look at what is due, as far as one pass goes.

        Raises:
            StorageUnavailable: the database cannot take it now.
        """
        for _ in range(_UNITS):
            if not await storage.read(self.is_due) or not await storage.transact(self.step):
                return

    def is_due(self, unit: Unit) -> bool:
        """Whether there is anything to look at."""
        return unit.scores.is_due(self._clock.micros())

    def step(self, unit: Unit) -> bool:
        """Look at some contacts; false where there was nothing that nobody else holds."""
        now = self._clock.micros()
        by_workspace: dict[int, list[str]] = {}
        for workspace_id, contact_id in unit.scores.due(now, _CONTACTS):
            by_workspace.setdefault(workspace_id, []).append(contact_id)
        for workspace_id, ids in by_workspace.items():
            self._look(unit, workspace_id, ids, now)
        return bool(by_workspace) or self._recount(unit, now)

    def _look(self, unit: Unit, workspace_id: int, ids: Sequence[str], now: int) -> None:
        """What time did to these contacts' scores; it is an event where somebody listens and the score moved."""
        matcher = self._ingest.matcher
        index = matcher.refresh(unit, workspace_id)
        book = matcher.scores(workspace_id)
        is_heard = index.listens(SCORE_CHANGED) or SCORE_CHANGED in matcher.heard(workspace_id)
        events: list[IncomingEvent] = []
        silent: list[Contact] = []
        for contact in unit.customers.contacts(workspace_id, ids):
            due = contact.score_due_at
            if book is None:  # its rules cannot be read in this process
                contact.score_due_at = None
                silent.append(contact)
            elif look_at(contact, book, (), now) and is_heard:
                events.append(
                    IncomingEvent(
                        source=ENGINE_SOURCE, source_id=f"score:{contact.id}:{due}", type=SCORE_CHANGED,
                        subject=contact.external_id, time=now, data={},
                    )
                )  # fmt: skip
            else:
                silent.append(contact)
        self._store(unit, workspace_id, silent, now)
        if events:
            self._ingest.ingest(unit, workspace_id, events, now)

    def _recount(self, unit: Unit, now: int) -> bool:
        """Carry changed rules into some more scores. Nobody is told: a score that its rules changed has not moved."""
        rules = unit.scores.recounting()
        if rules is None or rules.recount_after is None:
            return False
        workspace_id = rules.workspace_id
        self._ingest.matcher.refresh(unit, workspace_id)
        book = self._ingest.matcher.scores(workspace_id)
        ids = unit.scores.scored(workspace_id, rules.recount_after, _CONTACTS) if book is not None else []
        contacts = unit.customers.contacts(workspace_id, ids) if ids else []
        if book is not None:
            self._store(unit, workspace_id, [_carried(contact, book, now) for contact in contacts], now)
        rules.recount_after = ids[-1] if len(ids) == _CONTACTS else None
        unit.scores.update(rules)
        return True

    def _store(self, unit: Unit, workspace_id: int, contacts: Sequence[Contact], now: int) -> None:
        """Store contacts with another score, and let segments follow."""
        if not contacts:
            return
        known = Known(unit, workspace_id, now, self._ingest.catalog.record_types, Reads(activity=False, accounts=False))
        for contact in contacts:
            known.touch(contact)
        concern = self._ingest.memberships.hold(unit, workspace_id, known)
        known.store()
        if concern is not None:
            self._ingest.memberships.follow(unit, workspace_id, concern, known, now)


def _carried(contact: Contact, book: ScoreBook, now: int) -> Contact:
    look_at(contact, book, (), now)
    return contact
