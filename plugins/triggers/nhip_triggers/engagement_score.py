"""Starts a workflow when a contact's engagement score crosses a mark, or is on one side of it when it changes.

Example, calling whoever from a school has reached 200 points, again only after having cooled down below 180::

    {"id": "hot", "type": "engagement_score", "config": {
        "operator": "rises_above", "value": 200, "hysteresis": 20, "industry": ["Giáo dục"]}}

Three operators are about a movement, and start once for it:

- ``rises_above``: from below ``value`` to it or above. From 199 to 201 reaches 200. This is what *reaches* means.
- ``falls_below``: from ``value`` or above to below it, also where time alone did it.
- ``changes_by``: by another ``value`` points since the score last turned, in one step or in many.

The other operators are about where the score is: they start at each change after which they hold, so that
``greater_than`` 195 starts at 196, at 197, … ``settings.reentry`` says how often one contact may enter.
"""

from typing import Annotated, Literal

from msgspec import Meta

from nhip import Config, Lowered, Trigger, all_of, hookimpl, invalid, test

CROSSINGS = ("rises_above", "falls_below")

Names = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=50)]
Operator = Literal[
    "rises_above",
    "falls_below",
    "changes_by",
    "equals",
    "not_equals",
    "greater_than",
    "greater_or_equal",
    "less_than",
    "less_or_equal",
]


class EngagementScoreConfig(Config):
    """Which changes of a score start the workflow."""

    operator: Annotated[
        Operator,
        Meta(description="rises_above, falls_below and changes_by are movements; the others say where the score is."),
    ]
    value: Annotated[int, Meta(description="The mark; of changes_by, so many points.", ge=-100_000_000, le=100_000_000)]
    hysteresis: Annotated[
        int,
        Meta(
            description="For rises_above and falls_below: how far the score must have been on the other side of the "
            "mark to start the workflow once more.",
            ge=0,
            le=100_000_000,
        ),
    ] = 0
    industry: Annotated[
        Names, Meta(description="The contact's business niche, as its field industry; any where the list is empty.")
    ] = ()


class EngagementScore(Trigger):
    """Starts when a contact's score crosses a mark, or is on one side of it when it changes."""

    kind = "engagement_score"
    config_type = EngagementScoreConfig

    def lower(self, config: EngagementScoreConfig) -> Lowered:
        """The move is tested as the event tells it, and a crossing counts while the score is still across."""
        operator, value = config.operator, config.value
        if config.hysteresis and operator not in CROSSINGS:
            raise invalid("hysteresis", "contradiction", f"{operator} knows no hysteresis: it is for a crossing")
        if operator == "changes_by" and value < 1:
            raise invalid("value", "bad_value", "a score changes by at least 1")
        match operator:
            case "rises_above":
                tests = [
                    test("event.data.previous", "less_than", value),
                    test("event.data.score", "greater_or_equal", value),
                    test("contact.score", "greater_or_equal", value),
                ]
            case "falls_below":
                tests = [
                    test("event.data.previous", "greater_or_equal", value),
                    test("event.data.score", "less_than", value),
                    test("contact.score", "less_than", value),
                ]
            case "changes_by":
                tests = []
            case _:
                tests = [test("contact.score", operator, value)]
        crossing = {"operator": operator, "value": value, "hysteresis": config.hysteresis}
        looks_back = operator == "changes_by" or config.hysteresis > 0
        return Lowered(
            event_types=("contact.score_changed",),
            condition=all_of(
                *tests, test("contact.industry", "in", list(config.industry)) if config.industry else None
            ),
            where={"condition": "score_crossing", "config": crossing} if looks_back else None,
        )


@hookimpl
def nhip_register_triggers() -> list[type[Trigger]]:
    """Add the trigger."""
    return [EngagementScore]
