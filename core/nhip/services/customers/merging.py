"""Two contacts become one: everything of the one becomes the other's, and the one is gone, but remembered.

It is one unit, and no event of the workspace is stored meanwhile: whoever stores events holds, from before it looks who
they concern, that nobody is merged. What the merged contact was known by leads to the one that stays.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from nhip.domain.customers import Contact
from nhip.domain.errors import Conflict, invalid
from nhip.domain.events import IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.merging import MERGED, MERGED_REASON, NAME, MergeDraft, United
from nhip.domain.runs import OpenRun, RunState
from nhip.domain.scores import SCORE_CHANGED
from nhip.domain.telesales import CANCELLED, TELESALES_OUTCOME, Entry, EntryState
from nhip.domain.times import format_micros
from nhip.engine.customers import scoring
from nhip.engine.customers.merging import IDENTITIES, leaving, unite
from nhip.ports import Unit
from nhip.services.events.ingest import ENGINE_SOURCE, Ingest
from nhip.services.events.known import Known, Reads
from nhip.services.events.memberships import keep
from nhip.services.events.scoring import look_at
from nhip.services.runs.naming import contact_named, own_contact

_OPEN: Final = frozenset({RunState.RUNNING, RunState.QUEUED})


class Merging:
    """The service; its method runs inside a unit. Ring the doorbell afterwards."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def merge(
        self, unit: Unit, workspace_id: int, external_id: str, draft: MergeDraft, *, actor: str, now: int
    ) -> None:
        """Merge a contact into the one of ``external_id``. The same again changes nothing.

        Raises:
            NotFound: no such contact in this workspace.
            InvalidInput: the other one is the same, or there is none; both have a phone, email or Zalo user id that
                differ, and nobody says whose is kept; or what is said of that is not right.
            Conflict: one of them was merged into another contact, or a step of each is being performed now.
        """
        unit.merging.begin(workspace_id)
        pair = _pair(unit, workspace_id, external_id, draft.source)
        if pair is None:
            return
        unit.customers.lock_contacts(workspace_id, [one.id for one in pair])
        pair = _pair(unit, workspace_id, external_id, draft.source)
        if pair is None:
            return
        survivor, merged = pair
        united = unite(survivor, merged, draft.keep)
        ids = [survivor.id, merged.id]
        if len(unit.merging.performing(workspace_id, ids)) > 1:
            both = f"{survivor.external_id!r} and {merged.external_id!r}"
            raise Conflict(f"a step of each, {both}, is being performed at this moment: merge them again in a moment")
        leave = self._leaving(unit, workspace_id, survivor, merged)
        closed = _join_entries(unit, workspace_id, ids, now)
        is_score_told = self._join_scores(unit, workspace_id, survivor, merged, now)
        moved = self._move(unit, workspace_id, survivor, merged, united, now)
        ended = self._end(unit, workspace_id, leave, now)
        events = [_event(survivor, merged, united, moved, ended, closed, now)]
        events += [_outcome(survivor, entry) for entry in closed]
        if is_score_told:
            events.append(_look(survivor, merged, now))
        self._ingest.ingest(unit, workspace_id, events, now)
        memberships = self._ingest.memberships
        judging = {segment: [survivor.id] for segment in memberships.segments(unit, workspace_id)}
        keep(unit, workspace_id, judging, now, by_definition=lambda segment, _: not segment.is_complete)
        unit.audit.write(workspace_id, actor, "contact.merge", survivor.id, now, {"merged": merged.id})

    # --- what was theirs ----------------------------------------------------------------------------------------------

    def _move(
        self, unit: Unit, workspace_id: int, survivor: Contact, merged: Contact, united: United, now: int
    ) -> dict[str, int]:
        """Give everything of the merged contact to the survivor; answers how much that was."""
        matcher, catalog = self._ingest.matcher, self._ingest.catalog
        matcher.refresh(unit, workspace_id)
        records = unit.directory.records_of(workspace_id, merged.id)
        known = Known(
            unit, workspace_id, now, catalog.record_types, Reads(activity=False, accounts=False),
            matcher.watches(workspace_id), matcher.ended(workspace_id),
        )  # fmt: skip
        for record in records:
            record.contact_id = survivor.id
            if "contact" in record.attributes:
                record.attributes = {**record.attributes, "contact": survivor.external_id}
            known.changed_records[record.id] = record
        for count in unit.customers.activity(workspace_id, [merged.id]):
            known.counts[survivor.id, count.kind] = msgspec.structs.replace(count, contact_id=survivor.id)
        known.touch(survivor)
        moved = unit.merging.move(workspace_id, survivor, merged)
        known.store()
        gave_way = [(name, one.value) for name, one in united.given_up.items() if name in IDENTITIES]
        known_by = [(NAME, merged.external_id), *gave_way]
        unit.merging.remember(workspace_id, survivor.id, merged.id, known_by, now)
        return {**moved, "records": len(records)}

    def _join_scores(self, unit: Unit, workspace_id: int, survivor: Contact, merged: Contact, now: int) -> bool:
        """Let the survivor's score be made of both; whether it moved by that and somebody listens. Then it is left to
        the event that tells of it.
        """
        if merged.score_state is None:
            return False
        matcher = self._ingest.matcher
        index, book = matcher.refresh(unit, workspace_id), matcher.scores(workspace_id)
        mine, theirs = scoring.read_state(survivor.score_state), scoring.read_state(merged.score_state)
        survivor.score_due_at = now
        if book is None:  # the rules cannot be read in this process: what they hold is carried over by one that can
            theirs = msgspec.structs.replace(theirs, revision=mine.revision)
            survivor.score_state = scoring.write_state(scoring.joined(mine, theirs, (), mine.revision, now))
            return False
        survivor.score_state = scoring.write_state(scoring.joined(mine, theirs, book.rules, book.revision, now))
        looked = msgspec.structs.replace(survivor)
        has_moved = bool(look_at(looked, book, (), now))
        if has_moved and (index.listens(SCORE_CHANGED) or SCORE_CHANGED in matcher.heard(workspace_id)):
            return True
        survivor.score, survivor.score_state = looked.score, looked.score_state
        survivor.score_due_at = looked.score_due_at
        return False

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _leaving(
        self, unit: Unit, workspace_id: int, survivor: Contact, merged: Contact
    ) -> Sequence[tuple[OpenRun, str]]:
        """The runs that do not go on, because a workflow lets a contact pass through once at a time."""
        open_runs = unit.runs.open_runs(workspace_id, [survivor.id, merged.id])
        mine = [run for run in open_runs if run.contact_id == survivor.id]
        theirs = [run for run in open_runs if run.contact_id == merged.id]
        if not {run.workflow for run in mine} & {run.workflow for run in theirs}:
            return ()
        compiled = self._ingest.versions.get(unit, workspace_id, sorted({run.version_id for run in open_runs}))
        modes = {version_id: one.definition.settings.mode for version_id, one in compiled.items()}
        found = leaving(mine, theirs, modes)
        return [(msgspec.structs.replace(run, contact_id=survivor.id), reason) for run, reason in found]

    def _end(
        self, unit: Unit, workspace_id: int, leave: Sequence[tuple[OpenRun, str]], now: int
    ) -> list[dict[str, str]]:
        """End these runs, but for those that ended by themselves meanwhile; answers which, and why."""
        ended: list[dict[str, str]] = []
        for run, reason in leave:
            standing = unit.history.run(workspace_id, run.id, lock=True)
            if standing is not None and standing.state in _OPEN:
                self._ingest.progress.end(unit, workspace_id, [run], RunState.EXITED, reason, now)
                ended.append({"run": run.id, "workflow": run.workflow, "reason": reason})
        return ended


