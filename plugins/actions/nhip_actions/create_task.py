"""Gives an employee something to do for the contact.

Example, calling a customer who did not open the offer::

    {"id": "call", "action": "create_task", "config": {
        "title": "Call {{ contact.name }} about the offer", "type": "call", "due_at": "P1D", "assign": "owner"}}
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from nhip import Action, Config, LocalAction, LocalContext, Problem, hookimpl
from nhip_actions.assignment import assignee_of, due_at, due_problems, given

Line = Annotated[str, Meta(min_length=1, max_length=500)]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]


class CreateTaskConfig(Config):
    """The new task; every text may have {{ … }}."""

    title: Annotated[Line, Meta(description="What is to be done, in one line.")]
    description: Annotated[Text | None, Meta(description="The details.")] = None
    status: Annotated[Line, Meta(description="The status that it begins in.")] = "open"
    type: Annotated[Line | None, Meta(description="What kind of work: call, visit, message, paperwork.")] = None
    priority: Annotated[Line | None, Meta(description="How urgent it is: low, normal, high, urgent.")] = None
    department: Annotated[Line | None, Meta(description="The department that must do it.")] = None
    due_at: Annotated[
        Line | None, Meta(description="When it must be done: an RFC 3339 time, or how long from now, as in P1D.")
    ] = None
    note: Annotated[Text | None, Meta(description="A remark for colleagues.")] = None
    custom: Annotated[dict[str, Any], Meta(description="Custom fields.", max_length=50)] = field(default_factory=dict)
    assign: Annotated[
        Line | None, Meta(description="Who gets it: owner (of the contact), or an employee's external id.")
    ] = None


class CreateTask(LocalAction):
    """Gives an employee something to do for the contact."""

    kind = "create_task"
    config_type = CreateTaskConfig

    def check(self, config: CreateTaskConfig) -> Sequence[Problem]:
        """The time must be one, unless it is filled in later."""
        return due_problems(config.due_at)

    def run(self, context: LocalContext, config: CreateTaskConfig) -> Mapping[str, Any]:
        """Make it; the output is the task. It has no assignee where the contact has no owner."""
        texts = given(
            title=config.title,
            description=config.description,
            status=config.status,
            type=config.type,
            priority=config.priority,
            department=config.department,
            note=config.note,
            custom=config.custom,
        )
        fields = {
            **context.render(texts),
            **given(assignee=assignee_of(context, config.assign), due_at=due_at(context, config.due_at)),
        }
        return dict(context.save_record("task", None, fields, create=True))


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [CreateTask]
