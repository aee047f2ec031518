"""``/v1/taxonomies``: the words that a workspace has for its tickets."""

from litestar import Controller, Response, get, put
from litestar.params import FromPath, JSONBody

from nhip.domain.taxonomies import Taxonomy
from nhip.services.workspace.taxonomies import Taxonomies
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePrincipal
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.taxonomies import ShownTaxonomy


class TaxonomiesController(Controller):
    """Taxonomies."""

    path = "/v1/taxonomies"
    tags = ("Customers",)

    @get("/{kind:str}", guards=[requires("workflows:read")], summary="Show the words for a type of records")
    async def get_taxonomy(
        self, engine: TheEngine, principal: ThePrincipal, kind: FromPath[str]
    ) -> Response[ShownTaxonomy]:
        """The workspace's own, or those that `ticket` comes with; then `revision` is 0."""
        taxonomies = Taxonomies(engine.catalog)
        stored = await engine.database.read(taxonomies.find, principal.workspace_id, kind)
        return tagged(ShownTaxonomy.of(stored), stored)

    @put("/{kind:str}", guards=[requires("workflows:write")], summary="Choose the words for a type of records")
    async def put_taxonomy(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        kind: FromPath[str],
        data: JSONBody[Taxonomy],
        if_match: IfMatch = None,
    ) -> Response[ShownTaxonomy]:
        """From now on workflows may say these. Records that say others stay, and other systems may go on saying them.

        A record counts as open or resolved by its status as it is marked here, at once also those that there are.
        """
        stored = await engine.database.transact(
            Taxonomies(engine.catalog).save,
            principal.workspace_id,
            kind,
            data,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        return tagged(ShownTaxonomy.of(stored), stored)
