"""The score rules of a workspace, as its events ask them."""

import logging

from nhip.domain.errors import InvalidInput
from nhip.engine.conditions.decide import CustomConditions
from nhip.engine.customers.score_rules import ScoreBook, read_rules
from nhip.ports import Unit

log = logging.getLogger("nhip.scoring")


def load_book(unit: Unit, workspace_id: int, customs: CustomConditions) -> ScoreBook | None:
    """The workspace's rules, where it ever had any. A condition whose plugin is gone holds for nothing."""
    stored = unit.scores.rules(workspace_id)
    if stored is None:
        return None
    try:
        rules = read_rules(stored.rules)
    except InvalidInput:
        log.exception("score rules not understood", extra={"workspace": workspace_id})
        return None
    return ScoreBook(rules, stored.revision, customs)
