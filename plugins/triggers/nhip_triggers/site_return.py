"""Starts a workflow when somebody comes back after an absence.

Example, welcoming back who had not been on the website for a month::

    {"id": "back", "type": "site_return", "config": {"days": 30}}

The absence is counted from the contact's activity before, of the same kind (the first word of the event's type). Who
comes for the first time does not come back.
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, hookimpl, test


class SiteReturnConfig(Config):
    """After how long an absence the workflow starts."""

    days: Annotated[int, Meta(description="Whole days of absence, at least.", ge=1, le=3650)]
    event: Annotated[
        str,
        Meta(
            description="The type of event that counts as coming back.",
            pattern=r"^[a-z0-9_]+(\.[a-z0-9_-]+){0,7}$(?!\n)",
            max_length=200,
        ),
    ] = "site.visited"


class SiteReturn(Trigger):
    """Starts when a contact visits the site after an absence."""

    kind = "site_return"
    config_type = SiteReturnConfig

    def lower(self, config: SiteReturnConfig) -> Lowered:
        """The visit itself, where the silence before it was long enough."""
        return Lowered(
            event_types=(config.event,), condition=test("event.silent_days", "greater_or_equal", config.days)
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [SiteReturn]
