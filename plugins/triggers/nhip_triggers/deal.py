"""Starts a workflow when a deal is made, moves to another stage of its pipeline, or changes.

Example, following up on a deal that was won or lost::

    {"id": "closed", "type": "deal", "config": {"on": "status_changed", "to": ["won", "lost"], "pipeline": ["retail"]}}
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from nhip import Config, Lowered, Trigger, all_of, hookimpl, invalid, test

Names = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=50)]


class DealConfig(Config):
    """Which happenings to a deal start the workflow."""

    on: Annotated[
        Literal["created", "status_changed", "updated"],
        Meta(description="What happens to the deal: it is made, its status changes, or something else of it changes."),
    ] = "status_changed"
    to: Annotated[Names, Meta(description="The statuses that it then has; any where the list is empty.")] = ()
    from_: Annotated[
        Names, Meta(description="The statuses that it comes from, for status_changed; any where the list is empty.")
    ] = field(default=(), name="from")
    pipeline: Annotated[Names, Meta(description="The pipelines it may be in; any where the list is empty.")] = ()


class Deal(Trigger):
    """Starts when a deal is made, moves to another stage of its pipeline, or changes."""

    kind = "deal"
    config_type = DealConfig

    def lower(self, config: DealConfig) -> Lowered:
        """One type of event; a new deal that arrives in a chosen status enters that status too."""
        if config.from_ and config.on != "status_changed":
            raise invalid("from", "not_allowed", f"only status_changed has a status before, not {config.on}")
        types = [f"deal.{config.on}"]
        if config.on == "status_changed" and config.to and not config.from_:
            types.append("deal.created")
        return Lowered(
            event_types=tuple(types),
            condition=all_of(
                test("deal.status", "in", list(config.to)) if config.to else None,
                test("previous.deal.status", "in", list(config.from_)) if config.from_ else None,
                test("deal.pipeline", "in", list(config.pipeline)) if config.pipeline else None,
            ),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [Deal]
