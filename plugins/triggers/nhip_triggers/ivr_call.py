"""Starts a workflow when somebody calls one of the chosen numbers: ``call.inbound`` with the number in ``data.to``.

Example, for a hotline and a branch::

    {"id": "hotline", "type": "ivr_call", "config": {"numbers": ["1900 1234", "028 7300 0000"]}}

The action ``route_call`` says what the caller hears.
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, dialled_number, hookimpl, test


class IvrCallConfig(Config):
    """Which numbers start the workflow."""

    numbers: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
        Meta(description="The numbers that were called; any number of ours where the list is empty.", max_length=100),
    ] = ()


class IvrCall(Trigger):
    """Starts when somebody calls one of the chosen numbers."""

    kind = "ivr_call"
    config_type = IvrCallConfig

    def lower(self, config: IvrCallConfig) -> Lowered:
        """One type of event, told apart by the number that was called, in the spelling of call events."""
        numbers = [dialled_number(number) for number in config.numbers]
        return Lowered(
            event_types=("call.inbound",),
            condition=test("event.data.to", "in", numbers) if numbers else None,
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [IvrCall]
