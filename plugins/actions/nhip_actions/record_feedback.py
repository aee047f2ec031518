"""Keeps what the customer said about a resolved ticket: one to five stars, and words.

Example, where the answer to a survey comes back through a form::

    {"triggers": [{"id": "answered", "type": "form_submitted", "config": {"form": ["survey"]}}], "steps": [
        {"id": "keep", "action": "record_feedback", "config": {
            "rating": "{{ event.data.stars }}", "feedback": "{{ event.data.words | default('') }}"}}]}

It is about the ticket of the event, or else the contact's ticket that was resolved last. Where something is new, the
event ``ticket.rated`` follows, for the trigger ``ticket`` with ``on: rated``; the same once more changes nothing. A
``ticket.rated`` that comes from outside and names its ticket is kept without this action.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from nhip import Action, ActionFailed, Config, LocalAction, LocalContext, Problem, hookimpl

Line = Annotated[str, Meta(min_length=1, max_length=500)]
RATED = "ticket.rated"
STARS = ("1", "2", "3", "4", "5")


class RecordFeedbackConfig(Config):
    """What was said about which ticket."""

    rating: Annotated[
        int | Line | None, Meta(description="1 to 5. Without it: rating or rate of the event's data.")
    ] = None
    feedback: Annotated[
        Annotated[str, Meta(max_length=20_000)] | None,
        Meta(description="The customer's words. Without it: feedback or note of the event's data."),
    ] = None
    ticket: Annotated[
        Line | None,
        Meta(description="The ticket's external id. Without it: the event's, or the contact's that was resolved last."),
    ] = None


class RecordFeedback(LocalAction):
    """Keeps what the customer said about a resolved ticket."""

    kind = "record_feedback"
    config_type = RecordFeedbackConfig

    def check(self, config: RecordFeedbackConfig) -> Sequence[Problem]:
        """A rating that is said in so many words is one of five."""
        said = config.rating
        if said is None or (isinstance(said, str) and "{{" in said) or str(said) in STARS:
            return []
        return [Problem(path="rating", code="bad_value", message=f"the rating {said!r} is none of 1 to 5")]

    def run(self, context: LocalContext, config: RecordFeedbackConfig) -> Mapping[str, Any]:
        """Store it on the ticket; the output says which, and what is kept of it now."""
        data = context.facts["event"].get("data") or {}
        rating = _stars(context.render(config.rating) if config.rating is not None else _first(data, "rating", "rate"))
        words = context.render(config.feedback) if config.feedback is not None else _first(data, "feedback", "note")
        feedback = str(words)[:20_000] if words else None
        if rating is None and feedback is None:
            raise ActionFailed("there is neither a rating nor any words to keep")
        identifier = _ticket(context, config, data)
        before = context.find_record("ticket", identifier)
        if before is None:
            raise ActionFailed(f"no ticket {identifier!r}")
        said = {name: value for name, value in (("rating", rating), ("feedback", feedback)) if value is not None}
        is_new = any(before.get(name) != value for name, value in said.items())
        if is_new:
            context.save_record("ticket", identifier, said, create=False)
            if context.facts["event"].get("type") != RATED:
                context.emit(RATED, {"ticket": identifier, **said})
        return {"ticket": identifier, "new": is_new, **said}


def _ticket(context: LocalContext, config: RecordFeedbackConfig, data: Mapping[str, Any]) -> str:
    if config.ticket is not None:
        return str(context.render(config.ticket))
    named = (context.facts.get("ticket") or {}).get("external_id") or data.get("ticket")
    if isinstance(named, str) and named:
        return named
    for one in context.records("ticket", closed=True):
        return str(one["external_id"])
    raise ActionFailed("the event is about no ticket, and the contact has none that is resolved")


def _first(data: Mapping[str, Any], *names: str) -> Any:
    return next((data[name] for name in names if data.get(name) not in (None, "")), None)


def _stars(value: Any) -> int | None:
    if value is None or value == "":
        return None
    text = str(value).strip()
    if text not in STARS:
        raise ActionFailed(f"the rating {value!r} is none of 1 to 5")
    return int(text)


@hookimpl
def nhip_register_actions() -> list[type[Action]]:
    """Add the action."""
    return [RecordFeedback]
