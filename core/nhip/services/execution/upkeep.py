"""What workers do a little at a time beside the steps: keep segments up to now, let enrolments go on, and take
telesales entries from agents who have them no more.
"""

import logging
from typing import Final

from nhip.domain.errors import StorageUnavailable
from nhip.domain.struct import Struct
from nhip.ports import Clock, Storage, Unit
from nhip.services.customers.enrolments import Enrolments
from nhip.services.customers.segments import Segments
from nhip.services.desk.telesales_returns import TelesalesReturns

log = logging.getLogger("nhip.worker")

_PIECES: Final = 20
_JUDGED: Final = 100
"""Contacts that one unit judges: some ten milliseconds, for which events may have to wait."""
_AFTER_A_FAULT: Final = 60_000_000
"""Microseconds after which a piece is tried again that failed in this process."""


class Piece(Struct):
    """Something that is due."""

    workspace_id: int
    name: str
    is_segment: bool


class Round(Struct):
    """What one round did."""

    more: bool
    """Whether something is due still."""
    entered: bool
    """Whether contacts may have entered a workflow."""


class Upkeep:
    """The service. Any number of processes may run it; each piece is held by the one that is busy with it."""

    def __init__(self, segments: Segments, enrolments: Enrolments, returns: TelesalesReturns, clock: Clock) -> None:
        self._segments = segments
        self._enrolments = enrolments
        self._returns = returns
        self._clock = clock
        self._held: dict[Piece, int] = {}

    async def run(self, storage: Storage) -> Round:
        """One unit of each piece that is due. One that fails stops no other.

        Raises:
            StorageUnavailable: the database cannot take it now.
        """
        pieces: list[Piece] = await storage.read(self.due)
        more = entered = False
        for piece in pieces:
            try:
                more = await storage.transact(self.perform, piece) or more
            except StorageUnavailable:
                raise
            except Exception:
                log.exception("upkeep failed", extra={"piece": piece.name})
                self._held[piece] = self._clock.micros() + _AFTER_A_FAULT
            entered = entered or not piece.is_segment
        returned, left = await self._returns.run(storage)
        return Round(more=more or left, entered=entered or returned > 0)

    def due(self, unit: Unit) -> list[Piece]:
        """What there is to do now."""
        now = self._clock.micros()
        self._held = {piece: until for piece, until in self._held.items() if until > now}
        limit = _PIECES + len(self._held)
        pieces = [Piece(workspace_id=one, name=name, is_segment=True) for one, name in unit.segments.due(now, limit)]
        pieces += [Piece(workspace_id=one, name=id_, is_segment=False) for one, id_ in unit.enrolments.due(now, limit)]
        return [piece for piece in pieces if piece not in self._held]

    def perform(self, unit: Unit, piece: Piece) -> bool:
        """One unit of what is due; answers whether more of it is."""
        now = self._clock.micros()
        if piece.is_segment:
            return self._segments.look(unit, piece.workspace_id, piece.name, now, _JUDGED)
        return self._enrolments.step(unit, piece.workspace_id, piece.name, now)
