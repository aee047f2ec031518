"""``/v1/workflows/{name}/enroll`` and ``…/enrollments``: many contacts enter a workflow because somebody asks."""

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody

from nhip.domain.segments import EnrolmentDraft
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.limits import INGEST_BYTES
from nhip_admin_api.pagination import Page
from nhip_admin_api.schemas.segments import Enrollment


class EnrollmentsController(Controller):
    """Enrolments."""

    path = "/v1/workflows/{name:str}"
    tags = ("Workflows",)

    @post(
        "/enroll",
        guards=[requires("workflows:publish")],
        status_code=202,
        request_max_body_size=INGEST_BYTES,
        summary="Let contacts enter",
    )
    async def enroll(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        data: JSONBody[EnrolmentDraft],
    ) -> Response[Enrollment]:
        """Contacts by their external ids, up to 10,000, or the members of a segment. They enter in the background; the
        workflow's triggers are not asked, its conditions, re-entry and mode are.
        """
        stored = await engine.database.transact(
            engine.enrolments.start,
            principal.workspace_id,
            name,
            data,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        address = f"/v1/workflows/{name}/enrollments/{stored.id}"
        return Response(Enrollment.of(stored), status_code=202, headers={"location": address})

    @get("/enrollments", guards=[requires("workflows:read")], summary="List enrolments, the newest first")
    async def list_enrollments(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        paging: ThePaging,
    ) -> Response[Page[Enrollment]]:
        """With how far they are."""
        rows = await engine.database.read(
            engine.enrolments.page, principal.workspace_id, name, paging.after, paging.fetch
        )
        return paging.page(rows, lambda row: row.id, Enrollment.of)

    @get("/enrollments/{enrollment_id:str}", guards=[requires("workflows:read")], summary="Show an enrolment")
    async def get_enrollment(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        enrollment_id: FromPath[str],
    ) -> Enrollment:
        """How far it is, and why some did not enter."""
        return Enrollment.of(
            await engine.database.read(engine.enrolments.find, principal.workspace_id, name, enrollment_id)
        )

    @post(
        "/enrollments/{enrollment_id:str}/cancel",
        guards=[requires("workflows:publish")],
        status_code=200,
        summary="Cancel an enrolment",
    )
    async def cancel_enrollment(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        enrollment_id: FromPath[str],
    ) -> Enrollment:
        """Nobody else enters; whoever has entered stays in."""
        stored = await engine.database.transact(
            engine.enrolments.cancel,
            principal.workspace_id,
            name,
            enrollment_id,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        return Enrollment.of(stored)