def _pair(unit: Unit, workspace_id: int, external_id: str, source: str) -> tuple[Contact, Contact] | None:
    """The contact that stays and the one that is merged into it, or ``None`` where that was done before."""
    if source == external_id:
        raise invalid("from", "same_contact", "a contact cannot be merged into itself")
    survivor = own_contact(unit, workspace_id, external_id)
    merged = contact_named(unit, workspace_id, source)
    if merged is None:
        raise invalid("from", "unknown_contact", f"there is no contact {source!r}")
    if merged.id == survivor.id:
        return None
    return survivor, own_contact(unit, workspace_id, source, "from")


def _join_entries(unit: Unit, workspace_id: int, contact_ids: Sequence[str], now: int) -> list[Entry]:
    """Nobody is called twice in one campaign: of two open entries the one goes on that an agent has, or the older one,
    with the higher priority and the notes of both. Answers those that are closed.
    """
    campaigns: dict[str, list[str]] = {}
    for campaign, entry_id in unit.merging.open_entries(workspace_id, contact_ids):
        campaigns.setdefault(campaign, []).append(entry_id)
    closed: list[Entry] = []
    for campaign, entry_ids in sorted(campaigns.items()):
        if len(entry_ids) < 2:
            continue
        unit.telesales.campaign(workspace_id, campaign, lock=True)
        found = [unit.telesales.entry(workspace_id, campaign, one, lock=True) for one in entry_ids]
        entries = [entry for entry in found if entry is not None and entry.closed_at is None]
        stays, *others = sorted(entries, key=lambda entry: (entry.state != EntryState.TAKEN, entry.id))
        for entry in others:
            stays.priority = max(stays.priority, entry.priority)
            stays.note = "\n".join(dict.fromkeys(note for note in (stays.note, entry.note) if note)) or None
            entry.state, entry.reason, entry.closed_at, entry.updated_at = CANCELLED, MERGED_REASON, now, now
            unit.telesales.update_entry(entry)
            closed.append(entry)
        if others:
            stays.updated_at = now
            unit.telesales.update_entry(stays)
    return closed


