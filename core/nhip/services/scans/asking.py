"""Who asks which scans: it changes with what is published, in the same unit."""

import logging
from collections.abc import Iterable, Mapping, Set as AbstractSet
from operator import attrgetter, itemgetter
from typing import Any, Protocol

import msgspec

from nhip.domain.scans import DateScan, MomentScan, Scan, SegmentScan, SilenceScan, goes_on, scan_key
from nhip.domain.standing import AskedScan, StandingScan
from nhip.domain.times import from_micros, to_micros
from nhip.domain.workflow import WorkflowState
from nhip.engine.facts.moments import DEFAULT_ZONE
from nhip.engine.times.dates import MINUTE_MICROS, looked_at, next_meeting, watch_of
from nhip.engine.times.schedule import CONTACT, last_tick, next_tick
from nhip.ports import Unit
from nhip.services.events.kept_days import FILLING, KEPT, LEAVING

log = logging.getLogger("nhip.scheduler")


def ask(
    unit: Unit,
    workspace_id: int,
    workflow: str,
    scans: Iterable[Scan],
    now: int,
    *,
    resumed: bool = False,
    was_active: bool = False,
) -> None:
    """Let a workflow ask these scans from now on, and no others.

    A scan that others ask already stands as it is, and one that rests looks again; a new one looks at what comes from
    now on; one that nobody asks any more is gone with all that it knew. Whom a segment held at first has been told
    where the workflow is ``resumed``. Where it ``was_active`` until now, a new scan for silences or entries goes on
    from where the one has come to that looked for the same at another time of the day; one for days looks at those at
    which that one had yet to look, and at those that are yet to come.
    """
    wanted = {scan_key(scan): scan for scan in scans}
    left = unit.scans.ask(workspace_id, workflow, wanted)
    fresh: set[str] = set()
    if wanted:
        for standing in unit.scans.resting(workspace_id, list(wanted)):
            _wake(unit, standing, now)
            unit.scans.save(standing)
        fresh = wanted.keys() - unit.scans.known(workspace_id, list(wanted))
    new = [_standing(unit, workspace_id, key, wanted[key], now) for key in sorted(fresh)]
    if resumed:
        for standing in new:
            standing.since_at = now
    if was_active and left:
        before = unit.scans.written(workspace_id, sorted(left))
        _look_at_another_time(unit, new, before, now)
        _meet_at_another_time(unit, new, before, now)
    unit.scans.insert(new)
    _leave(unit, workspace_id, left)


def pause(unit: Unit, workspace_id: int, workflow: str, scans: Iterable[Scan]) -> None:
    """Let a paused workflow ask nothing.

    What looks back over the time between two looks rests where it is, if no other workflow asks it: so a short pause
    loses nobody. The rest is gone. Call it when the workflow is not active any more.
    """
    kept = {scan_key(scan): scan for scan in scans if isinstance(scan, SilenceScan | SegmentScan)}
    _leave(unit, workspace_id, unit.scans.ask(workspace_id, workflow, kept) | kept.keys())


class Asking(Protocol):
    """What has to be known of the workflows."""

    def asking(self, workspace_id: int) -> Iterable[tuple[str, str, Mapping[str, Scan]]]:
        """Each workflow that may start runs, with its version's id and what its time triggers ask, by key."""
        ...


def carry_over(unit: Unit, workspace_id: int, workflows: Asking, now: int) -> None:
    """Let each active workflow ask what its version means to this version of Nhịp and of its plugins.

    A scan that another one wrote down with fewer fields, or under another key, goes on from where it has come to, so
    that nobody is missed or told twice. Where nothing changed this costs one query.
    """
    asked = unit.scans.asked(workspace_id)
    moved = [one for one in workflows.asking(workspace_id) if one[2].keys() != asked.get(one[0], set())]
    for workflow, version_id, scans in sorted(moved, key=itemgetter(0)):
        stored = unit.workflows.find(workspace_id, workflow, lock=True)
        # Whoever publishes or pauses it just now does it all.
        if stored and stored.published_version_id == version_id and stored.state == WorkflowState.ACTIVE:
            log.info("scans carried over", extra={"workflow": workflow})
            _carry_over(unit, workspace_id, workflow, scans, now)


def _carry_over(unit: Unit, workspace_id: int, workflow: str, scans: Mapping[str, Scan], now: int) -> None:
    left = unit.scans.asked_by(workspace_id, workflow) - scans.keys()
    before = unit.scans.written(workspace_id, sorted(left)) if left else []
    fresh = scans.keys() - unit.scans.known(workspace_id, list(scans)) if scans else set()
    carried: list[StandingScan] = []
    for key in sorted(fresh):
        old = min((one for one in before if goes_on(one.said, scans[key])), key=attrgetter("since_at"), default=None)
        if old is not None:
            standing = _standing(unit, workspace_id, key, scans[key], now)
            _go_on_from(unit, standing, old, now)
            carried.append(standing)
    unit.scans.insert(carried)
    ask(unit, workspace_id, workflow, scans.values(), now)


