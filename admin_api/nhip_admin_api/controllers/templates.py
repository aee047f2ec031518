"""``/v1/templates``: message content with personalisation."""

from typing import Final

from litestar import Controller, Response, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from nhip.domain.authored import TemplateDraft
from nhip.services.channels.templates import Preview, Templates
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.templates import PreviewRequest, Template


def provide_templates(engine: TheEngine) -> Templates:
    """The dependency ``templates``."""
    return Templates(engine.catalog, engine.renderer)


TheTemplates = NamedDependency[Templates]
DEPENDENCIES: Final = {"templates": Provide(provide_templates, sync_to_thread=False)}


class TemplatesController(Controller):
    """Templates."""

    path = "/v1/templates"
    tags = ("Templates",)
    dependencies = DEPENDENCIES

    @get(guards=[requires("templates:read")], summary="List templates")
    async def list_templates(
        self, engine: TheEngine, principal: ThePrincipal, templates: TheTemplates, paging: ThePaging
    ) -> Response[Page[Template]]:
        """By name."""
        rows = await engine.database.read(templates.page, principal.workspace_id, paging.after, paging.fetch)
        return paging.page(rows, lambda row: row.name, Template.of)

    @get("/{name:str}", guards=[requires("templates:read")], summary="Show a template")
    async def get_template(
        self, engine: TheEngine, principal: ThePrincipal, templates: TheTemplates, name: FromPath[str]
    ) -> Response[Template]:
        """As it was written."""
        stored = await engine.database.read(templates.find, principal.workspace_id, name)
        return tagged(Template.of(stored), stored)

    @put("/{name:str}", guards=[requires("templates:write")], summary="Make or replace a template")
    async def put_template(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        templates: TheTemplates,
        name: FromPath[str],
        data: JSONBody[TemplateDraft],
        if_match: IfMatch = None,
    ) -> Response[Template]:
        """Checked before it is stored: the template language, the names it uses, and what its channel asks of it."""
        stored, created = await engine.database.transact(
            templates.save,
            principal.workspace_id,
            name,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        return tagged(Template.of(stored), stored, created=f"/v1/templates/{name}" if created else None)

    @delete("/{name:str}", guards=[requires("templates:write")], summary="Take a template away")
    async def delete_template(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        templates: TheTemplates,
        name: FromPath[str],
        if_match: IfMatch = None,
    ) -> None:
        """Refused while a workflow that is published, or that runs stand on, sends it."""
        now = engine.clock.micros()
        await engine.database.transact(
            templates.delete, principal.workspace_id, name, if_match=if_match, actor=principal.key_id, now=now
        )

    @post("/{name:str}/preview", guards=[requires("templates:read")], status_code=200, summary="Preview a template")
    async def preview_template(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        templates: TheTemplates,
        name: FromPath[str],
        data: JSONBody[PreviewRequest],
    ) -> Preview:
        """Filled in with a contact's facts as they are now and its newest records, with the list of what is missing."""
        now = engine.clock.micros()
        return await engine.database.read(templates.preview, principal.workspace_id, name, data.contact, data.data, now)