# --- events -----------------------------------------------------------------------------------------------------------


def _event(
    survivor: Contact,
    merged: Contact,
    united: United,
    moved: dict[str, int],
    ended: Sequence[dict[str, str]],
    closed: Sequence[Entry],
    now: int,
) -> IncomingEvent:
    """The event that says what came from where, and lays over the survivor what it takes over."""
    data: dict[str, Any] = {
        "from": merged.external_id,
        "from_id": merged.id,
        "known_since": format_micros(merged.created_at),
        "filled": list(united.filled),
        "tags": list(united.tags),
        "given_up": msgspec.to_builtins(united.given_up),
        "moved": moved,
        "ended_runs": list(ended),
        "cancelled_entries": [{"campaign": entry.campaign, "entry": entry.id} for entry in closed],
    }
    return IncomingEvent(
        source=ENGINE_SOURCE, source_id=f"merge:{merged.id}", type=MERGED, subject=survivor.external_id, time=now,
        data=data, contact={"external_id": survivor.external_id, **united.fields},
    )  # fmt: skip


def _outcome(survivor: Contact, entry: Entry) -> IncomingEvent:
    """What a run hears that waits for the outcome of an entry that another takes the place of."""
    identifier = new_id()
    data = {"campaign": entry.campaign, "entry": entry.id, "outcome": CANCELLED, "attempts": entry.attempts,
            "final": True}  # fmt: skip
    return IncomingEvent(
        id=identifier, source=ENGINE_SOURCE, source_id=identifier, type=TELESALES_OUTCOME,
        subject=survivor.external_id, time=None, data=data,
    )  # fmt: skip


def _look(survivor: Contact, merged: Contact, now: int) -> IncomingEvent:
    """Look at what the survivor's score is now, as a sweep does; it is told where it moved."""
    return IncomingEvent(
        source=ENGINE_SOURCE, source_id=f"score:{survivor.id}:merge:{merged.id}", type=SCORE_CHANGED,
        subject=survivor.external_id, time=now, data={},
    )  # fmt: skip
