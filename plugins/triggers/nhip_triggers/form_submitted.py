"""Starts a workflow when somebody sends in a form: ``form.submitted`` with the form's name in ``data.form``.

Example, answering who asks for an offer::

    {"id": "asked", "type": "form_submitted", "config": {"form": ["offer", "consultation"]}}

for the event::

    {"type": "form.submitted", "data": {"form": "offer", "contact": {"phone": "0987654321", "name": "Hoàng Anh"}}}
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, hookimpl, test


class FormSubmittedConfig(Config):
    """Which forms start the workflow."""

    form: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...],
        Meta(description="The names of the forms; any form where the list is empty.", max_length=100),
    ] = ()


class FormSubmitted(Trigger):
    """Starts when somebody sends in one of the chosen forms."""

    kind = "form_submitted"
    config_type = FormSubmittedConfig

    def lower(self, config: FormSubmittedConfig) -> Lowered:
        """One type of event, told apart by the form's name."""
        return Lowered(
            event_types=("form.submitted",),
            condition=test("event.data.form", "in", list(config.form)) if config.form else None,
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [FormSubmitted]
