"""Gives an employee something to do for the contact, and waits for what comes of it where that is asked for.

Example, calling a customer who did not open the offer, and going on with what came of the call::

    {"id": "call", "action": "create_task", "config": {
        "title": "Call {{ contact.name }} about the offer", "type": "call", "due_at": "P1D", "assign": "owner",
        "wait_for_outcome": {"timeout": "P3D"}}},
    {"id": "reached", "if": {"field": "steps.call.outcome", "op": "equals", "value": "reached"}, "then": […]}

and answering on the next working day whoever wrote at night::

    {"id": "morning", "action": "create_task", "config": {
        "title": "Answer {{ contact.name }}", "type": "message", "due_at": {"next_working": "09:00"},
        "assign": {"to": "department:care"}}}
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta

from nhip import (
    Action,
    Await,
    Config,
    LocalContext,
    Problem,
    Result,
    all_of,
    any_of,
    hookimpl,
    parse_duration,
    test,
)
from nhip_actions.work import CreateWork, Line, WorkConfig

ENDED = ("done", "completed", "cancelled")
"""The statuses in which nobody works on a task any more."""
USUAL = timedelta(days=30)
LONGEST = timedelta(days=365)
LONGEST_OUTCOME = 200


class WaitForOutcome(Config):
    """How long the run waits for the task."""

    timeout: Annotated[str, Meta(description="How long at most, as in P3D.", min_length=3, max_length=40)]


class CreateTaskConfig(WorkConfig):
    """The new task; every text may have {{ … }}."""

    status: Annotated[Line, Meta(description="The status that it begins in.")] = "open"
    type: Annotated[Line | None, Meta(description="What kind of work: call, visit, message, paperwork.")] = None
    wait_for_outcome: Annotated[
        WaitForOutcome | bool,
        Meta(
            description="Waits until the task is completed or cancelled, 30 days where it is true. The step's outcome "
            "is then the task's, or its status where it has none, and timeout where neither comes in time."
        ),
    ] = False


class CreateTask(CreateWork):
    """Gives an employee something to do for the contact."""

    kind = "create_task"
    config_type = CreateTaskConfig
    record_type = "task"
    hears = ("task.completed", "task.status_changed")

    def check(self, config: CreateTaskConfig) -> Sequence[Problem]:
        """The times must be some."""
        problems = [*super().check(config)]
        if isinstance(config.wait_for_outcome, WaitForOutcome):
            try:
                is_possible = timedelta() < parse_duration(config.wait_for_outcome.timeout) <= LONGEST
                said = "it waits for more than nothing, and a year at most"
            except ValueError as error:
                is_possible, said = False, str(error)
            if not is_possible:
                problems.append(Problem(path="wait_for_outcome.timeout", code="bad_value", message=said))
        return problems

    def implied(self, context: LocalContext, config: CreateTaskConfig) -> dict[str, Any]:
        """Nothing."""
        return {}

    def run(self, context: LocalContext, config: CreateTaskConfig) -> Mapping[str, Any] | Result:
        """Make it; the output is the task, with ``assignment`` where it was to be given to somebody."""
        task = self.make(context, config)
        wanted = config.wait_for_outcome
        if not wanted:
            return task
        identifier = task["external_id"]
        named = any_of(
            test("task.external_id", "equals", identifier),
            test("event.data.external_id", "equals", identifier),
        )
        over = any_of(test("event.type", "equals", "task.completed"), test("task.status", "in", list(ENDED)))
        timeout = parse_duration(wanted.timeout) if isinstance(wanted, WaitForOutcome) else USUAL
        return Result(output=task, wait=Await(events=self.hears, timeout=timeout, where=all_of(named, over)))

    def heard(
        self, context: LocalContext, config: CreateTaskConfig, output: Mapping[str, Any], event: Mapping[str, Any]
    ) -> Result:
        """The task is over; the output is the task as it is then."""
        task = context.find_record("task", output["external_id"]) or {}
        status = task["status"] if task.get("status") in ENDED else "done"
        outcome = str(event["data"].get("outcome") or task.get("outcome") or status)
        return Result(output={**output, **task}, outcome=outcome[:LONGEST_OUTCOME])


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [CreateTask]
