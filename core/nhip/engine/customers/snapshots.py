"""What a snapshot changes: new attributes, the old values of what changed, and the events that follow from it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nhip.domain.customers import ActivityCount, Contact, Record
from nhip.domain.scans import SCAN_EVENTS
from nhip.domain.times import format_micros
from nhip.engine.customers.scoring import score_at
from nhip.engine.facts.values import fold

Attributes = dict[str, Any]
TAG_EVENTS = ("contact.tag_added", "contact.tag_removed")
CARE = "care"
"""The kind of activity that counts when somebody last spoke with a contact."""
_SPOKEN = frozenset({"call.ended", "telesales.outcome", "task.completed", "message.replied", "ticket.rated"})
_REACHED_NOBODY = ("no_answer", "busy", "missed", "failed", "cancelled", "ended")
"""The outcomes of calls and tasks in which nobody spoke."""
_NOT_DONE_BY_CONTACT = frozenset(
    {
        "message.delivered",
        "message.failed",
        "workflow.enrolled",
        "workflow.requested",
        "lead.converted",
        "telesales.returned",
        *SCAN_EVENTS.values(),
    }
)


def merge(current: Mapping[str, Any], snapshot: Mapping[str, Any]) -> tuple[Attributes, Attributes]:
    """Lay a snapshot over what is known. Answers the new attributes and the old values of what changed.

    ``custom`` is merged key by key (null removes a key); every other field is replaced whole.
    """
    merged = dict(current)
    previous: Attributes = {}
    for name, value in snapshot.items():
        if name == "custom":
            custom = dict(merged.get("custom") or {})
            old: Attributes = {}
            for key, one in (value or {}).items():
                _lay(custom, old, key, one)
            if old:
                merged["custom"] = custom
                previous["custom"] = old
        else:
            _lay(merged, previous, name, value)
    return merged, previous


def _lay(merged: Attributes, previous: Attributes, name: str, value: Any) -> None:
    old = merged.get(name)
    if old == value and type(old) is type(value):
        return
    previous[name] = old
    if value is None:
        merged.pop(name, None)
    else:
        merged[name] = value


def retagged(tags: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> list[str]:
    """Tags with others put on and taken off; neither their case nor their Unicode form makes them different ones."""
    gone = {fold(tag) for tag in remove}
    kept = [tag for tag in tags if fold(tag) not in gone]
    there = {fold(tag) for tag in kept}
    for tag in add:
        if fold(tag) not in there:
            there.add(fold(tag))
            kept.append(tag)
    return kept


def contact_facts(contact: Contact, activity: Mapping[str, ActivityCount] | None, now: int | None = None) -> Attributes:
    """The contact as conditions and templates see it; absent fields are absent.

    The score is the one at ``now``, or where nobody says when, the one that was stored.
    """
    facts = dict(contact.attributes)
    facts["id"] = contact.id
    facts["external_id"] = contact.external_id
    facts["score"] = contact.score if now is None else score_at(contact, now)
    facts["created_at"] = format_micros(contact.created_at)
    facts["updated_at"] = format_micros(contact.updated_at)
    if activity is not None:
        facts["activity"] = {
            kind: {
                "count": count.count,
                "first_at": format_micros(count.first_at),
                "last_at": format_micros(count.last_at),
                "total": count.total,
            }
            for kind, count in activity.items()
        }
    return facts


def record_facts(record: Record) -> Attributes:
    """The record as conditions and templates see it; ``closed_at`` is there while it is over by its status."""
    facts = dict(record.attributes)
    facts["id"] = record.id
    facts["created_at"] = format_micros(record.created_at)
    facts["updated_at"] = format_micros(record.updated_at)
    if record.closed_at is not None:
        facts["closed_at"] = format_micros(record.closed_at)
    return facts


def before_closing(closed_at: int | None, record: Record) -> Attributes:
    """What a record's ``closed_at`` was before a change, where the change ended or reopened it."""
    if (closed_at is None) == (record.closed_at is None):
        return {}
    return {"closed_at": None if closed_at is None else format_micros(closed_at)}


def contact_events(
    created: bool, previous: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, Attributes]]:
    """The events that a change of a contact means: type and data."""
    if created:
        yield "contact.created", {}
        return
    if not previous:
        return
    if previous.keys() - {"tags"}:
        yield "contact.updated", {"changed": sorted(previous)}
    if "tags" in previous:
        old, new = previous["tags"] or [], now.get("tags") or []
        for tag in new:
            if tag not in old:
                yield "contact.tag_added", {"tag": tag}
        for tag in old:
            if tag not in new:
                yield "contact.tag_removed", {"tag": tag}


def told_apart(
    kind: str, data: Attributes, following: Iterable[tuple[str, Attributes]]
) -> tuple[Attributes, list[tuple[str, Attributes]]]:
    """What an event says, and those that follow from what it changes, without what it says itself.

    An event about a tag speaks of one tag: of the one in ``data.tag``, else of the first that its snapshot puts on, or
    takes off. The others are events of their own.
    """
    rest: list[tuple[str, Attributes]] = []
    for one, said in following:
        if one != kind:
            rest.append((one, said))
        elif kind in TAG_EVENTS:
            if data.get("tag") is None:
                data = {**data, **said}
            elif data["tag"] != said["tag"]:
                rest.append((one, said))
    return data, rest


def record_events(
    kind: str, created: bool, previous: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, Attributes]]:
    """The events that a change of a record means. A new record is only ``created``, whatever its status."""
    if created:
        yield f"{kind}.created", {"external_id": now["external_id"]}
        return
    if not previous:
        return
    if previous.keys() - {"status"}:
        yield f"{kind}.updated", {"external_id": now["external_id"], "changed": sorted(previous)}
    if "status" in previous:
        yield (
            f"{kind}.status_changed",
            {"external_id": now["external_id"], "from": previous["status"], "to": now.get("status")},
        )


def activity_kind(event_type: str, record_types: Mapping[str, Any]) -> str | None:
    """What an event counts as in ``contact.activity``: a record's kind when one is created, else its first word."""
    family, _, verb = event_type.partition(".")
    if family in record_types:
        return family if verb == "created" else None
    return None if family in ("contact", "") or event_type in _NOT_DONE_BY_CONTACT else family


def activity_kinds(event_type: str, record_types: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, ...]:
    """Everything that an event counts as: its own kind, and ``care`` where somebody spoke with the contact by it."""
    kind = activity_kind(event_type, record_types)
    own = () if kind is None else (kind,)
    return (*own, CARE) if event_type in _SPOKEN and data.get("outcome") not in _REACHED_NOBODY else own
