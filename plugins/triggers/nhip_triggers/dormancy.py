"""Starts a workflow when a contact has been silent for some days: no order, no visit, nothing at all.

Example, three letters to whoever orders no more::

    {"id": "asleep", "type": "dormancy", "config": {"bands": [30, 60, 90]}}

Each band is told once in a silence: an order ends it, and the next silence begins to count. ``event.data`` says
``days`` (of silence), ``band``, ``activity`` and ``since``. Who was never active in that way is not dormant; and who
has been silent for longer than a band already when the workflow is published is told the next band, but not that one.
"""

from typing import Annotated

from msgspec import Meta

from nhip import ClockTime, Config, Cron, Lowered, SilenceScan, Trigger, hookimpl, invalid

Days = Annotated[int, Meta(ge=1, le=3650)]


class DormancyConfig(Config):
    """How long a silence of what kind starts the workflow."""

    days: Annotated[Days | None, Meta(description="The days of silence. Say either these or bands of them.")] = None
    bands: Annotated[
        tuple[Days, ...],
        Meta(description="Days of silence, each more than the one before: 30, 60, 90.", max_length=12),
    ] = ()
    activity: Annotated[
        str,
        Meta(
            description="What counts as being active: a record type for new ones of it (order), the first word of an "
            "event's type (site, message, form), or any.",
            pattern=r"^[a-z][a-z0-9_]*$(?!\n)",
            max_length=64,
        ),
    ] = "order"
    at: Annotated[ClockTime, Meta(description="The time of day at which is looked, as HH:MM.")] = "09:00"
    timezone: Annotated[str, Meta(description="The IANA name of the place by whose clocks it goes.", max_length=64)] = (
        "Asia/Ho_Chi_Minh"
    )


class Dormancy(Trigger):
    """Starts when a contact has been silent for some days."""

    kind = "dormancy"
    config_type = DormancyConfig

    def lower(self, config: DormancyConfig) -> Lowered:
        """One look a day for each band."""
        if (config.days is None) == (not config.bands):
            raise invalid("days", "contradiction", "say either days or bands")
        for position, (shorter, longer) in enumerate(zip(config.bands, config.bands[1:], strict=False), 1):
            if longer <= shorter:
                raise invalid(f"bands[{position}]", "bad_value", "each band is longer than the one before")
        hour, minute = config.at.split(":")
        when = Cron(expression=f"{int(minute)} {int(hour)} * * *", timezone=config.timezone)
        bands = config.bands if config.days is None else (config.days,)
        scans = tuple(SilenceScan(activity=config.activity, days=days, when=when) for days in bands)
        return Lowered(event_types=(), scans=scans)


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [Dormancy]
