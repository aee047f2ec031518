"""Starts a workflow some days, hours or minutes before or after a date or time that a contact or a record of it holds.

Example, reminding of a maintenance a week before, on the morning of the day, and two hours before::

    {"id": "maintenance", "type": "date_reminder", "config": {
        "field": "appointment.starts_at", "offsets": ["-P7D", "P0D", "-PT2H"], "at": "08:00"}}

of work that is not done, a quarter of an hour before it is due, and an hour after::

    {"id": "due", "type": "date_reminder", "config": {"field": "task.due_at", "offsets": ["-PT15M", "PT1H"]}}

and each month again, on the day of the month on which the contract began::

    {"id": "monthly", "type": "date_reminder", "config": {
        "field": "contact.custom.contract_began", "offsets": ["-P3D"], "every": "monthly"}}

Whole days (``-P3D``) are days of the calendar, and told ``at`` a time of day. Hours and minutes (``-PT2H``, and
``PT0M`` for the time itself) count from the time that the field holds, to the minute; a date begins at midnight.

A month without that day has it on its last: the 31st comes on 30 April, 29 February on 28 February. ``event.data`` says
``field``, and ``date`` (the day itself) and ``days`` (from it), or ``moment`` and ``minutes``; a record's other facts
can be read as usual. What becomes known after its moment is not told any more; a date or time that moves is told anew.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from nhip import (
    ClockTime,
    Config,
    DateScan,
    Lowered,
    MomentScan,
    Repetition,
    Trigger,
    hookimpl,
    invalid,
    parse_duration,
)

LONGEST = timedelta(days=3650)
STALEST = timedelta(days=7)
_MINUTE = timedelta(minutes=1)


class DateReminderConfig(Config):
    """Of which date the workflow reminds, and when."""

    field: Annotated[
        str,
        Meta(
            description="Where the date stands: contact.birthday, contact.custom.renewal, appointment.starts_at.",
            pattern=r"^[a-z][a-z0-9_]*(\.[^.\s]{1,64}){1,4}$(?!\n)",
            max_length=200,
        ),
    ]
    offsets: Annotated[
        tuple[Annotated[str, Meta(max_length=16)], ...],
        Meta(
            description="From the date, signed: whole days (-P3D, P0D, P1W), or hours and minutes from the time "
            "(-PT2H, PT15M).",
            min_length=1,
            max_length=12,
        ),
    ] = ("P0D",)
    at: Annotated[ClockTime, Meta(description="The time of day of whole days, as HH:MM.")] = "08:00"
    timezone: Annotated[
        str, Meta(description="By whose clocks: contact for each contact's own, or an IANA name.", max_length=64)
    ] = "contact"
    every: Annotated[Repetition, Meta(description="How often the date comes back; whole days only.")] = Repetition.NEVER
    while_open: Annotated[
        bool | None,
        Meta(
            description="Whether nothing is told of a record that is over by its status. Without it: true of a due_at, "
            "as of task.due_at."
        ),
    ] = None
    stale_after: Annotated[
        str,
        Meta(
            description="How late hours and minutes may be told where nobody was there; before the time, never when "
            "the time is there.",
            max_length=12,
        ),
    ] = "PT1H"


class DateReminder(Trigger):
    """Starts some days, hours or minutes before or after a date or time."""

    kind = "date_reminder"
    config_type = DateReminderConfig

    def lower(self, config: DateReminderConfig) -> Lowered:
        """One look for each offset."""
        within = _within(config.stale_after)
        root, _, name = config.field.partition(".")
        is_open = (name == "due_at" if config.while_open is None else config.while_open) and root != "contact"
        scans: list[DateScan | MomentScan] = []
        for position, text in enumerate(config.offsets):
            path = f"offsets[{position}]"
            offset = _offset(text, path)
            if "T" not in text:
                scans.append(
                    DateScan(
                        field=config.field, days=offset.days, at=config.at, timezone=config.timezone,
                        every=config.every, open=is_open,
                    )
                )  # fmt: skip
                continue
            if config.every is not Repetition.NEVER:
                raise invalid(path, "contradiction", f"{text!r} counts from one time, and only whole days come back")
            scans.append(
                MomentScan(
                    field=config.field, minutes=offset // _MINUTE, timezone=config.timezone, within=within, open=is_open
                )
            )
        return Lowered(event_types=(), scans=tuple(dict.fromkeys(scans)))

    def references(self, config: DateReminderConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        owner = config.field.partition(".")[0]
        return {"record_type": [("field", owner)]} if owner != "contact" else {}


def _offset(text: str, path: str) -> timedelta:
    """A signed offset of whole minutes."""
    try:
        offset = parse_duration(text[1:] if text[:1] in ("+", "-") else text)
    except ValueError:
        offset = None
    if offset is None or offset % _MINUTE or offset > LONGEST:
        said = f'{text!r} is not an offset of whole days or minutes such as "-P3D" or "-PT2H", at most 3650 days'
        raise invalid(path, "bad_value", said)
    return -offset if text.startswith("-") else offset


def _within(text: str) -> int:
    """Minutes."""
    try:
        within = parse_duration(text)
    except ValueError as error:
        raise invalid("stale_after", "bad_value", str(error)) from None
    if not _MINUTE <= within <= STALEST:
        raise invalid("stale_after", "bad_value", f"{text!r} is not a time of a minute to seven days, such as PT1H")
    return within // _MINUTE


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [DateReminder]
