"""``/v1/sources``: doors for forms, website tags and other systems, each with a mapping to our events."""

from typing import Any, Final, cast

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from nhip.bootstrap import Engine
from nhip.domain.sources import SourceChange, SourceDraft, StoredSource
from nhip.services.doors.source_doors import SourceDoors
from nhip.services.doors.source_presets import source_presets
from nhip.services.doors.sources import Sources
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.sources import PreviewedEvent, PreviewedEvents, Source, SourcePresets, SourcePreview


def provide_sources(engine: TheEngine) -> Sources:
    """The dependency ``sources``."""
    return Sources(engine.vault)


def provide_doors(engine: TheEngine, request: Request[Any, Any, Any]) -> SourceDoors:
    """The dependency ``doors``: one in each process, so that what comes together is decided together."""
    state = request.app.state
    if "source_doors" not in state:
        state["source_doors"] = SourceDoors(
            engine.database, Sources(engine.vault), engine.intake, engine.inbox, engine.clock
        )
    return cast(SourceDoors, state["source_doors"])


TheSources = NamedDependency[Sources]
TheDoors = NamedDependency[SourceDoors]
DEPENDENCIES: Final = {
    "sources": Provide(provide_sources, sync_to_thread=False),
    "doors": Provide(provide_doors, sync_to_thread=False),
}


class SourcesController(Controller):
    """Sources."""

    path = "/v1/sources"
    tags = ("Sources",)
    dependencies = DEPENDENCIES

    @post(guards=[requires("channels:write")], summary="Make a source")
    async def create_source(
        self, engine: TheEngine, principal: ThePrincipal, sources: TheSources, data: JSONBody[SourceDraft]
    ) -> Response[Source]:
        """A preset fills what is left out. Secrets are sealed and never shown; `hook.url` is what the others need."""
        stored = await engine.database.transact(
            sources.create, principal.workspace_id, data, principal.key_id, engine.clock.micros()
        )
        return tagged(_show(stored, sources, engine), stored, created=f"/v1/sources/{stored.name}")

    @get(guards=[requires("channels:read")], summary="List sources")
    async def list_sources(
        self, engine: TheEngine, principal: ThePrincipal, sources: TheSources, paging: ThePaging
    ) -> Response[Page[Source]]:
        """By name."""
        rows = await engine.database.read(sources.page, principal.workspace_id, paging.after, paging.fetch)
        return paging.page(rows, lambda row: row.name, lambda row: _show(row, sources, engine))

    @get("/{name:str}", guards=[requires("channels:read")], summary="Show a source")
    async def get_source(
        self, engine: TheEngine, principal: ThePrincipal, sources: TheSources, name: FromPath[str]
    ) -> Response[Source]:
        """With the address of its hook."""
        stored = await engine.database.read(sources.find, principal.workspace_id, name)
        return tagged(_show(stored, sources, engine), stored)

    @patch("/{name:str}", guards=[requires("channels:write")], summary="Change a source")
    async def change_source(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        sources: TheSources,
        doors: TheDoors,
        name: FromPath[str],
        data: JSONBody[SourceChange],
        if_match: IfMatch = None,
    ) -> Response[Source]:
        """What is left out stays; `mapping` is replaced whole. It holds within a second, in every process."""
        stored = await engine.database.transact(
            sources.change,
            principal.workspace_id,
            name,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        doors.forget(stored)
        return tagged(_show(stored, sources, engine), stored)

    @delete("/{name:str}", guards=[requires("channels:write")], summary="Take a source away")
    async def delete_source(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        sources: TheSources,
        doors: TheDoors,
        name: FromPath[str],
        if_match: IfMatch = None,
    ) -> None:
        """Its address answers 404 within a second, in every process. A source of the same name gets another one."""
        stored = await engine.database.read(sources.find, principal.workspace_id, name)
        now = engine.clock.micros()
        await engine.database.transact(
            sources.delete, principal.workspace_id, name, if_match=if_match, actor=principal.key_id, now=now
        )
        doors.forget(stored)

    @post("/{name:str}/preview", guards=[requires("channels:read")], status_code=200, summary="Try a body")
    async def preview_source(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        sources: TheSources,
        doors: TheDoors,
        name: FromPath[str],
        data: JSONBody[SourcePreview],
    ) -> PreviewedEvents:
        """The events that a body would become, by the source's mapping or another one. Nothing is stored."""
        stored = await engine.database.read(sources.find, principal.workspace_id, name)
        events = await doors.preview(stored, data.body, data.mapping)
        return PreviewedEvents(events=[PreviewedEvent.of(event) for event in events])


class SourcePresetsController(Controller):
    """What sources of common kinds usually are."""

    path = "/v1/source-presets"
    tags = ("Sources",)

    @get(guards=[requires("channels:read")], summary="List presets of sources")
    async def list_source_presets(self) -> SourcePresets:
        """Each with its mapping and an example of what the other side sends."""
        return SourcePresets(items=list(source_presets().values()))


def _show(stored: StoredSource, sources: Sources, engine: Engine) -> Source:
    return Source.of(stored, sources.secrets_set(stored), engine.settings.public_url)
