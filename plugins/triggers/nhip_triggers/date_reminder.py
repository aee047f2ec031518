"""Starts a workflow some days before or after a date that a contact or one of its records holds.

Example, reminding of a maintenance a week before, three days before, and on the morning of the day::

    {"id": "maintenance", "type": "date_reminder", "config": {
        "field": "appointment.starts_at", "offsets": ["-P7D", "-P3D", "P0D"], "at": "08:00"}}

and each month again, on the day of the month on which the contract began::

    {"id": "monthly", "type": "date_reminder", "config": {
        "field": "contact.custom.contract_began", "offsets": ["-P3D"], "every": "monthly"}}

A month without that day has it on its last: the 31st comes on 30 April, 29 February on 28 February. ``event.data`` says
``field``, ``date`` (the day itself) and ``days`` (from it); a record's other facts can be read as usual. What becomes
known after its moment is not told any more, and a date that moves is told anew.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from nhip import Config, DateScan, Lowered, Repetition, Trigger, hookimpl, invalid, parse_duration


class DateReminderConfig(Config):
    """Of which date the workflow reminds, and when."""

    field: Annotated[
        str,
        Meta(
            description="Where the date stands: contact.birthday, contact.custom.renewal, appointment.starts_at.",
            pattern=r"^[a-z][a-z0-9_]*(\.[^.\s]{1,64}){1,4}$",
            max_length=200,
        ),
    ]
    offsets: Annotated[
        tuple[Annotated[str, Meta(max_length=12)], ...],
        Meta(description="Whole days from the date, signed: -P3D, P0D, P1W.", min_length=1, max_length=12),
    ] = ("P0D",)
    at: Annotated[str, Meta(description="The time of day, as HH:MM.", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "08:00"
    timezone: Annotated[
        str, Meta(description="By whose clocks: contact for each contact's own, or an IANA name.", max_length=64)
    ] = "contact"
    every: Annotated[Repetition, Meta(description="How often the date comes back.")] = Repetition.NEVER


class DateReminder(Trigger):
    """Starts some days before or after a date."""

    kind = "date_reminder"
    config_type = DateReminderConfig

    def lower(self, config: DateReminderConfig) -> Lowered:
        """One look at each moment that lies so far from the date."""
        days = [_days(text, f"offsets[{position}]") for position, text in enumerate(config.offsets)]
        scans = tuple(
            DateScan(field=config.field, days=one, at=config.at, timezone=config.timezone, every=config.every)
            for one in dict.fromkeys(days)
        )
        return Lowered(event_types=(), scans=scans)

    def references(self, config: DateReminderConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        owner = config.field.partition(".")[0]
        return {"record_type": [("field", owner)]} if owner != "contact" else {}


def _days(text: str, path: str) -> int:
    """The days of a signed offset."""
    try:
        offset = parse_duration(text.lstrip("+-")) if text[1:2] == "P" or text[:1] == "P" else None
    except ValueError:
        offset = None
    if offset is None or offset.seconds or offset.days > 3650:
        raise invalid(path, "bad_value", f'{text!r} is not an offset of whole days such as "-P3D", at most 3650')
    return -offset.days if text.startswith("-") else offset.days


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [DateReminder]
