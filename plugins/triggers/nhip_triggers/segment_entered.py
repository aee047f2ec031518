"""Starts a workflow for contacts that entered a segment.

Example, greeting who became a regular customer, at nine the next morning::

    {"id": "regular", "type": "segment_entered", "config": {"segment": "regulars"}}

Once a day it is looked who came in since the day before. ``event.data`` says ``segment`` and ``entered_at``. Who left
the segment meanwhile is told all the same; who leaves and comes in again is told again. With ``existing``, the workflow
is told once who is in the segment already when it begins.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from nhip import ClockTime, Config, Cron, Lowered, SegmentScan, Trigger, hookimpl


class SegmentEnteredConfig(Config):
    """Which segment starts the workflow, and when is looked."""

    segment: Annotated[str, Meta(description="The segment's name.", min_length=1, max_length=100)]
    at: Annotated[ClockTime, Meta(description="The time of day at which is looked, as HH:MM.")] = "09:00"
    timezone: Annotated[str, Meta(description="The IANA name of the place by whose clocks it goes.", max_length=64)] = (
        "Asia/Ho_Chi_Minh"
    )
    existing: Annotated[
        bool, Meta(description="Whether those who are in it at the first look count as entering, too.")
    ] = False


class SegmentEntered(Trigger):
    """Starts when a contact entered a segment."""

    kind = "segment_entered"
    config_type = SegmentEnteredConfig

    def lower(self, config: SegmentEnteredConfig) -> Lowered:
        """One look a day."""
        hour, minute = config.at.split(":")
        when = Cron(expression=f"{int(minute)} {int(hour)} * * *", timezone=config.timezone)
        return Lowered(event_types=(), scans=(SegmentScan(segment=config.segment, when=when, present=config.existing),))

    def references(self, config: SegmentEnteredConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {"segment": [("segment", config.segment)]}


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [SegmentEntered]
