"""What creating a ticket and creating a task have in common: whose it is, and until when."""

from typing import Any

from nhip import ActionFailed, LocalContext, Problem, format_time, parse_duration, parse_time


def assignee_of(context: LocalContext, assign: str | None) -> str | None:
    """The employee whom ``assign`` means: ``owner`` is the contact's, where it has one; else it is an external id."""
    if assign is None:
        return None
    if assign == "owner":
        owner: str | None = (context.facts.get("contact") or {}).get("owner")
        return owner
    return str(context.render(assign)) or None


def due_problems(due: str | None) -> list[Problem]:
    """What is wrong with a ``due_at`` that needs no filling in."""
    if due is None or "{{" in due:
        return []
    try:
        _ = parse_duration(due) if due.startswith("P") else parse_time(due)
    except ValueError as error:
        return [Problem(path="due_at", code="bad_value", message=str(error))]
    return []


def due_at(context: LocalContext, due: str | None) -> str | None:
    """When something is due: a time as it is, or that long after now.

    Raises:
        ActionFailed: the text is neither an RFC 3339 time nor an ISO 8601 duration.
    """
    if due is None:
        return None
    text = str(context.render(due))
    try:
        moment = context.now + parse_duration(text) if text.startswith("P") else parse_time(text)
    except ValueError as error:
        raise ActionFailed(f"due_at: {error}") from None
    return format_time(moment)


def given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}
