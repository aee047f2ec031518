"""Deliberately broken builds. Each breaks one promise in this process only, and a fault test must notice.

`apply(name)` is called by the test-only command (`tests.faults.entry`) before the program starts; `broken(name)` breaks
the program in the process of the tests for a while.
"""

import asyncio
import contextlib
import contextvars
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

CANARIES: Final[dict[str, Callable[[], None]]] = {}


_REPLACED: Final[list[tuple[Any, str, Any]]] = []


def _canary(broken: Callable[[], None]) -> Callable[[], None]:
    CANARIES[broken.__name__] = broken
    return broken


def _replace(owner: Any, name: str, broken: Any) -> Any:
    """Put something broken in the place of a part of the program; answers the part that was there."""
    whole = getattr(owner, name)
    setattr(owner, name, broken)
    _REPLACED.append((owner, name, whole))
    return whole


def apply(name: str) -> None:
    """Break the program in the way of that name."""
    CANARIES[name]()


@contextlib.contextmanager
def broken(name: str) -> Iterator[None]:
    """Break the program in the way of that name, and mend it again."""
    before = len(_REPLACED)
    apply(name)
    try:
        yield
    finally:
        while len(_REPLACED) > before:
            setattr(*_REPLACED.pop())


@_canary
def no_epoch_guard() -> None:
    """Whoever comes back writes what it knows, no matter who owns the step by now."""
    from nhip.services.runs.progress import Progress

    def unguarded(self: Progress, unit: Any, changes: Sequence[Any], now: int, **options: Any) -> list[bool]:
        lock_steps = unit.runs.lock_steps
        state = next(iter(options.get("expected", {"running"})))
        epochs = {change.step.id: change.step.epoch for change in changes}
        unit.runs.lock_steps = lambda ids: {
            one: msgspec.structs.replace(held, epoch=epochs[one], state=state) for one, held in lock_steps(ids).items()
        }
        try:
            answer: list[bool] = record(self, unit, changes, now, **options)
            return answer
        finally:
            unit.runs.lock_steps = lock_steps

    record = _replace(Progress, "record", unguarded)


@_canary
def no_unique_key() -> None:
    """Duplicates are looked for, but nothing keeps two transactions from both finding none."""
    import asyncpg

    from nhip.adapters.db.stores.events import SqlEvents

    async def drop() -> None:
        connection = await asyncpg.connect(os.environ["NHIP_DATABASE_URL"].replace("+asyncpg", ""))
        try:
            await connection.execute(
                "ALTER TABLE events DROP CONSTRAINT IF EXISTS uq_events_source_id_source_workspace_id"
            )
        finally:
            await connection.close()

    asyncio.run(drop())

    def slowly(self: SqlEvents, rows: Any) -> None:
        time.sleep(0.03)  # the window that the key closes, wide open
        insert(self, rows)

    insert = _replace(SqlEvents, "insert", slowly)


@_canary
def no_reconciler() -> None:
    """Nobody looks after expired leases."""
    from nhip.services.execution.reconcile import Reconcile, Reconciled

    _replace(Reconcile, "run", lambda *_: Reconciled())


@_canary
def attempt_in_key() -> None:
    """Each attempt brings a key of its own."""
    from nhip.services.execution import outgoing

    attempt: contextvars.ContextVar[int] = contextvars.ContextVar("attempt", default=0)

    def numbered(self: Any, step: Any, *rest: Any) -> None:
        attempt.set(step.attempt)
        prepare_one(self, step, *rest)

    prepare_one = _replace(outgoing.Outgoing, "prepare_one", numbered)
    key: Any = _replace(outgoing, "idempotency_key", lambda *parts: key(*parts[:-1], parts[-1] * 1000 + attempt.get()))


@_canary
def blind_resend() -> None:
    """What may have gone out is sent again, whatever its provider does with a repeated key."""
    from nhip.engine.journeys import settle
    from nhip.services.execution import outgoing

    for part in (settle, outgoing):
        _replace(part, "is_deduped", lambda *_: True)


@_canary
def blind_reclaim() -> None:
    """A step whose worker died is simply done again, whatever its provider does with a repeated key."""
    from nhip.services.execution import outgoing, reconcile

    for part in (reconcile, outgoing):
        _replace(part, "is_deduped", lambda *_: True)


@_canary
def acknowledge_early() -> None:
    """The answer goes out first; the commit follows soon, as a rule."""
    from nhip.domain.events import EventReceipt
    from nhip.domain.ids import new_id
    from nhip.services.events.inbox import Inbox

    later: set[asyncio.Task[Any]] = set()

    async def early(self: Inbox, workspace_id: int, events: list[Any]) -> list[EventReceipt]:
        async def commit() -> None:
            await asyncio.sleep(0.05)
            await submit(self, workspace_id, events)

        task = asyncio.get_running_loop().create_task(commit())
        later.add(task)
        task.add_done_callback(later.discard)
        return [EventReceipt(id=new_id(), source_id=one.source_id, duplicate=False, runs=()) for one in events]

    submit = _replace(Inbox, "submit", early)


@_canary
def successor_apart() -> None:
    """The next step is written in a transaction of its own, after the one that records this step."""
    from nhip.adapters.db.session import Database
    from nhip.crashpoints import crashpoint
    from nhip.services.runs.progress import Progress

    owed: list[tuple[Any, ...]] = []

    def postpone(self: Progress, _unit: Any, *rest: Any) -> None:
        owed.append((self, *rest))

    def pay(unit: Any, progress: Progress, *rest: Any) -> None:
        go_on(progress, unit, *rest)

    async def in_two(self: Database, work: Any, *args: Any, **kwargs: Any) -> Any:
        answer = await transact(self, work, *args, **kwargs)
        while owed:
            crashpoint("step.recorded")
            await transact(self, pay, *owed.pop())
        return answer

    go_on = _replace(Progress, "_go_on", postpone)
    transact = _replace(Database, "transact", in_two)


@_canary
def hasty_waits() -> None:
    """What is due is asked of a clock that is an hour ahead, as one in another time zone."""
    from nhip.adapters.db.stores.runs import SqlRuns

    due_waits: Any = _replace(
        SqlRuns, "due_waits", lambda self, now, limit: due_waits(self, now + 3_600_000_000, limit)
    )


@_canary
def sleepy_waits() -> None:
    """A wait that has been due for a day is thought to be somebody else's."""
    from nhip.adapters.db.stores.runs import SqlRuns

    due_waits: Any = _replace(
        SqlRuns, "due_waits", lambda self, now, limit: due_waits(self, now - 86_400_000_000, limit)
    )


@_canary
def stale_version() -> None:
    """A worker goes on in the version in which it claimed the step, wherever the run stands by now."""
    from nhip.services.runs.progress import Progress

    def stale(self: Progress, unit: Any, changes: Sequence[Any], now: int, **options: Any) -> list[bool]:
        lock_steps = unit.runs.lock_steps
        claimed = {change.step.id: change.step for change in changes}
        unit.runs.lock_steps = lambda ids: {
            one: msgspec.structs.replace(held, version_id=claimed[one].version_id, node=claimed[one].node)
            for one, held in lock_steps(ids).items()
        }
        try:
            answer: list[bool] = record(self, unit, changes, now, **options)
            return answer
        finally:
            unit.runs.lock_steps = lock_steps

    record = _replace(Progress, "record", stale)
