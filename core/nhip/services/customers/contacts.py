"""Contacts: what a ``PUT`` says about them, lists, what happened to them, and the right to be forgotten.

A change goes the way of every event: :func:`change` makes the snapshot, the inbox stores it, and what it changes
becomes events that may start workflows.
"""

from collections.abc import Mapping
from typing import Any

from nhip.domain.customers import Contact
from nhip.domain.directory import ContactExport, ContactFilter, ContactStory, TimelineItem
from nhip.domain.errors import NotFound, invalid
from nhip.domain.events import IncomingEvent
from nhip.engine.incoming.intake import Intake
from nhip.engine.incoming.phones import normalise_phone
from nhip.ports import Unit
from nhip.services.runs.naming import contact_named, own_contact

DELETED = "contact_deleted"
ERASED = "contact_erased"
EXPORTED_ITEMS = 10_000
LONGEST_ID = 200


def change(intake: Intake, external_id: str, said: Mapping[str, Any]) -> IncomingEvent:
    """The event that a ``PUT`` of a contact is; it is no event by itself.

    Raises:
        InvalidInput: with the place of each problem.
    """
    return intake.silent(contact=intake.contact(named(external_id, said)), records=[])


def named(external_id: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What was said about an object of that external id, which the body may repeat and not contradict.

    Raises:
        InvalidInput: it contradicts it, or the id is too long.
    """
    if len(external_id) > LONGEST_ID:
        raise invalid("external_id", "too_long", f"an external id has at most {LONGEST_ID} characters")
    if said.get("external_id", external_id) != external_id:
        raise invalid("external_id", "contradiction", "the external id in the body differs from the one in the path")
    return {**said, "external_id": external_id}


def one(unit: Unit, workspace_id: int, external_id: str) -> ContactStory:
    """One contact.

    Raises:
        NotFound: no such contact in this workspace.
    """
    contact = find(unit, workspace_id, external_id)
    return ContactStory(contact=contact, activity=tuple(unit.customers.activity(workspace_id, [contact.id])))


def find(unit: Unit, workspace_id: int, external_id: str) -> Contact:
    """The contact of an external id, or the one that it was merged into.

    Raises:
        NotFound: no such contact in this workspace.
    """
    found = contact_named(unit, workspace_id, external_id)
    if found is None:
        raise NotFound("contact", external_id)
    return found


def page(unit: Unit, workspace_id: int, wanted: ContactFilter, *, after: str | None, limit: int) -> list[ContactStory]:
    """Contacts in the order of their making."""
    contacts = unit.directory.contacts(workspace_id, wanted, after=after, limit=limit)
    counts: dict[str, list[Any]] = {}
    for count in unit.customers.activity(workspace_id, [contact.id for contact in contacts]) if contacts else ():
        counts.setdefault(count.contact_id, []).append(count)
    return [ContactStory(contact=contact, activity=tuple(counts.get(contact.id, ()))) for contact in contacts]


def contact_filter(
    *,
    lifecycle: str | None,
    status: str | None,
    owner: str | None,
    phone: str | None,
    email: str | None,
    zalo_user_id: str | None,
) -> ContactFilter:
    """A filter, with addresses brought into the form the engine keeps.

    Raises:
        InvalidInput: not a phone number.
    """
    normal = normalise_phone(phone) if phone else None
    if phone and normal is None:
        raise invalid("phone", "bad_phone", f"{phone!r} is not a valid phone number")
    return ContactFilter(
        lifecycle=lifecycle,
        status=status,
        owner=owner,
        phone=normal,
        email=email.strip().lower() if email else None,
        zalo_user_id=zalo_user_id,
    )


def timeline(unit: Unit, workspace_id: int, external_id: str, *, after: str | None, limit: int) -> list[TimelineItem]:
    """What happened to a contact, the newest first.

    Raises:
        NotFound: no such contact in this workspace.
    """
    contact = find(unit, workspace_id, external_id)
    return unit.directory.timeline(workspace_id, contact.id, after=after, limit=limit)


def export(unit: Unit, workspace_id: int, external_id: str) -> ContactExport:
    """Everything that is kept about a contact, of each sort the newest ten thousand.

    Raises:
        NotFound: no such contact in this workspace.
    """
    story = one(unit, workspace_id, external_id)
    return ContactExport(
        story=story,
        records=tuple(unit.directory.records_of(workspace_id, story.contact.id)),
        items=tuple(unit.directory.timeline(workspace_id, story.contact.id, after=None, limit=EXPORTED_ITEMS)),
        aliases=tuple(unit.merging.aliases(workspace_id, story.contact.id)),
    )


def delete(unit: Unit, workspace_id: int, actor: str, external_id: str, now: int) -> None:
    """Take a contact away and end its runs; its events, deliveries and records stay.

    Raises:
        NotFound: no such contact in this workspace.
        Conflict: it was merged into another.
    """
    contact = _hold(unit, workspace_id, external_id)
    unit.directory.delete_contact(workspace_id, contact.id, DELETED, now)
    unit.audit.write(workspace_id, actor, "contact.delete", contact.id, now)


def erase(unit: Unit, workspace_id: int, actor: str, external_id: str, now: int) -> None:
    """Forget a person: the contact, its records, what events and deliveries say about it, and what the contacts were
    known by that were merged into it.

    That something happened and was sent, at what time and at what cost, stays, without saying to whom.

    Raises:
        NotFound: no such contact in this workspace.
        Conflict: it was merged into another.
    """
    contact = _hold(unit, workspace_id, external_id)
    unit.directory.erase_traces(workspace_id, contact.id)
    unit.calls.forget(workspace_id, contact.external_id, contact.attributes.get("phone"))
    for alias in unit.merging.aliases(workspace_id, contact.id):
        unit.calls.forget(workspace_id, contact.external_id, alias.value)
    unit.directory.delete_contact(workspace_id, contact.id, ERASED, now)
    unit.audit.write(workspace_id, actor, "contact.erase", contact.id, now)


def _hold(unit: Unit, workspace_id: int, external_id: str) -> Contact:
    contact = own_contact(unit, workspace_id, external_id)
    unit.customers.lock_contacts(workspace_id, [contact.id])
    return own_contact(unit, workspace_id, external_id)
