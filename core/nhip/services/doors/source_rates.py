"""Rate limits of sources, kept in the database: they hold over all processes."""

from collections import Counter
from collections.abc import Sequence

from nhip.domain.errors import Overloaded
from nhip.domain.sources import StoredSource
from nhip.engine.incoming.rates import admit
from nhip.ports import Clock, Storage, Unit
from nhip.services.workspace.group_commit import GroupCommit


class SourceRates:
    """Lets requests pass; one in each process. Requests that come together are decided in one unit.

    A process that was told when the next one passes asks no sooner, so a flood costs the database next to nothing.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._full_until: dict[str, int] = {}
        self._group: GroupCommit[StoredSource, int] = GroupCommit(self._flush)

    async def take(self, source: StoredSource) -> None:
        """Let a request pass.

        Raises:
            Overloaded: not now.
            StorageUnavailable: it cannot be known now.
        """
        free_at = self._full_until.get(source.id, 0)
        if free_at <= self._clock.micros():
            free_at = await self._group.submit(source)
        if free_at:
            wait = max(free_at - self._clock.micros(), 0) / 1_000_000
            raise Overloaded(f"the source {source.name!r} takes {source.rate_per_second} requests a second", wait)

    async def _flush(self, asking: Sequence[StoredSource]) -> list[int]:
        now = self._clock.micros()
        decided = await self._storage.transact(self._decide, asking, now)
        for source, free_at in zip(asking, decided, strict=True):
            if free_at:
                self._full_until[source.id] = free_at
            else:
                self._full_until.pop(source.id, None)
        return decided

    @staticmethod
    def _decide(unit: Unit, asking: Sequence[StoredSource], now: int) -> list[int]:
        """Per request 0 where it passes, else when the next one does."""
        counts = Counter((source.workspace_id, source.name) for source in asking)
        rates = {(source.workspace_id, source.name): source.rate_per_second for source in asking}
        decisions: dict[tuple[int, str], list[int]] = {}
        for key in sorted(counts):
            known = unit.sources.lock_rate(*key)
            asked = counts[key]
            passed, free_at, next_at = admit(known or 0, rates[key], asked, now)
            if known is not None and passed:
                unit.sources.set_rate(*key, free_at)
            decisions[key] = [0] * passed + [next_at] * (asked - passed)
        answers = {key: iter(decision) for key, decision in decisions.items()}
        return [next(answers[source.workspace_id, source.name]) for source in asking]
