"""Starts a workflow when an employee completes a task.

Example, sending the offer after a call that reached the customer::

    {"id": "called", "type": "task_completed", "config": {"type": ["call"], "outcome": ["reached"]}}

There are two ways to say that a task is completed, and one completion starts a workflow once, whichever is used:

- by its status, in any event, ``PUT /v1/records/task/…`` or step: it enters one of the statuses that mean completed;
- by the event ``task.completed``, with the task (``{"task": {"external_id": "CV-1", "outcome": "reached"}}``), or
  without it where Nhịp does not keep the tasks (``{"type": "call", "outcome": "reached"}``).

A ``task.completed`` about a task that had such a status before the event repeats what is known, and starts nothing. One
that says no status means ``done``. Where other statuses mean completed (``to``), the event should carry the task with
its new status: an event that does not counts, and the status that follows it counts again.
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, all_of, any_of, hookimpl, test

Names = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=50)]

COMPLETED = ("done", "completed")
"""The statuses that mean completed, where the configuration does not say which."""


class TaskCompletedConfig(Config):
    """Which completed tasks start the workflow."""

    outcome: Annotated[
        Names,
        Meta(
            description="What came of the task, as it is known when it is completed; anything where the list is empty."
        ),
    ] = ()
    type: Annotated[Names, Meta(description="The kinds of work; any where the list is empty.")] = ()
    to: Annotated[
        Names,
        Meta(description="The statuses that mean completed: done and completed where the list is empty."),
    ] = ()


class TaskCompleted(Trigger):
    """Starts when a task is completed, by its status or by an event that says so."""

    kind = "task_completed"
    config_type = TaskCompletedConfig

    def lower(self, config: TaskCompletedConfig) -> Lowered:
        """The event counts while the status does not say it; the status counts where this event made it say so."""
        to = list(config.to or COMPLETED)
        said = all_of(test("event.type", "equals", "task.completed"), test("task.status", "not_in", to))
        entered = all_of(
            test("task.status", "in", to),
            test("previous.task.status", "not_in", to),
            any_of(test("task.status", "changed"), test("event.type", "equals", "task.created")),
        )
        outcome = [test(field, "in", list(config.outcome)) for field in ("task.outcome", "event.data.outcome")]
        kind = [test(field, "in", list(config.type)) for field in ("task.type", "event.data.type")]
        return Lowered(
            event_types=("task.completed", "task.status_changed", "task.created"),
            condition=all_of(
                any_of(said, entered),
                any_of(*outcome) if config.outcome else None,
                any_of(*kind) if config.type else None,
            ),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [TaskCompleted]
