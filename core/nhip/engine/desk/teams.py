"""Who of a department or a store is to hear of something. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from nhip.domain.assignment import Passed
from nhip.domain.customers import Staff
from nhip.domain.teams import Member, ReachedBy, Team, Who
from nhip.engine.desk.assignment import NO_ADDRESS, obstacle
from nhip.engine.facts.calendars import ClosedDays, always_open

SAME_ADDRESS: Final = "same_address"
"""Somebody before them has the same address."""
TOO_MANY: Final = "too_many"
"""As many as were wanted come before them."""


def gather(
    people: Iterable[Staff],
    who: Who,
    now: datetime,
    *,
    reached_by: ReachedBy | None,
    most: int,
    closed: ClosedDays = always_open,
) -> Team:
    """Choose in the order of the external ids.

    Args:
        people: in any order, each once.
        who: whom of them.
        now: aware.
        reached_by: the address that each must have; nobody else then has the same.
        most: how many at most.
        closed: the workspace's calendar.
    """
    staff = sorted(people, key=lambda one: one.external_id)
    if who == "on_duty":
        team = _gathered(staff, now, reached_by, most, closed, hours=True, absences=True)
        if team.members:
            return team
    return _gathered(staff, now, reached_by, most, closed, hours=False, absences=who != "everybody")


def _gathered(
    staff: Iterable[Staff],
    now: datetime,
    reached_by: ReachedBy | None,
    most: int,
    closed: ClosedDays,
    *,
    hours: bool,
    absences: bool,
) -> Team:
    members: list[Member] = []
    passed: list[Passed] = []
    addresses: set[str] = set()
    for one in staff:
        address = (getattr(one, reached_by) or "").casefold() if reached_by is not None else one.external_id
        reason = None if address else NO_ADDRESS
        reason = reason or obstacle(one, now, hours=hours, absences=absences, closed=closed)
        if reason is None and address in addresses:
            reason = SAME_ADDRESS
        if reason is None and len(members) == most:
            reason = TOO_MANY
        if reason is not None:
            passed.append(Passed(staff=one.external_id, reason=reason))
            continue
        addresses.add(address)
        members.append(Member(staff=one.external_id, name=one.name))
    return Team(members=tuple(members), passed=tuple(passed))
