"""However a client says that a task is completed, one completion starts a workflow once."""

from typing import Any

import pytest

from tests.support.world import World

OPEN = {"task": {"external_id": "CV-1", "status": "open", "type": "call"}}
DONE = {"task": {"external_id": "CV-1", "status": "done", "outcome": "reached"}}
UNSAID = {"task": {"external_id": "CV-1", "outcome": "reached"}}


@pytest.mark.parametrize(
    "story",
    [
        pytest.param([("task.updated", OPEN), ("task.updated", DONE)], id="by its status"),
        pytest.param([("task.updated", OPEN), ("task.completed", DONE)], id="by the event, with its status"),
        pytest.param([("task.updated", OPEN), ("task.completed", UNSAID)], id="by the event, without its status"),
        pytest.param(
            [("task.updated", OPEN), ("task.updated", DONE), ("task.completed", DONE)], id="by one, then both"
        ),
        pytest.param([("task.updated", OPEN), ("task.updated", DONE), ("task.completed", UNSAID)], id="one by one"),
        pytest.param(
            [("task.updated", OPEN), ("task.completed", DONE), ("task.updated", DONE)], id="by both, then one"
        ),
        pytest.param([("task.updated", OPEN), ("task.completed", UNSAID), ("task.updated", DONE)], id="and its status"),
        pytest.param([("task.completed", DONE)], id="by both, and it is new"),
        pytest.param([("task.completed", UNSAID)], id="by the event, and it is new"),
        pytest.param(
            [("task.updated", OPEN), ("task.completed", {"outcome": "reached"})], id="by the event, which names no task"
        ),
    ],
)
async def test_one_completion_starts_a_workflow_once(world: World, story: list[tuple[str, dict[str, Any]]]) -> None:
    trigger = {"id": "called", "type": "task_completed", "config": {"outcome": ["reached"]}}
    await world.workflow("follow-up", {"id": "pause", "wait": {"for": "P1D"}}, on=trigger)

    runs = [run for kind, data in story for run in (await world.happens(kind, **data)).runs]

    assert len(runs) == 1
