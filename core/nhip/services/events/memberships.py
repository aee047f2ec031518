"""Who is in which segment: kept up as contacts change, in the unit that changes them.

Every unit that judges contacts holds them first and reads them after that, so that of two units that change a contact
the later one judges what both have made of it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nhip.domain.errors import InvalidInput
from nhip.engine.customers.segments import Segment, keep_planned, read_condition
from nhip.engine.customers.snapshots import contact_facts
from nhip.ports import Unit
from nhip.services.events.known import Known
from nhip.services.runs.matching import Matcher

if TYPE_CHECKING:
    from nhip.domain.customers import ActivityCount


class Concern:
    """The contacts of one batch that segments may concern, held until the unit ends."""

    __slots__ = ("changed", "counted", "segments")

    def __init__(
        self, segments: Sequence[Segment], changed: Collection[str], counted: Mapping[str, Collection[str]]
    ) -> None:
        self.segments = segments
        self.changed = changed
        """Those that are new, or say something else than before."""
        self.counted = counted
        """Per contact, the kinds of activity that the batch counted."""

    def of(self, segment: Segment) -> set[str]:
        """Those of whom a segment may think otherwise than before."""
        moved = {one for one, kinds in self.counted.items() if segment.dependence.is_moved_by(kinds)}
        return moved.union(self.changed)


class Memberships:
    """The service. One instance per process, which knows each workspace's segments as long as nobody changes them."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._segments: dict[int, tuple[int, list[Segment]]] = {}

    def segments(self, unit: Unit, workspace_id: int) -> list[Segment]:
        """The segments of a workspace, compiled; asks the database only when something was published or changed."""
        newest = self._matcher.publish_version(workspace_id)
        known = self._segments.get(workspace_id)
        if known is None or known[0] != newest:
            compiled = []
            for stored in unit.segments.all(workspace_id):
                try:
                    node = read_condition(stored.condition)
                except InvalidInput:  # written by a newer version: whoever knows it keeps it up
                    continue
                compiled.append(Segment(stored.name, node, is_complete=stored.is_complete))
            known = self._segments[workspace_id] = (newest, compiled)
        return known[1]

    def hold(self, unit: Unit, workspace_id: int, known: Known) -> Concern | None:
        """Before a batch is stored: hold the contacts of whom a segment may think otherwise than before."""
        segments = self.segments(unit, workspace_id)
        if not segments:
            return None
        changed = known.new_contacts.keys() | known.changed_contacts.keys()
        counted: dict[str, set[str]] = {}
        for contact_id, kind in known.counts:
            if any(segment.dependence.is_moved_by((kind,)) for segment in segments):
                counted.setdefault(contact_id, set()).add(kind)
        stored = (changed | counted.keys()) - known.new_contacts.keys()
        if stored:
            unit.customers.lock_contacts(workspace_id, list(stored))
        return Concern(segments, changed, counted) if changed or counted else None

    def follow(self, unit: Unit, workspace_id: int, concern: Concern, known: Known, now: int) -> None:
        """After a batch is stored: judge them, and let them enter and leave."""
        keep(
            unit,
            workspace_id,
            {segment: concern.of(segment) for segment in concern.segments},
            now,
            # Who is met before everybody was judged may have been in it all along.
            by_definition=lambda segment, contact: not segment.is_complete and contact not in known.new_contacts,
        )


def keep(
    unit: Unit,
    workspace_id: int,
    judging: Mapping[Segment, Collection[str]],
    now: int,
    *,
    by_definition: Callable[[Segment, str], bool],
) -> None:
    """Judge contacts by segments, and store who entered, who left, and who has to be judged again when.

    The caller holds the contacts. One that is not there any more is in no segment.
    """
    judging = {segment: contacts for segment, contacts in judging.items() if contacts}
    concerned = sorted(set().union(*judging.values()))
    if not concerned:
        return
    facts = _facts(unit, workspace_id, concerned, any(one.dependence.activity for one in judging))
    names = [segment.name for segment in judging]
    standing = unit.segments.standing(workspace_id, names, concerned)
    timely = [segment.name for segment in judging if segment.dependence.times]
    planned = unit.segments.planned(workspace_id, timely, concerned) if timely else {}
    entered: list[tuple[str, str, int, bool]] = []
    plans: list[tuple[str, str, int]] = []
    left: dict[str, list[str]] = {}
    unplanned: dict[str, list[str]] = {}
    for segment, contacts in judging.items():
        for contact in contacts:
            place = (segment.name, contact)
            holds, wanted = segment.judge(facts[contact], now) if contact in facts else (False, None)
            if holds and place not in standing:
                entered.append((*place, now, by_definition(segment, contact)))
            elif not holds and place in standing:
                left.setdefault(segment.name, []).append(contact)
            before = planned.get(place)
            kept = keep_planned(before, wanted, now) if contact in facts else None
            if kept is not None and kept != before:
                plans.append((*place, kept))
            elif kept is None and before is not None:
                unplanned.setdefault(segment.name, []).append(contact)
    unit.segments.enter(workspace_id, entered)
    unit.segments.leave(workspace_id, left)
    unit.segments.plan(workspace_id, plans)
    unit.segments.unplan(workspace_id, unplanned)


def _facts(unit: Unit, workspace_id: int, contacts: Sequence[str], reads_activity: bool) -> dict[str, dict[str, Any]]:
    """What the conditions of segments may read of these contacts, by id."""
    activity: dict[str, dict[str, ActivityCount]] = {}
    if reads_activity:
        for count in unit.customers.activity(workspace_id, contacts):
            activity.setdefault(count.contact_id, {})[count.kind] = count
    return {
        contact.id: {"contact": contact_facts(contact, activity.get(contact.id, {}) if reads_activity else None)}
        for contact in unit.customers.contacts(workspace_id, contacts)
    }
