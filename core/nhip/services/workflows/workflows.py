"""Workflows: drafts that admins edit, versions that never change, and which of them may start runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.authored import Fate, PublishPlan, StandingRuns, StoredVersion, StoredWorkflow
from nhip.domain.errors import Conflict, InvalidInput, NotFound, Problem, invalid
from nhip.domain.ids import new_id
from nhip.domain.scans import Scan
from nhip.domain.struct import Struct
from nhip.domain.workflow import WorkflowState
from nhip.engine.definitions.definition import Compiled, compile_definition
from nhip.engine.definitions.next_times import NextTimes, next_times
from nhip.ports import Unit
from nhip.services.scans import asking
from nhip.services.workflows.definition_checks import Checked, check_definition
from nhip.services.workflows.version_plans import VersionPlans
from nhip.services.workspace.revisions import check_match

READ_ONLY: Final = frozenset(
    {
        "state",
        "revision",
        "published_version",
        "has_unpublished_changes",
        "created_at",
        "updated_at",
        "warnings",
        "next_times",
    }
)
"""What is answered beside a definition, and ignored when it comes back."""

MOST_VERSIONS: Final = 2**31 - 1
"""What the database can number."""


class Published(Struct):
    """What a publish did."""

    workflow: StoredWorkflow
    version: StoredVersion
    created: bool
    """False where the draft was published already."""
    warnings: tuple[Problem, ...]
    standing: tuple[StandingRuns, ...] = ()
    """The runs that stood on other versions, and what became of them."""


class Archived(Struct):
    """What putting a workflow away did."""

    workflow: StoredWorkflow
    cancelled_runs: int


class Workflows:
    """The service; its methods run inside units. Ring the doorbell after :meth:`publish` and :meth:`resume`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._plans = VersionPlans(catalog)

    # --- drafts ------------------------------------------------------------------------------------------------------

    def find(self, unit: Unit, workspace_id: int, name: str, *, lock: bool = False) -> StoredWorkflow:
        """The workflow of that name.

        Raises:
            NotFound: there is none.
        """
        stored = unit.workflows.find(workspace_id, name, lock=lock)
        if stored is None:
            raise NotFound("workflow", name)
        return stored

    def page(
        self, unit: Unit, workspace_id: int, state: str | None, after: str | None, limit: int
    ) -> Sequence[StoredWorkflow]:
        """By name, after a name."""
        return unit.workflows.page(workspace_id, state, after, limit)

    def show(self, unit: Unit, workspace_id: int, name: str) -> tuple[StoredWorkflow, StoredVersion | None]:
        """A workflow and its published version.

        Raises:
            NotFound: there is none.
        """
        stored = self.find(unit, workspace_id, name)
        return stored, self.published(unit, stored)

    def definition(self, unit: Unit, workspace_id: int, name: str, number: int | None) -> dict[str, Any]:
        """The definition of a version, or of the draft.

        Raises:
            NotFound: there is no such workflow or version.
        """
        if number is None:
            return self.find(unit, workspace_id, name).draft
        return self.version(unit, workspace_id, name, number).definition

    def create(self, unit: Unit, workspace_id: int, raw: Mapping[str, Any], actor: str, now: int) -> StoredWorkflow:
        """Make a workflow with its first draft.

        Raises:
            InvalidInput: the definition is malformed; each problem with its place.
            Conflict: the name is taken.
        """
        definition = self._definition(raw, None)
        name = str(definition["name"])
        if unit.workflows.find(workspace_id, name) is not None:
            raise Conflict(f"there is a workflow {name!r} already", name=name)
        return self._insert(unit, workspace_id, definition, actor, now)

    def save(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        raw: Mapping[str, Any],
        *,
        if_match: str | None,
        actor: str,
        now: int,
    ) -> tuple[StoredWorkflow, StoredVersion | None, bool]:
        """Make a workflow, or replace its draft; answers with what is published, and whether it was made.

        Raises:
            InvalidInput: the definition is malformed. What it names need not exist yet; publishing asks that.
            StaleRevision: ``if_match`` does not hold.
        """
        definition = self._definition(raw, name)
        stored = unit.workflows.find(workspace_id, name, lock=True)
        check_match(stored, if_match)
        if stored is None:
            return self._insert(unit, workspace_id, definition, actor, now), None, True
        stored = self._replace_draft(unit, stored, definition, actor, now, {})
        return stored, self.published(unit, stored), False

    def delete(self, unit: Unit, workspace_id: int, name: str, *, if_match: str | None, actor: str, now: int) -> None:
        """Take away a draft that was never published.

        Raises:
            NotFound: there is none.
            StaleRevision: ``if_match`` does not hold.
            Conflict: it was published, so its runs and versions are history; it can be archived.
        """
        stored = self.find(unit, workspace_id, name, lock=True)
        check_match(stored, if_match)
        if stored.published_version is not None:
            raise Conflict(f"{name!r} was published: archive it, so that its runs stay explained", state=stored.state)
        unit.workflows.delete(workspace_id, name)
        unit.audit.write(workspace_id, actor, "workflow.delete", name, now)

    def check(self, unit: Unit, workspace_id: int, name: str, raw: Mapping[str, Any] | None = None) -> Checked:
        """Everything that would stop or should precede a publish, of the stored draft or of the one given.

        Raises:
            NotFound: there is no such workflow, and no definition was given.
        """
        if raw is None:
            return check_definition(unit, self._catalog, workspace_id, self.find(unit, workspace_id, name).draft)
        definition = {key: value for key, value in raw.items() if key not in READ_ONLY}
        return check_definition(unit, self._catalog, workspace_id, {"name": name, **definition})

    def _definition(self, raw: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        definition = {key: value for key, value in raw.items() if key not in READ_ONLY}
        if name is not None and definition.setdefault("name", name) != name:
            raise invalid("name", "contradiction", f"the name in the address is {name!r}")
        compile_definition(definition, self._catalog)
        return definition

    def _insert(
        self, unit: Unit, workspace_id: int, definition: dict[str, Any], actor: str, now: int
    ) -> StoredWorkflow:
        stored = StoredWorkflow(
            workspace_id=workspace_id,
            name=definition["name"],
            id=new_id(),
            title=definition.get("title", ""),
            state=WorkflowState.DRAFT,
            draft=definition,
            revision=1,
            published_version=None,
            published_version_id=None,
            changed_version=0,
            created_at=now,
            updated_at=now,
        )
        unit.workflows.insert(stored)
        unit.audit.write(workspace_id, actor, "workflow.create", stored.name, now)
        return stored

    def _replace_draft(
        self,
        unit: Unit,
        stored: StoredWorkflow,
        definition: dict[str, Any],
        actor: str,
        now: int,
        detail: Mapping[str, Any],
    ) -> StoredWorkflow:
        if definition != stored.draft:
            stored.draft = definition
            stored.title = definition.get("title", "")
            stored.revision += 1
            stored.updated_at = now
            unit.workflows.update(stored)
            said = {"revision": stored.revision, **detail}
            unit.audit.write(stored.workspace_id, actor, "workflow.change", stored.name, now, said)
        return stored

    # --- versions ----------------------------------------------------------------------------------------------------

    def publish(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        *,
        if_match: str | None,
        actor: str,
        now: int,
        plan: PublishPlan | None = None,
    ) -> Published:
        """Let the draft start runs from the next event on. A paused or archived workflow becomes active by it.

        ``plan`` says what becomes of the runs of other versions; without one, they end where they are.

        Raises:
            NotFound: there is no such workflow.
            StaleRevision: ``if_match`` does not hold.
            InvalidInput: something that the draft names does not exist (``steps[2].config.template``), or the plan
                does not fit (``plan.map.thank``).
        """
        stored = self.find(unit, workspace_id, name, lock=True)
        check_match(stored, if_match)
        checked = check_definition(unit, self._catalog, workspace_id, stored.draft)
        if checked.problems:
            raise InvalidInput(checked.problems)
        version = self.published(unit, stored)
        created = version is None or version.definition != stored.draft
        if version is None or created:
            version = StoredVersion(
                id=new_id(),
                workspace_id=workspace_id,
                workflow=name,
                number=unit.workflows.last_number(workspace_id, name) + 1,
                definition=stored.draft,
                published_at=now,
                published_by=actor,
                listens=_listens(checked.compiled),
            )
            unit.workflows.insert_version(version)
            stored.published_version, stored.published_version_id = version.number, version.id
        if created or stored.state != WorkflowState.ACTIVE:
            self._enter(unit, stored, WorkflowState.ACTIVE, actor, "workflow.publish", now)
        assert checked.compiled is not None
        plan = plan or PublishPlan()
        standing = self._plans.carry_out(unit, version, checked.compiled, plan, now)
        if plan.runs is not Fate.FINISH:
            fates = {str(fate): sum(one.runs for one in standing if one.fate is fate) for fate in Fate}
            unit.audit.write(workspace_id, actor, "workflow.move_runs", name, now, {"to": version.number, **fates})
        return Published(
            workflow=stored, version=version, created=created, warnings=checked.warnings, standing=tuple(standing)
        )

    def next_times(
        self, stored: StoredWorkflow, published: StoredVersion | None, now: datetime
    ) -> tuple[NextTimes, ...]:
        """When time sets a workflow off next: never, while it is not active."""
        compiled = self._compiled(published) if stored.state == WorkflowState.ACTIVE else None
        return next_times(compiled, now) if compiled is not None else ()

    def standing(self, unit: Unit, workspace_id: int, name: str) -> Sequence[StandingRuns]:
        """The runs under way, by the version and the step that they stand on."""
        return unit.workflows.standing(workspace_id, name)

    def published(self, unit: Unit, stored: StoredWorkflow) -> StoredVersion | None:
        """The version that is published, if any is."""
        if stored.published_version is None:
            return None
        return unit.workflows.version(stored.workspace_id, stored.name, stored.published_version)

    def versions(
        self, unit: Unit, workspace_id: int, name: str, before: str | None, limit: int
    ) -> Sequence[StoredVersion]:
        """The versions of a workflow, the newest first, before a number.

        Raises:
            NotFound: there is no such workflow.
        """
        self.find(unit, workspace_id, name)
        return unit.workflows.versions(workspace_id, name, int(before) if before is not None else None, limit)

    def version(self, unit: Unit, workspace_id: int, name: str, number: int) -> StoredVersion:
        """One version.

        Raises:
            NotFound: there is no such workflow or version.
        """
        self.find(unit, workspace_id, name)
        version = unit.workflows.version(workspace_id, name, number) if 0 < number <= MOST_VERSIONS else None
        if version is None:
            raise NotFound("version", f"{name} {number}")
        return version

    def restore(
        self, unit: Unit, workspace_id: int, name: str, number: int, *, if_match: str | None, actor: str, now: int
    ) -> tuple[StoredWorkflow, StoredVersion | None]:
        """Make an earlier version the draft; nothing is published by it. Answers with what is published, too.

        Raises:
            NotFound: there is no such workflow or version.
            StaleRevision: ``if_match`` does not hold.
        """
        stored = self.find(unit, workspace_id, name, lock=True)
        check_match(stored, if_match)
        definition = self.version(unit, workspace_id, name, number).definition
        stored = self._replace_draft(unit, stored, definition, actor, now, {"restored": number})
        return stored, self.published(unit, stored)

    # --- states ------------------------------------------------------------------------------------------------------

    def pause(self, unit: Unit, workspace_id: int, name: str, *, actor: str, now: int) -> StoredWorkflow:
        """Start no runs and hold back the steps of those under way.

        Raises:
            NotFound: there is no such workflow.
            Conflict: it is not published, or archived.
        """
        stored = self._live(unit, workspace_id, name)
        if stored.state == WorkflowState.ACTIVE:
            self._enter(unit, stored, WorkflowState.PAUSED, actor, "workflow.pause", now)
        return stored

    def resume(self, unit: Unit, workspace_id: int, name: str, *, actor: str, now: int) -> StoredWorkflow:
        """Undo a pause: what it held back is due now.

        Raises:
            NotFound, Conflict: as :meth:`pause`.
        """
        stored = self._live(unit, workspace_id, name)
        if stored.state == WorkflowState.PAUSED:
            self._enter(unit, stored, WorkflowState.ACTIVE, actor, "workflow.resume", now)
        return stored

    def archive(self, unit: Unit, workspace_id: int, name: str, *, actor: str, now: int) -> Archived:
        """Put a workflow away: it starts no runs, and those under way are cancelled. Publishing brings it back.

        Raises:
            NotFound: there is no such workflow.
        """
        stored = self.find(unit, workspace_id, name, lock=True)
        cancelled = 0
        if stored.state != WorkflowState.ARCHIVED:
            self._enter(unit, stored, WorkflowState.ARCHIVED, actor, "workflow.archive", now)
            cancelled = unit.workflows.cancel_runs(workspace_id, name, "workflow_archived", now)
        return Archived(workflow=stored, cancelled_runs=cancelled)

    def _live(self, unit: Unit, workspace_id: int, name: str) -> StoredWorkflow:
        stored = self.find(unit, workspace_id, name, lock=True)
        if stored.state not in (WorkflowState.ACTIVE, WorkflowState.PAUSED):
            raise Conflict(f"{name!r} is {stored.state}: publish it first", state=stored.state)
        return stored

    def _enter(
        self, unit: Unit, stored: StoredWorkflow, state: WorkflowState, actor: str, action: str, now: int
    ) -> None:
        """Change the state in one go: every process sees it at its next event, and *explain* knows from when."""
        workspace_id, name, before = stored.workspace_id, stored.name, stored.state
        stored.state = state
        stored.changed_version = unit.workflows.raise_publish_version(workspace_id)
        stored.updated_at = now
        unit.workflows.update(stored)
        unit.workflows.close_activations(workspace_id, name, now)
        match state:
            case WorkflowState.ACTIVE:
                asking.ask(
                    unit, workspace_id, name, self._scans(unit, stored), now,
                    resumed=action == "workflow.resume", was_active=before == WorkflowState.ACTIVE,
                )  # fmt: skip
            case WorkflowState.PAUSED:
                asking.pause(unit, workspace_id, name, self._scans(unit, stored))
            case _:
                asking.ask(unit, workspace_id, name, (), now)
        if state is WorkflowState.ACTIVE and stored.published_version_id is not None:
            unit.workflows.open_activation(workspace_id, name, stored.published_version_id, now)
            if before == WorkflowState.PAUSED:
                unit.runs.resume(workspace_id, name, now)
        unit.audit.write(workspace_id, actor, action, name, now, {"from": before, "version": stored.published_version})

    def _scans(self, unit: Unit, stored: StoredWorkflow) -> tuple[Scan, ...]:
        """What the time triggers of the published version ask."""
        compiled = self._compiled(self.published(unit, stored))
        return compiled.scans if compiled is not None else ()

    def _compiled(self, version: StoredVersion | None) -> Compiled | None:
        try:
            return compile_definition(version.definition, self._catalog) if version is not None else None
        except InvalidInput:  # a plugin of it is not installed any more, so it starts nothing
            return None


def _listens(compiled: Compiled | None) -> str | None:
    """What ``StoredVersion.listens`` holds for a version."""
    heard = compiled.hears if compiled is not None else frozenset[str]()
    return msgspec.json.encode(sorted(heard)).decode() if heard else None
