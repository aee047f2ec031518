"""The async door to ingest: group commit, crash points, back-pressure, and the ring afterwards."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nhip.crashpoints import crashpoint
from nhip.domain.events import EventReceipt, IncomingEvent
from nhip.ports import Clock, Doorbell, Storage, Unit
from nhip.services.events.ingest import Ingest, Stored, Submission
from nhip.services.workspace.group_commit import GroupCommit

if TYPE_CHECKING:
    from nhip.domain.errors import Overloaded


class Inbox:
    """Stores the events of requests. An answer means that they are committed."""

    def __init__(self, storage: Storage, ingest: Ingest, clock: Clock, doorbell: Doorbell, *, lanes: int = 1) -> None:
        self._storage = storage
        self._ingest = ingest
        self._clock = clock
        self._doorbell = doorbell
        self._group: GroupCommit[Submission, list[EventReceipt]] = GroupCommit(
            self._flush, weigh=lambda submission: len(submission.events), lanes=lanes
        )
        self.overload: Overloaded | None = None
        """Set while the engine is too far behind; every submission is refused with it."""

    async def submit(self, workspace_id: int, events: list[IncomingEvent]) -> list[EventReceipt]:
        """Store these events in one transaction, with what they start.

        Raises:
            Overloaded: back-pressure.
            StorageUnavailable: the database cannot take it now; nothing was stored.
        """
        crashpoint("ingest.body_read")
        if self.overload is not None:
            raise self.overload
        receipts = await self._group.submit(Submission(workspace_id, events))
        crashpoint("ingest.after_ring")
        return receipts

    async def drain(self) -> None:
        """Wait until everything submitted so far is committed."""
        await self._group.drain()

    async def _flush(self, submissions: Sequence[Submission]) -> list[list[EventReceipt]]:
        stored = await self._storage.transact(self._store, submissions)
        crashpoint("ingest.after_commit")
        if stored.work:
            self._doorbell.ring()
        return stored.receipts

    def _store(self, unit: Unit, submissions: Sequence[Submission]) -> Stored:
        stored = self._ingest.submit(unit, submissions, self._clock.micros())
        crashpoint("ingest.before_commit")
        return stored
