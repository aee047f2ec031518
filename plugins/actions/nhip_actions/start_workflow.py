"""Lets the contact enter another workflow.

Example, nurturing whoever did not buy::

    {"id": "nurture", "action": "start_workflow", "config": {
        "workflow": "nurture-monthly", "data": {"offer": "{{ event.data.offer }}"}}}

The other workflow's triggers are not asked; its conditions, its re-entry and its mode are.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from nhip import Action, Config, LocalAction, LocalContext, hookimpl


class StartWorkflowConfig(Config):
    """Which workflow begins, and what it is told."""

    workflow: Annotated[
        str, Meta(description="The name of a workflow of this workspace.", min_length=1, max_length=100)
    ]
    data: Annotated[
        dict[str, Any],
        Meta(description="What the other workflow reads as event.data, with personalisation.", max_length=50),
    ] = field(default_factory=dict)


class StartWorkflow(LocalAction):
    """Lets the contact enter another workflow."""

    kind = "start_workflow"
    config_type = StartWorkflowConfig

    def references(self, config: StartWorkflowConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {"started_workflow": [("workflow", config.workflow)]}

    def run(self, context: LocalContext, config: StartWorkflowConfig) -> Mapping[str, Any]:
        """Ask for it; the output names the event by which the contact enters, whose explanation says what became."""
        return {"event": context.start_workflow(config.workflow, context.render(config.data))}


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [StartWorkflow]
