"""Events in: one transaction stores them, what they say is true, the runs they start and their first steps.

The order is always the same: find duplicates, load the contacts and records concerned in bulk, lay the snapshots over
them, derive the events that follow, match, start runs, write everything in bulk. It runs inside a unit that its caller
opened, so that a local action's effects start further workflows in the very transaction that records the action.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.customers import ActivityCount, Contact, Record
from nhip.domain.events import MAX_DEPTH, Cause, EventReceipt, IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.runs import RunRow, StepKind, StepRow, StepState
from nhip.domain.times import format_micros, from_micros, to_micros
from nhip.engine.advance import Advance, Finish, Wait, advance
from nhip.engine.conditions import CustomConditions
from nhip.engine.definition import Compiled
from nhip.engine.index import Entry, MatchIndex
from nhip.engine.snapshots import activity_kind, contact_events, contact_facts, merge, record_events, record_facts
from nhip.ports import Unit
from nhip.services.matching import Matcher, Versions

if TYPE_CHECKING:
    from datetime import datetime

_encode: Final = msgspec.json.Encoder().encode
_ADDRESSES: Final = ("phone", "email", "zalo_user_id")
ENGINE_SOURCE: Final = "nhip"
"""The source of events that the engine derives; no client may use it."""


class Submission(msgspec.Struct):
    """The events of one request, which are stored together or not at all."""

    workspace_id: int
    events: list[IncomingEvent]


class _Happening:
    """One stored event while its unit is open: its row in the making, and the facts that its decisions read."""

    __slots__ = ("contact", "data", "derived", "event", "facts", "id", "records", "root", "runs", "time", "type")

    def __init__(self, identifier: str, kind: str, time: int, event: IncomingEvent, root: "_Happening | None") -> None:
        self.id = identifier
        self.type = kind
        self.time = time
        self.event = event
        self.root = root or self
        self.contact: Contact | None = None
        self.data: dict[str, Any] = event.data
        self.facts: dict[str, Any] = {}
        self.derived: list[str] = []
        self.runs: list[str] = []


class Ingest:
    """The service. One instance per process; its methods run inside units."""

    def __init__(self, catalog: Catalog, matcher: Matcher, versions: Versions, customs: CustomConditions) -> None:
        self.catalog = catalog
        self.matcher = matcher
        self.versions = versions
        self.customs = customs

    def submit(self, unit: Unit, submissions: Sequence[Submission], now: int) -> list[list[EventReceipt]]:
        """Store several requests' events in one unit; answers per request, in order."""
        receipts: list[list[EventReceipt]] = [[] for _ in submissions]
        workspaces: dict[int, list[int]] = {}
        for position, submission in enumerate(submissions):
            workspaces.setdefault(submission.workspace_id, []).append(position)
        for workspace_id, positions in workspaces.items():
            events = [event for position in positions for event in submissions[position].events]
            answers = iter(self.ingest(unit, workspace_id, events, now))
            for position in positions:
                receipts[position] = [next(answers) for _ in submissions[position].events]
        return receipts

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
        self.moment: datetime = from_micros(now)
        self.record_types = service.catalog.record_types
        self.contacts: dict[str, Contact] = {}
        self.by_external_id: dict[str, Contact] = {}
        self.by_address: dict[tuple[str, str], Contact] = {}
        self.records: dict[tuple[str, str], Record] = {}
        self.new_contacts: dict[str, Contact] = {}
        self.changed_contacts: dict[str, Contact] = {}
        self.new_records: dict[str, Record] = {}
        self.changed_records: dict[str, Record] = {}
        self.counts: dict[tuple[str, str], ActivityCount] = {}
        self.activity: dict[str, dict[str, ActivityCount]] | None = None
        self.accounts: dict[str, dict[str, Any]] = {}
        self.rows: list[tuple[Any, ...]] = []
        self.runs: list[RunRow] = []
        self.steps: list[StepRow] = []
        self.refusals: list[tuple[Any, ...]] = []
        self.entered: dict[str, dict[str, tuple[int, int]]] = {}

    # --- the whole ---------------------------------------------------------------------------------------------------

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
        index = self.service.matcher.refresh(self.unit, self.workspace_id)
        self.load([event for _, event in fresh])
        for position, event in fresh:
            receipts[position] = self.take(event, index)
            known[event.source, event.source_id] = receipts[position].id  # type: ignore[union-attr]
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

    # --- load --------------------------------------------------------------------------------------------------------

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

    def load(self, events: Sequence[IncomingEvent]) -> None:
        """Contacts by external id, then by address where that found nothing; records; activity where it is read."""
        store = self.unit.customers
        wanted = {named for event in events for named in _external_ids(event)}
        if wanted:
            for contact in store.contacts_by_external_id(self.workspace_id, list(wanted)):
                self.know(contact)
        self.lock_addresses(events)
        for field in _ADDRESSES:
            values = {
                event.contact[field]
                for event in events
                if event.contact and event.contact.get(field) and _named(event) not in self.by_external_id
            }
            if values:
                for contact in store.contacts_by_address(self.workspace_id, field, list(values)):
                    self.know(self.contacts.get(contact.id, contact))
        kinds: dict[str, set[str]] = {}
        for event in events:
            for snapshot in event.records:
                kinds.setdefault(snapshot.type, set()).add(snapshot.external_id)
        for kind, external_ids in kinds.items():
            for record in store.records(self.workspace_id, kind, list(external_ids)):
                self.records[kind, record.external_id] = record
        holders = {
            holder
            for event in events
            if not _is_identified(event)
            for snapshot in event.records
            if (known := self.records.get((snapshot.type, snapshot.external_id))) and (holder := known.contact_id)
        }
        if holders - self.contacts.keys():
            for contact in store.contacts(self.workspace_id, list(holders - self.contacts.keys())):
                self.know(contact)
        if self.service.matcher.reads(self.workspace_id, "contact.activity"):
            self.activity = {}
            for count in store.activity(self.workspace_id, list(self.contacts)) if self.contacts else ():
                self.activity.setdefault(count.contact_id, {})[count.kind] = count
        if self.service.matcher.reads(self.workspace_id, "account"):
            named = {account for contact in self.contacts.values() if (account := contact.attributes.get("account"))}
            named |= {event.contact["account"] for event in events if event.contact and event.contact.get("account")}
            self.accounts = store.accounts(self.workspace_id, list(named))

    def lock_addresses(self, events: Sequence[IncomingEvent]) -> None:
        """Two processes that meet a new person by the same address at once make one contact of them."""
        addresses = [
            value
            for event in events
            if event.contact and _named(event) not in self.by_external_id
            for field in _ADDRESSES
            if (value := event.contact.get(field))
        ]
        if addresses:
            self.unit.customers.lock_addresses(self.workspace_id, addresses)

    def know(self, contact: Contact) -> None:
        self.contacts[contact.id] = contact
        self.by_external_id[contact.external_id] = contact
        attributes = contact.attributes
        for field in _ADDRESSES:
            value = attributes.get(field)
            if value:
                self.by_address.setdefault((field, value), contact)

    # --- decide ------------------------------------------------------------------------------------------------------

    def take(self, event: IncomingEvent, index: MatchIndex) -> EventReceipt:
        """Lay one event's snapshots over what is known, derive what follows, and start what it starts."""
        time = min(event.time, self.now) if event.time is not None else self.now
        previous: dict[str, Any] = {}
        following: list[tuple[str, dict[str, Any]]] = []
        contact = self.find_contact(event)
        if contact is not None or event.contact is not None or _named(event):
            contact, created, old = self.lay_contact(contact, event)
            following += contact_events(created, old, contact.attributes)
            if old:
                previous["contact"] = old
        facts: dict[str, Any] = {}
        for snapshot in event.records:
            record, created, old = self.lay_record(
                snapshot.type, snapshot.external_id, snapshot.fields, contact, time, stated=event.time is not None
            )
            facts[snapshot.type] = record_facts(record)
            following += record_events(snapshot.type, created, old, record.attributes)
            if old:
                previous[snapshot.type] = old
        root: _Happening | None = None
        if event.type:
            root = _Happening(event.id or new_id(), event.type, time, event, None)
        happenings = [root] if root else []
        for kind, data in following:
            if kind == event.type:
                continue
            happening = _Happening(new_id(), kind, time, event, root)
            happening.data = data
            root = root or happening
            happenings.append(happening)
        if root is None:
            return EventReceipt(id=contact.id if contact else "", source_id=event.source_id, duplicate=False, runs=())
        if contact is not None:
            for happening in happenings:
                self.count_activity(happening, contact)
            facts["contact"] = contact_facts(
                contact, self.activity.get(contact.id, {}) if self.activity is not None else None
            )
            account = self.accounts.get(contact.attributes.get("account", ""))
            if account is not None:
                facts["account"] = account
        facts["previous"] = previous
        depth = event.cause.depth if event.cause else 0
        decided: set[str] = set()
        runs: list[str] = []
        for happening in happenings:
            happening.root = root
            self.match(happening, contact, facts, depth, index, decided, runs)
        self.write(root, happenings, contact, facts, event.cause)
        return EventReceipt(id=root.id, source_id=event.source_id, duplicate=False, runs=tuple(runs))

    def find_contact(self, event: IncomingEvent) -> Contact | None:
        """By external id, then phone, email and Zalo user id; where an event says none, by whose its records are.

        A contact found by address that a client already named otherwise is somebody else who shares the address.
        """
        snapshot = event.contact or {}
        named = _named(event)
        if named and named in self.by_external_id:
            return self.by_external_id[named]
        for field in _ADDRESSES:
            value = snapshot.get(field)
            found = self.by_address.get((field, value)) if value else None
            # Within the batch, the contact may have moved away from the address meanwhile.
            if found is None or found.attributes.get(field) != value:
                continue
            if not named or found.external_id == found.id:
                return found
        if not _is_identified(event):
            for said in event.records:
                record = self.records.get((said.type, said.external_id))
                if record is not None and record.contact_id in self.contacts:
                    return self.contacts[record.contact_id]
        return None

    def lay_contact(self, contact: Contact | None, event: IncomingEvent) -> tuple[Contact, bool, dict[str, Any]]:
        snapshot = event.contact or {}
        named = _named(event)
        fields = {name: value for name, value in snapshot.items() if name != "external_id"}
        if contact is None:
            identifier = new_id()
            attributes, _ = merge({"lifecycle": "lead", "tags": []}, fields)
            contact = Contact(
                id=identifier, external_id=named or identifier, attributes=attributes, score=0, revision=0,
                created_at=self.now, updated_at=self.now,
            )  # fmt: skip
            self.new_contacts[identifier] = contact
            self.know(contact)
            return contact, True, {}
        attributes, old = merge(contact.attributes, fields)
        adopted = bool(named) and contact.external_id != named
        if old or adopted:
            contact.attributes = attributes
            contact.updated_at = self.now
            if adopted:
                contact.external_id = named or contact.external_id
            if contact.id not in self.new_contacts:
                self.changed_contacts[contact.id] = contact
            self.know(contact)
        return contact, False, old

    def lay_record(
        self,
        kind: str,
        external_id: str,
        fields: Mapping[str, Any],
        contact: Contact | None,
        time: int,
        *,
        stated: bool,
    ) -> tuple[Record, bool, dict[str, Any]]:
        """A record's snapshot laid over what is known; one that is older than what is known changes nothing.

        Only a time that the client ``stated`` can be older: otherwise the snapshot is true now, whatever the clocks of
        two processes say, and however long ago this unit read its own.
        """
        record = self.records.get((kind, external_id))
        owner = fields.get("contact")
        holder = self.by_external_id.get(owner, contact) if owner else contact
        said = dict(fields)
        if holder is not None:
            said["contact"] = holder.external_id
        if record is None:
            attributes, _ = merge({"external_id": external_id}, said)
            record = Record(
                id=new_id(), type=kind, external_id=external_id, contact_id=holder.id if holder else None,
                attributes=attributes, as_of=time, revision=0, created_at=self.now, updated_at=self.now,
            )  # fmt: skip
            self.records[kind, external_id] = record
            self.new_records[record.id] = record
            return record, True, {}
        if stated and time < record.as_of:
            return record, False, {}
        attributes, old = merge(record.attributes, said)
        if old or time > record.as_of:
            record.attributes = attributes
            record.as_of = max(time, record.as_of)
            if old:
                record.updated_at = self.now
                record.contact_id = holder.id if holder else record.contact_id
            if record.id not in self.new_records and old:
                self.changed_records[record.id] = record
        return record, False, old

    def count_activity(self, happening: _Happening, contact: Contact) -> None:
        kind = activity_kind(happening.type, self.record_types)
        if kind is None:
            return
        amount = 0
        record_type = self.record_types.get(kind)
        if record_type is not None and record_type.amount_field:
            for snapshot in happening.event.records:
                if snapshot.type == kind:
                    money = snapshot.fields.get(record_type.amount_field)
                    amount = int(money["amount"]) if isinstance(money, dict) else 0
        key = (contact.id, kind)
        self.counts[key] = _add(self.counts.get(key), contact.id, kind, happening.time, amount)
        if self.activity is not None:
            known = self.activity.setdefault(contact.id, {})
            known[kind] = _add(known.get(kind), contact.id, kind, happening.time, amount)

    # --- match and start ---------------------------------------------------------------------------------------------

    def match(
        self,
        happening: _Happening,
        contact: Contact | None,
        shared: dict[str, Any],
        depth: int,
        index: MatchIndex,
        decided: set[str],
        runs: list[str],
    ) -> None:
        if not index.listens(happening.type):
            return
        event = happening.event
        facts = dict(shared)
        facts["event"] = {
            "id": happening.id, "source": event.source, "source_id": event.source_id, "type": happening.type,
            "subject": event.subject, "time": format_micros(happening.time), "data": happening.data,
        }  # fmt: skip
        entries = self.service.matcher.match(index, happening.type, facts, self.moment)
        if not entries:
            return
        compiled = self.service.versions.get(self.unit, self.workspace_id, [entry.version_id for entry in entries])
        for entry in entries:
            if entry.workflow in decided:
                continue
            version = compiled[entry.version_id]
            reason = self.refusal(entry, version, contact, depth)
            decided.add(entry.workflow)
            if reason is not None:
                self.refusals.append(
                    (new_id(), self.workspace_id, entry.workflow, entry.version_id, entry.trigger_id,
                     contact.id if contact else None, happening.root.id, reason, self.now)
                )  # fmt: skip
                continue
            assert contact is not None
            runs.append(self.start(entry, version, happening, contact, facts, depth))

    def refusal(self, entry: Entry, version: Compiled, contact: Contact | None, depth: int) -> str | None:
        """Why this workflow does not start although it matches, or ``None``."""
        if contact is None:
            return "no_contact"
        if depth > MAX_DEPTH:
            return "chain_too_long"
        settings = version.definition.settings
        reentry = settings.reentry
        if not (reentry.once or reentry.after or settings.single):
            return None
        entered = self.entered.setdefault(entry.workflow, {})
        if contact.id not in entered:
            if contact.id not in self.new_contacts:
                self.unit.customers.lock_contacts(self.workspace_id, [contact.id])
            found = self.unit.runs.last_entries(self.workspace_id, entry.workflow, [contact.id])
            entered[contact.id] = found.get(contact.id, (0, 0))
        last, running = entered[contact.id]
        if settings.single and running:
            return "already_running"
        if last and reentry.once:
            return "entered_before"
        if last and reentry.after and from_micros(last) + reentry.after > self.moment:
            return "entered_recently"
        entered[contact.id] = (self.now, running + 1)
        return None

    def start(
        self,
        entry: Entry,
        version: Compiled,
        happening: _Happening,
        contact: Contact,
        facts: dict[str, Any],
        depth: int,
    ) -> str:
        """Make the run's row and its first step's."""
        run_id = new_id()
        program = version.program
        start_facts = {
            **facts,
            "steps": {},
            "run": {
                "id": run_id, "workflow": entry.workflow, "version": self.number(entry.version_id),
                "started_at": format_micros(self.now),
            },
            "trigger": {"id": entry.trigger_id},
        }  # fmt: skip
        way = advance(program, None, start_facts, self.moment, self.service.customs)
        finish = way.then if isinstance(way.then, Finish) else None
        self.runs.append(
            RunRow(
                id=run_id, workspace_id=self.workspace_id, workflow=entry.workflow, version_id=entry.version_id,
                version=self.number(entry.version_id), trigger_id=entry.trigger_id, contact_id=contact.id,
                event_id=happening.id, root_event_id=happening.root.id, state=finish.state if finish else "running",
                reason=finish.reason if finish else None, depth=depth, event_received_at=self.now,
                started_at=self.now, ended_at=self.now if finish else None,
            )
        )  # fmt: skip
        self.steps += step_rows(
            way, self.service.catalog, self.workspace_id, run_id, contact.id, entry.version_id, self.now
        )
        return run_id

    def number(self, version_id: str) -> int:
        return self.service.versions.number(version_id)

    # --- store -------------------------------------------------------------------------------------------------------

    def write(
        self,
        root: _Happening,
        happenings: Sequence[_Happening],
        contact: Contact | None,
        facts: dict[str, Any],
        cause: Cause | None,
    ) -> None:
        event = root.event
        contact_id = contact.id if contact else None
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
                    contact_id,
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
        customers = self.unit.customers
        customers.insert_contacts(self.workspace_id, list(self.new_contacts.values()))
        customers.update_contacts(self.workspace_id, list(self.changed_contacts.values()))
        customers.insert_records(self.workspace_id, list(self.new_records.values()))
        customers.update_records(self.workspace_id, list(self.changed_records.values()))
        customers.bump_activity(self.workspace_id, list(self.counts.values()))
        self.unit.events.insert(self.rows)
        self.unit.runs.insert(self.runs, self.steps)
        self.unit.events.refuse(self.refusals)


