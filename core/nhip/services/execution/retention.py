"""Delete what is older than it is kept: ended runs with all that belongs to them, events that led to nothing kept.

A sweep goes through the old rows once, in the order of their ids, in units so small that nothing waits for one. Any
number of processes may sweep at once. Contacts, records, configuration and the audit log stay for ever.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from nhip.domain.past_events import OldEvent, OldRun
from nhip.domain.struct import Struct
from nhip.ports import Clock, Unit
from nhip.services.workspace.idempotency import KEPT_MICROS

_RUNS: Final = 100
"""Runs of one unit: with their steps, messages and receipts, some hundred rows."""
_EVENTS: Final = 300
"""With those derived from them."""
_ROWS: Final = 1_000
_CALLS: Final = 100
_KINDS: Final = ("runs", "events", "refusals", "receipts", "calls", "telesales", "answers")
"""In this order, because an event stays for as long as a run of it does."""


class Place(Struct):
    """How far a sweep has come."""

    kind: str = _KINDS[0]
    after: str = ""
    """The last id that was looked at."""
    deleted: int = 0
    """Rows and runs so far, for the log."""


class Retention:
    """The service; :meth:`step` runs inside a unit."""

    def __init__(self, clock: Clock, *, keep: timedelta) -> None:
        self._clock = clock
        self._keep = keep // timedelta(microseconds=1)

    def step(self, unit: Unit, place: Place) -> tuple[Place, bool]:
        """Look at the next few old rows; answers how far the sweep has come, and whether it is over."""
        now = self._clock.micros()
        before = now - self._keep
        last: str | None = None
        match place.kind:
            case "runs":
                runs = unit.retention.runs(place.after, before, _RUNS)
                count, last = _delete_runs(unit, runs, before), runs[-1].id if len(runs) == _RUNS else None
            case "events":
                events = unit.retention.events(place.after, before, _EVENTS)
                count, last = _delete_events(unit, events), events[-1].id if len(events) == _EVENTS else None
            case "refusals":
                count = unit.retention.delete_refusals(before, _ROWS)
                last = "" if count == _ROWS else None
            case "receipts":
                count = unit.retention.delete_parked_receipts(before, _ROWS)
                last = "" if count == _ROWS else None
            case "calls":
                count = unit.calls.delete_old(before, _CALLS)
                last = "" if count == _CALLS else None
            case "telesales":
                count = unit.retention.delete_telesales(before, _ROWS)
                last = "" if count == _ROWS else None
            case _:
                count = unit.idempotency.prune(now - KEPT_MICROS, _ROWS)
                last = "" if count == _ROWS else None
        deleted = place.deleted + count
        if last is not None:
            return Place(kind=place.kind, after=last, deleted=deleted), False
        following = _KINDS.index(place.kind) + 1
        if following == len(_KINDS):
            return Place(deleted=deleted), True
        return Place(kind=_KINDS[following], deleted=deleted), False


def _delete_runs(unit: Unit, runs: Sequence[OldRun], before: int) -> int:
    by_workspace: dict[int, list[str]] = {}
    for run in runs:
        if run.ended_at is not None and run.ended_at < before:
            by_workspace.setdefault(run.workspace_id, []).append(run.id)
    return sum(unit.retention.delete_runs(workspace_id, ids) for workspace_id, ids in by_workspace.items())


def _delete_events(unit: Unit, events: Sequence[OldEvent]) -> int:
    """Delete the incoming events that no kept run belongs to, each with those derived from it."""
    by_workspace: dict[int, list[OldEvent]] = {}
    for event in events:
        if event.id == event.root_id:
            by_workspace.setdefault(event.workspace_id, []).append(event)
    count = 0
    for workspace_id, mine in by_workspace.items():
        kept = unit.events.runs_of(workspace_id, [event.id for event in mine])
        gone = [one for event in mine if event.id not in kept for one in (event.id, *event.derived)]
        count += unit.retention.delete_events(workspace_id, gone)
    return count
