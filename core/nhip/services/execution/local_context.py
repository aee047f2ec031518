"""What a local action may do. Its effects are events like any other: they are collected while it runs, and ingested in
the very unit that records its step, together with those of the other local steps of the batch.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

import msgspec

from nhip.domain.calls import CallPlan, write_plan
from nhip.domain.customers import Contact
from nhip.domain.errors import ActionFailed, InvalidInput
from nhip.domain.events import Cause, IncomingEvent, RecordSnapshot
from nhip.domain.ids import idempotency_key, new_id
from nhip.domain.runs import ClaimedStep, OpenRun
from nhip.domain.teams import ReachedBy, Team, Who
from nhip.domain.telesales import QueuedCall
from nhip.domain.times import from_micros
from nhip.engine.customers.snapshots import merge, record_facts, retagged
from nhip.engine.definitions.reading import ENGINE_ROOTS
from nhip.engine.facts.values import name_key
from nhip.engine.incoming.intake import Intake
from nhip.engine.incoming.phones import normalise_phone
from nhip.plugin_api import Assign, Assigned, Facts
from nhip.ports import Renderer, Unit
from nhip.services.desk.assigning import Assigning
from nhip.services.desk.call_queue import Placed, place, store
from nhip.services.events.ingest import ENGINE_SOURCE
from nhip.services.runs.facts import RunFacts
from nhip.services.runs.naming import contact_named
from nhip.services.workspace.calendars import closed_days
from nhip.services.workspace.taxonomies import Taxonomies

REQUESTED: Final = "workflow.requested"
"""The type of the event by which a contact enters a workflow that another one starts."""
MOST_RECORDS: Final = 100
"""How many records of a type an action may look at."""
_ENGINES: Final = frozenset({"id", "created_at", "updated_at", "closed_at"})
"""What a record's facts have that no snapshot says."""
P = ParamSpec("P")
T = TypeVar("T")


