"""``/v1/sources``: doors for forms, website tags and other systems, each with a mapping to our events."""

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from nhip.bootstrap import Engine
from nhip.domain.sources import SourceChange, SourceDraft, StoredSource
from nhip.services.doors.source_presets import source_presets
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.sources import PreviewedEvent, PreviewedEvents, Source, SourcePresets, SourcePreview


class SourcesController(Controller):
    """Sources."""

    path = "/v1/sources"
    tags = ("Sources",)

    @post(guards=[requires("channels:write")], summary="Make a source")
    async def create_source(
        self, engine: TheEngine, principal: ThePrincipal, data: JSONBody[SourceDraft]
    ) -> Response[Source]:
        """A preset fills what is left out. Secrets are sealed and never shown; `hook.url` is what the others need."""
        stored = await engine.database.transact(
            engine.sources.create, principal.workspace_id, data, principal.key_id, engine.clock.micros()
        )
        return tagged(_show(stored, engine), stored, created=f"/v1/sources/{stored.name}")

    @get(guards=[requires("channels:read")], summary="List sources")
    async def list_sources(
        self, engine: TheEngine, principal: ThePrincipal, paging: ThePaging
    ) -> Response[Page[Source]]:
        """By name."""
        rows = await engine.database.read(engine.sources.page, principal.workspace_id, paging.after, paging.fetch)
        return paging.page(rows, lambda row: row.name, lambda row: _show(row, engine))

    @get("/{name:str}", guards=[requires("channels:read")], summary="Show a source")
    async def get_source(self, engine: TheEngine, principal: ThePrincipal, name: FromPath[str]) -> Response[Source]:
        """With the address of its hook."""
        stored = await engine.database.read(engine.sources.find, principal.workspace_id, name)
        return tagged(_show(stored, engine), stored)

    @patch("/{name:str}", guards=[requires("channels:write")], summary="Change a source")
    async def change_source(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        data: JSONBody[SourceChange],
        if_match: IfMatch = None,
    ) -> Response[Source]:
        """What is left out stays; `mapping` is replaced whole. It holds within a second, in every process."""
        stored = await engine.database.transact(
            engine.sources.change,
            principal.workspace_id,
            name,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        engine.source_doors.forget(stored)
        return tagged(_show(stored, engine), stored)

    @delete("/{name:str}", guards=[requires("channels:write")], summary="Take a source away")
    async def delete_source(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        if_match: IfMatch = None,
    ) -> None:
        """Its address answers 404 within a second, in every process. A source of the same name gets another one."""
        stored = await engine.database.read(engine.sources.find, principal.workspace_id, name)
        now = engine.clock.micros()
        await engine.database.transact(
            engine.sources.delete, principal.workspace_id, name, if_match=if_match, actor=principal.key_id, now=now
        )
        engine.source_doors.forget(stored)

    @post("/{name:str}/preview", guards=[requires("channels:read")], status_code=200, summary="Try a body")
    async def preview_source(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        name: FromPath[str],
        data: JSONBody[SourcePreview],
    ) -> PreviewedEvents:
        """The events that a body would become, by the source's mapping or another one. Nothing is stored."""
        stored = await engine.database.read(engine.sources.find, principal.workspace_id, name)
        events = await engine.source_doors.preview(stored, data.body, data.mapping)
        return PreviewedEvents(events=[PreviewedEvent.of(event) for event in events])


class SourcePresetsController(Controller):
    """What sources of common kinds usually are."""

    path = "/v1/source-presets"
    tags = ("Sources",)

    @get(guards=[requires("channels:read")], summary="List presets of sources")
    async def list_source_presets(self) -> SourcePresets:
        """Each with its mapping and an example of what the other side sends."""
        return SourcePresets(items=list(source_presets().values()))


def _show(stored: StoredSource, engine: Engine) -> Source:
    return Source.of(stored, engine.sources.secrets_set(stored), engine.settings.public_url)
