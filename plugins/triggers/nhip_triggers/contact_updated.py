"""Starts a workflow when something of a contact changes: a field, or a tag.

Example, checking the address with a customer who moved to another store::

    {"id": "moved", "type": "contact_updated", "config": {"fields": ["store", "custom.address"]}}

A new contact is not a changed one: for both, take ``record_changed`` with the type ``contact``. Of a score that changes
no field counts; its event is ``contact.score_changed``.
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, any_of, hookimpl, invalid, test

FieldPath = Annotated[str, Meta(pattern=r"^[a-z][\w.-]*$(?!\n)", max_length=180)]


class ContactUpdatedConfig(Config):
    """Which changes of a contact start the workflow."""

    fields: Annotated[
        tuple[FieldPath, ...],
        Meta(
            description="The fields that are watched, as in email, tags or custom.size: one must have changed. Any "
            "field where the list is empty.",
            max_length=50,
        ),
    ] = ()


class ContactUpdated(Trigger):
    """Starts when one of the chosen fields of a contact changes."""

    kind = "contact_updated"
    config_type = ContactUpdatedConfig

    def lower(self, config: ContactUpdatedConfig) -> Lowered:
        """A change of fields and one of tags are events of their own; both at once start a workflow once."""
        for position, name in enumerate(config.fields):
            if name.startswith("contact."):
                message = f"a contact has no field {name!r}; did you mean {name.removeprefix('contact.')!r}?"
                raise invalid(f"fields[{position}]", "unknown_field", message)
        return Lowered(
            event_types=("contact.updated", "contact.tag_added", "contact.tag_removed"),
            condition=any_of(*(test(f"contact.{name}", "changed") for name in config.fields))
            if config.fields
            else None,
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [ContactUpdated]
