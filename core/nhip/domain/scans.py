"""What time sets off: the questions that a time trigger asks again and again.

A scan names rows by an index, so that looking costs what is newly found and not what there is. Its answer is an event
per contact, with the scan's key in its data, by which its triggers know it.
"""

import hashlib
from enum import StrEnum

import msgspec

from nhip.domain.struct import Struct


class Missed(StrEnum):
    """What becomes of the ticks of a schedule that nobody was there to run."""

    SKIP = "skip"
    """They are gone."""
    LAST = "last"
    """The last of them runs, late."""
    ALL = "all"
    """Each of them runs, late."""


class Cron(Struct):
    """When to look: five cron fields, read by the clocks of a place."""

    expression: str
    timezone: str


class Repetition(StrEnum):
    """How often a day comes back."""

    NEVER = "never"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"


class SilenceScan(Struct, tag="silence"):
    """Contacts whose last activity of a kind lies so many days back, once in each silence."""

    activity: str
    """A kind in ``contact.activity``, or ``any``."""
    days: int
    when: Cron


class DateScan(Struct, tag="date"):
    """Contacts for whom a day is reached that a field of theirs, or of a record of theirs, holds."""

    field: str
    """``contact.birthday``, ``contact.custom.renewal``, ``appointment.starts_at``."""
    days: int
    """So many calendar days after the day; before it where negative."""
    at: str
    """The time of day, ``HH:MM``."""
    timezone: str
    """An IANA name, or ``contact``."""
    every: Repetition = Repetition.NEVER


class TickScan(Struct, tag="tick"):
    """Every contact, or every member of a segment, at each tick of a schedule."""

    when: Cron
    missed: Missed = Missed.LAST
    segment: str | None = None


class SegmentScan(Struct, tag="segment"):
    """Contacts that entered a segment since the last look."""

    segment: str
    when: Cron
    present: bool = False
    """Whether those who are in it when the first look is made count as entering."""


Scan = SilenceScan | DateScan | TickScan | SegmentScan

SCAN_EVENTS = {
    SilenceScan: "contact.dormant",
    DateScan: "date.reached",
    TickScan: "schedule.tick",
    SegmentScan: "segment.entered",
}
"""The type of event that each sort of scan makes."""


def scan_key(scan: Scan) -> str:
    """What names a scan: equal for equal ones, so that triggers that ask the same share the answer."""
    digest = hashlib.blake2b(msgspec.json.encode(scan, order="sorted"), digest_size=10).hexdigest()
    return f"{msgspec.inspect.type_info(type(scan)).tag}:{digest}"  # type: ignore[attr-defined]
