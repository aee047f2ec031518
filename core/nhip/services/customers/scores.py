"""Score rules as admins keep them, and why a contact has the score that it has."""

from collections.abc import Mapping
from typing import Any

from nhip.catalog import Catalog
from nhip.domain.errors import InvalidInput, Problem, invalid
from nhip.domain.ids import new_id
from nhip.domain.scores import ScoreExplanation, StoredScoreRules
from nhip.engine.conditions.decide import CustomConditions
from nhip.engine.customers import scoring
from nhip.engine.customers.score_rules import ScoreBook, draft_of, read_rules
from nhip.engine.definitions.reading import ENGINE_ROOTS
from nhip.ports import Unit
from nhip.services.customers import contacts
from nhip.services.workspace.revisions import check_match

READ_ONLY = frozenset({"revision", "updated_at"})
"""What is answered beside the rules, and ignored when it comes back."""


def find(unit: Unit, workspace_id: int) -> StoredScoreRules | None:
    """The workspace's rules, where it ever had any."""
    return unit.scores.rules(workspace_id)


def save(
    unit: Unit,
    workspace_id: int,
    raw: Mapping[str, Any],
    *,
    catalog: Catalog,
    if_match: str | None,
    actor: str,
    now: int,
) -> StoredScoreRules:
    """Replace the workspace's rules. They hold from the next event on; the scores there are follow soon.

    Raises:
        InvalidInput: with the place of each fault: ``rules[2].half_life``.
        StaleRevision: ``if_match`` does not hold.
    """
    rules = _checked(raw, catalog)
    stored = unit.scores.rules(workspace_id, lock=True)
    check_match(stored, if_match)
    if stored is None:
        stored = StoredScoreRules(
            workspace_id=workspace_id, id=new_id(), rules=rules, revision=1, recount_after=None, created_at=now,
            updated_at=now,
        )  # fmt: skip
        unit.scores.insert(stored)
    elif rules == stored.rules:
        return stored
    else:
        stored.rules, stored.revision, stored.recount_after, stored.updated_at = rules, stored.revision + 1, "", now
        unit.scores.update(stored)
    unit.workflows.raise_publish_version(workspace_id)
    unit.audit.write(workspace_id, actor, "score_rules.change", "score-rules", now, {"revision": stored.revision})
    return stored


def book_of(raw: Mapping[str, Any], catalog: Catalog, customs: CustomConditions) -> ScoreBook:
    """Rules that are written and not stored.

    Raises:
        InvalidInput: as :func:`save`.
    """
    return ScoreBook(read_rules(_checked(raw, catalog)), 1, customs)


def _checked(raw: Mapping[str, Any], catalog: Catalog) -> list[dict[str, Any]]:
    problems = [
        Problem(path=key, code="unknown_field", message=f"unknown field {key!r}")
        for key in raw
        if key != "rules" and key not in READ_ONLY
    ]
    said = raw.get("rules")
    if not isinstance(said, list):
        raise invalid("rules", "missing" if "rules" not in raw else "bad_value", "a list of rules is needed here")
    try:
        read_rules(said, roots=frozenset({*ENGINE_ROOTS, *catalog.record_types}), customs=catalog.conditions)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return [draft_of(rule) for rule in said]


def explain(unit: Unit, workspace_id: int, external_id: str, now: int) -> ScoreExplanation:
    """Why a contact has its score.

    Raises:
        NotFound: no such contact in this workspace.
    """
    contact = contacts.find(unit, workspace_id, external_id)
    stored = unit.scores.rules(workspace_id)
    rules = read_rules(stored.rules) if stored is not None else ()
    return scoring.explain(scoring.read_state(contact.score_state), rules, now)
