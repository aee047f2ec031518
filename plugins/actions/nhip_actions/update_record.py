"""Changes a record: an order, a deal, a ticket, a task, or a record of any other type.

Example, moving the deal on after the customer answered::

    {"id": "move", "action": "update_record", "config": {"type": "deal", "set": {"status": "interested"}}}
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from nhip import Action, ActionFailed, Config, LocalAction, LocalContext, Problem, hookimpl
from nhip_actions.words import word_references


class UpdateRecordConfig(Config):
    """Which record changes, and how."""

    type: Annotated[str, Meta(description="The record's type: order, deal, ticket, task.", min_length=1, max_length=64)]
    external_id: Annotated[
        str | None, Meta(description="The record's external id. Without it: the record that the event is about.")
    ] = None
    create: Annotated[
        bool, Meta(description="Whether the record is made where there is none; it needs external_id then.")
    ] = False
    set: Annotated[
        dict[str, Any], Meta(description="Fields and their new values; null empties a field.", max_length=50)
    ] = field(default_factory=dict)


class UpdateRecord(LocalAction):
    """Changes a record of the contact."""

    kind = "update_record"
    config_type = UpdateRecordConfig

    def check(self, config: UpdateRecordConfig) -> Sequence[Problem]:
        """Something must change, but not which record it is."""
        if config.create and config.external_id is None:
            return [Problem(path="external_id", code="missing", message="a new record needs an external id")]
        if not config.set:
            return [Problem(path="set", code="nothing_to_do", message="nothing is changed")]
        return [
            Problem(path=f"set.{name}", code="not_allowed", message=f"{name} cannot be changed")
            for name in ("external_id", "contact")
            if name in config.set
        ]

    def references(self, config: UpdateRecordConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The record type, its fields, and the words that the workspace may choose."""
        fields = [(f"set.{name}", f"{config.type}.{name}") for name in config.set]
        return {
            "record_type": [("type", config.type)],
            "record_field": fields,
            **word_references(config.type, config.set, "set."),
        }

    def run(self, context: LocalContext, config: UpdateRecordConfig) -> Mapping[str, Any]:
        """Change it; the output is the record as it is then."""
        if config.external_id is not None:
            external_id = context.render(config.external_id)
        else:
            external_id = (context.facts.get(config.type) or {}).get("external_id")
        if not external_id:
            raise ActionFailed(f"the event is about no {config.type}, and external_id does not name one")
        create = config.create and context.find_record(config.type, external_id) is None
        return dict(context.save_record(config.type, external_id, context.render(config.set), create=create))


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [UpdateRecord]
