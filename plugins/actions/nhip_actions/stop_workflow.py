"""Ends the contact's runs of a workflow before their next step.

Example, no more reminders for whoever has paid::

    {"id": "enough", "action": "stop_workflow", "config": {"workflow": "payment-reminders"}}
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from nhip import Action, Config, LocalAction, LocalContext, hookimpl


class StopWorkflowConfig(Config):
    """Which workflow ends for the contact."""

    workflow: Annotated[
        str, Meta(description="The name of a workflow of this workspace.", min_length=1, max_length=100)
    ]


class StopWorkflow(LocalAction):
    """Ends the contact's other runs of a workflow."""

    kind = "stop_workflow"
    config_type = StopWorkflowConfig

    def references(self, config: StopWorkflowConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {"workflow": [("workflow", config.workflow)]}

    def run(self, context: LocalContext, config: StopWorkflowConfig) -> Mapping[str, Any]:
        """End them; the output says how many there were."""
        return {"stopped": context.stop_workflow(config.workflow)}


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [StopWorkflow]
