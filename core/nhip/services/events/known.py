"""What a batch of events knows of customers: loaded in bulk, what the events say laid over it, stored in bulk."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from nhip.domain.customers import ActivityCount, Contact, Record
from nhip.domain.events import IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.merging import NAME
from nhip.engine.customers.snapshots import activity_kind, activity_kinds, contact_facts, merge
from nhip.engine.times.dates import Watch
from nhip.plugin_api import RecordType
from nhip.ports import Unit
from nhip.services.events.kept_days import keep_changed

ADDRESSES: Final = ("phone", "email", "zalo_user_id")


class Reads(msgspec.Struct):
    """Which facts somebody's decisions read, beside contacts and records."""

    activity: bool
    accounts: bool


class Known:
    """The customers that one batch of one workspace concerns."""

    def __init__(
        self,
        unit: Unit,
        workspace_id: int,
        now: int,
        record_types: Mapping[str, type[RecordType]],
        reads: Reads,
        watches: Sequence[Watch] = (),
        ended: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.unit = unit
        self.workspace_id = workspace_id
        self.now = now
        self.record_types = record_types
        self.reads = reads
        self.watches = watches
        self.ended = ended or {}
        """Per record type, the statuses in which a record is over."""
        self.moved: set[str] = set()
        """Contacts whose time zone changed."""
        self.contacts: dict[str, Contact] = {}
        self.by_external_id: dict[str, Contact] = {}
        self.by_address: dict[tuple[str, str], Contact] = {}
        self.former: dict[tuple[str, str], Contact] = {}
        """By what those were known by that were merged into them: kind and value."""
        self.records: dict[tuple[str, str], Record] = {}
        self.new_contacts: dict[str, Contact] = {}
        self.changed_contacts: dict[str, Contact] = {}
        self.new_records: dict[str, Record] = {}
        self.changed_records: dict[str, Record] = {}
        self.counts: dict[tuple[str, str], ActivityCount] = {}
        self.activity: dict[str, dict[str, ActivityCount]] | None = None
        self.accounts: dict[str, dict[str, Any]] = {}

    # --- load --------------------------------------------------------------------------------------------------------

    def load(self, events: Sequence[IncomingEvent]) -> None:
        """Contacts by external id, then by address where that found nothing; records; activity where it is read."""
        self.unit.merging.hold(self.workspace_id)
        store = self.unit.customers
        wanted = {named for event in events for named in _external_ids(event)}
        if wanted:
            for contact in store.contacts_by_external_id(self.workspace_id, list(wanted)):
                self.know(contact)
        self.lock_addresses(events)
        for field in ADDRESSES:
            values = {
                event.contact[field]
                for event in events
                if event.contact and event.contact.get(field) and named_contact(event) not in self.by_external_id
            }
            if values:
                for contact in store.contacts_by_address(self.workspace_id, field, list(values)):
                    self.know(self.contacts.get(contact.id, contact))
        self.load_former(events)
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
        if self.reads.activity:
            self.activity = {}
            for count in store.activity(self.workspace_id, list(self.contacts)) if self.contacts else ():
                self.activity.setdefault(count.contact_id, {})[count.kind] = count
        if self.reads.accounts:
            named = {account for contact in self.contacts.values() if (account := contact.attributes.get("account"))}
            named |= {event.contact["account"] for event in events if event.contact and event.contact.get("account")}
            self.accounts = store.accounts(self.workspace_id, list(named))

    def load_former(self, events: Sequence[IncomingEvent]) -> None:
        """Contacts by what others were known by that were merged into them, where no external id found one."""
        wanted = {(NAME, name) for event in events for name in _external_ids(event) if name not in self.by_external_id}
        wanted |= {
            (field, value)
            for event in events
            if event.contact and named_contact(event) not in self.by_external_id
            for field in ADDRESSES
            if (value := event.contact.get(field))
        }
        for (kind, value), found in (self.unit.merging.found(self.workspace_id, wanted) if wanted else {}).items():
            contact = self.contacts.get(found.id, found)
            self.know(contact)
            self.former[kind, value] = contact
            if kind == NAME:
                self.by_external_id[value] = contact

    def lock_addresses(self, events: Sequence[IncomingEvent]) -> None:
        """Two processes that meet a new person by the same address at once make one contact of them."""
        addresses = [
            value
            for event in events
            if event.contact and named_contact(event) not in self.by_external_id
            for field in ADDRESSES
            if (value := event.contact.get(field))
        ]
        if addresses:
            self.unit.customers.lock_addresses(self.workspace_id, addresses)

    def know(self, contact: Contact) -> None:
        """Find this contact from now on."""
        self.contacts[contact.id] = contact
        self.by_external_id[contact.external_id] = contact
        attributes = contact.attributes
        for field in ADDRESSES:
            value = attributes.get(field)
            if value:
                self.by_address.setdefault((field, value), contact)

    # --- lay over ----------------------------------------------------------------------------------------------------

    def find_contact(self, event: IncomingEvent) -> Contact | None:
        """By external id, then phone, email and Zalo user id; where an event says none, by whose its records are.

        Who was merged into another is found by what they were known by, unless an address is somebody else's by now. A
        contact found by address that a client already named otherwise is somebody else who shares the address.
        """
        snapshot = event.contact or {}
        named = named_contact(event)
        if named and named in self.by_external_id:
            return self.by_external_id[named]
        for field in ADDRESSES:
            value = snapshot.get(field)
            found = self.by_address.get((field, value)) if value else None
            # Within the batch, the contact may have moved away from the address meanwhile.
            if found is None or found.attributes.get(field) != value:
                continue
            if not named or found.external_id == found.id:
                return found
        for field in ADDRESSES:
            found = self.former.get((field, snapshot.get(field) or ""))
            if found is not None and (not named or found.external_id == found.id):
                return found
        if not _is_identified(event):
            for said in event.records:
                record = self.records.get((said.type, said.external_id))
                if record is not None and record.contact_id in self.contacts:
                    return self.contacts[record.contact_id]
        return None

    def lay_contact(self, contact: Contact | None, event: IncomingEvent) -> tuple[Contact, bool, dict[str, Any]]:
        """The contact with the event's snapshot laid over it, whether it is new, and the old values of what changed."""
        snapshot = event.contact or {}
        named = named_contact(event)
        fields = {
            name: value
            for name, value in snapshot.items()
            if name != "external_id" and not self.gave_way(contact, named, name, value)
        }
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
        adopted = named is not None and contact.external_id != named and (NAME, named) not in self.former
        if old or adopted:
            if "timezone" in old:
                self.moved.add(contact.id)
            contact.attributes = attributes
            contact.updated_at = self.now
            if adopted:
                contact.external_id = named or contact.external_id
            self.touch(contact)
            self.know(contact)
        return contact, False, old

    def gave_way(self, contact: Contact | None, named: str | None, field: str, value: Any) -> bool:
        """Whether a merge decided against this address, and nobody says it of the contact by its own name."""
        if contact is None or field not in ADDRESSES or contact.external_id == named:
            return False
        return bool(contact.attributes.get(field)) and self.former.get((field, value)) is contact

    def touch(self, contact: Contact) -> None:
        """Store this contact anew."""
        if contact.id not in self.new_contacts:
            self.changed_contacts[contact.id] = contact

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
            self.close(record, time)
            self.records[kind, external_id] = record
            self.new_records[record.id] = record
            return record, True, {}
        if not fields and (holder is None or holder.id == record.contact_id):
            return record, False, {}  # it says nothing, so it is no younger truth either
        if stated and time < record.as_of:
            return record, False, {}
        attributes, old = merge(record.attributes, said)
        if old or time > record.as_of:
            record.attributes = attributes
            record.as_of = max(time, record.as_of)
            if old:
                record.updated_at = self.now
                self.close(record, time)
                record.contact_id = holder.id if holder else record.contact_id
            if record.id not in self.new_records and old:
                self.changed_records[record.id] = record
        return record, False, old

    def close(self, record: Record, time: int) -> None:
        """Note when a record is over, from its status."""
        if record.attributes.get("status") not in self.ended.get(record.type, ()):
            record.closed_at = None
        elif record.closed_at is None:
            record.closed_at = time

    def count(self, event_type: str, event: IncomingEvent, time: int, contact: Contact) -> None:
        """Count an event as the contact's activity, where it is one."""
        for kind in activity_kinds(event_type, self.record_types, event.data):
            self._count(kind, event, time, contact)

    def _count(self, kind: str, event: IncomingEvent, time: int, contact: Contact) -> None:
        amount = 0
        record_type = self.record_types.get(kind)
        if record_type is not None and record_type.amount_field:
            for snapshot in event.records:
                if snapshot.type == kind:
                    money = snapshot.fields.get(record_type.amount_field)
                    amount = int(money["amount"]) if isinstance(money, dict) else 0
        key = (contact.id, kind)
        self.counts[key] = _add(self.counts.get(key), contact.id, kind, time, amount)
        if self.activity is not None:
            known = self.activity.setdefault(contact.id, {})
            known[kind] = _add(known.get(kind), contact.id, kind, time, amount)

    def last_activity(self, event_type: str, contact: Contact) -> int | None:
        """When the contact last did what this event counts as; ``None`` where it never did, or nobody asks."""
        kind = activity_kind(event_type, self.record_types)
        found = self.activity.get(contact.id, {}).get(kind or "") if self.activity is not None else None
        return found.last_at if found is not None else None

    def facts_of(self, contact: Contact) -> dict[str, Any]:
        """The facts of a contact, with its company's."""
        facts: dict[str, Any] = {
            "contact": contact_facts(
                contact, self.activity.get(contact.id, {}) if self.activity is not None else None, self.now
            )
        }
        account = self.accounts.get(contact.attributes.get("account", ""))
        if account is not None:
            facts["account"] = account
        return facts

    # --- store -------------------------------------------------------------------------------------------------------

    def store(self) -> None:
        """Write everything that is new or changed."""
        customers = self.unit.customers
        customers.insert_contacts(self.workspace_id, list(self.new_contacts.values()))
        customers.update_contacts(self.workspace_id, list(self.changed_contacts.values()))
        customers.insert_records(self.workspace_id, list(self.new_records.values()))
        customers.update_records(self.workspace_id, list(self.changed_records.values()))
        customers.bump_activity(self.workspace_id, list(self.counts.values()))
        if self.watches:
            contacts = [*self.new_contacts.values(), *self.changed_contacts.values()]
            records = [*self.new_records.values(), *self.changed_records.values()]
            keep_changed(self.unit, self.workspace_id, self.watches, contacts, records, self.moved, self.now)


def named_contact(event: IncomingEvent) -> str | None:
    """The external id by which an event names its contact: in the snapshot, as its subject, or in its records."""
    named = event.contact.get("external_id", event.subject) if event.contact else event.subject
    if named:
        return named
    return next((owner for snapshot in event.records if (owner := snapshot.fields.get("contact"))), None)


def _is_identified(event: IncomingEvent) -> bool:
    """Whether an event says by itself whom it concerns."""
    return bool(named_contact(event) or (event.contact and any(event.contact.get(field) for field in ADDRESSES)))


def _external_ids(event: IncomingEvent) -> Iterable[str]:
    named = named_contact(event)
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
