"""Starts a workflow when an order enters one of the chosen statuses.

Example, thanking after delivery::

    {"id": "delivered", "type": "order_status", "config": {"to": ["delivered"]}}

and caring about what came back to the shop after it had left::

    {"id": "came_back", "type": "order_status", "config": {"from": ["shipping", "delivered"], "to": ["returned"]}}
"""

from typing import Annotated

from msgspec import Meta, field

from nhip import Config, Lowered, Trigger, all_of, hookimpl, invalid, test

Statuses = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=50)]


class OrderStatusConfig(Config):
    """Which changes of an order's status start the workflow."""

    to: Annotated[Statuses, Meta(description="The statuses that an order enters; any where the list is empty.")] = ()
    from_: Annotated[
        Statuses,
        Meta(
            description="The statuses that it comes from; any where the list is empty, and a new order comes from none."
        ),
    ] = field(default=(), name="from")


class OrderStatus(Trigger):
    """Starts when an order enters one of the chosen statuses, also when it is new and arrives in one of them."""

    kind = "order_status"
    config_type = OrderStatusConfig

    def lower(self, config: OrderStatusConfig) -> Lowered:
        """A change of status; and a new order, which has no status before, where only the new status matters."""
        if config.to and config.from_ and len({status.casefold() for status in config.to + config.from_}) == 1:
            raise invalid("from", "never_holds", "an order cannot enter the one status that it comes from")
        types = ["order.status_changed"]
        if config.to and not config.from_:
            types.append("order.created")
        return Lowered(
            event_types=tuple(types),
            condition=all_of(
                test("order.status", "in", list(config.to)) if config.to else None,
                test("previous.order.status", "in", list(config.from_)) if config.from_ else None,
            ),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [OrderStatus]
