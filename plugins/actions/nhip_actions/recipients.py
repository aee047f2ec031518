"""Who may be named as the recipient of a message, and whom the words for colleagues mean."""

import re
from collections.abc import Mapping, Sequence

from nhip import ActionFailed, Facts, Problem

ADDRESS = re.compile(r"\+?[0-9][0-9 .()-]{5,}|[^\s@]+@[^\s@]+|https?://\S+")
COLLEAGUES = ("owner", "assignee", "department")
LOOKED_AFTER = {"ticket": "assignee", "task": "assignee", "appointment": "assignee", "deal": "owner"}
"""The records that somebody looks after, and the field that says who."""


def recipient_problems(to: str, roles: Sequence[str], *, addresses: bool) -> Sequence[Problem]:
    """The fault of a recipient that is none; one that is filled in later is taken at its word."""
    if "{{" in to or to in roles:
        return ()
    sort, colon, name = to.partition(":")
    if colon and name.strip() and sort in ("staff", "department"):
        return ()
    if addresses and ADDRESS.fullmatch(to):
        return ()
    also = " or an address" if addresses else ""
    said = f"{to!r} is no recipient here: {', '.join(roles)}, department:<name>, staff:<id>{also}"
    return [Problem(path="to", code="unknown_recipient", message=said)]


def recipient_references(to: str) -> dict[str, Sequence[tuple[str, str]]]:
    """The employee or department that is named in so many words."""
    sort, colon, name = to.partition(":")
    return {sort: [("to", name)]} if colon and sort in ("staff", "department") and "{{" not in to else {}


def recipient(to: str, facts: Facts) -> str:
    """The recipient as the engine knows it: whom ``assignee`` and ``department`` mean is said by the event's records.

    Raises:
        ActionFailed: no record that the event is about says so.
    """
    if to == "assignee":
        person = next((found for kind, field in LOOKED_AFTER.items() if (found := _read(facts, kind, field))), None)
        if person is None:
            raise ActionFailed("no record that the event is about has an assignee")
        return f"staff:{person}"
    if to == "department":
        name = next((found for kind in ("ticket", "task") if (found := _read(facts, kind, "department"))), None)
        if name is None:
            raise ActionFailed("no record that the event is about has a department")
        return f"department:{name}"
    return to


def _read(facts: Facts, kind: str, field: str) -> str | None:
    record = facts.get(kind)
    found: str | None = record.get(field) if isinstance(record, Mapping) else None
    return found
