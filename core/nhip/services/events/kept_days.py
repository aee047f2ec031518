"""The days and minutes that scans look for, kept beside the contacts and records that hold them."""

from collections.abc import Iterable, Sequence, Set as AbstractSet
from typing import Final

from nhip.domain.customers import Contact, Record
from nhip.domain.standing import KeptDate, Owner
from nhip.engine.facts.fields import walk
from nhip.engine.facts.moments import DEFAULT_ZONE
from nhip.engine.times.dates import Watch, place_in
from nhip.engine.times.schedule import CONTACT
from nhip.ports import Unit

EVERYWHERE: Final = "UTC"
"""The zone of a minute, which is the same by all clocks."""
FILLING: Final = "filling"
KEPT: Final = "kept"
LEAVING: Final = "leaving"


def keep_days(unit: Unit, workspace_id: int, watches: Sequence[Watch], owners: Iterable[Owner], now: int) -> None:
    """Store the days that the watched fields of these owners hold now, and forget those that they held before."""
    kept: list[KeptDate] = []
    gone: dict[str, list[str]] = {}
    zones: dict[str, set[str]] = {}
    for owner in owners:
        for watch in watches:
            name = watch.timezone
            if name == CONTACT:
                name = owner.timezone or DEFAULT_ZONE
            held = walk(owner.attributes, tuple(watch.path.split(".")))
            place = place_in(watch, held, name) if owner.contact_id else None
            if place is None or owner.contact_id is None:
                gone.setdefault(watch.key, []).append(owner.id)
                continue
            slot, day = place
            kept.append(
                KeptDate(
                    owner_id=owner.id, watch=watch.key, contact_id=owner.contact_id,
                    timezone=EVERYWHERE if watch.every is None else name, slot=slot, day=day,
                )
            )  # fmt: skip
            if watch.timezone == CONTACT and watch.every is not None:
                zones.setdefault(watch.key, set()).add(name)
    unit.dates.drop(workspace_id, gone)
    unit.dates.keep(workspace_id, kept)
    for key, mine in zones.items():
        new = mine - unit.dates.zones(workspace_id, key)
        if new:
            unit.dates.add_zones(workspace_id, key, new)
            unit.scans.wake(workspace_id, key, now)


def keep_changed(
    unit: Unit,
    workspace_id: int,
    watches: Sequence[Watch],
    contacts: Sequence[Contact],
    records: Sequence[Record],
    moved: AbstractSet[str],
    now: int,
) -> None:
    """What a batch of events made of the watched fields. ``moved`` are contacts whose time zone changed."""
    of_contacts = [watch for watch in watches if watch.root == "contact"]
    if of_contacts and contacts:
        keep_days(unit, workspace_id, of_contacts, [_of_contact(contact) for contact in contacts], now)
    kinds = {watch.root for watch in watches} - {"contact"}
    for kind in sorted(kinds):
        mine = [watch for watch in watches if watch.root == kind]
        changed = {record.id: record for record in records if record.type == kind}
        holders = sorted({record.contact_id for record in changed.values() if record.contact_id is not None})
        timezones = unit.dates.timezones(workspace_id, holders) if holders else {}
        owners = [
            Owner(
                id=record.id, external_id=record.external_id, contact_id=record.contact_id,
                attributes=record.attributes, timezone=timezones.get(record.contact_id or ""),
            )
            for record in changed.values()
        ]  # fmt: skip
        if moved and any(watch.timezone == CONTACT for watch in mine):
            others = unit.dates.records_of(workspace_id, kind, sorted(moved))
            owners += [owner for owner in others if owner.id not in changed]
        if owners:
            keep_days(unit, workspace_id, mine, owners, now)


def _of_contact(contact: Contact) -> Owner:
    return Owner(
        id=contact.id, external_id=contact.external_id, contact_id=contact.id, attributes=contact.attributes,
        timezone=contact.attributes.get("timezone"),
    )  # fmt: skip
