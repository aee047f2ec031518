"""F19: another version is published, again and again, while workers that have runs in their hands are killed."""

import asyncio
import random
from functools import partial
from typing import Any

from nhip.testing.standins.faults import Faults
from tests.faults.oracle import Findings
from tests.faults.stage import Stage

NOTE = {"id": "note", "action": "create_task", "config": {"title": "{{ event.source_id }}"}}


def workflow(version: int) -> dict[str, Any]:
    """Tell, rest for a second, do one thing more in every version, and note."""
    more = [
        {"id": f"more{number}", "action": "update_contact", "config": {"add_tags": [f"v{number}"]}}
        for number in range(version)
    ]
    return {
        "name": "shipped",
        "title": "Tell, rest and note",
        "triggers": [{"id": "shipped", "type": "event", "config": {"type": "parcel.shipped"}}],
        "steps": [
            {"id": "tell", "action": "send_message", "config": {"channel": "out", "template": "shipped"}},
            {"id": "rest", "wait": {"for": "PT1S"}},
            *more,
            NOTE,
        ],
    }


async def publish_amid(
    stage: Stage, *, plan: str, events: int, publishes: int, seed: int, kill: bool = True
) -> tuple[int, int, int]:
    """Publish and kill while events come; answers how many versions runs ended on, how many moved and how many left."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    await stage.set_up()
    await save(stage, 0)
    await publish(stage, "finish")
    stage.provider.standin.faults = Faults(slow=1.0, slow_seconds=0.4)
    living = [stage.start("worker") for _ in range(2)]
    for number in range(1, publishes + 2):
        made = stage.events(events // (publishes + 1))
        await save(stage, number)
        before = stage.provider.received().total()
        sending = asyncio.create_task(stage.client.send_all(made, together=4, pause=0.02))
        await stage.until(partial(_has_told_more_than, stage, before), "messages go out")
        if number <= publishes:
            # Somebody is being told, and somebody rests.
            turn = asyncio.create_task(publish(stage, plan))
            if kill:
                await asyncio.sleep(chance.uniform(0.0, 0.1))
                living[number % 2].kill()
                living[number % 2] = stage.start("worker")
            await turn
        await sending
    await stage.settled()
    runs = await stage.database.rows(
        "SELECT e.source_id, r.state, r.version, r.moved_from, r.reason, r.id FROM runs r"
        " JOIN events e ON e.id = r.root_event_id"
    )
    left = [row[0] for row in runs if row[1] == "exited"]
    await stage.check(held=left)
    await check_versions(stage, plan, runs)
    return len({row[2] for row in runs}), sum(row[3] is not None for row in runs), len(left)


def _has_told_more_than(stage: Stage, count: int) -> bool:
    return stage.provider.received().total() > count


async def save(stage: Stage, version: int) -> None:
    """Write down the next version."""
    await stage.client.ask("PUT", "/v1/workflows/shipped", workflow(version))


async def publish(stage: Stage, plan: str) -> None:
    """Publish it, with a plan for the runs under way."""
    body = {} if plan == "finish" else {"plan": {"runs": plan}}
    await stage.client.ask("POST", "/v1/workflows/shipped/publish", body)


async def check_versions(stage: Stage, plan: str, runs: list[tuple[Any, ...]]) -> None:
    """Each run ended on the version that it entered or was moved to, and did each step of it once."""
    findings = Findings()
    ends = {"completed", "exited"} if plan == "exit" else {"completed"}
    findings.expect_none([row for row in runs if row[1] not in ends], "runs ended in another way")
    wrong = [row for row in runs if row[1] == "exited" and not str(row[4]).startswith("published: version ")]
    findings.expect_none(wrong, "runs left without being told to")
    findings.expect_none([row for row in runs if row[3] is not None and plan != "move"], "runs moved unasked")
    findings.expect_none(
        await stage.database.rows(
            "SELECT run_id, path, COUNT(*) FROM steps WHERE state <> 'cancelled' GROUP BY run_id, path"
            " HAVING COUNT(*) > 1"
        ),
        "steps were done twice",
    )
    steps = await stage.database.rows(
        "SELECT r.id, r.version, r.moved_from IS NOT NULL, s.path, v.number FROM runs r JOIN steps s ON s.run_id = r.id"
        " JOIN workflow_versions v ON v.id = s.version_id WHERE r.workflow = 'shipped' ORDER BY r.id, s.id"
    )
    done: dict[tuple[str, int, bool], list[tuple[str, int]]] = {}
    for run, version, moved, path, number in steps:
        done.setdefault((run, version, bool(moved)), []).append((path, number))
    findings.expect_none(
        [(run, way) for (run, version, moved), way in done.items() if not _is_theirs(way, version, moved)],
        "runs did steps of a version that is not theirs",
    )
    over = {row[5] for row in runs if row[1] == "completed"}
    findings.expect_none(
        [(run, way) for (run, version, _), way in done.items() if not _is_whole(way, version, run in over)],
        "runs left out steps of their version",
    )
    findings.raise_if_any(await stage.diagnostics() if findings.problems else "")


def _is_theirs(way: list[tuple[str, int]], version: int, moved: bool) -> bool:
    """Whether a run was in one version after the other, and in its own at last; one that never moved, in no other."""
    numbers = [number for _, number in way]
    return numbers == sorted(numbers) and numbers[-1] == version and (moved or numbers[0] == version)


def _is_whole(way: list[tuple[str, int]], version: int, over: bool) -> bool:
    """Whether a run did all steps of its version from the one on that it came to it at, as far as it came."""
    # Version 1 is the stage's own, 2 has nothing more, 3 one step more, …
    wanted = ["tell", "rest", *(f"more{number}" for number in range(version - 2)), NOTE["id"]]
    mine = [path for path, number in way if number == version]
    if not mine or mine[0] not in wanted:
        return False
    wanted = wanted[wanted.index(mine[0]) :]
    return mine == (wanted if over else wanted[: len(mine)])
