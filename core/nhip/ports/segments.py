"""The stores of segments and of enrolments."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from nhip.domain.segments import Member, StoredEnrolment, StoredSegment


class SegmentStore(Protocol):
    """Segments, who is in them, and when somebody has to be judged again."""

    def find(
        self, workspace_id: int, name: str, *, lock: bool = False, skip_locked: bool = False
    ) -> StoredSegment | None:
        """``lock`` holds the row until the unit ends; with ``skip_locked`` one that others hold is not there."""
        ...

    def page(self, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredSegment]:
        """By name, after a name."""
        ...

    def all(self, workspace_id: int) -> Sequence[StoredSegment]:
        """Every segment."""
        ...

    def insert(self, segment: StoredSegment) -> None:
        """Store a new segment."""
        ...

    def update(self, segment: StoredSegment) -> None:
        """The caller holds the row."""
        ...

    def delete(self, workspace_id: int, name: str) -> None:
        """Remove a segment with its members."""
        ...

    def due(self, now: int, limit: int) -> Sequence[tuple[int, str]]:
        """Of all workspaces, the segments that somebody has to look at: workspace and name."""
        ...

    # --- who is in it -------------------------------------------------------------------------------------------------

    def members(self, workspace_id: int, segment: str, after: str | None, limit: int) -> Sequence[tuple[str, int]]:
        """Pairs of contact id and time of entering, by contact id, after one."""
        ...

    def page_of_members(self, workspace_id: int, segment: str, after: str | None, limit: int) -> Sequence[Member]:
        """As :meth:`members`, with how they came in."""
        ...

    def entered_between(
        self,
        workspace_id: int,
        segment: str,
        since: int,
        until: int,
        after: tuple[int, str] | None,
        limit: int,
        *,
        present: bool = False,
    ) -> Sequence[tuple[str, int]]:
        """Pairs of contact id and time of entering, of those who entered after ``since`` and not after ``until``.

        By time and contact id, after such a pair. ``present`` includes those who were found when the condition was made
        or changed.
        """
        ...

    def count(self, workspace_id: int, segment: str) -> int:
        """How many are in it."""
        ...

    def standing(self, workspace_id: int, segments: Sequence[str], contacts: Sequence[str]) -> set[tuple[str, str]]:
        """Of these segments and contacts, the pairs where one is in the other."""
        ...

    def enter(self, workspace_id: int, rows: Sequence[tuple[str, str, int, bool]]) -> None:
        """Segment, contact, time of entering, and whether by definition; who is in it already stays as it is."""
        ...

    def leave(self, workspace_id: int, gone: Mapping[str, Sequence[str]]) -> None:
        """Contacts by segment."""
        ...

    # --- who has to be judged -----------------------------------------------------------------------------------------

    def walk(self, workspace_id: int, after: str, limit: int) -> Sequence[tuple[str, str]]:
        """Every contact, by external id, after one: pairs of external id and id."""
        ...

    def planned(
        self, workspace_id: int, segments: Sequence[str], contacts: Sequence[str]
    ) -> Mapping[tuple[str, str], int]:
        """When these contacts have to be judged again by these segments, where they have to."""
        ...

    def plan(self, workspace_id: int, rows: Sequence[tuple[str, str, int]]) -> None:
        """Segment, contact and moment; instead of what was planned."""
        ...

    def unplan(self, workspace_id: int, gone: Mapping[str, Sequence[str]]) -> None:
        """Contacts by segment, who need not be judged again."""
        ...

    def forget_plans(self, workspace_id: int, segment: str) -> None:
        """Everybody is about to be judged by another condition."""
        ...

    def due_contacts(self, workspace_id: int, segment: str, now: int, limit: int) -> Sequence[str]:
        """Who has to be judged again, the most urgent first."""
        ...


class EnrolmentStore(Protocol):
    """Many contacts on their way into a workflow."""

    def find(
        self, workspace_id: int, identifier: str, *, lock: bool = False, skip_locked: bool = False
    ) -> StoredEnrolment | None:
        """``lock`` holds the row until the unit ends; with ``skip_locked`` one that others hold is not there."""
        ...

    def page(self, workspace_id: int, workflow: str, before: str | None, limit: int) -> Sequence[StoredEnrolment]:
        """The newest first, before an id."""
        ...

    def insert(self, enrolment: StoredEnrolment, parts: Sequence[Sequence[str]]) -> None:
        """Store a new one; ``parts`` are the external ids that enter together."""
        ...

    def update(self, enrolment: StoredEnrolment) -> None:
        """The caller holds the row."""
        ...

    def part(self, workspace_id: int, identifier: str, number: int) -> Sequence[str]:
        """The external ids of one part."""
        ...

    def drop_parts(self, workspace_id: int, identifier: str) -> None:
        """Forget the external ids: it is over."""
        ...

    def due(self, now: int, limit: int) -> Sequence[tuple[int, str]]:
        """Of all workspaces, those of which the next contacts may enter: workspace and id."""
        ...

    def refusals(self, workspace_id: int, events: Sequence[str]) -> Mapping[str, int]:
        """Why these events started no run: how often for each reason."""
        ...
