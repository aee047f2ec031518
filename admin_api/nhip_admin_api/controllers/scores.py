"""``/v1/score-rules`` and ``/v1/contacts/…/score``: what scores are made of, and why one is what it is."""

from typing import Annotated, Any

from litestar import Controller, Response, get, post, put
from litestar.params import Body, FromPath, JSONBody

from nhip.services.customers import score_preview, scores
from nhip_admin_api.auth import requires
from nhip_admin_api.dependencies import TheEngine, ThePrincipal
from nhip_admin_api.revised import IfMatch, tagged
from nhip_admin_api.schemas.scores import PreviewedScore, Score, ScorePreviewAnswer, ScorePreviewRequest, ScoreRules

Rules = Annotated[
    dict[str, Any],
    Body(
        description='`{"rules": [{"id", "event", "points", "title", "where", "cap", "half_life"}]}`; what `GET` '
        "answers can be sent back"
    ),
]


class ScoreRulesController(Controller):
    """Score rules."""

    path = "/v1/score-rules"
    tags = ("Customers",)

    @get(guards=[requires("workflows:read")], summary="Show the score rules")
    async def get_score_rules(self, engine: TheEngine, principal: ThePrincipal) -> Response[ScoreRules]:
        """All of the workspace's rules; none where there never were any."""
        stored = await engine.database.read(scores.find, principal.workspace_id)
        return Response(ScoreRules.of(None)) if stored is None else tagged(ScoreRules.of(stored), stored)

    @put(guards=[requires("workflows:publish")], summary="Replace the score rules")
    async def put_score_rules(
        self, engine: TheEngine, principal: ThePrincipal, data: Rules, if_match: IfMatch = None
    ) -> Response[ScoreRules]:
        """They hold from the next event on. Scores follow within moments, and nobody is told: a score that its rules
        changed starts no workflow. Every fault is answered with its place.
        """
        stored = await engine.database.transact(
            scores.save,
            principal.workspace_id,
            data,
            catalog=engine.catalog,
            if_match=if_match,
            actor=principal.key_id,
            now=engine.clock.micros(),
        )
        return tagged(ScoreRules.of(stored), stored)

    @post("/preview", guards=[requires("contacts:read")], status_code=200, summary="Try score rules out")
    async def preview_score_rules(
        self, engine: TheEngine, principal: ThePrincipal, data: JSONBody[ScorePreviewRequest]
    ) -> ScorePreviewAnswer:
        """What the scores of some contacts would be if these rules had held all along. Nothing is stored."""
        book = scores.book_of({"rules": data.rules}, engine.catalog, engine.customs)
        found = await engine.database.read(
            score_preview.preview, principal.workspace_id, book, data.contacts, engine.clock.micros()
        )
        return ScorePreviewAnswer(items=[PreviewedScore.of(one) for one in found])


class ContactScoreController(Controller):
    """The score of one contact."""

    path = "/v1/contacts/{external_id:str}/score"
    tags = ("Customers",)

    @get(guards=[requires("contacts:read")], summary="Explain a score")
    async def get_contact_score(self, engine: TheEngine, principal: ThePrincipal, external_id: FromPath[str]) -> Score:
        """The score as of now, and of each rule how many points it holds, how often and when last it counted, and
        whether its cap holds it down.
        """
        now = engine.clock.micros()
        return Score.of(await engine.database.read(scores.explain, principal.workspace_id, external_id, now))
