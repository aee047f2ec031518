"""Whom a client means by an external id: the contact of that id, or the one that it was merged into."""

from collections.abc import Collection

from nhip.domain.customers import Contact
from nhip.domain.errors import Conflict, NotFound
from nhip.domain.merging import NAME
from nhip.ports import Unit


def contact_named(unit: Unit, workspace_id: int, external_id: str) -> Contact | None:
    """The contact that goes by an external id, or took in the one that did."""
    return contacts_named(unit, workspace_id, [external_id]).get(external_id)


def contacts_named(unit: Unit, workspace_id: int, external_ids: Collection[str]) -> dict[str, Contact]:
    """The contacts that are meant by external ids; one contact may be meant by several."""
    if not external_ids:
        return {}
    store = unit.customers
    found = {one.external_id: one for one in store.contacts_by_external_id(workspace_id, list(external_ids))}
    missing = [(NAME, name) for name in external_ids if name not in found]
    if missing:
        known = {contact.id: contact for contact in found.values()}
        for (_, name), contact in unit.merging.found(workspace_id, missing).items():
            found[name] = known.setdefault(contact.id, contact)
    return found


def own_contact(unit: Unit, workspace_id: int, external_id: str, path: str = "") -> Contact:
    """The contact of an external id, for what must not befall another by mistake.

    Raises:
        NotFound: no such contact in this workspace.
        Conflict: it was merged into another; ``path`` is where the input names it.
    """
    contact = contact_named(unit, workspace_id, external_id)
    if contact is None:
        raise NotFound("contact", external_id)
    if contact.external_id != external_id:
        said = f"the contact {external_id!r} was merged into {contact.external_id!r}: name that one"
        raise Conflict(said, merged_into=contact.external_id, **({"path": path} if path else {}))
    return contact
