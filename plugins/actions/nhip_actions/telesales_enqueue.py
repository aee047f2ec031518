"""Puts the contact into a telesales campaign, and waits for what comes of the call where that is wanted.

Example, two weeks after a coffee machine was bought::

    {"id": "call", "action": "telesales_enqueue", "config": {
        "campaign": "coffee-beans", "priority": 10, "note": "Bought {{ order.external_id }} two weeks ago",
        "wait_for_outcome": {"timeout": "P7D"}}}

A contact has one entry of a campaign at a time: asking again, while that one is not over, answers with it. With
``wait_for_outcome`` the step's outcome is the call's last one (``answered``, ``refused``, or ``no_answer``, ``busy``
and ``call_back`` when the campaign gives up), ``cancelled``, or ``timeout``; else it is ``done`` at once.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta

from nhip import (
    Action,
    Await,
    Config,
    LocalAction,
    LocalContext,
    Problem,
    Result,
    all_of,
    format_time,
    hookimpl,
    parse_duration,
    test,
)

OUTCOME = "telesales.outcome"
USUAL_TIMEOUT = "P30D"


class Patience(Config):
    """How long to wait."""

    timeout: Annotated[str, Meta(description="An ISO 8601 duration; after it the outcome is timeout.")] = USUAL_TIMEOUT


class TelesalesEnqueueConfig(Config):
    """Which campaign, and what agents should know."""

    campaign: Annotated[
        str, Meta(description="The name of a telesales campaign of this workspace.", min_length=1, max_length=100)
    ]
    distribute: Annotated[
        bool | None,
        Meta(description="Give it to the agent whose turn it is, or let agents take it. Without it: as the campaign."),
    ] = None
    priority: Annotated[int, Meta(description="Of those that are due, the highest is called first.", ge=0, le=100)] = 0
    note: Annotated[
        Annotated[str, Meta(min_length=1, max_length=2_000)] | None,
        Meta(description="What the agent should know; may have {{ … }}."),
    ] = None
    wait_for_outcome: Annotated[
        bool | Patience, Meta(description="Wait until the call is over: true is for 30 days at most.")
    ] = False


class TelesalesEnqueue(LocalAction):
    """Puts the contact into a telesales campaign."""

    kind = "telesales_enqueue"
    config_type = TelesalesEnqueueConfig
    hears = (OUTCOME,)

    def check(self, config: TelesalesEnqueueConfig) -> Sequence[Problem]:
        """The time-out must be a length of time."""
        if isinstance(config.wait_for_outcome, Patience):
            try:
                patience = parse_duration(config.wait_for_outcome.timeout)
            except ValueError as error:
                return [Problem(path="wait_for_outcome.timeout", code="bad_value", message=str(error))]
            if not patience:
                said = "a time-out is longer than nothing"
                return [Problem(path="wait_for_outcome.timeout", code="bad_value", message=said)]
        return []

    def references(self, config: TelesalesEnqueueConfig) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {"telesales_campaign": [("campaign", config.campaign)]}

    def run(self, context: LocalContext, config: TelesalesEnqueueConfig) -> Result:
        """Put it in; the output has the ``entry``, the ``agent``, ``due_at``, and whether it was ``created``."""
        note = str(context.render(config.note))[:4_000] if config.note is not None else None
        queued = context.enqueue_call(
            config.campaign, priority=config.priority, note=note, distribute=config.distribute
        )
        output = {
            "campaign": config.campaign,
            "entry": queued.entry,
            "agent": queued.agent,
            "due_at": format_time(queued.due_at),
            "created": queued.created,
        }
        patience = _patience(config)
        if patience is None:
            return Result(output=output)
        mine = all_of(test("event.data.entry", "equals", queued.entry), test("event.data.final", "equals", True))
        return Result(output=output, wait=Await(events=(OUTCOME,), timeout=patience, where=mine))

    def heard(
        self,
        context: LocalContext,
        config: TelesalesEnqueueConfig,
        output: Mapping[str, Any],
        event: Mapping[str, Any],
    ) -> Result:
        """The call is over: the output has its ``attempts``, its ``agent`` and its ``note`` besides."""
        told = event["data"]
        said = {name: told[name] for name in ("attempts", "agent", "note") if name in told}
        return Result(output={**output, **said}, outcome=told["outcome"])


def _patience(config: TelesalesEnqueueConfig) -> timedelta | None:
    match config.wait_for_outcome:
        case False:
            return None
        case Patience(timeout=timeout):
            return parse_duration(timeout)
        case _:
            return parse_duration(USUAL_TIMEOUT)


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [TelesalesEnqueue]
