"""Events in: one transaction stores them, what they say is true, the runs they start and their first steps.

The order is always the same: find duplicates, load the contacts and records concerned in bulk, lay the snapshots over
them, derive the events that follow, match, start runs, write everything in bulk, and let the runs go on that waited for
such an event. It runs inside a unit that its caller opened, so that a local action's effects start further workflows in
the very transaction that records the action.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.customers import Contact
from nhip.domain.events import SILENT_DAYS, Cause, EventReceipt, IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.merging import MERGED
from nhip.domain.scores import SCORE_CHANGED
from nhip.engine.conditions.decide import CustomConditions
from nhip.engine.customers.snapshots import before_closing, contact_events, record_events, record_facts, told_apart
from nhip.plugin_api import CALENDAR
from nhip.ports import Unit
from nhip.services.events.known import Known, Reads, named_contact
from nhip.services.events.memberships import Memberships
from nhip.services.events.scoring import hits_of, look_at, told
from nhip.services.runs.entries import Entries, Happening
from nhip.services.runs.listening import Listening
from nhip.services.runs.matching import Matcher, Versions
from nhip.services.runs.progress import Progress

_encode: Final = msgspec.json.Encoder().encode
_DAY_MICROS: Final = 86_400_000_000
_SELDOM_READ: Final = ("contact.activity", "event.silent_days", "account")
ENGINE_SOURCE: Final = "nhip"
"""The source of events that the engine derives; no client may use it."""


class Submission(msgspec.Struct):
    """The events of one request, which are stored together or not at all."""

    workspace_id: int
    events: list[IncomingEvent]


class Stored(msgspec.Struct):
    """What became of several requests' events."""

    receipts: list[list[EventReceipt]]
    """Per request, in order."""
    work: bool
    """Whether somebody has something to do now."""


class Ingest:
    """The service. One instance per process; its methods run inside units."""

    def __init__(
        self, catalog: Catalog, matcher: Matcher, versions: Versions, customs: CustomConditions, progress: Progress
    ) -> None:
        self.catalog = catalog
        self.matcher = matcher
        self.versions = versions
        self.customs = customs
        self.progress = progress
        self.memberships = Memberships(matcher)
        self.listening = Listening(catalog, matcher, versions, customs, progress)

    def submit(self, unit: Unit, submissions: Sequence[Submission], now: int) -> Stored:
        """Store several requests' events in one unit."""
        receipts: list[list[EventReceipt]] = [[] for _ in submissions]
        workspaces: dict[int, list[int]] = {}
        work = False
        for position, submission in enumerate(submissions):
            workspaces.setdefault(submission.workspace_id, []).append(position)
        for workspace_id, positions in workspaces.items():
            events = [event for position in positions for event in submissions[position].events]
            batch = _Batch(self, unit, workspace_id, now)
            answers = iter(batch.run(events))
            work = work or batch.work
            for position in positions:
                receipts[position] = [next(answers) for _ in submissions[position].events]
        return Stored(receipts, work)

    def ingest(self, unit: Unit, workspace_id: int, events: Sequence[IncomingEvent], now: int) -> list[EventReceipt]:
        """Store these events of one workspace, and start what they start."""
        return _Batch(self, unit, workspace_id, now).run(events)


