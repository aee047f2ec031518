"""Read score rules as they are written, and find those that an event concerns."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from nhip.domain.errors import InvalidInput, Problem
from nhip.domain.scores import MOST_POINTS, SCORE_CHANGED, ScoreRule
from nhip.domain.struct import Struct
from nhip.domain.times import parse_duration
from nhip.engine.conditions.decide import Compiled, CustomConditions, compile_node, fields_of, parse
from nhip.engine.facts.decoding import convert
from nhip.plugin_api import Facts

MOST_RULES: Final = 100
"""How many rules a workspace may have."""
_SHORTEST_HALF_LIFE: Final = 60
"""Seconds."""

EventType = Annotated[str, Meta(pattern=r"^[a-z0-9_]+(\.[a-z0-9_-]+){0,7}$(?!\n)", max_length=200)]


class ScoreRuleDraft(Struct):
    """One rule, as an admin writes it."""

    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$(?!\n)", description="Its name among the rules.")]
    event: Annotated[
        EventType | Annotated[tuple[EventType, ...], Meta(min_length=1, max_length=20)],
        Meta(description="The type of event that counts, or several."),
    ]
    points: Annotated[
        int, Meta(ge=-10_000, le=10_000, description="What one event is worth; negative points are taken away.")
    ]
    title: Annotated[str, Meta(max_length=200, description="What people call it.")] = ""
    where: Annotated[
        dict[str, Any] | None, Meta(description="A condition that must hold, as a workflow's conditions are written.")
    ] = None
    cap: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_POINTS)] | None,
        Meta(description="The most that the rule can hold for one contact, or take away."),
    ] = None
    half_life: Annotated[
        str | None, Meta(description="After how long half of what it holds is gone, as in P30D; it stays otherwise.")
    ] = None


def read_rules(
    raw: Sequence[Any],
    *,
    roots: Collection[str] | None = None,
    customs: Collection[str] | Mapping[str, Any] | None = None,
) -> tuple[ScoreRule, ...]:
    """The rules; ``roots`` and ``customs`` are what conditions may name, ``None`` accepts any.

    Raises:
        InvalidInput: with every rule's fault and its place: ``rules[2].where.all[0].op``.
    """
    problems: list[Problem] = []
    found: list[ScoreRule] = []
    if len(raw) > MOST_RULES:
        problems.append(Problem(path="rules", code="too_many", message=f"there may be at most {MOST_RULES} rules"))
    known: dict[str, int] = {}
    for number, one in enumerate(raw[:MOST_RULES]):
        path = f"rules[{number}]"
        try:
            rule = _rule(convert(one, ScoreRuleDraft, path), path, roots, customs)
        except InvalidInput as error:
            problems += error.problems
            continue
        if rule.id in known:
            message = f"the id {rule.id!r} stands at rules[{known[rule.id]}] too"
            problems.append(Problem(path=f"{path}.id", code="duplicate_id", message=message))
        known.setdefault(rule.id, number)
        found.append(rule)
    if problems:
        raise InvalidInput(problems)
    return tuple(found)


def _rule(draft: ScoreRuleDraft, path: str, roots: Collection[str] | None, customs: Any) -> ScoreRule:
    problems: list[Problem] = []
    where, half_life = None, 0
    events = (draft.event,) if isinstance(draft.event, str) else tuple(dict.fromkeys(draft.event))
    if SCORE_CHANGED in events:
        message = "a score that changes because it changed would never rest"
        problems.append(Problem(path=f"{path}.event", code="circular", message=message))
    if draft.points == 0:
        problems.append(Problem(path=f"{path}.points", code="bad_value", message="a rule is worth something"))
    if draft.where is not None:
        try:
            where = parse(draft.where, f"{path}.where", roots=roots, customs=customs)
        except InvalidInput as error:
            problems += error.problems
    if draft.half_life is not None:
        try:
            duration = parse_duration(draft.half_life)
            if duration.total_seconds() < _SHORTEST_HALF_LIFE:
                raise ValueError(f"a half-life is at least {_SHORTEST_HALF_LIFE} seconds")
            half_life = int(duration.total_seconds()) * 1_000_000
        except ValueError as error:
            problems.append(Problem(path=f"{path}.half_life", code="bad_value", message=str(error)))
    if problems:
        raise InvalidInput(problems)
    return ScoreRule(
        id=draft.id, title=draft.title, events=events, where=where, points=draft.points, cap=draft.cap,
        half_life=half_life,
    )  # fmt: skip


class ScoreBook:
    """A workspace's rules, ready to be asked."""

    def __init__(self, rules: Sequence[ScoreRule], revision: int, customs: CustomConditions) -> None:
        self.rules = tuple(rules)
        self.revision = revision
        self._fields = frozenset[str]().union(*(fields_of(rule.where) for rule in self.rules if rule.where is not None))
        self._by_type: dict[str, list[tuple[ScoreRule, Compiled | None]]] = {}
        for rule in self.rules:
            holds = None if rule.where is None else compile_node(rule.where, customs)
            for kind in rule.events:
                self._by_type.setdefault(kind, []).append((rule, holds))

    def reads(self, prefix: str) -> bool:
        """Whether any rule's condition reads this field, or one below it."""
        return any(field == prefix or field.startswith(prefix + ".") for field in self._fields)

    def concerns(self, event_type: str) -> bool:
        """Whether any rule counts events of this type."""
        return event_type in self._by_type

    def counting(self, event_type: str, facts: Facts, now: datetime) -> Iterator[ScoreRule]:
        """The rules that count this event."""
        for rule, holds in self._by_type.get(event_type, ()):
            if holds is None or holds(facts, now):
                yield rule


def draft_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as it is kept: without what is as if unsaid."""
    unsaid = {"title": "", "where": None, "cap": None, "half_life": None}
    said = msgspec.to_builtins(raw)
    return {name: value for name, value in said.items() if name not in unsaid or value != unsaid[name]}
