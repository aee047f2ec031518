"""Starts a workflow on a contact's birthday, or some days before it.

Example, a wish on the morning of the day::

    {"id": "birthday", "type": "birthday", "config": {"at": "08:00"}}

The day is ``contact.birthday``. Who was born on 29 February is wished well on 28 February in the other years.
"""

from typing import Annotated

from msgspec import Meta

from nhip import ClockTime, Config, DateScan, Lowered, Repetition, Trigger, hookimpl


class BirthdayConfig(Config):
    """When the workflow starts."""

    days_before: Annotated[int, Meta(description="How many days before the birthday.", ge=0, le=180)] = 0
    at: Annotated[ClockTime, Meta(description="The time of day, as HH:MM.")] = "08:00"
    timezone: Annotated[
        str, Meta(description="By whose clocks: contact for each contact's own, or an IANA name.", max_length=64)
    ] = "contact"


class Birthday(Trigger):
    """Starts on a birthday, or some days before."""

    kind = "birthday"
    config_type = BirthdayConfig

    def lower(self, config: BirthdayConfig) -> Lowered:
        """The day that comes back every year."""
        scan = DateScan(
            field="contact.birthday", days=-config.days_before, at=config.at, timezone=config.timezone,
            every=Repetition.YEARLY,
        )  # fmt: skip
        return Lowered(event_types=(), scans=(scan,))


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [Birthday]
