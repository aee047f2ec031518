"""``/v1/workflows``: drafts, versions, and which of them may start runs."""

from typing import Annotated, Any, Final

from litestar import Controller, Response, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import Body, FromPath, JSONBody, QueryParameter

from nhip.domain.workflow import WorkflowState
from nhip.engine.facts.decoding import convert
from nhip.engine.incoming.intake import CloudEvent
from nhip.services.history.workflow_history import WorkflowHistory, explain_workflow
from nhip.services.workflows.dry_run import DryRun, DryRuns
from nhip.services.workflows.workflows import Workflows
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.workflows import (
    DryRunRequest,
    PublishAnswer,
    PublishRequest,
    StateAnswer,
    Validation,
    Version,
    VersionSummary,
    WorkflowSummary,
    workflow_view,
)

Definition = Annotated[dict[str, Any], Body(description="A workflow definition; what `GET` answers can be sent back")]


def provide_workflows(engine: TheEngine) -> Workflows:
    """The dependency ``workflows``."""
    return Workflows(engine.catalog)


def provide_dry_runs(engine: TheEngine) -> DryRuns:
    """The dependency ``dry_runs``."""
    return DryRuns(engine.catalog, engine.renderer, engine.customs)


TheWorkflows = NamedDependency[Workflows]
TheDryRuns = NamedDependency[DryRuns]
DEPENDENCIES: Final = {
    "workflows": Provide(provide_workflows, sync_to_thread=False),
    "dry_runs": Provide(provide_dry_runs, sync_to_thread=False),
}


