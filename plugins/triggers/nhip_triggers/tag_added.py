"""Starts a workflow when a tag is put on a contact.

Example, inviting who became a VIP::

    {"id": "vip", "type": "tag_added", "config": {"tag": ["VIP"]}}

Nhịp derives ``contact.tag_added`` with the tag in ``data.tag`` when a contact's tags change, however they do; a client
that sends the event itself names the tag there, or sends the contact's tags: the one that is new is then the event's,
and each other that is new has an event of its own. A new contact that arrives with the tag counts too. Several tags put
on at once start a workflow once.
"""

from typing import Annotated

from msgspec import Meta

from nhip import Config, Lowered, Trigger, all_of, any_of, hookimpl, test


class TagAddedConfig(Config):
    """Which tags start the workflow."""

    tag: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...],
        Meta(description="The tags, one of which must be put on; any where the list is empty.", max_length=100),
    ] = ()


class TagAdded(Trigger):
    """Starts when one of the chosen tags is put on a contact, also when the contact is new and arrives with it."""

    kind = "tag_added"
    config_type = TagAddedConfig

    def lower(self, config: TagAddedConfig) -> Lowered:
        """A tag that was put on; and a new contact, of whose tags there are no events of their own."""
        tags = list(config.tag)
        added = test("event.type", "equals", "contact.tag_added")
        created = test("event.type", "equals", "contact.created")
        return Lowered(
            event_types=("contact.tag_added", "contact.created"),
            condition=any_of(
                all_of(added, test("event.data.tag", "in", tags) if tags else test("event.data.tag", "is_not_empty")),
                all_of(
                    created, test("contact.tags", "has_any", tags) if tags else test("contact.tags", "is_not_empty")
                ),
            ),
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [TagAdded]
