"""What time sets off: looks that are due find contacts, and an event for each of them comes in.

A look is made of units. Each finds a page of contacts by an index, lets their events in, and writes how far the look
has come, all of it or nothing: so a tick is once, however many schedulers there are, and whenever one of them stops. An
event's source id says the scan, the contact and the occasion, so that finding somebody twice does no harm.
"""

import logging
from typing import Final

from nhip.domain.errors import StorageUnavailable
from nhip.domain.struct import Struct
from nhip.engine.times.dates import watch_named
from nhip.ports import Clock, Storage, Unit
from nhip.services.events.ingest import Ingest
from nhip.services.events.kept_days import FILLING, KEPT, keep_days
from nhip.services.scans.looks import Look, Refreshing

log = logging.getLogger("nhip.scheduler")

_JOBS: Final = 50
_FILL: Final = 500
"""Contacts or records of one unit whose days are kept from now on."""
_EMPTY: Final = 1_000
_AFTER_A_FAULT: Final = 60_000_000
"""Microseconds after which a scan is tried again that failed in this process."""


class Job(Struct):
    """Something that is due."""

    workspace_id: int
    key: str
    is_watch: bool = False


class Scheduler:
    """The service. :meth:`run` serves a worker; :meth:`due` and :meth:`perform` run inside units."""

    def __init__(self, ingest: Ingest, segments: Refreshing, clock: Clock) -> None:
        self._ingest = ingest
        self._segments = segments
        self._clock = clock
        self._held: dict[Job, int] = {}

    async def run(self, storage: Storage) -> int:
        """Look until nothing is due that nobody else looks at; answers how many units that took.

        Raises:
            StorageUnavailable: the database cannot take it now.
        """
        count = 0
        while True:
            performed = 0
            jobs: list[Job] = await storage.read(self.due)
            for job in jobs:
                try:
                    performed += await storage.transact(self.perform, job)
                except StorageUnavailable:
                    raise
                except Exception:
                    # One scan that fails never stops the others.
                    log.exception("scan failed", extra={"scan": job.key})
                    self._held[job] = self._clock.micros() + _AFTER_A_FAULT
            if not performed:
                return count
            count += performed

    def due(self, unit: Unit) -> list[Job]:
        """What there is to do now."""
        now = self._clock.micros()
        self._held = {job: until for job, until in self._held.items() if until > now}
        limit = _JOBS + len(self._held)
        jobs = [Job(workspace_id=one, key=key, is_watch=True) for one, key in unit.dates.unsettled(limit)]
        jobs += [Job(workspace_id=one, key=key) for one, key in unit.scans.due(now, limit)]
        return [job for job in jobs if job not in self._held]

    def perform(self, unit: Unit, job: Job) -> bool:
        """One unit of what is due; false where there is nothing left to do, or somebody else does it."""
        now = self._clock.micros()
        if job.is_watch:
            return self._settle(unit, job, now)
        standing = unit.scans.take(job.workspace_id, job.key, now)
        if standing is None:
            return False
        events = Look(unit, standing, self._segments, now).go_on()
        if events:
            self._ingest.ingest(unit, job.workspace_id, events, now)
        unit.scans.save(standing)
        return True

    def _settle(self, unit: Unit, job: Job, now: int) -> bool:
        """Fill or empty a watch by some rows."""
        taken = unit.dates.take(job.workspace_id, job.key)
        if taken is None:
            return False
        state, cursor = taken
        if state == FILLING:
            watch = watch_named(job.key)
            owners = unit.dates.owners(job.workspace_id, watch.root, cursor, _FILL)
            keep_days(unit, job.workspace_id, [watch], owners, now)
            if len(owners) == _FILL:
                unit.dates.move(job.workspace_id, job.key, owners[-1].external_id)
            else:
                unit.dates.set_watch(job.workspace_id, job.key, KEPT)
                unit.scans.release(job.workspace_id, job.key, now)
        elif unit.dates.empty(job.workspace_id, job.key, _EMPTY) < _EMPTY:
            unit.dates.remove_watch(job.workspace_id, job.key)
        return True
