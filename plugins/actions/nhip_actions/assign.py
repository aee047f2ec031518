"""Gives a contact, a ticket, a task or a deal to somebody.

Example, splitting new leads among those of the sales department who are at work::

    {"id": "split", "action": "assign", "config": {
        "to": "department:sales", "working_hours": true, "fallback": {"to": "department:sales"}}}

The step's outcome is ``nobody`` where nobody can get it; then nothing changes. Its output says who got it, and who was
passed over and why.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from nhip import Action, ActionFailed, Assign, LocalAction, LocalContext, Problem, Result, hookimpl
from nhip_actions.assignment import assign_problems, assign_references, told

FIELDS = {"deal": "owner", "order": "seller"}
"""The field that says who looks after a record, where it is not ``assignee``."""
USUAL = ("ticket", "task", "appointment", "deal")
"""What the event may be about that somebody looks after."""


class AssignConfig(Assign):
    """What is given to whom."""

    what: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        Meta(
            description="contact, or a record type: ticket, task, appointment, deal. Without it: the first of these "
            "records that the event is about, and else the contact."
        ),
    ] = None


class AssignAction(LocalAction):
    """Gives a contact or a record to somebody."""

    kind = "assign"
    config_type = AssignConfig

    def check(self, config: AssignConfig) -> Sequence[Problem]:
        """Its words must be some."""
        return [
            Problem(path=problem.path.removeprefix("."), code=problem.code, message=problem.message)
            for problem in assign_problems(config, "")
        ]

    def references(self, config: AssignConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The employees, departments and record types that it names."""
        named = {
            kind: [(path.removeprefix("."), name) for path, name in names]
            for kind, names in assign_references(config, "").items()
        }
        if config.what not in (None, "contact"):
            named["record_type"] = [("what", config.what)]
        return named

    def run(self, context: LocalContext, config: AssignConfig) -> Result:
        """Choose somebody, and write that down."""
        what = config.what or next((kind for kind in USUAL if context.facts.get(kind)), "contact")
        record = {} if what == "contact" else context.facts.get(what) or {}
        if what != "contact" and not record.get("external_id"):
            raise ActionFailed(f"the event is about no {what}")
        assigned = context.assign(config)
        output: dict[str, Any] = {"what": what, **told(assigned)}
        if assigned.staff is None:
            return Result(output=output, outcome="nobody")
        if what == "contact":
            context.update_contact({"owner": assigned.staff})
        else:
            fields = {FIELDS.get(what, "assignee"): assigned.staff}
            context.save_record(what, record["external_id"], fields, create=False)
        return Result(output=output)


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [AssignAction]