class WorkflowsController(Controller):
    """Workflows."""

    path = "/v1/workflows"
    tags = ("Workflows",)
    dependencies = DEPENDENCIES

    # --- drafts ------------------------------------------------------------------------------------------------------

    @post(guards=[requires("workflows:write")], summary="Make a workflow")
    async def create_workflow(
        self, engine: TheEngine, principal: ThePrincipal, workflows: TheWorkflows, data: Definition
    ) -> Response[dict[str, Any]]:
        """As a draft; publishing it lets it start runs. Every fault of the definition is answered with its place."""
        stored = await engine.database.transact(
            workflows.create, principal.workspace_id, data, principal.key_id, engine.clock.micros()
        )
        return tagged(workflow_view(stored, None, ()), stored, created=f"/v1/workflows/{stored.name}")

    @get(guards=[requires("workflows:read")], summary="List workflows")
    async def list_workflows(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        paging: ThePaging,
        workflow_state: Annotated[WorkflowState | None, QueryParameter(name="state")] = None,
    ) -> Response[Page[WorkflowSummary]]:
        """By name."""
        rows = await engine.database.read(
            workflows.page, principal.workspace_id, workflow_state, paging.after, paging.fetch
        )
        return paging.page(rows, lambda row: row.name, WorkflowSummary.of)

    @get("/{name:str}", guards=[requires("workflows:read")], summary="Show a workflow")
    async def get_workflow(
        self, engine: TheEngine, principal: ThePrincipal, workflows: TheWorkflows, name: FromPath[str]
    ) -> Response[dict[str, Any]]:
        """The draft, with where the workflow stands; `next_times` are those of the published version, and empty while
        it is not active.
        """
        stored, published = await engine.database.read(workflows.show, principal.workspace_id, name)
        times = workflows.next_times(stored, published, engine.clock.now())
        return tagged(workflow_view(stored, published, times), stored)

    @put("/{name:str}", guards=[requires("workflows:write")], summary="Make a workflow or replace its draft")
    async def put_workflow(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        name: FromPath[str],
        data: Definition,
        if_match: IfMatch = None,
    ) -> Response[dict[str, Any]]:
        """What is published stays published until the draft is. A malformed definition is refused; what it names need
        not exist yet.
        """
        stored, published, created = await engine.database.transact(
            workflows.save,
            principal.workspace_id,
            name,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        times = workflows.next_times(stored, published, engine.clock.now())
        view = workflow_view(stored, published, times)
        return tagged(view, stored, created=f"/v1/workflows/{name}" if created else None)

    @delete("/{name:str}", guards=[requires("workflows:write")], summary="Take a draft away")
    async def delete_workflow(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        name: FromPath[str],
        if_match: IfMatch = None,
    ) -> None:
        """Only of a workflow that was never published; another one can be archived."""
        now = engine.clock.micros()
        await engine.database.transact(
            workflows.delete, principal.workspace_id, name, if_match=if_match, actor=principal.key_id, now=now
        )

    @post("/{name:str}/validate", guards=[requires("workflows:read")], status_code=200, summary="Validate")
    async def validate_workflow(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        name: FromPath[str],
        data: Annotated[dict[str, Any] | None, Body(description="A definition; without one, the stored draft")] = None,
    ) -> Validation:
        """Everything that would stop a publish, and what looks like a mistake; when time would set it off next. Nothing
        is stored.
        """
        checked = await engine.database.read(workflows.check, principal.workspace_id, name, data)
        standing = await engine.database.read(workflows.standing, principal.workspace_id, name)
        return Validation.of(checked, standing, engine.clock.now())

    @post("/{name:str}/dry-run", guards=[requires("workflows:read")], status_code=200, summary="Dry run")
    async def try_workflow(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        dry_runs: TheDryRuns,
        name: FromPath[str],
        data: JSONBody[DryRunRequest],
    ) -> DryRun:
        """What an event would start: each trigger's verdict, the steps that would run as if all went well, and each
        message as it would be sent and to whom. Nothing is stored and nothing sent.
        """
        workspace, now = principal.workspace_id, engine.clock.micros()
        event = engine.intake.event(convert(data.event, CloudEvent, "event"), "event")
        definition = await engine.database.read(workflows.definition, workspace, name, data.version)
        return await engine.database.read(dry_runs.run, workspace, definition, event, now)

    @get("/{name:str}/explain", guards=[requires("workflows:read")], summary="Say why")
    async def explain_workflow(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        contact: Annotated[str | None, QueryParameter(max_length=200, description="An external id")] = None,
        event: Annotated[str | None, QueryParameter(max_length=100, description="An event's id")] = None,
    ) -> WorkflowHistory:
        """Why this workflow did or did not start: for one event, or for the newest events of a contact."""
        return await engine.database.read(
            explain_workflow, engine.versions, engine.customs, principal.workspace_id, name, contact, event
        )

    # --- versions ----------------------------------------------------------------------------------------------------

    @post("/{name:str}/publish", guards=[requires("workflows:publish")], status_code=200, summary="Publish")
    async def publish_workflow(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        name: FromPath[str],
        data: Annotated[PublishRequest | None, Body(description="Without one, runs end where they are")] = None,
        if_match: IfMatch = None,
    ) -> PublishAnswer:
        """The draft becomes an immutable version that starts runs from the next event on. Runs under way end on the
        version that they entered, or as the `plan` says; `running` says on which steps they stood and what became of
        them.
        """
        published = await engine.database.transact(
            workflows.publish,
            principal.workspace_id,
            name,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
            plan=data.plan if data is not None else None,
        )
        engine.doorbell.ring()
        return PublishAnswer.of(published)

    @get("/{name:str}/versions", guards=[requires("workflows:read")], summary="List versions, the newest first")
    async def list_versions(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        name: FromPath[str],
        paging: ThePaging,
    ) -> Response[Page[VersionSummary]]:
        """Without their definitions."""
        rows = await engine.database.read(workflows.versions, principal.workspace_id, name, paging.after, paging.fetch)
        return paging.page(rows, lambda row: str(row.number), VersionSummary.of)

    @get("/{name:str}/versions/{number:int}", guards=[requires("workflows:read")], summary="Show a version")
    async def get_version(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        name: FromPath[str],
        number: FromPath[int],
    ) -> Version:
        """With its definition, which never changes."""
        return Version.of(await engine.database.read(workflows.version, principal.workspace_id, name, number))

    @post(
        "/{name:str}/versions/{number:int}/restore",
        guards=[requires("workflows:write")],
        status_code=200,
        summary="Restore a version",
    )
    async def restore_version(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        workflows: TheWorkflows,
        name: FromPath[str],
        number: FromPath[int],
        if_match: IfMatch = None,
    ) -> Response[dict[str, Any]]:
        """It becomes the draft again; nothing is published by it."""
        stored, published = await engine.database.transact(
            workflows.restore,
            principal.workspace_id,
            name,
            number,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        times = workflows.next_times(stored, published, engine.clock.now())
        return tagged(workflow_view(stored, published, times), stored)

    # --- states ------------------------------------------------------------------------------------------------------

    @post("/{name:str}/pause", guards=[requires("workflows:publish")], status_code=200, summary="Pause")
    async def pause_workflow(
        self, engine: TheEngine, principal: ThePrincipal, workflows: TheWorkflows, name: FromPath[str]
    ) -> StateAnswer:
        """No runs start, and the steps of those under way are held back until it is resumed."""
        now = engine.clock.micros()
        stored = await engine.database.transact(
            workflows.pause, principal.workspace_id, name, actor=principal.key_id, now=now
        )
        return StateAnswer.of(stored)

    @post("/{name:str}/resume", guards=[requires("workflows:publish")], status_code=200, summary="Resume")
    async def resume_workflow(
        self, engine: TheEngine, principal: ThePrincipal, workflows: TheWorkflows, name: FromPath[str]
    ) -> StateAnswer:
        """What the pause held back is due now."""
        now = engine.clock.micros()
        stored = await engine.database.transact(
            workflows.resume, principal.workspace_id, name, actor=principal.key_id, now=now
        )
        engine.doorbell.ring()
        return StateAnswer.of(stored)

    @post("/{name:str}/archive", guards=[requires("workflows:publish")], status_code=200, summary="Archive")
    async def archive_workflow(
        self, engine: TheEngine, principal: ThePrincipal, workflows: TheWorkflows, name: FromPath[str]
    ) -> StateAnswer:
        """It starts no runs, and those under way are cancelled. Publishing it brings it back."""
        now = engine.clock.micros()
        archived = await engine.database.transact(
            workflows.archive, principal.workspace_id, name, actor=principal.key_id, now=now
        )
        return StateAnswer.of_archived(archived)
