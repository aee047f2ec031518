"""One look of a scan: how far it goes, whom it finds page by page, and the event that says so."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

from nhip.domain.events import IncomingEvent, RecordSnapshot
from nhip.domain.scans import SCAN_EVENTS, DateScan, MomentScan, SegmentScan, SilenceScan, TickScan
from nhip.domain.standing import MetDate, StandingScan
from nhip.domain.times import format_micros, from_micros, to_micros
from nhip.engine.times.dates import MINUTE_MICROS, Meeting, meetings, minutes_met, slots_on, watch_of
from nhip.engine.times.schedule import last_tick, next_tick, tick_to_run
from nhip.ports import Unit
from nhip.services.events.ingest import ENGINE_SOURCE
from nhip.services.events.kept_days import EVERYWHERE
from nhip.services.scans.asking import next_look, starts_of, zones_of

PAGE: Final = 250
"""Contacts of one unit."""
_LOOK_UPS: Final = 100
"""Days of a date scan at which one unit looks."""
_OVERLAP: Final = 60_000_000
"""What came so shortly before the last look is looked for again: a unit may be slow to commit."""
_DAY_MICROS: Final = 86_400_000_000
_INSTANT: Final = timedelta(microseconds=1)
_ANY: Final = "any"


class Refreshing(Protocol):
    """What looks need of segments."""

    def refresh(self, unit: Unit, workspace_id: int, name: str, now: int, limit: int) -> bool:
        """Judge up to ``limit`` contacts that have to be judged; whether those were all."""
        ...


class Look:
    """One unit of a look. It changes the scan that it is given, and answers with the events of what it found."""

    def __init__(self, unit: Unit, standing: StandingScan, segments: Refreshing, now: int) -> None:
        self._unit = unit
        self._standing = standing
        self._segments = segments
        self._now = now
        self._workspace_id = standing.workspace_id
        self._key = standing.key
        self._type = SCAN_EVENTS[type(standing.scan)]

    def go_on(self) -> list[IncomingEvent]:
        """Begin the look, or go on with it, by one page."""
        if self._standing.until_at is None and not self._begin():
            return []
        match self._standing.scan:
            case SilenceScan() as scan:
                return self._silences(scan)
            case DateScan() as scan:
                return self._dates(scan)
            case MomentScan() as scan:
                return self._moments(scan)
            case TickScan() as scan:
                return self._tick(scan)
            case SegmentScan() as scan:
                return self._entries(scan)

    # --- how far ------------------------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Decide how far this look goes; false where nothing is to be looked at yet, or any more."""
        standing, scan = self._standing, self._standing.scan
        now, since = from_micros(self._now), from_micros(standing.since_at)
        until: datetime | None
        match scan:
            case SilenceScan():
                until = last_tick(scan.when, since, now)
            case DateScan():
                until = now if now > since else None
            case MomentScan():
                until = now.replace(second=0, microsecond=0)
                until = until if until > since else None
            case TickScan():
                until = tick_to_run(scan.when, scan.missed, since, now)
            case SegmentScan():
                until = last_tick(scan.when, self._last_look(), now)
        if until is None:
            if isinstance(scan, TickScan):
                standing.since_at = max(standing.since_at, self._now)
            standing.due_at = next_look(self._unit, self._workspace_id, scan, to_micros(self._last_look()))
            return False
        standing.until_at = to_micros(until)
        return True

    def _last_look(self) -> datetime:
        """A scan for those who are in a segment already looks back before its own beginning."""
        return from_micros(max(self._standing.since_at, self._standing.created_at))

    def _finish(self, since: int) -> None:
        """Everything up to a moment has been looked at."""
        standing = self._standing
        standing.since_at, standing.until_at, standing.cursor = since, None, None
        standing.due_at = next_look(self._unit, self._workspace_id, standing.scan, since)

    def _pause(self, *cursor: Any) -> None:
        """Go on from here in the next unit. Other scans that are due come first."""
        self._standing.cursor = msgspec.json.encode(cursor).decode()
        self._standing.due_at = self._now

    def _place(self) -> list[Any]:
        """Where the unit before has come to; nothing where there was none."""
        place: list[Any] = msgspec.json.decode(self._standing.cursor) if self._standing.cursor is not None else []
        return place

    @property
    def _until(self) -> int:
        assert self._standing.until_at is not None
        return self._standing.until_at

    # --- silences -----------------------------------------------------------------------------------------------------

    def _silences(self, scan: SilenceScan) -> list[IncomingEvent]:
        """Whose last activity lies between the last look and this one, moved back by the days of silence."""
        scans, length = self._unit.scans, scan.days * _DAY_MICROS
        since, until = self._standing.since_at - length, self._until - length
        is_any = scan.activity == _ANY
        find = scans.quiet if is_any else scans.silent
        events: list[IncomingEvent] = []
        place = self._place()
        for kind in scans.activity_kinds(self._workspace_id) if is_any else [scan.activity]:
            if place and kind < place[0]:
                continue
            after = (place[1], place[2]) if place and kind == place[0] else (since + 1, "")
            limit = PAGE - len(events)
            found = find(self._workspace_id, kind, since, until, after, limit)
            events += self._silence_events(scan, found)
            if len(found) == limit:
                contact_id, _, last_at = found[-1]
                self._pause(kind, last_at, contact_id)
                return events
        self._finish(self._until)
        return events

    def _silence_events(self, scan: SilenceScan, found: Sequence[tuple[str, str, int]]) -> Iterator[IncomingEvent]:
        first = next_tick(scan.when, from_micros(self._standing.since_at))
        due = until = self._until
        is_late = first is not None and to_micros(first) < until
        length, activity = scan.days * _DAY_MICROS, scan.activity
        for contact_id, external_id, last_at in found:
            if is_late:  # each has its own moment, at which it would have been found
                crossing = from_micros(last_at + length)
                due = to_micros(next_tick(scan.when, crossing - _INSTANT) or from_micros(until))
            data = {
                "days": (due - last_at) // _DAY_MICROS, "band": scan.days, "activity": activity,
                "since": format_micros(last_at),
            }  # fmt: skip
            yield self._event(contact_id, external_id, last_at, due, data)

    # --- days ---------------------------------------------------------------------------------------------------------

    def _dates(self, scan: DateScan) -> list[IncomingEvent]:
        """Whose day is met at a moment between the last look and this one."""
        zones = zones_of(self._unit, self._workspace_id, scan)
        since, until = from_micros(self._standing.since_at), from_micros(self._until)
        watch = watch_of(scan)
        place, starts = self._place(), starts_of(self._standing.cursor)
        events: list[IncomingEvent] = []
        looked = 0
        for meeting in meetings(scan, zones, since, until):
            if to_micros(meeting.moment) <= starts.get(meeting.zone, 0):
                continue
            for slot in slots_on(meeting.day, scan.every):
                here = [to_micros(meeting.moment), meeting.zone, slot]
                if place and here < place[:3]:
                    continue
                after = place[3] if place and here == place[:3] else ""
                limit = PAGE - len(events)
                found = self._unit.dates.met(
                    self._workspace_id, watch.key, meeting.zone, slot, meeting.day.toordinal(), after, limit,
                    is_open=scan.open,
                )  # fmt: skip
                events += [self._date_event(scan, watch.root, meeting, one) for one in found]
                looked += 1
                if len(found) == limit or looked == _LOOK_UPS:
                    self._pause(*here, found[-1].owner_id if found else after, starts)
                    return events
        self._finish(self._until)
        return events

    def _date_event(self, scan: DateScan, root: str, meeting: Meeting, one: MetDate) -> IncomingEvent:
        data = {"field": scan.field, "date": meeting.day.isoformat(), "days": scan.days}
        occasion = f"{one.owner_id}:{meeting.day.isoformat()}"
        return self._owner_event(root, one, occasion, to_micros(meeting.moment), data)

    # --- minutes ------------------------------------------------------------------------------------------------------

    def _moments(self, scan: MomentScan) -> list[IncomingEvent]:
        """Whose time lies so far from a minute between the last look and this one."""
        watch, standing = watch_of(scan), self._standing
        since = max(standing.since_at - _OVERLAP, standing.created_at)
        first, last = minutes_met(scan, since, self._until)
        slot, owner_id = self._place() or (first + 1, "")
        found = self._unit.dates.between(
            self._workspace_id, watch.key, EVERYWHERE, last, (slot, owner_id), PAGE, is_open=scan.open
        )
        if len(found) == PAGE:
            self._pause(found[-1].slot, found[-1].owner_id)
        else:
            self._finish(self._until)
        return [self._moment_event(scan, watch.root, one) for one in found]

    def _moment_event(self, scan: MomentScan, root: str, one: MetDate) -> IncomingEvent:
        moment = one.slot * MINUTE_MICROS
        data = {"field": scan.field, "moment": format_micros(moment), "minutes": scan.minutes}
        due = moment + scan.minutes * MINUTE_MICROS
        return self._owner_event(root, one, f"{one.owner_id}:{one.slot}", due, data)

    def _owner_event(self, root: str, one: MetDate, occasion: str, due: int, data: dict[str, Any]) -> IncomingEvent:
        event = self._event(one.contact_id, one.contact, occasion, due, data)
        if root != "contact":
            # It says nothing new of the record; it only lets its facts be read.
            event.records = [RecordSnapshot(type=root, external_id=one.owner, fields={})]
        return event

    # --- ticks --------------------------------------------------------------------------------------------------------

    def _tick(self, scan: TickScan) -> list[IncomingEvent]:
        """Everybody, or every member of a segment."""
        if not self._place():
            if scan.segment is not None and not self._refresh(scan.segment):
                return []
            self._pause("")
        [after] = self._place()
        if scan.segment is None:
            pairs = self._unit.scans.contacts(self._workspace_id, after, PAGE)
            page = [name for _, name in pairs]
        else:
            page = [one for one, _ in self._unit.segments.members(self._workspace_id, scan.segment, after, PAGE)]
            pairs = self._named(page)
        tick = self._until
        if len(page) == PAGE:
            self._pause(page[-1])
        else:
            self._finish(tick)
        said = format_micros(tick)
        return [self._event(contact_id, name, tick, tick, {"tick": said}) for contact_id, name in pairs]

    # --- segments -----------------------------------------------------------------------------------------------------

    def _entries(self, scan: SegmentScan) -> list[IncomingEvent]:
        """Who entered a segment since the last look."""
        standing = self._standing
        if not self._place():
            if not self._refresh(scan.segment):
                return []
            self._pause(0, "")
        entered_at, contact_id = self._place()
        is_first = scan.present and standing.since_at == 0
        since = 0 if is_first else max(standing.since_at - _OVERLAP, standing.created_at)
        found = self._unit.segments.entered_between(
            self._workspace_id, scan.segment, since, self._now, (entered_at, contact_id), PAGE, present=is_first
        )
        names = dict(self._named([contact_id for contact_id, _ in found]))
        events = [
            self._event(
                contact_id, names[contact_id], entered_at, self._until,
                {"segment": scan.segment, "entered_at": format_micros(entered_at)},
            )
            for contact_id, entered_at in found
            if contact_id in names
        ]  # fmt: skip
        if len(found) == PAGE:
            self._pause(found[-1][1], found[-1][0])
        else:
            self._finish(max(self._now, self._until))
        return events

    def _refresh(self, segment: str) -> bool:
        """Bring a segment up to date by some contacts; whether it is so now."""
        is_fresh = self._segments.refresh(self._unit, self._workspace_id, segment, self._now, PAGE)
        self._standing.due_at = self._now
        return is_fresh

    # --- events -------------------------------------------------------------------------------------------------------

    def _named(self, contact_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Pairs of id and external id, of those that there are."""
        names = self._unit.scans.external_ids(self._workspace_id, contact_ids) if contact_ids else {}
        return [(one, names[one]) for one in contact_ids if one in names]

    def _event(
        self, contact_id: str, external_id: str, occasion: int | str, due: int, data: dict[str, Any]
    ) -> IncomingEvent:
        """The event that says that a scan found a contact; the same one whenever it is found on the same occasion."""
        key = data["scan"] = self._key
        return IncomingEvent(
            source=ENGINE_SOURCE, source_id=f"{key}:{contact_id}:{occasion}", type=self._type, subject=external_id,
            time=due, data=data,
        )  # fmt: skip
