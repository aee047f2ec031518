"""Segments: what admins write, and bringing who is in them up to now.

A segment is kept, not asked for. Three things change it: contacts do (:mod:`nhip.services.events.memberships` follows
them), time passes, and its condition is made or changed. :meth:`Segments.refresh` sees to the last two, a little at a
time.
"""

from collections.abc import Sequence
from typing import Final

from nhip.catalog import Catalog
from nhip.domain.customers import Contact
from nhip.domain.errors import NotFound, invalid
from nhip.domain.ids import new_id
from nhip.domain.segments import Member, SegmentCount, SegmentDraft, StoredSegment
from nhip.engine.conditions.tree import dump
from nhip.engine.customers.segments import Segment, read_condition
from nhip.engine.definitions.definition import NAME
from nhip.ports import Unit
from nhip.services.events.memberships import keep
from nhip.services.workspace.revisions import check_match
from nhip.services.workspace.usage import check_unused

LOOK_MICROS: Final = 60_000_000
"""How old a look may be before the workers look again by themselves."""
SETTLE_MICROS: Final = 60_000_000
"""A unit that began before a condition was stored does not know it. None lives as long as this, so everybody is judged
once more when it is over."""


class Segments:
    """The service; its methods run inside units."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    # --- what admins write --------------------------------------------------------------------------------------------

    def find(self, unit: Unit, workspace_id: int, name: str, *, lock: bool = False) -> StoredSegment:
        """The segment of that name.

        Raises:
            NotFound: there is none.
        """
        stored = unit.segments.find(workspace_id, name, lock=lock)
        if stored is None:
            raise NotFound("segment", name)
        return stored

    def page(self, unit: Unit, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredSegment]:
        """By name, after a name."""
        return unit.segments.page(workspace_id, after, limit)

    def save(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        draft: SegmentDraft,
        *,
        if_match: str | None,
        actor: str,
        now: int,
    ) -> tuple[StoredSegment, bool]:
        """Make or replace a segment; answers whether it was made. What is unchanged keeps its revision.

        Raises:
            InvalidInput: with the place of each problem: ``condition.all[1].field``.
            StaleRevision: ``if_match`` does not hold.
        """
        if not NAME.match(name):
            raise invalid("name", "bad_value", "a name is lower-case letters, digits, - and _, at most 100")
        condition = dump(read_condition(draft.condition))
        stored = unit.segments.find(workspace_id, name, lock=True)
        check_match(stored, if_match)
        created = stored is None
        if stored is None:
            stored = StoredSegment(
                workspace_id=workspace_id, name=name, id=new_id(), title=draft.title, condition=condition, revision=1,
                walks_left=2, walked_to="", walk_at=now, looked_at=now, due_at=now, created_at=now, updated_at=now,
            )  # fmt: skip
            unit.segments.insert(stored)
        elif (stored.condition, stored.title) == (condition, draft.title):
            return stored, False
        else:
            if stored.condition != condition:
                stored.walks_left, stored.walked_to, stored.walk_at, stored.due_at = 2, "", now, now
                unit.segments.forget_plans(workspace_id, name)
            stored.condition, stored.title, stored.updated_at = condition, draft.title, now
            stored.revision += 1
            unit.segments.update(stored)
        unit.workflows.raise_publish_version(workspace_id)
        action = "segment.create" if created else "segment.change"
        unit.audit.write(workspace_id, actor, action, name, now, {"revision": stored.revision})
        return stored, created

    def delete(self, unit: Unit, workspace_id: int, name: str, *, if_match: str | None, actor: str, now: int) -> None:
        """Take a segment away.

        Raises:
            NotFound: there is none.
            StaleRevision: ``if_match`` does not hold.
            Conflict: a workflow still needs it.
        """
        check_match(self.find(unit, workspace_id, name, lock=True), if_match)
        check_unused(unit, self._catalog, workspace_id, "segment", name)
        unit.segments.delete(workspace_id, name)
        unit.workflows.raise_publish_version(workspace_id)
        unit.audit.write(workspace_id, actor, "segment.delete", name, now)

    # --- who is in it -------------------------------------------------------------------------------------------------

    def members(
        self, unit: Unit, workspace_id: int, name: str, after: str | None, limit: int
    ) -> list[tuple[Member, Contact]]:
        """Who is in it, by the contacts' ids, after one.

        Raises:
            NotFound: there is no such segment.
        """
        self.find(unit, workspace_id, name)
        found: list[tuple[Member, Contact]] = []
        while missing := limit - len(found):  # one who is deleted at this moment leaves no gap
            members = unit.segments.page_of_members(workspace_id, name, after, missing)
            ids = [member.contact_id for member in members]
            contacts = {one.id: one for one in unit.customers.contacts(workspace_id, ids)} if ids else {}
            found += [(member, contacts[member.contact_id]) for member in members if member.contact_id in contacts]
            if len(members) < missing:
                break
            after = ids[-1]
        return found

    def count(self, unit: Unit, workspace_id: int, name: str, now: int) -> SegmentCount:
        """How many are in it.

        Raises:
            NotFound: there is no such segment.
        """
        stored = self.find(unit, workspace_id, name)
        complete = not self._is_behind(unit, stored, now)
        return SegmentCount(
            count=unit.segments.count(workspace_id, name),
            as_of=now if complete else stored.looked_at,
            complete=complete,
        )

    # --- up to now ----------------------------------------------------------------------------------------------------

    def is_behind(self, unit: Unit, workspace_id: int, name: str, now: int) -> bool:
        """Whether :meth:`refresh` has anything to do before the answer is true.

        Raises:
            NotFound: there is no such segment.
        """
        return self._is_behind(unit, self.find(unit, workspace_id, name), now)

    def _is_behind(self, unit: Unit, stored: StoredSegment, now: int) -> bool:
        return not stored.is_complete or bool(unit.segments.due_contacts(stored.workspace_id, stored.name, now, 1))

    def refresh(self, unit: Unit, workspace_id: int, name: str, now: int, limit: int) -> bool:
        """Bring a segment up to ``now``, judging at most ``limit`` contacts; answers whether that was enough.

        One that there is not needs nothing.
        """
        stored = unit.segments.find(workspace_id, name, lock=True)
        return stored is None or self._bring_up(unit, stored, now, limit)

    def look(self, unit: Unit, workspace_id: int, name: str, now: int, limit: int) -> bool:
        """The same where it is due, which a worker finds out by itself; answers whether it is due still.

        One that another process is busy with is left to it.
        """
        stored = unit.segments.find(workspace_id, name, lock=True, skip_locked=True)
        if stored is None or not _is_due(stored, now):
            return False
        self._bring_up(unit, stored, now, limit)
        return _is_due(stored, now)

    def _bring_up(self, unit: Unit, stored: StoredSegment, now: int, limit: int) -> bool:
        workspace_id, name = stored.workspace_id, stored.name
        segment = Segment(name, read_condition(stored.condition), is_complete=stored.is_complete)
        due = unit.segments.due_contacts(workspace_id, name, now, limit)
        self._judge(unit, stored, segment, due, now, by_definition=not stored.is_complete)
        if due and not segment.dependence.times:  # planned by a unit that did not know the condition yet
            unit.segments.unplan(workspace_id, {name: due})
        is_looked_at = len(due) < limit
        if is_looked_at:
            stored.looked_at = now
            self._walk(unit, stored, segment, now, limit - len(due))
        next_walk = [max(stored.walk_at, now)] if stored.walks_left else []
        next_look = [now + LOOK_MICROS] if segment.dependence.times else []
        stored.due_at = min(next_walk + next_look, default=None) if is_looked_at else now
        unit.segments.update(stored)
        return stored.is_complete and is_looked_at

    def _walk(self, unit: Unit, stored: StoredSegment, segment: Segment, now: int, limit: int) -> None:
        """Judge the next of everybody, where that is to be done."""
        left = limit
        while left > 0 and stored.walks_left and stored.walk_at <= now:
            rows = unit.segments.walk(stored.workspace_id, stored.walked_to, left)
            self._judge(unit, stored, segment, [row[1] for row in rows], now, by_definition=True)
            if len(rows) == left:
                stored.walked_to = rows[-1][0]
                return
            left -= len(rows)
            stored.walks_left -= 1
            stored.walked_to, stored.walk_at = "", now + SETTLE_MICROS
            if stored.walks_left == 1:
                # Every process shall know from now on that who enters does so because something happened.
                unit.workflows.raise_publish_version(stored.workspace_id)

    def _judge(
        self,
        unit: Unit,
        stored: StoredSegment,
        segment: Segment,
        contacts: Sequence[str],
        now: int,
        *,
        by_definition: bool,
    ) -> None:
        if contacts:
            unit.customers.lock_contacts(stored.workspace_id, contacts)
            keep(unit, stored.workspace_id, {segment: contacts}, now, by_definition=lambda *_: by_definition)


def _is_due(stored: StoredSegment, now: int) -> bool:
    return stored.due_at is not None and stored.due_at <= now