class UnitLocalContext:
    """Implements :class:`nhip.plugin_api.LocalContext`. ``effects`` are what the action wants to happen, in order."""

    def __init__(
        self,
        unit: Unit,
        step: ClaimedStep,
        run: RunFacts,
        now: int,
        intake: Intake,
        renderer: Renderer,
        assigning: Assigning,
        taxonomies: Taxonomies,
    ) -> None:
        self._unit = unit
        self._step = step
        self._run = run
        self._now = now
        self._intake = intake
        self._renderer = renderer
        self._assigning = assigning
        self._taxonomies = taxonomies
        self._closed = closed_days(unit, step.workspace_id)
        self._contacts: dict[str, dict[str, Any]] = {}
        self._records: dict[tuple[str, str], dict[str, Any]] = {}
        self.effects: list[IncomingEvent] = []
        self.ended: list[OpenRun] = []
        """The runs that the action wants to be over."""
        self.writes: list[Callable[[], None]] = []
        """What the action wants to be stored beside that."""
        self._queued: dict[str, Placed] = {}
        self._made_accounts: dict[str, dict[str, Any]] = {}
        self._call_plan: tuple[str, str, CallPlan] | None = None
        self.interruption: Exception | None = None
        """What the storage raised while the action ran: not the action's fault, and not its to handle."""

    @property
    def now(self) -> datetime:
        """Aware, in UTC."""
        return from_micros(self._now)

    @property
    def facts(self) -> Facts:
        """The facts of the run, as they were when the step was claimed."""
        return self._run.facts

    @property
    def step_id(self) -> str:
        """The step's id."""
        return self._step.id

    @property
    def idempotency_key(self) -> str:
        """The same over all attempts of this generation of the step."""
        step = self._step
        return idempotency_key(step.workspace_id, step.run_id, step.path, step.iteration, step.generation)

    def render(self, value: Any) -> Any:
        """Fill in every text inside ``value`` with the facts."""
        return self._renderer.render_value(value, self._run.facts)

    def update_contact(
        self,
        changes: Mapping[str, Any],
        *,
        add_tags: Sequence[str] = (),
        remove_tags: Sequence[str] = (),
        contact: str | None = None,
    ) -> Mapping[str, Any]:
        """Change a contact; answers with the old values of what changed."""
        current = self._contact(contact)
        if changes.get("owner"):
            self._check_works_here(str(changes["owner"]))
        known = self._contacts.get(current.id, current.attributes)
        snapshot = dict(changes)
        if add_tags or remove_tags:
            snapshot["tags"] = retagged(known.get("tags", []), add_tags, remove_tags)
        try:
            normalised = self._intake.contact({**snapshot, "external_id": current.external_id})
        except InvalidInput as error:
            raise ActionFailed(str(error)) from error
        fields = {name: value for name, value in normalised.items() if name != "external_id"}
        self._contacts[current.id], previous = merge(known, fields)
        self._add(contact=normalised)
        return previous

    def find_record(self, record_type: str, external_id: str) -> Mapping[str, Any] | None:
        """A record as it is now, with what this action changed of it."""
        return self._record(record_type, external_id)

    def save_record(
        self, record_type: str, external_id: str | None, fields: Mapping[str, Any], *, create: bool
    ) -> Mapping[str, Any]:
        """Create or change a record; answers with it as it will be."""
        identifier = external_id or f"{record_type}-{self.idempotency_key}"
        existing = self._record(record_type, identifier) if external_id is not None else None
        if not create and existing is None:
            raise ActionFailed(f"no {record_type} {identifier!r}")
        if create and existing is not None:
            raise ActionFailed(f"a {record_type} {identifier!r} exists already")
        said = dict(fields)
        holder = self._run.contact
        if create and holder is not None:
            said.setdefault("contact", holder.external_id)
        try:
            snapshot = self._intake.record(record_type, {**said, "external_id": identifier})
            completed = self._stored(
                self._taxonomies.completed, self._unit, self._step.workspace_id, record_type, snapshot.fields,
                existing or {},
            )  # fmt: skip
            snapshot = msgspec.structs.replace(snapshot, fields=completed, mentioned=existing is not None)
        except InvalidInput as error:
            raise ActionFailed(str(error)) from error
        record, _ = merge(existing or {"external_id": identifier}, snapshot.fields)
        self._records[record_type, identifier] = record
        self._add(records=[snapshot], own=existing is None)
        return record

    def answer_call(self, plan: CallPlan) -> bool:
        """Keep what the call of the run's event does next, unless another run answers it."""
        about = self._run.facts["event"]["data"]
        channel, call_id = about.get("channel"), about.get("call_id")
        if not isinstance(channel, str) or not isinstance(call_id, str):
            raise ActionFailed("the run is about no call")
        step = self._step
        call = self._stored(self._unit.calls.find, step.workspace_id, channel, call_id)
        if call is not None and call.run_id not in (None, step.run_id):
            return False
        self._call_plan = (channel, call_id, plan)
        return True

    def keep_call_plan(self) -> None:
        """Store what the action left for a call: it has succeeded."""
        if self._call_plan is not None:
            channel, call_id, plan = self._call_plan
            step = self._step
            self._unit.calls.leave(step.workspace_id, channel, call_id, step.run_id, write_plan(plan))

    def employee_phone(self, external_id: str) -> str | None:
        """Of an employee who works here."""
        found = self._stored(self._unit.staff.find, self._step.workspace_id, [external_id]).get(external_id)
        return normalise_phone(found.phone) if found is not None and found.active and found.phone else None

    def enqueue_call(
        self, campaign: str, *, priority: int = 0, note: str | None = None, distribute: bool | None = None
    ) -> QueuedCall:
        """Let the run's contact be called in a telesales campaign; answers with the entry."""
        placed = self._queued.get(campaign)
        if placed is None:
            contact = self._contact(None)
            lifecycle = self._contacts.get(contact.id, contact.attributes).get("lifecycle", "lead")
            placed = self._stored(
                place, self._unit, self._step.workspace_id, campaign, contact, lifecycle,
                distribute=distribute, priority=priority, note=note, run_id=self._step.run_id, now=self._now,
            )  # fmt: skip
            self._queued[campaign] = placed
            self.writes.append(partial(store, self._unit, placed))
            created = placed.created
        else:
            created = False
        entry = placed.entry
        return QueuedCall(entry=entry.id, agent=entry.agent, due_at=from_micros(entry.due_at), created=created)

    def account_of(self, company: str, *, create: bool) -> Mapping[str, Any] | None:
        """The account of that name, or a new one where ``create`` says so."""
        key, directory, workspace_id = name_key(company), self._unit.directory, self._step.workspace_id
        if key in self._made_accounts:
            return self._made_accounts[key]
        if create:
            self._stored(directory.lock_account_name, workspace_id, company)
        found = self._stored(directory.accounts_named, workspace_id, company)
        if found:
            return {**found[0].attributes, "external_id": found[0].external_id}
        if not create:
            return None
        number = f"-{len(self._made_accounts)}" if self._made_accounts else ""
        identifier, attributes = f"account-{self.idempotency_key}{number}", {"name": " ".join(company.split())}
        self.writes.append(partial(directory.put_account, workspace_id, identifier, attributes, self._now))
        made = self._made_accounts[key] = {**attributes, "external_id": identifier}
        return made

    def emit(self, event_type: str, data: Mapping[str, Any]) -> str:
        """Let an event happen to the run's contact; answers with its id."""
        try:
            records = self._intake.records(event_type, data)
        except InvalidInput as error:
            raise ActionFailed(str(error)) from error
        return self._add(event_type=event_type, data=dict(data), records=records)

    def assign(self, to: Assign | str) -> Assigned:
        """Choose who gets something."""
        contact_id = self._step.contact_id
        return self._stored(self._assigning.assign, self._filled_in(to), self._run.facts, contact_id)

    def holiday(self, day: date) -> str | None:
        """The title of the holiday that a day is."""
        return self._stored(self._closed, day)

    def team(self, to: str, *, who: Who, reached_by: ReachedBy | None, most: int) -> Team:
        """Everybody of a department or a store."""
        return self._stored(
            self._assigning.team, to, self._run.facts, self._step.contact_id, who=who, reached_by=reached_by, most=most
        )

    def records(self, record_type: str, *, closed: bool = False) -> Sequence[Mapping[str, Any]]:
        """The contact's records of a type, the youngest first, or those that are over, the last of them first."""
        step = self._step
        found = self._stored(
            self._unit.directory.newest_of, step.workspace_id, step.contact_id, record_type, MOST_RECORDS
        )
        if closed:
            found = sorted((one for one in found if one.closed_at), key=lambda one: -(one.closed_at or 0))
        return [record_facts(one) for one in found]

    def start_workflow(self, name: str, data: Mapping[str, Any]) -> str:
        """Let the run's contact enter another workflow; what this run's event was about goes with it."""
        about = [
            RecordSnapshot(type=kind, external_id=found["external_id"], fields={}, mentioned=True)
            for kind, found in self._run.context.root_facts.items()
            if kind not in ENGINE_ROOTS
        ]
        said = {"workflow": self._run.context.workflow, **data}
        return self._add(event_type=REQUESTED, data=said, records=about, enter=name)

    def stop_workflow(self, name: str) -> int:
        """End the contact's other runs of a workflow; answers how many there are."""
        step = self._step
        runs = self._stored(self._unit.runs.open_runs, step.workspace_id, [step.contact_id])
        mine = [run for run in runs if run.workflow == name and run.id != step.run_id]
        self.ended += mine
        return len(mine)

    def _filled_in(self, to: Assign | str) -> Assign | str:
        """A rule of assignment with its words filled in."""
        if isinstance(to, str):
            return str(self.render(to))
        fallback = None if to.fallback is None else self._filled_in(to.fallback)
        return msgspec.structs.replace(to, to=str(self.render(to.to)), fallback=fallback)

    def _check_works_here(self, external_id: str) -> None:
        found = self._stored(self._unit.staff.find, self._step.workspace_id, [external_id]).get(external_id)
        if found is None:
            raise ActionFailed(f"there is no employee {external_id!r}")
        if not found.active:
            raise ActionFailed(f"the employee {external_id!r} has left")

    def _contact(self, external_id: str | None) -> Contact:
        holder = self._run.contact
        if external_id is None or (holder is not None and holder.external_id == external_id):
            if holder is None:
                raise ActionFailed("the run's contact is gone")
            return holder
        found = self._stored(contact_named, self._unit, self._step.workspace_id, external_id)
        if found is None:
            raise ActionFailed(f"no contact {external_id!r}")
        return found

    def _record(self, record_type: str, external_id: str) -> dict[str, Any] | None:
        written = self._records.get((record_type, external_id))
        if written is not None:
            return written
        known = self._run.facts.get(record_type)
        if known is not None and known.get("external_id") == external_id:
            return {name: value for name, value in known.items() if name not in _ENGINES}
        found = self._stored(self._unit.customers.records, self._step.workspace_id, record_type, [external_id])
        return dict(found[0].attributes) if found else None

    def _stored(self, look_up: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return look_up(*args, **kwargs)
        except Exception as error:
            self.interruption = error
            raise

    def _add(
        self,
        *,
        event_type: str = "",
        data: dict[str, Any] | None = None,
        contact: dict[str, Any] | None = None,
        records: Sequence[RecordSnapshot] = (),
        enter: str | None = None,
        own: bool = True,
    ) -> str:
        """Let something happen: to the run's contact, or where it is not their ``own``, to whose the records are."""
        holder = self._run.contact
        context = self._run.context
        identifier = new_id()
        self.effects.append(
            IncomingEvent(
                id=identifier,
                source=ENGINE_SOURCE,
                source_id=identifier,
                type=event_type,
                subject=holder.external_id if own and holder is not None and contact is None else None,
                time=None,
                data=data or {},
                contact=contact,
                records=list(records),
                enter=enter,
                cause=Cause(run_id=context.id, root_event_id=context.root_event_id, depth=context.depth + 1),
            )
        )
        return identifier
