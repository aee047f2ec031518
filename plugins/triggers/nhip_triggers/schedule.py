"""Starts a workflow at the ticks of a schedule, for every contact or for those in a segment.

Example, asking whoever was served in the last two weeks, each Monday morning::

    {"id": "mondays", "type": "schedule", "config": {
        "cron": "0 9 * * 1", "timezone": "Asia/Ho_Chi_Minh", "segment": "served-lately"}}

The five fields are minute, hour, day of the month, month and day of the week. Days of the week have names, too (MON),
``L`` is the last day of a month, and ``FRI#2`` its second Friday. The tick's time is in ``event.data.tick``.

Where a place's clocks are changed, what they skip happens when they go on, and what they show twice happens once.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from nhip import Config, Cron, Lowered, Missed, TickScan, Trigger, hookimpl


class ScheduleConfig(Config):
    """When the workflow starts, and for whom."""

    cron: Annotated[
        str, Meta(description="Minute, hour, day, month, day of the week: 0 9 * * 1-5.", min_length=9, max_length=200)
    ]
    timezone: Annotated[str, Meta(description="The IANA name of the place by whose clocks it goes.", max_length=64)] = (
        "Asia/Ho_Chi_Minh"
    )
    missed: Annotated[
        Missed,
        Meta(
            description="What becomes of ticks at which no worker ran: skip forgets those that are more than a minute "
            "late, last runs the last of them, all runs one after the other."
        ),
    ] = Missed.LAST
    segment: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="Only those who are in this segment at the tick; else everybody."),
    ] = None


class Schedule(Trigger):
    """Starts at each tick of a schedule."""

    kind = "schedule"
    config_type = ScheduleConfig

    def lower(self, config: ScheduleConfig) -> Lowered:
        """Everybody, or a segment, at each tick."""
        when = Cron(expression=" ".join(config.cron.split()), timezone=config.timezone)
        return Lowered(event_types=(), scans=(TickScan(when=when, missed=config.missed, segment=config.segment),))

    def references(self, config: ScheduleConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {"segment": [("segment", config.segment)]} if config.segment is not None else {}


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [Schedule]