def _look_at_another_time(unit: Unit, fresh: Iterable[StandingScan], before: Iterable[AskedScan], now: int) -> None:
    for standing in fresh:
        if isinstance(standing.scan, SilenceScan | SegmentScan):
            for old in before:
                if goes_on({name: value for name, value in old.said.items() if name != "when"}, standing.scan):
                    _go_on_from(unit, standing, old, now)


def _meet_at_another_time(unit: Unit, fresh: Iterable[StandingScan], before: Iterable[AskedScan], now: int) -> None:
    for standing in fresh:
        scan, moment = standing.scan, from_micros(now)
        if not isinstance(scan, DateScan):
            continue
        starts: dict[str, int] = {}
        for old in before:
            if goes_on({name: value for name, value in old.said.items() if name != "at"}, scan):
                was, done = msgspec.structs.replace(scan, at=old.said["at"]), starts_of(old.cursor)
                for zone in zones_of(unit, standing.workspace_id, scan):
                    looked = from_micros(max(old.since_at, done.get(zone, 0)))
                    start = to_micros(looked_at(scan, was, zone, looked, moment))
                    starts[zone] = min(start, starts.get(zone, start))
        if starts:
            standing.since_at = min(starts.values())
            standing.cursor = msgspec.json.encode((0, "", 0, "", starts)).decode()
            if standing.due_at is not None:
                standing.due_at = next_look(unit, standing.workspace_id, scan, standing.since_at)


def starts_of(cursor: str | None) -> dict[str, int]:
    """Per zone, up to when a scan for days has nothing to look for, where it goes on for another one: the last part of
    its cursor, until its first look is over.
    """
    place: list[Any] = msgspec.json.decode(cursor) if cursor is not None else []
    return place[4] if len(place) > 4 else {}


def _go_on_from(unit: Unit, standing: StandingScan, old: AskedScan, now: int) -> None:
    """Let a scan go on from where another has come to."""
    standing.since_at, standing.until_at, standing.cursor = old.since_at, old.until_at, old.cursor
    # Events carry the key, so this scan would not know again whom that one told shortly before its last look.
    standing.created_at = max(old.created_at, old.since_at)
    if standing.due_at is not None:
        last = max(standing.since_at, standing.created_at)
        standing.due_at = now if old.until_at else next_look(unit, standing.workspace_id, standing.scan, last)


def _leave(unit: Unit, workspace_id: int, keys: AbstractSet[str]) -> None:
    """Take away those of these scans that nobody asks any more, and let those rest that only paused workflows ask."""
    if not keys:
        return
    askers = unit.scans.askers(workspace_id, keys)
    unit.scans.delete(workspace_id, keys - askers.keys())
    unit.scans.rest(workspace_id, [key for key, is_active in askers.items() if not is_active])
    for watch in unit.dates.unused(workspace_id):
        unit.dates.set_watch(workspace_id, watch, LEAVING)


def _wake(unit: Unit, standing: StandingScan, now: int) -> None:
    """Let a scan that rested look again. The looks that fell into its rest are not made up for."""
    if standing.since_at == 0:  # it has yet to tell, or to go on telling, who is in a segment already
        is_under_way = standing.until_at is not None
    else:
        assert not isinstance(standing.scan, DateScan | MomentScan)
        since = from_micros(standing.since_at)
        last = last_tick(standing.scan.when, since, from_micros(now))
        standing.since_at = to_micros(last) if last is not None else standing.since_at
        standing.until_at = standing.cursor = None
        is_under_way = False
    standing.due_at = now if is_under_way else next_look(unit, standing.workspace_id, standing.scan, now)


def zones_of(unit: Unit, workspace_id: int, scan: DateScan) -> list[str]:
    """The time zones in which a date scan looks."""
    if scan.timezone != CONTACT:
        return [scan.timezone]
    return sorted({DEFAULT_ZONE} | unit.dates.zones(workspace_id, watch_of(scan).key))


def next_look(unit: Unit, workspace_id: int, scan: Scan, after: int) -> int | None:
    """When a scan that has looked up to a moment looks next."""
    if isinstance(scan, MomentScan):
        return (after // MINUTE_MICROS + 1) * MINUTE_MICROS
    moment = from_micros(after)
    if isinstance(scan, DateScan):
        found = next_meeting(scan, zones_of(unit, workspace_id, scan), moment)
    else:
        found = next_tick(scan.when, moment)
    return to_micros(found) if found is not None else None


def _standing(unit: Unit, workspace_id: int, key: str, scan: Scan, now: int) -> StandingScan:
    watch: str | None = None
    is_ready = True
    if isinstance(scan, DateScan | MomentScan):
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
