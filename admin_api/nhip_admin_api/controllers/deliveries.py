"""``/v1/deliveries``: what became of each message, and a person's word where nobody else knows."""

from typing import Annotated, Final

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from nhip.bootstrap import Engine
from nhip.domain.access import Principal
from nhip.domain.history import PastDelivery
from nhip.domain.messages import DeliveryState
from nhip.services.history.deliveries import Deliveries, Resolution
from nhip_admin_api.auth import requires
from nhip_admin_api.controllers.runs import Contact, Name
from nhip_admin_api.dependencies import TheEngine, ThePaging, ThePrincipal
from nhip_admin_api.pagination import Page
from nhip_admin_api.schemas.deliveries import DeliveryDetail, DeliveryView, Resolve, Resolved, ResolveMany


def provide_deliveries(engine: TheEngine) -> Deliveries:
    """The dependency ``deliveries``."""
    return Deliveries(engine.receipts)


TheDeliveries = NamedDependency[Deliveries]
DEPENDENCIES: Final = {"deliveries": Provide(provide_deliveries, sync_to_thread=False)}


class DeliveriesController(Controller):
    """Deliveries."""

    path = "/v1/deliveries"
    tags = ("Deliveries",)
    dependencies = DEPENDENCIES

    @get(guards=[requires("runs:read")], summary="List deliveries, the newest first")
    async def list_deliveries(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        deliveries: TheDeliveries,
        paging: ThePaging,
        delivery_state: Annotated[DeliveryState | None, QueryParameter(name="state")] = None,
        channel: Name = None,
        workflow: Name = None,
        contact: Contact = None,
    ) -> Response[Page[DeliveryView]]:
        """In a state, through a channel account, of a workflow, to a contact."""
        rows = await engine.database.read(
            deliveries.page,
            principal.workspace_id,
            state=delivery_state,
            channel=channel,
            workflow=workflow,
            contact=contact,
            before=paging.after,
            limit=paging.fetch,
        )
        return paging.page(rows, lambda row: row.id, DeliveryView.of)

    @get("/{delivery_id:str}", guards=[requires("runs:read")], summary="Show a delivery")
    async def get_delivery(
        self, engine: TheEngine, principal: ThePrincipal, deliveries: TheDeliveries, delivery_id: FromPath[str]
    ) -> DeliveryDetail:
        """With the content that was rendered for it."""
        past = await engine.database.read(deliveries.find, principal.workspace_id, delivery_id)
        return DeliveryDetail.of_past(past)

    @post("/{delivery_id:str}/resolve", guards=[requires("runs:write")], status_code=200, summary="Resolve a delivery")
    async def resolve_delivery(
        self,
        engine: TheEngine,
        principal: ThePrincipal,
        deliveries: TheDeliveries,
        delivery_id: FromPath[str],
        data: JSONBody[Resolve],
    ) -> DeliveryView:
        """Say what became of an `unknown` delivery. `sent`: its run goes on. `not_sent`: it is sent again, as a new
        generation.
        """
        said = [Resolution(id=delivery_id, sent=data.outcome == "sent")]
        return DeliveryView.of((await _resolve(engine, principal, deliveries, said))[0])

    @post("/resolve", guards=[requires("runs:write")], status_code=200, summary="Resolve many deliveries")
    async def resolve_deliveries(
        self, engine: TheEngine, principal: ThePrincipal, deliveries: TheDeliveries, data: JSONBody[ResolveMany]
    ) -> Resolved:
        """Up to 500 at once; all of them are taken, or none."""
        said = [item.resolution() for item in data.items]
        past = await _resolve(engine, principal, deliveries, said)
        return Resolved(items=[DeliveryView.of(one) for one in past])

    @post("/{delivery_id:str}/replay", guards=[requires("runs:write")], status_code=202, summary="Send once more")
    async def replay_delivery(
        self, engine: TheEngine, principal: ThePrincipal, deliveries: TheDeliveries, delivery_id: FromPath[str]
    ) -> DeliveryView:
        """The message of a finished delivery goes out again, as a new generation with a new idempotency key."""
        now = engine.clock.micros()
        past = await engine.database.transact(
            deliveries.replay, principal.workspace_id, delivery_id, actor=principal.key_id, now=now
        )
        engine.doorbell.ring()
        return DeliveryView.of(past)


async def _resolve(
    engine: Engine, principal: Principal, deliveries: Deliveries, said: list[Resolution]
) -> list[PastDelivery]:
    past = await engine.database.transact(
        deliveries.resolve, principal.workspace_id, said, actor=principal.key_id, now=engine.clock.micros()
    )
    engine.doorbell.ring()
    return past
