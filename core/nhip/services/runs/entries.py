"""Who enters which workflow: the one place where runs are made."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from nhip.catalog import Catalog
from nhip.domain.customers import Contact
from nhip.domain.events import MAX_DEPTH, IncomingEvent
from nhip.domain.ids import new_id
from nhip.domain.runs import RunRow, RunState, StepRow
from nhip.domain.scans import SCAN_EVENTS, DateScan
from nhip.domain.times import format_micros, from_micros
from nhip.domain.workflow import Mode
from nhip.engine.conditions.decide import CustomConditions, judge
from nhip.engine.definitions.definition import Compiled
from nhip.engine.journeys.advance import Finish, advance
from nhip.engine.matching.index import Entry, MatchIndex
from nhip.ports import Unit
from nhip.services.runs.facts import records_about
from nhip.services.runs.matching import Matcher, Versions
from nhip.services.runs.step_rows import StepRows
from nhip.services.workspace.calendars import closed_days

if TYPE_CHECKING:
    from datetime import datetime

REQUESTED: Any = "requested"
"""The trigger's id of a run that somebody asked for: an enrolment, or another workflow's step."""


_DATE_REACHED: Final = SCAN_EVENTS[DateScan]
_DAYS: Final = 3 * 86_400_000_000
"""More than lies between two moments of one day, wherever they are."""


class Happening:
    """One stored event while its unit is open: its row in the making, and the facts that its decisions read."""

    __slots__ = ("contact", "data", "event", "facts", "id", "root", "time", "type")

    def __init__(self, identifier: str, kind: str, time: int, event: IncomingEvent, root: "Happening | None") -> None:
        self.id = identifier
        self.type = kind
        self.time = time
        self.event = event
        self.root = root or self
        self.contact: Contact | None = None
        self.data: dict[str, Any] = event.data
        self.facts: dict[str, Any] = {}

    def said(self) -> dict[str, Any]:
        """The event as facts."""
        event = self.event
        return {
            "id": self.id, "source": event.source, "source_id": event.source_id, "type": self.type,
            "subject": event.subject, "time": format_micros(self.time), "data": self.data,
        }  # fmt: skip


class Entries:
    """Decides which runs the events of one batch start, and makes their rows."""

    def __init__(
        self,
        catalog: Catalog,
        matcher: Matcher,
        versions: Versions,
        customs: CustomConditions,
        unit: Unit,
        workspace_id: int,
        now: int,
    ) -> None:
        self.catalog = catalog
        self.matcher = matcher
        self.versions = versions
        self.customs = customs
        self.unit = unit
        self.workspace_id = workspace_id
        self.now = now
        self.moment: datetime = from_micros(now)
        self.closed = closed_days(unit, workspace_id)
        self.index: MatchIndex = matcher.refresh(unit, workspace_id)
        self.new_contacts: Mapping[str, Contact] = {}
        self.runs: list[RunRow] = []
        self.steps: list[StepRow] = []
        self.refusals: list[tuple[Any, ...]] = []
        self.replaced: dict[str, set[str]] = {}
        """Per workflow that begins anew, the contacts whose runs end."""
        self._entered: dict[str, dict[str, tuple[int, int]]] = {}

    def consider(self, happening: Happening, depth: int, decided: set[str]) -> list[str]:
        """Start the runs that an event starts; answers their ids. ``decided`` are workflows that need no asking."""
        entries: Sequence[Entry]
        if happening.event.enter is not None and happening is happening.root:
            entries = self._requested(happening, happening.event.enter, depth, decided)
        elif self.index.listens(happening.type):
            entries = self.matcher.match(self.index, happening.type, happening.facts, self.moment)
        else:
            return []
        if not entries:
            return []
        compiled = self.versions.get(self.unit, self.workspace_id, [entry.version_id for entry in entries])
        runs = []
        for entry in entries:
            if entry.workflow in decided:
                continue
            decided.add(entry.workflow)
            version = compiled[entry.version_id]
            reason = self._refusal(entry, version, happening, depth)
            if reason is not None:
                self._refuse(entry, happening, reason)
                continue
            runs.append(self._start(entry, version, happening, depth))
        return runs

    def store(self) -> None:
        """Write the runs, their first steps, and why others did not start."""
        self.unit.runs.insert(self.runs, self.steps)
        self.unit.events.refuse(self.refusals)

    # --- may it enter ------------------------------------------------------------------------------------------------

    def _requested(self, happening: Happening, workflow: str, depth: int, decided: set[str]) -> Sequence[Entry]:
        """The one workflow that somebody asked for, if its conditions hold: triggers are not asked."""
        version_id = self.matcher.version_of(self.workspace_id, workflow)
        entry = Entry(workflow=workflow, version_id=version_id or "", trigger_id=REQUESTED, event_types=())
        found = self.versions.get(self.unit, self.workspace_id, [version_id]) if version_id else {}
        if version_id is None or version_id not in found:
            decided.add(workflow)
            self._refuse(entry, happening, "not_active")
            return ()
        conditions = found[version_id].definition.conditions
        if (
            conditions is not None
            and not judge(conditions, happening.facts, self.moment, "conditions", self.customs).holds
        ):
            decided.add(workflow)
            self._refuse(entry, happening, "conditions")
            return ()
        return (entry,)

    def _refuse(self, entry: Entry, happening: Happening, reason: str) -> None:
        contact = happening.contact
        self.refusals.append(
            (new_id(), self.workspace_id, entry.workflow, entry.version_id, entry.trigger_id,
             contact.id if contact else None, happening.root.id, reason, self.now)
        )  # fmt: skip

    def _refusal(self, entry: Entry, version: Compiled, happening: Happening, depth: int) -> str | None:
        """Why this workflow does not start although it matches, or ``None``."""
        contact = happening.contact
        if contact is None:
            return "no_contact"
        if depth > MAX_DEPTH:
            return "chain_too_long"
        if self._is_told(entry, happening, contact):
            return "told_already"
        settings = version.definition.settings
        reentry, mode = settings.reentry, settings.mode
        if not (reentry.once or reentry.after or mode is not Mode.PARALLEL):
            return None
        last, under_way = self._entries_of(entry.workflow, contact)
        if mode is Mode.SINGLE and under_way:
            return "already_running"
        if last and reentry.once:
            return "entered_before"
        if last and reentry.after and from_micros(last) + reentry.after > self.moment:
            return "entered_recently"
        return None

    def _is_told(self, entry: Entry, happening: Happening, contact: Contact) -> bool:
        """Whether the trigger told this contact of this day already, at another time of the day by another version."""
        data = happening.data
        if happening.type != _DATE_REACHED or "date" not in data or self.versions.number(entry.version_id) == 1:
            return False
        runs = self.unit.runs.begun_by(
            self.workspace_id, contact.id, entry.workflow, entry.trigger_id, happening.type, happening.time - _DAYS
        )
        owner = _owner_of(happening.event.source_id)
        return any(
            _owner_of(source_id) == owner
            and all(told.get(name) == data.get(name) for name in ("field", "date", "days"))
            for source_id, told in runs
        )

    def _entries_of(self, workflow: str, contact: Contact) -> tuple[int, int]:
        """When a contact last entered a workflow, and how many of its runs are not over."""
        entered = self._entered.setdefault(workflow, {})
        if contact.id not in entered:
            if contact.id not in self.new_contacts:
                self.unit.customers.lock_contacts(self.workspace_id, [contact.id])
            found = self.unit.runs.last_entries(self.workspace_id, workflow, [contact.id])
            entered[contact.id] = found.get(contact.id, (0, 0))
        return entered[contact.id]

    # --- enter -------------------------------------------------------------------------------------------------------

    def _start(self, entry: Entry, version: Compiled, happening: Happening, depth: int) -> str:
        """Make the run's row and its first step's."""
        contact = happening.contact
        assert contact is not None
        settings = version.definition.settings
        under_way = 0
        if contact.id in self._entered.get(entry.workflow, {}):
            under_way = self._entered[entry.workflow][contact.id][1]
            if under_way and settings.mode is Mode.RESTART:
                self._replace(entry.workflow, contact.id)
                under_way = 0
            self._entered[entry.workflow][contact.id] = (self.now, under_way + 1)
        run_id, number = new_id(), self.versions.number(entry.version_id)
        state, reason, ended_at = RunState.RUNNING.value, None, None
        if settings.mode is Mode.QUEUED and under_way:
            state = RunState.QUEUED.value
        else:
            facts = {
                **happening.facts,
                "steps": {},
                "run": {
                    "id": run_id, "workflow": entry.workflow, "version": number,
                    "started_at": format_micros(self.now), "about": records_about(self.catalog, happening.facts),
                },
                "trigger": {"id": entry.trigger_id},
            }  # fmt: skip
            way = advance(version.program, None, facts, self.moment, self.customs, entry.workflow, self.closed)
            rows = StepRows(self.catalog, self.workspace_id, run_id, contact.id, entry.version_id)
            self.steps += rows.of(way, self.now, happening.time)
            if isinstance(way.then, Finish):
                state, reason, ended_at = way.then.state, way.then.reason, self.now
                if contact.id in self._entered.get(entry.workflow, {}):
                    self._entered[entry.workflow][contact.id] = (self.now, under_way)
        self.runs.append(
            RunRow(
                id=run_id, workspace_id=self.workspace_id, workflow=entry.workflow, version_id=entry.version_id,
                version=number, trigger_id=entry.trigger_id, contact_id=contact.id, event_id=happening.id,
                root_event_id=happening.root.id, state=state, reason=reason, depth=depth, event_received_at=self.now,
                started_at=self.now, ended_at=ended_at,
            )
        )  # fmt: skip
        return run_id

    def _replace(self, workflow: str, contact_id: str) -> None:
        """End this contact's runs of the workflow: those of this batch at once, the stored ones before it is stored."""
        self.replaced.setdefault(workflow, set()).add(contact_id)
        for run in self.runs:
            if run.workflow == workflow and run.contact_id == contact_id and run.ended_at is None:
                run.state, run.reason, run.ended_at = RunState.EXITED, "restarted", self.now
                self.steps = [step for step in self.steps if step.run_id != run.id]


def _owner_of(source_id: str) -> str:
    """Whose day it is that an event tells, and which, without the scan that found it and the contact."""
    return ":".join(source_id.rsplit(":", 2)[1:])
