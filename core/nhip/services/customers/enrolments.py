"""Enrolments: many contacts enter a workflow because somebody asked for it, some of them in each unit.

The unit that lets contacts enter moves the enrolment's place past them, so whoever takes over after a crash begins
where it ended: everybody comes in turn once. A workflow that is paused meanwhile is waited for.
"""

from collections.abc import Sequence
from typing import Final

from nhip.domain.customers import Contact
from nhip.domain.errors import Conflict, NotFound, invalid
from nhip.domain.events import IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.segments import MOST_UNKNOWN, EnrolmentDraft, StoredEnrolment
from nhip.domain.workflow import WorkflowState
from nhip.ports import Unit
from nhip.services.customers.segments import Segments
from nhip.services.events.ingest import ENGINE_SOURCE, Ingest
from nhip.services.runs.naming import contacts_named

ENROLLED: Final = "workflow.enrolled"
"""The type of the event by which a contact enters."""
AT_ONCE: Final = 200
"""How many contacts enter in one unit."""
_JUDGED_AT_ONCE: Final = 500
_PAUSED_MICROS: Final = 5_000_000
"""How long until somebody looks again whether the workflow was resumed."""
_RUNNING, _DONE, _CANCELLED = "running", "done", "cancelled"


class Enrolments:
    """The service; its methods run inside units. Ring the doorbell when :meth:`step` let contacts in."""

    def __init__(self, ingest: Ingest, segments: Segments) -> None:
        self._ingest = ingest
        self._segments = segments

    # --- what admins ask for ------------------------------------------------------------------------------------------

    def start(
        self, unit: Unit, workspace_id: int, workflow: str, draft: EnrolmentDraft, *, actor: str, now: int
    ) -> StoredEnrolment:
        """Let contacts, or the members of a segment, enter a workflow from now on.

        Its triggers are not asked; its conditions, re-entry and mode are.

        Raises:
            NotFound: there is no such workflow.
            Conflict: it is not active.
            InvalidInput: neither contacts nor a segment, both, or a segment that there is not.
        """
        if (draft.contacts is None) == (draft.segment is None):
            raise invalid("", "bad_value", "an enrolment is of contacts or of a segment: name one of them")
        stored = unit.workflows.find(workspace_id, workflow)
        if stored is None:
            raise NotFound("workflow", workflow)
        if stored.state != WorkflowState.ACTIVE:
            raise Conflict(f"{workflow!r} is {stored.state}: nobody can enter it now", state=stored.state)
        if draft.segment is not None and unit.segments.find(workspace_id, draft.segment) is None:
            raise invalid("segment", "unknown_segment", f"there is no segment {draft.segment!r}")
        contacts = list(dict.fromkeys(draft.contacts or ()))
        enrolment = StoredEnrolment(
            id=new_id(), workspace_id=workspace_id, workflow=workflow, segment=draft.segment, state=_RUNNING,
            reason=None, total=len(contacts) or None, seen=0, entered=0, refused={}, unknown=0, unknown_contacts=[],
            cursor="", due_at=now, created_by=actor, created_at=now, updated_at=now, ended_at=None,
        )  # fmt: skip
        parts = [contacts[first : first + AT_ONCE] for first in range(0, len(contacts), AT_ONCE)]
        unit.enrolments.insert(enrolment, parts)
        said = {"workflow": workflow, "segment": draft.segment, "contacts": enrolment.total}
        unit.audit.write(workspace_id, actor, "workflow.enroll", enrolment.id, now, said)
        return enrolment

    def page(
        self, unit: Unit, workspace_id: int, workflow: str, before: str | None, limit: int
    ) -> Sequence[StoredEnrolment]:
        """The enrolments of a workflow, the newest first, before an id.

        Raises:
            NotFound: there is no such workflow.
        """
        if unit.workflows.find(workspace_id, workflow) is None:
            raise NotFound("workflow", workflow)
        return unit.enrolments.page(workspace_id, workflow, before, limit)

    def find(
        self, unit: Unit, workspace_id: int, workflow: str, identifier: str, *, lock: bool = False
    ) -> StoredEnrolment:
        """One enrolment of a workflow.

        Raises:
            NotFound: there is no such enrolment of it.
        """
        stored = unit.enrolments.find(workspace_id, identifier, lock=lock)
        if stored is None or stored.workflow != workflow:
            raise NotFound("enrollment", identifier)
        return stored

    def cancel(
        self, unit: Unit, workspace_id: int, workflow: str, identifier: str, *, actor: str, now: int
    ) -> StoredEnrolment:
        """Let nobody else enter; whoever has entered stays in.

        Raises:
            NotFound: there is no such enrolment.
            Conflict: it is done.
        """
        stored = self.find(unit, workspace_id, workflow, identifier, lock=True)
        if stored.state == _DONE:
            raise Conflict("it is done: everybody has come in turn", state=stored.state)
        if stored.state == _RUNNING:
            self._end(unit, stored, _CANCELLED, "cancelled", now)
            unit.enrolments.update(stored)
            unit.audit.write(workspace_id, actor, "workflow.enroll_cancel", identifier, now, {"workflow": workflow})
        return stored

    # --- in the background --------------------------------------------------------------------------------------------

    def step(self, unit: Unit, workspace_id: int, identifier: str, now: int) -> bool:
        """Let the next contacts enter; answers whether there may be more at once.

        One that another process is busy with is left to it.
        """
        stored = unit.enrolments.find(workspace_id, identifier, lock=True, skip_locked=True)
        if stored is None or not _is_due(stored, now):
            return False
        state = unit.published.lock_workflow(workspace_id, stored.workflow)
        if state == WorkflowState.PAUSED:
            stored.reason, stored.due_at = "workflow_paused", now + _PAUSED_MICROS
        elif state != WorkflowState.ACTIVE:
            self._end(unit, stored, _CANCELLED, f"workflow_{state or 'deleted'}", now)
        else:
            stored.reason, stored.due_at = None, now
            self._go_on(unit, stored, now)
        stored.updated_at = now
        unit.enrolments.update(stored)
        return _is_due(stored, now)

    def _go_on(self, unit: Unit, stored: StoredEnrolment, now: int) -> None:
        unit.merging.hold(stored.workspace_id)
        if stored.segment is not None:
            self._go_on_in_segment(unit, stored, stored.segment, now)
            return
        number = int(stored.cursor or 0)
        names = unit.enrolments.part(stored.workspace_id, stored.id, number)
        named = contacts_named(unit, stored.workspace_id, names)
        contacts = self._held(unit, stored, sorted({one.id for one in named.values()}))
        there = {contact.id for contact in contacts}
        unknown = [name for name in names if name not in named or named[name].id not in there]
        stored.unknown += len(unknown)
        stored.unknown_contacts += unknown[: max(MOST_UNKNOWN - len(stored.unknown_contacts), 0)]
        stored.seen += len(unknown)
        self._enter(unit, stored, contacts, now)
        stored.cursor = str(number + 1)
        if stored.seen >= (stored.total or 0) or not names:
            self._end(unit, stored, _DONE, None, now)

    def _go_on_in_segment(self, unit: Unit, stored: StoredEnrolment, segment: str, now: int) -> None:
        workspace_id = stored.workspace_id
        if unit.segments.find(workspace_id, segment) is None:
            self._end(unit, stored, _CANCELLED, "segment_deleted", now)
            return
        if stored.total is None:
            if not self._segments.refresh(unit, workspace_id, segment, now, _JUDGED_AT_ONCE):
                return
            stored.total = unit.segments.count(workspace_id, segment)
        members = unit.segments.members(workspace_id, segment, stored.cursor or None, AT_ONCE)
        self._enter(unit, stored, self._held(unit, stored, [one for one, _ in members]), now)
        if members:
            stored.cursor = members[-1][0]
        if len(members) < AT_ONCE:
            self._end(unit, stored, _DONE, None, now)

    def _held(self, unit: Unit, stored: StoredEnrolment, ids: Sequence[str]) -> list[Contact]:
        """These contacts, as they are until the unit ends: nobody who is deleted meanwhile is made anew by entering."""
        if not ids:
            return []
        unit.customers.lock_contacts(stored.workspace_id, ids)
        return list(unit.customers.contacts(stored.workspace_id, ids))

    def _enter(self, unit: Unit, stored: StoredEnrolment, contacts: Sequence[Contact], now: int) -> None:
        said = {"workflow": stored.workflow, "enrollment": stored.id}
        if stored.segment is not None:
            said["segment"] = stored.segment
        events = [
            IncomingEvent(
                source=ENGINE_SOURCE, source_id=f"enrol:{stored.id}:{contact.id}", type=ENROLLED,
                subject=contact.external_id, time=None, data=said, enter=stored.workflow,
            )
            for contact in contacts
        ]  # fmt: skip
        if not events:
            return
        receipts = self._ingest.ingest(unit, stored.workspace_id, events, now)
        refused = [receipt.id for receipt in receipts if not receipt.runs]
        if refused:
            for reason, count in unit.enrolments.refusals(stored.workspace_id, refused).items():
                stored.refused[reason] = stored.refused.get(reason, 0) + count
        stored.entered += len(receipts) - len(refused)
        stored.seen += len(receipts)

    def _end(self, unit: Unit, stored: StoredEnrolment, state: str, reason: str | None, now: int) -> None:
        stored.state, stored.reason, stored.due_at = state, reason, None
        stored.ended_at = stored.updated_at = now
        unit.enrolments.drop_parts(stored.workspace_id, stored.id)


def _is_due(stored: StoredEnrolment, now: int) -> bool:
    return stored.due_at is not None and stored.due_at <= now
