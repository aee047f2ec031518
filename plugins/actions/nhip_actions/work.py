"""What creating a ticket and creating a task have in common: a record that somebody has to work on."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Meta, field

from nhip import Assign, Config, LocalAction, LocalContext, Problem
from nhip_actions.assignment import assign_problems, assign_references, told
from nhip_actions.due import NextWorking, due_at, due_problems
from nhip_actions.words import word_references

Line = Annotated[str, Meta(min_length=1, max_length=500)]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]


class WorkConfig(Config):
    """The new record; every text may have {{ … }}."""

    title: Annotated[Line, Meta(description="What it is about, in one line.")]
    description: Annotated[Text | None, Meta(description="The details.")] = None
    priority: Annotated[Line | None, Meta(description="How urgent it is: low, normal, high, urgent.")] = None
    department: Annotated[Line | None, Meta(description="The department that must see to it.")] = None
    due_at: Annotated[
        Line | NextWorking | None,
        Meta(
            description='When it must be done: an RFC 3339 time, how long from now (P1D), or {"next_working": "09:00"}.'
        ),
    ] = None
    note: Annotated[Text | None, Meta(description="A remark for colleagues.")] = None
    custom: Annotated[dict[str, Any], Meta(description="Custom fields.", max_length=50)] = field(default_factory=dict)
    assign: Annotated[
        Assign | Line | None,
        Meta(
            description="Who gets it: owner (of the contact), an employee's external id, department:<name>, store, "
            "last_store, or an object that says more. It stays without an assignee where nobody can."
        ),
    ] = None


NOT_FIELDS = frozenset({"due_at", "assign", "wait_for_outcome"})
"""What of a configuration does not go into the record as it is."""


class CreateWork(LocalAction):
    """Makes a record of ``record_type`` and gives it to somebody."""

    record_type: ClassVar[str]

    def check(self, config: Any) -> Sequence[Problem]:
        """The time must be one, unless it is filled in later."""
        return [*due_problems(config.due_at), *assign_problems(config.assign)]

    def references(self, config: Any) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The employees, departments and words that it names."""
        return {**assign_references(config.assign), **word_references(self.record_type, self.said(config))}

    def said(self, config: Any) -> dict[str, Any]:
        """The fields that are configured."""
        values = {name: getattr(config, name) for name in config.__struct_fields__ if name not in NOT_FIELDS}
        return given(**values)

    @abstractmethod
    def implied(self, context: LocalContext, config: Any) -> dict[str, Any]:
        """The fields that follow from what the run is about, unless they are configured."""

    def make(self, context: LocalContext, config: Any) -> dict[str, Any]:
        """Make it; answers with the record, and who was chosen, and who was passed over why, where somebody was to be.

        Raises:
            ActionFailed: a value is refused, or it is for an employee who does not exist.
        """
        fields = {
            **self.implied(context, config),
            **context.render(self.said(config)),
            **given(due_at=due_at(context, config.due_at)),
        }
        if config.assign is None:
            return dict(context.save_record(self.record_type, None, fields, create=True))
        assigned = context.assign(config.assign)
        fields |= given(assignee=assigned.staff)
        record = context.save_record(self.record_type, None, fields, create=True)
        return {**record, "assignment": told(assigned)}


def given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}
