"""Starts a workflow at an event of any type, with a condition of your own.

Example, caring about a parcel that the carrier could not deliver twice::

    {"id": "failed_twice", "type": "event", "config": {
        "type": "shipment.failed",
        "where": {"field": "event.data.attempts", "op": "greater_or_equal", "value": 2}}}
"""

from typing import Annotated, Any

from msgspec import Meta

from nhip import Config, Lowered, Trigger, hookimpl


class EventConfig(Config):
    """Which events start the workflow."""

    type: Annotated[
        str,
        Meta(
            description="The event's type: lower-case words joined by dots, as in shipment.failed.",
            pattern=r"^[a-z0-9_]+(\.[a-z0-9_-]+){0,7}$(?!\n)",
            max_length=200,
        ),
    ]
    where: Annotated[
        dict[str, Any] | None,
        Meta(description="A condition that must hold for the event, as a workflow's conditions are written."),
    ] = None


class Event(Trigger):
    """Starts at an event of any type, with a condition of your own."""

    kind = "event"
    config_type = EventConfig

    def lower(self, config: EventConfig) -> Lowered:
        """The type and the condition as they are."""
        return Lowered(event_types=(config.type,), where=config.where)


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [Event]
