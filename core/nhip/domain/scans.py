"""What time sets off: the questions that a time trigger asks again and again.

A scan names rows by an index, so that looking costs what is newly found and not what there is. Its answer is an event
per contact, with the scan's key in its data, by which its triggers know it.
"""

import hashlib
from enum import StrEnum
from functools import cache
from typing import Any, Final

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
    open: bool = False
    """Whether only records are meant that are not over."""


class MomentScan(Struct, tag="moment"):
    """Contacts for whom a time comes near, or is over, that a field of theirs, or of a record of theirs, holds."""

    field: str
    """``task.due_at``, ``appointment.starts_at``."""
    minutes: int
    """So many minutes after the time; before it where negative."""
    timezone: str
    """By whose clocks a date that has no time begins: an IANA name, or ``contact``."""
    within: int
    """So many minutes later it is still told; what comes before the time is told no more when the time is there."""
    open: bool = False
    """Whether only records are meant that are not over."""


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
    asker: str | None = None
    """The workflow that alone asks it. The engine says it where ``present``: who is in the segment already is then told
    to each workflow once, whenever it is published."""


Scan = SilenceScan | DateScan | MomentScan | TickScan | SegmentScan

SCAN_EVENTS = {
    SilenceScan: "contact.dormant",
    DateScan: "date.reached",
    MomentScan: "date.reached",
    TickScan: "schedule.tick",
    SegmentScan: "segment.entered",
}
"""The type of event that each sort of scan makes."""


_COUNTED: Final = frozenset({("date", "every"), ("tick", "missed"), ("tick", "segment"), ("segment", "present")})
"""Fields with a default that were there from the beginning, by the tags of their scans. Never add to them: see
:func:`scan_key`.
"""


def scan_key(scan: Scan) -> str:
    """What names a scan: equal for equal ones, so that triggers that ask the same share the answer.

    Keys are stored, so they outlive versions of Nhịp: a field that a scan gets later has a default, and counts only
    where it holds something else.
    """
    said = msgspec.json.encode(_said(scan), order="sorted")
    digest = hashlib.blake2b(said, digest_size=10).hexdigest()
    return f"{scan.__struct_config__.tag}:{digest}"


def _said(scan: msgspec.Struct) -> dict[str, Any]:
    """The fields that count, and the tag."""
    config = scan.__struct_config__
    said: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field is not None else {}
    for field in _fields(type(scan)):
        value = getattr(scan, field.name)
        if value != field.default or (config.tag, field.name) in _COUNTED:
            said[field.encode_name] = _said(value) if isinstance(value, msgspec.Struct) else value
    return said


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def goes_on(said: Any, scan: Any) -> bool:
    """Whether a scan is the one that was written down as ``said``, in all that was said then."""
    if not isinstance(said, dict):
        return bool(said == scan)
    if isinstance(scan, msgspec.Struct):
        scan = msgspec.to_builtins(scan)
    return isinstance(scan, dict) and all(key in scan and goes_on(one, scan[key]) for key, one in said.items())
