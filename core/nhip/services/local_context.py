"""What a local action may do: everything goes through ingest, inside the unit that records the step."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nhip.domain.errors import ActionFailed, InvalidInput
from nhip.domain.events import Cause, IncomingEvent
from nhip.domain.ids import idempotency_key
from nhip.domain.runs import ClaimedStep
from nhip.domain.times import from_micros
from nhip.engine.snapshots import record_facts
from nhip.plugin_api import Facts
from nhip.ports import Renderer, Unit
from nhip.services.ingest import ENGINE_SOURCE, Ingest
from nhip.services.intake import Intake
from nhip.services.run_facts import RunFacts


class UnitLocalContext:
    """Implements :class:`nhip.plugin_api.LocalContext` over an open unit."""

    def __init__(
        self, unit: Unit, step: ClaimedStep, run: RunFacts, now: int, ingest: Ingest, intake: Intake, renderer: Renderer
    ) -> None:
        self._unit = unit
        self._step = step
        self._run = run
        self._now = now
        self._ingest = ingest
        self._intake = intake
        self._renderer = renderer
        self._effects = 0
        self.started_runs = False

    @property
    def now(self) -> datetime:
        return from_micros(self._now)

    @property
    def facts(self) -> Facts:
        return self._run.facts

    @property
    def step_id(self) -> str:
        return self._step.id

    @property
    def idempotency_key(self) -> str:
        step = self._step
        return idempotency_key(step.workspace_id, step.run_id, step.path, step.iteration, step.generation)

    def render(self, value: Any) -> Any:
        return self._renderer.render_value(value, self._run.facts)

    def update_contact(
        self,
        changes: Mapping[str, Any],
        *,
        add_tags: Sequence[str] = (),
        remove_tags: Sequence[str] = (),
        contact: str | None = None,
    ) -> Mapping[str, Any]:
        store = self._unit.customers
        if contact is not None:
            found = store.contacts_by_external_id(self._step.workspace_id, [contact])
        else:
            found = store.contacts(self._step.workspace_id, [self._step.contact_id])
        if not found:
            raise ActionFailed(f"no contact {contact or self._step.contact_id!r}")
        current = found[0]
        snapshot = dict(changes)
        if add_tags or remove_tags:
            tags = [tag for tag in current.attributes.get("tags", []) if tag not in remove_tags]
            snapshot["tags"] = tags + [tag for tag in add_tags if tag not in tags]
        before = dict(current.attributes)
        try:
            normalised = self._intake.contact({**snapshot, "external_id": current.external_id})
        except InvalidInput as error:
            raise ActionFailed(str(error)) from error
        self._apply(contact=normalised)
        after = store.contacts(self._step.workspace_id, [current.id])[0].attributes
        names = before.keys() | after.keys()
        return {name: before.get(name) for name in sorted(names) if before.get(name) != after.get(name)}

    def save_record(
        self, record_type: str, external_id: str | None, fields: Mapping[str, Any], *, create: bool
    ) -> Mapping[str, Any]:
        workspace_id = self._step.workspace_id
        identifier = external_id or f"{record_type}-{self.idempotency_key}"
        existing = self._unit.customers.records(workspace_id, record_type, [identifier])
        if not create and not existing:
            raise ActionFailed(f"no {record_type} {identifier!r}")
        if create and existing and external_id is not None:
            raise ActionFailed(f"a {record_type} {identifier!r} exists already")
        said = dict(fields)
        holder = self._run.contact
        if create and holder is not None:
            said.setdefault("contact", holder.external_id)
        try:
            snapshot = self._intake.record(record_type, {**said, "external_id": identifier})
        except InvalidInput as error:
            raise ActionFailed(str(error)) from error
        self._apply(records=[snapshot])
        return record_facts(self._unit.customers.records(workspace_id, record_type, [identifier])[0])

    def emit(self, event_type: str, data: Mapping[str, Any]) -> str:
        return self._apply(event_type=event_type, data=dict(data))

    def _apply(
        self,
        *,
        event_type: str = "",
        data: dict[str, Any] | None = None,
        contact: dict[str, Any] | None = None,
        records: Sequence[Any] = (),
    ) -> str:
        self._effects += 1
        holder = self._run.contact
        context = self._run.context
        event = IncomingEvent(
            source=ENGINE_SOURCE,
            source_id=f"{self._step.id}.{self._step.generation}.{self._effects}",
            type=event_type,
            subject=holder.external_id if holder is not None and contact is None else None,
            time=None,
            data=data or {},
            contact=contact,
            records=list(records),
            cause=Cause(run_id=context.id, root_event_id=context.root_event_id, depth=context.depth + 1),
        )
        receipt = self._ingest.ingest(self._unit, self._step.workspace_id, [event], self._now)[0]
        self.started_runs = self.started_runs or bool(receipt.runs)
        return receipt.id
