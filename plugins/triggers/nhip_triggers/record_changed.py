"""Starts a workflow when a record or a contact is made or changed, of any type and in any field.

Example, telling the customer about a new delivery date::

    {"id": "moved", "type": "record_changed",
     "config": {"type": ["order"], "fields": ["promised_at"], "on": ["updated"]}}
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from nhip import Config, Lowered, Trigger, all_of, any_of, hookimpl, test

TypeName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$(?!\n)", max_length=64)]
FieldPath = Annotated[str, Meta(pattern=r"^[a-z][\w.-]*$(?!\n)", max_length=180)]


class RecordChangedConfig(Config):
    """Which changes start the workflow."""

    type: Annotated[
        tuple[TypeName, ...],
        Meta(
            description="The record types that are watched: order, ticket, …; or contact.", min_length=1, max_length=20
        ),
    ]
    fields: Annotated[
        tuple[FieldPath, ...],
        Meta(
            description="The fields that are watched, as in total.amount or custom.size: one must have changed, or "
            "have a value on something new. Any field where the list is empty.",
            max_length=50,
        ),
    ] = ()
    on: Annotated[
        tuple[Literal["created", "updated"], ...],
        Meta(description="Whether new ones count, changes count, or both.", min_length=1, max_length=2),
    ] = ("created", "updated")


class RecordChanged(Trigger):
    """Starts when a record or a contact is made or changed."""

    kind = "record_changed"
    config_type = RecordChangedConfig

    def lower(self, config: RecordChangedConfig) -> Lowered:
        """All types of event that a change can have; a change with several of them starts a workflow once."""
        created = [f"{name}.created" for name in config.type] if "created" in config.on else []
        changed = [event for name in config.type for event in _changes(name)] if "updated" in config.on else []
        watched = [f"{name}.{field}" for name in config.type for field in config.fields]
        choices = [any_of(*(test(field, "changed") for field in watched))] if changed else []
        if created:
            present = any_of(*(test(field, "is_not_empty") for field in watched))
            choices.append(all_of(test("event.type", "in", created), present))
        return Lowered(event_types=(*created, *changed), condition=any_of(*choices) if watched else None)


def _changes(name: str) -> Iterator[str]:
    yield f"{name}.updated"
    if name == "contact":
        yield from ("contact.tag_added", "contact.tag_removed")
    else:
        yield f"{name}.status_changed"


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [RecordChanged]
