"""Tells everybody of a department or a store: the contact enters another workflow once for each of them.

Example, telling everybody of the department who is at work of a new complaint, each by a message of their own::

    {"id": "alarm", "action": "notify_team", "config": {
        "to": "department:care", "workflow": "tell-one", "reached_by": "email", "data": {"what": "{{ ticket.title }}"}}}

The workflow ``tell-one`` says how one of them is told. Its trigger is the event ``workflow.requested``, which nobody
sends, and it is ``parallel``, as workflows usually are::

    {"id": "tell", "action": "notify_staff", "config": {
        "to": "staff:{{ event.data.staff }}", "channel": "email-main", "subject": "{{ contact.name }}",
        "text": "{{ event.data.name }}: {{ event.data.what }}"}}

So each has a run, a message and an outcome of their own, and what goes wrong with one holds up nobody else. The step's
outcome is ``nobody`` where there is nobody to tell. Its output says how many there are, who they are with the event by
which each run began, and who was passed over and why.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, field, to_builtins

from nhip import Action, ActionFailed, Config, LocalAction, LocalContext, Problem, ReachedBy, Result, Who, hookimpl
from nhip_actions.recipients import recipient

SAID = ("staff", "name")
"""What the engine itself says of whoever is told."""


class NotifyTeamConfig(Config):
    """Who is told, and by which workflow."""

    workflow: Annotated[
        str,
        Meta(
            description="The workflow that tells one of them; event.data.staff says whom.", min_length=1, max_length=100
        ),
    ]
    to: Annotated[
        str,
        Meta(
            description="department (of the ticket or task that the event is about), department:<name>, store (of the "
            "contact), store:<code> or last_store; may have {{ … }}.",
            min_length=1,
            max_length=320,
        ),
    ] = "department"
    who: Annotated[
        Who,
        Meta(
            description="on_duty: who is at work, or where nobody is, whoever is not absent. present: whoever is not "
            "absent. everybody: also who is absent."
        ),
    ] = "on_duty"
    reached_by: Annotated[
        ReachedBy | None,
        Meta(description="Only who has such an address, and of several with the same one, the first."),
    ] = None
    most: Annotated[int, Meta(description="How many are told at most, in the order of their ids.", ge=1, le=200)] = 50
    data: Annotated[
        dict[str, Any],
        Meta(
            description="What the workflow reads as event.data beside staff and name; may have {{ … }}.", max_length=50
        ),
    ] = field(default_factory=dict)


class NotifyTeam(LocalAction):
    """Tells everybody of a department or a store."""

    kind = "notify_team"
    config_type = NotifyTeamConfig

    def check(self, config: NotifyTeamConfig) -> Sequence[Problem]:
        """A department or a store must be named."""
        problems = [
            Problem(path=f"data.{name}", code="reserved", message=f"event.data.{name} says whom the workflow tells")
            for name in SAID
            if name in config.data
        ]
        if "{{" not in config.to and config.to != "department" and not _is_team(config.to):
            said = f"{config.to!r} is no team: department, department:<name>, store, store:<code> or last_store"
            problems.append(Problem(path="to", code="unknown_recipient", message=said))
        return problems

    def references(self, config: NotifyTeamConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        """The workflow, and a department that is named in so many words."""
        started = [("workflow", config.workflow)]
        named = {"started_workflow": started, "workflow_entered_often": started}
        sort, colon, name = config.to.partition(":")
        return named | ({"department": [("to", name)]} if sort == "department" and colon and "{{" not in name else {})

    def run(self, context: LocalContext, config: NotifyTeamConfig) -> Result:
        """Let the contact enter the workflow for each of them."""
        to = recipient(str(context.render(config.to)).strip(), context.facts)
        if not _is_team(to):
            raise ActionFailed(f"{to!r} is no department and no store")
        team = context.team(to, who=config.who, reached_by=config.reached_by, most=config.most)
        data = context.render(config.data)
        told = [
            {"staff": one.staff, "event": context.start_workflow(config.workflow, data | to_builtins(one))}
            for one in team.members
        ]
        output = {"to": to, "count": len(told), "told": told, "passed": to_builtins(team.passed)}
        return Result(output=output, outcome="done" if told else "nobody")


def _is_team(to: str) -> bool:
    sort, colon, name = to.partition(":")
    return to in ("store", "last_store") or (sort in ("department", "store") and bool(colon and name.strip()))


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [NotifyTeam]
