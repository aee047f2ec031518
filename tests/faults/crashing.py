"""F1: the program dies at exact points, and recovers."""

import asyncio
from collections.abc import Sequence
from typing import Final

from nhip.crashpoints import POINTS
from tests.faults.nursery import Process
from tests.faults.oracle import Violation
from tests.faults.stage import RECOVERY_SECONDS, Stage, on_this_machine

EVENTS: Final = 20
IN_FLIGHT: Final = 4
"""Few steps at once, so that a crash point is passed often."""

LAST: Final = {
    "ingest.body_read": 18,
    "ingest.before_commit": 8,
    "ingest.after_commit": 8,
    "ingest.after_ring": 18,
    "worker.ring_taken": 4,
    "step.claimed": 8,
    "step.intent_stored": 8,
    "step.response_read": 18,
    "step.before_record_commit": 6,
    "step.recorded": 6,
    "reconcile.before_write": 5,
    "reconcile.after_write": 3,
    "receipt.before_commit": 8,
    "replay.before_commit": 3,
}
"""A late pass of each point: one that 20 events surely reach."""
assert set(LAST) == POINTS

API_POINTS: Final = tuple(point for point in LAST if point.startswith(("ingest.", "receipt.")))
WORKER_POINTS: Final = (
    "worker.ring_taken",
    "step.claimed",
    "step.intent_stored",
    "step.before_record_commit",
    "step.recorded",
    "reconcile.before_write",
    "step.response_read",
    "reconcile.after_write",
)
"""In this order: the last is passed only where the one before it has left something behind."""
assert {*API_POINTS, *WORKER_POINTS, "replay.before_commit"} == POINTS


def applies(point: str, delivery_class: str) -> bool:
    """Whether a point exists for a class: only one has receipts."""
    return point != "receipt.before_commit" or delivery_class == "traceable"


async def _send(stage: Stage, count: int = EVENTS) -> None:
    """Send slowly enough that groups stay small and rings stay apart."""
    await stage.client.send_all(stage.events(count), together=2, pause=0.05)


async def crash_once(stage: Stage, point: str, nth: int) -> float:
    """Let the process that passes ``point`` die at the ``nth`` pass, start another, and check.

    Answers how long the recovery took, in seconds.
    """
    api = await stage.set_up()
    if point == "replay.before_commit":
        return await _crash_in_replay(stage, api, nth)
    if point in API_POINTS:
        api.kill()
        stage.start("worker")
        armed = await stage.listening(stage.start("api", crash=f"{point}:{nth}"))
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(_send(stage))
            await stage.died(armed)
            await stage.listening(stage.start("api"))
            await sending
    elif point == "reconcile.after_write":
        # It is passed where something expired: a first worker leaves that behind, and `nth` more die over it.
        first = stage.start("worker", crash="step.response_read:1")
        await _send(stage)
        await stage.died(first)
        armed = first
        for _ in range(nth):
            armed = stage.start("worker", crash=f"{point}:1")
            await stage.died(armed)
        stage.start("worker")
    else:
        armed = stage.start("worker", crash=f"{point}:{nth}")
        sending = asyncio.create_task(_send(stage))
        await stage.died(armed)
        stage.start("worker")
        await sending
    return await _recovered(stage, armed)


async def _crash_in_replay(stage: Stage, api: Process, nth: int) -> float:
    """The operator repeats messages; the process dies over the ``nth`` of them, and the operator's client insists."""
    stage.start("worker")
    await _send(stage)
    await stage.settled()
    api.kill()
    armed = await stage.listening(stage.start("api", crash=f"replay.before_commit:{nth}"))
    replays = asyncio.create_task(replay(stage, LAST["replay.before_commit"]))
    await stage.died(armed)
    await stage.listening(stage.start("api"))
    return await _recovered(stage, armed, await replays)


async def replay(stage: Stage, count: int) -> dict[str, int]:
    """Ask for some finished messages once more, as an operator does; answers which.

    Who asks again before the answer is there asks for one more, so the operator waits while the process lives.
    """
    rows = await stage.database.rows(
        "SELECT d.id, e.source_id FROM deliveries d JOIN runs r ON r.id = d.run_id JOIN events e"
        f" ON e.id = r.root_event_id WHERE d.state IN ('accepted', 'delivered') ORDER BY d.id LIMIT {count}"
    )
    for identifier, _ in rows:
        await stage.client.ask("POST", f"/v1/deliveries/{identifier}/replay", attempt_seconds=60.0)
    return {mark: 1 for _, mark in rows}


async def _recovered(stage: Stage, dead: Process, extra: dict[str, int] | None = None) -> float:
    since = max(dead.ended_at, stage.client.last_at)
    at = await stage.settle_and_check(extra=extra)
    took = at - since
    if took > on_this_machine(RECOVERY_SECONDS):
        raise Violation(f"recovery took {took:.1f} s, more than {RECOVERY_SECONDS:.1f} s\n{await stage.diagnostics()}")
    return took


async def crash_all(stage: Stage, positions: Sequence[int]) -> float:
    """Let process after process die, each at another point, over a stream of events, then check; answers how long the
    recovery from the last death took.

    ``positions`` are indices into (first, second, late), taken in turn by the points. Each pair of an API process and a
    worker that die is replaced by the next pair; only the last are healthy.
    """
    api = await stage.set_up()
    turns = 0

    def armed(point: str) -> str:
        nonlocal turns
        position = positions[turns % len(positions)]
        turns += 1
        nth = 1 if point == "reconcile.after_write" else (1, 2, LAST[point])[position]
        return f"{point}:{nth}"

    api_points = [point for point in API_POINTS if applies(point, stage.provider.delivery_class)]
    helpers: list[Process] = []
    worker = api
    for number, point in enumerate(WORKER_POINTS):
        if number < len(api_points):
            api.kill()
            api = await stage.listening(stage.start("api", crash=armed(api_points[number])))
        worker = stage.start("worker", crash=armed(point))
        sending = asyncio.create_task(_send(stage))
        if number < len(api_points):
            await stage.one_died(api, worker)
            if not worker.alive:
                # A receipt comes only while somebody sends.
                helpers.append(stage.start("worker"))
            await stage.died(api)
            api = await stage.listening(stage.start("api"))
        await stage.died(worker)
        await sending
        while helpers:
            helpers.pop().kill()
    stage.start("worker")
    took = await _recovered(stage, worker)
    api.kill()
    api = await stage.listening(stage.start("api", crash=f"replay.before_commit:{1 + positions[0]}"))
    replays = asyncio.create_task(replay(stage, LAST["replay.before_commit"]))
    await stage.died(api)
    await stage.listening(stage.start("api"))
    extra = await replays
    return max(took, await _recovered(stage, api, extra))