class _Batch:
    """The work on the events of one workspace in one unit."""

    def __init__(self, service: Ingest, unit: Unit, workspace_id: int, now: int) -> None:
        self.service = service
        self.unit = unit
        self.workspace_id = workspace_id
        self.now = now
        self.entries = Entries(
            service.catalog, service.matcher, service.versions, service.customs, unit, workspace_id, now
        )
        matcher = service.matcher
        self.book = matcher.scores(workspace_id)
        read = [name for name in _SELDOM_READ if matcher.reads(workspace_id, name)]
        reads = Reads(activity=read != ["account"] and bool(read), accounts="account" in read)
        watches = matcher.watches(workspace_id)
        ended = matcher.ended(workspace_id)
        self.known = Known(unit, workspace_id, now, service.catalog.record_types, reads, watches, ended)
        self.entries.new_contacts = self.known.new_contacts
        self.work = False
        self.rows: list[tuple[Any, ...]] = []
        self.happenings: list[Happening] = []

    def run(self, events: Sequence[IncomingEvent]) -> list[EventReceipt]:
        known = self.duplicates(events)
        receipts: list[EventReceipt | None] = [None] * len(events)
        fresh: list[tuple[int, IncomingEvent]] = []
        repeated: list[int] = []
        for position, event in enumerate(events):
            key = (event.source, event.source_id)
            if key in known:
                repeated.append(position)
            else:
                known[key] = ""
                fresh.append((position, event))
        self.known.load([event for _, event in fresh])
        for position, event in fresh:
            receipts[position] = receipt = self.take(event)
            known[event.source, event.source_id] = receipt.id
        self.store()
        if repeated:
            self.answer_repeated(events, repeated, known, receipts)
        return [receipt for receipt in receipts if receipt is not None]

    def answer_repeated(
        self,
        events: Sequence[IncomingEvent],
        repeated: Sequence[int],
        known: Mapping[tuple[str, str], str],
        receipts: list[EventReceipt | None],
    ) -> None:
        """A duplicate answers with the first one's outcome."""
        ids = {position: known[events[position].source, events[position].source_id] for position in repeated}
        runs = self.unit.events.runs_of(self.workspace_id, list(dict.fromkeys(ids.values())))
        for position, identifier in ids.items():
            receipts[position] = EventReceipt(
                id=identifier,
                source_id=events[position].source_id,
                duplicate=True,
                runs=tuple(runs.get(identifier, ())),
            )

    def duplicates(self, events: Sequence[IncomingEvent]) -> dict[tuple[str, str], str]:
        sources: dict[str, list[str]] = {}
        for event in events:
            if event.type:
                sources.setdefault(event.source, []).append(event.source_id)
        known: dict[tuple[str, str], str] = {}
        for source, source_ids in sources.items():
            for source_id, identifier in self.unit.events.find(self.workspace_id, source, source_ids).items():
                known[source, source_id] = identifier
        return known

    def take(self, event: IncomingEvent) -> EventReceipt:
        """Lay one event's snapshots over what is known, derive what follows, and start what it starts."""
        time = min(event.time, self.now) if event.time is not None else self.now
        known = self.known
        previous: dict[str, Any] = {}
        following: list[tuple[str, dict[str, Any]]] = []
        contact = known.find_contact(event)
        if contact is not None or event.contact is not None or named_contact(event):
            contact, created, old = known.lay_contact(contact, event)
            following += contact_events(created, old, contact.attributes)
            if old:
                previous["contact"] = old
        facts: dict[str, Any] = {}
        for snapshot in event.records:
            if snapshot.mentioned and (snapshot.type, snapshot.external_id) not in known.records:
                continue
            holder = None if snapshot.mentioned else contact
            known_record = known.records.get((snapshot.type, snapshot.external_id))
            closed_at = known_record.closed_at if known_record is not None else None
            fields = snapshot.fields
            if closed_at is None and "status" not in fields:
                fields = fields | self.status_by(event.type, snapshot.type)
            record, created, old = known.lay_record(
                snapshot.type, snapshot.external_id, fields, holder, time, stated=event.time is not None
            )
            facts[snapshot.type] = record_facts(record)
            following += record_events(snapshot.type, created, old, record.attributes)
            if old:
                previous[snapshot.type] = old | before_closing(closed_at, record)
        happenings = self.happen(event, time, following)
        if not happenings:
            return EventReceipt(id=contact.id if contact else "", source_id=event.source_id, duplicate=False, runs=())
        root = happenings[0]
        silent: dict[str, int] = {}
        if contact is not None:
            for happening in happenings:
                before = known.last_activity(happening.type, contact)
                if before is not None:
                    silent[happening.id] = max(happening.time - before, 0) // _DAY_MICROS
                known.count(happening.type, event, happening.time, contact)
            facts |= known.facts_of(contact)
        facts["previous"] = previous
        # What a merge changes was counted when it happened.
        if (
            contact is not None
            and self.book is not None
            and not (event.type == MERGED and event.source == ENGINE_SOURCE)
        ):
            happenings += self.score(event, contact, happenings, facts)
        depth = event.cause.depth if event.cause else 0
        decided: set[str] = set()
        runs: list[str] = []
        for happening in happenings:
            happening.contact = contact
            said = happening.said()
            if happening.id in silent:
                said[SILENT_DAYS] = silent[happening.id]
            happening.facts = {**facts, "event": said, CALENDAR: self.entries.closed}
            runs += self.entries.consider(happening, depth, decided)
        self.happenings += happenings
        self.write(root, happenings, {**facts, SILENT_DAYS: silent} if silent else facts, event.cause)
        return EventReceipt(id=root.id, source_id=event.source_id, duplicate=False, runs=tuple(runs))

    def status_by(self, event_type: str, kind: str) -> dict[str, Any]:
        """The status that an event means for the record that it is about, where it means one."""
        family, _, verb = event_type.partition(".")
        status = self.known.record_types[kind].event_statuses.get(verb) if family == kind else None
        return {} if status is None else {"status": status}

    def score(
        self, event: IncomingEvent, contact: Contact, happenings: Sequence[Happening], facts: dict[str, Any]
    ) -> list[Happening]:
        """Count what happened for the contact's score; answers the events that follow where it moves.

        What time did to it since it was last looked at is an event of its own, where anybody listens.
        """
        assert self.book is not None
        root = happenings[0]
        looks = root.type == SCORE_CHANGED and event.source == ENGINE_SOURCE
        seen = {**facts, CALENDAR: self.entries.closed}
        hits = [] if looks else hits_of(self.book, happenings, seen, self.entries.moment)
        if not hits and not looks:
            return []
        moves = look_at(contact, self.book, hits, self.now)
        self.known.touch(contact)
        facts["contact"]["score"] = contact.score
        if moves:
            facts["previous"].setdefault("contact", {})["score"] = moves[-1].previous
        if looks:
            root.data = told(moves[-1]) if moves else {}
            return []
        matcher = self.service.matcher
        is_heard = self.entries.index.listens(SCORE_CHANGED) or SCORE_CHANGED in matcher.heard(self.workspace_id)
        following: list[Happening] = []
        for move in moves:
            if move.rules or is_heard:
                happening = Happening(new_id(), SCORE_CHANGED, max(one.time for one in happenings), event, root)
                happening.data = told(move)
                following.append(happening)
        return following

    def happen(
        self, event: IncomingEvent, time: int, following: Sequence[tuple[str, dict[str, Any]]]
    ) -> list[Happening]:
        """The event itself, where it is one, and those that follow from what it changes."""
        happenings: list[Happening] = []
        root: Happening | None = None
        if event.type:
            root = Happening(event.id or new_id(), event.type, time, event, None)
            root.data, following = told_apart(event.type, event.data, following)
            happenings.append(root)
        for kind, data in following:
            happening = Happening(new_id(), kind, time, event, root)
            happening.data = data
            root = root or happening
            happenings.append(happening)
        return happenings

    # --- store -------------------------------------------------------------------------------------------------------

    def write(
        self, root: Happening, happenings: Sequence[Happening], facts: dict[str, Any], cause: Cause | None
    ) -> None:
        """Make the rows of an event and of those that follow from it."""
        event, contact = root.event, root.contact
        depth = cause.depth if cause else 0
        cause_run = cause.run_id if cause else None
        for happening in happenings:
            first = happening is root
            incoming = first and bool(event.type)
            derived = _encode([one.id for one in happenings[1:]]).decode() if first and len(happenings) > 1 else None
            self.rows.append(
                (
                    happening.id,
                    self.workspace_id,
                    event.source if incoming else ENGINE_SOURCE,
                    event.source_id if incoming else happening.id,
                    happening.type,
                    event.subject or (contact.external_id if contact else None),
                    contact.id if contact else None,
                    happening.time,
                    self.now,
                    _encode(happening.data).decode(),
                    _encode(facts).decode() if first else None,
                    derived,
                    root.id,
                    cause_run,
                    depth,
                )
            )

    def store(self) -> None:
        """Write everything, and let those go on, or end, that listened for it."""
        concern = self.service.memberships.hold(self.unit, self.workspace_id, self.known)
        self.known.store()
        if concern is not None:
            self.service.memberships.follow(self.unit, self.workspace_id, concern, self.known, self.now)
        self.unit.events.insert(self.rows)
        listening = self.service.listening
        listening.end_replaced(self.unit, self.workspace_id, self.entries.replaced, self.now)
        self.entries.store()
        heard = listening.tell(self.unit, self.workspace_id, self.happenings, self.now)
        self.work = heard or bool(self.entries.runs)
