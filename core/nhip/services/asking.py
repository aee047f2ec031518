"""Who asks which scans: it changes with what is published, in the same unit."""

from collections.abc import Iterable

from nhip.domain.scans import DateScan, Scan, SegmentScan, scan_key
from nhip.domain.standing import StandingScan
from nhip.domain.times import from_micros, to_micros
from nhip.engine.dates import next_meeting, watch_of
from nhip.engine.moments import DEFAULT_ZONE
from nhip.engine.schedule import CONTACT, next_tick
from nhip.ports import Unit
from nhip.services.kept_days import FILLING, KEPT, LEAVING


def ask(unit: Unit, workspace_id: int, workflow: str, scans: Iterable[Scan], now: int) -> None:
    """Let a workflow ask these scans from now on, and no others.

    A scan that others ask already stands as it is; a new one looks at what comes from now on; one that nobody asks any
    more is gone with all that it knew.
    """
    wanted = {scan_key(scan): scan for scan in scans}
    left = unit.scans.ask(workspace_id, workflow, wanted)
    if left:
        unit.scans.delete(workspace_id, left)
    fresh = wanted.keys() - unit.scans.known(workspace_id, list(wanted)) if wanted else set()
    unit.scans.insert([_standing(unit, workspace_id, key, wanted[key], now) for key in sorted(fresh)])
    if left:
        for watch in unit.dates.unused(workspace_id):
            unit.dates.set_watch(workspace_id, watch, LEAVING)


def zones_of(unit: Unit, workspace_id: int, scan: DateScan) -> list[str]:
    """The time zones in which a date scan looks."""
    if scan.timezone != CONTACT:
        return [scan.timezone]
    return sorted({DEFAULT_ZONE} | unit.dates.zones(workspace_id, watch_of(scan).key))


def next_look(unit: Unit, workspace_id: int, scan: Scan, after: int) -> int | None:
    """When a scan that has looked up to a moment looks next."""
    moment = from_micros(after)
    if isinstance(scan, DateScan):
        found = next_meeting(scan, zones_of(unit, workspace_id, scan), moment)
    else:
        found = next_tick(scan.when, moment)
    return to_micros(found) if found is not None else None


def _standing(unit: Unit, workspace_id: int, key: str, scan: Scan, now: int) -> StandingScan:
    watch: str | None = None
    is_ready = True
    if isinstance(scan, DateScan):
        watch = watch_of(scan).key
        state = unit.dates.watches(workspace_id, [watch]).get(watch)
        if state in (None, LEAVING):
            unit.dates.set_watch(workspace_id, watch, FILLING)
        is_ready = state == KEPT
    since = 0 if isinstance(scan, SegmentScan) and scan.present else now
    return StandingScan(
        workspace_id=workspace_id, key=key, scan=scan, watch=watch,
        due_at=next_look(unit, workspace_id, scan, now) if is_ready else None, since_at=since, until_at=None,
        cursor=None, created_at=now,
    )  # fmt: skip
