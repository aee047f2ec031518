"""Why a trigger of a workflow does or does not start a run from an event, in terms of the definition."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from nhip.domain.conditions import All, Node
from nhip.domain.verdict import Reason, Verdict
from nhip.engine.conditions.decide import CustomConditions, judge
from nhip.engine.definitions.definition import Compiled
from nhip.engine.matching.index import Entry

OTHER_EVENT_TYPE: Final = "other_event_type"


def judge_entry(
    compiled: Compiled,
    entry: Entry,
    event_type: str,
    facts: Mapping[str, Any],
    now: datetime,
    customs: CustomConditions,
) -> Verdict:
    """The verdict of one trigger over one event; paths begin with ``triggers[0]`` or ``conditions``."""
    position = [use.id for use in compiled.definition.triggers].index(entry.trigger_id)
    place = f"triggers[{position}]"
    if event_type not in entry.event_types:
        reason = Reason(
            path=place, code=OTHER_EVENT_TYPE, field="event.type", op="in", expected=list(entry.event_types),
            actual=event_type,
        )  # fmt: skip
        return Verdict(holds=False, reasons=(reason,))
    reasons: list[Reason] = []
    for path, condition in placed_conditions(compiled, entry, place):
        verdict = judge(condition, facts, now, path, customs)
        if not verdict.holds:
            return verdict
        reasons += verdict.reasons
    return Verdict(holds=True, reasons=tuple(reasons))


def placed_conditions(compiled: Compiled, entry: Entry, place: str) -> list[tuple[str, Node]]:
    """The trigger's own condition and the workflow's, which the entry holds joined, each with its place."""
    shared, joined = compiled.definition.conditions, entry.condition
    if joined is None:
        return []
    if shared is None:
        return [(place, joined)]
    if joined is shared or not isinstance(joined, All) or joined.items[-1] is not shared:
        return [("conditions", shared)]
    return [*((place, item) for item in joined.items[:-1]), ("conditions", shared)]
