"""``/v1/plugins``: what is installed, and how it is configured."""

from litestar import Controller, get
from litestar.params import FromPath

from nhip.services.workspace import plugins
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine
from nhip_admin_api.schemas.plugins import PluginKind, PluginList


class PluginsController(Controller):
    """Plugins."""

    path = "/v1/plugins"
    tags = ("Plugins",)

    @get(guards=[requires("workflows:read")], summary="List plugins")
    async def list_plugins(self, engine: TheEngine) -> PluginList:
        """Every plugin that was found, whether it works, and why not."""
        return PluginList(items=list(engine.catalog.plugins))

    @get("/{sort:str}/{kind:str}", guards=[requires("workflows:read")], summary="Show a plugin")
    async def get_plugin(self, engine: TheEngine, sort: FromPath[str], kind: FromPath[str]) -> PluginKind:
        """One kind with the JSON Schema of its configuration; `sort` is trigger, condition, action, channel,
        record_type or bundle.
        """
        found = plugins.describe(engine.catalog, sort, kind)
        return PluginKind(
            sort=found.sort,
            kind=found.kind,
            description=found.description,
            config_schema=found.config_schema,
            secrets_schema=found.secrets_schema,
        )