def _named(event: IncomingEvent) -> str | None:
    """The external id by which an event names its contact: in the snapshot, as its subject, or in its records."""
    named = event.contact.get("external_id", event.subject) if event.contact else event.subject
    if named:
        return named
    return next((owner for snapshot in event.records if (owner := snapshot.fields.get("contact"))), None)


def _is_identified(event: IncomingEvent) -> bool:
    """Whether an event says by itself whom it concerns."""
    return bool(_named(event) or (event.contact and any(event.contact.get(field) for field in _ADDRESSES)))


def _external_ids(event: IncomingEvent) -> Iterable[str]:
    named = _named(event)
    if named:
        yield named
    for snapshot in event.records:
        owner = snapshot.fields.get("contact")
        if owner:
            yield owner


def _add(count: ActivityCount | None, contact_id: str, kind: str, time: int, amount: int) -> ActivityCount:
    if count is None:
        return ActivityCount(contact_id=contact_id, kind=kind, count=1, first_at=time, last_at=time, total=amount)
    return ActivityCount(
        contact_id=contact_id,
        kind=kind,
        count=count.count + 1,
        first_at=min(count.first_at, time),
        last_at=max(count.last_at, time),
        total=count.total + amount,
    )


def step_rows(
    way: Advance, catalog: Catalog, workspace_id: int, run_id: str, contact_id: str, version_id: str, now: int
) -> list[StepRow]:
    """The rows of the way that a run goes: each branch it passed, for the trace, and the step it comes to."""
    rows = [
        StepRow(
            id=new_id(), workspace_id=workspace_id, run_id=run_id, contact_id=contact_id, version_id=version_id,
            node=passed.node.number, path=passed.node.id, iteration=0, kind=StepKind.BRANCH, state=StepState.DONE,
            due_at=now, created_at=now, outcome="then" if passed.verdict.holds else "else",
            output=_encode(passed.verdict).decode(), finished_at=now,
        )
        for passed in way.passed
    ]  # fmt: skip
    if isinstance(way.then, Finish):
        return rows
    node = way.then.node
    kind: str = StepKind.WAIT
    state, due_at = StepState.WAITING, now
    if isinstance(way.then, Wait):
        due_at = to_micros(way.then.until)
    else:
        kind, state = catalog.actions[node.action].effect, StepState.READY
    rows.append(
        StepRow(
            id=new_id(), workspace_id=workspace_id, run_id=run_id, contact_id=contact_id, version_id=version_id,
            node=node.number, path=node.id, iteration=0, kind=kind, state=state, due_at=due_at, created_at=now,
        )
    )  # fmt: skip
    return rows
