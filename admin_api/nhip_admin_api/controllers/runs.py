"""``/v1/runs``: what became of each contact's pass through a workflow, step by step."""

from typing import Annotated, Final

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, QueryParameter

from nhip.domain.runs import RunState
from nhip.services.history.runs import Runs
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.schemas.runs import Run, RunDetail

Name = Annotated[str | None, QueryParameter(max_length=200)]
Contact = Annotated[str | None, QueryParameter(max_length=200, description="An external id")]


def provide_runs(engine: TheEngine) -> Runs:
    """The dependency ``runs``."""
    return Runs(engine.versions, engine.progress)


TheRuns = NamedDependency[Runs]
DEPENDENCIES: Final = {"runs": Provide(provide_runs, sync_to_thread=False)}


class RunsController(Controller):
    """Runs."""

    path = "/v1/runs"
    tags = ("Runs",)
    dependencies = DEPENDENCIES

    @get(guards=[requires("runs:read")], summary="List runs, the newest first")
    async def list_runs(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        runs: TheRuns,
        paging: ThePaging,
        workflow: Name = None,
        contact: Contact = None,
        run_state: Annotated[RunState | None, QueryParameter(name="state")] = None,
    ) -> Response[Page[Run]]:
        """Of a workflow, of a contact, in a state."""
        rows = await engine.database.read(
            runs.page,
            principal.workspace_id,
            workflow=workflow,
            contact=contact,
            state=run_state,
            before=paging.after,
            limit=paging.fetch,
        )
        return paging.page(rows, lambda row: row.id, Run.of)

    @get("/{run_id:str}", guards=[requires("runs:read")], summary="Show a run with its trace")
    async def get_run(
        self, engine: TheEngine, principal: ThePrincipal, runs: TheRuns, run_id: FromPath[str]
    ) -> RunDetail:
        """Every step it came to, with its times, outputs and messages, and every branch with the verdict that chose."""
        return RunDetail.of_trace(await engine.database.read(runs.trace, principal.workspace_id, run_id))

    @post("/{run_id:str}/cancel", guards=[requires("runs:write")], status_code=200, summary="Cancel a run")
    async def cancel_run(self, engine: TheEngine, principal: ThePrincipal, runs: TheRuns, run_id: FromPath[str]) -> Run:
        """Nothing more of it is done; what is being sent at this moment is still recorded."""
        now = engine.clock.micros()
        past = await engine.database.transact(
            runs.cancel, principal.workspace_id, run_id, actor=principal.key_id, now=now
        )
        return Run.of(past)

    @post("/{run_id:str}/retry", guards=[requires("runs:write")], status_code=200, summary="Try a failed run again")
    async def retry_run(self, engine: TheEngine, principal: ThePrincipal, runs: TheRuns, run_id: FromPath[str]) -> Run:
        """Its dead step is tried again, as a new generation: a message gets a new idempotency key."""
        now = engine.clock.micros()
        past = await engine.database.transact(
            runs.retry, principal.workspace_id, run_id, actor=principal.key_id, now=now
        )
        engine.doorbell.ring()
        return Run.of(past)
