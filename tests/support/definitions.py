"""Hypothesis strategies for the steps of definitions, and what a reader of the nested form expects of them.

The reader (`Reader`) walks the nested steps as an admin would with a finger on the page. It shares no code with the
compiler and the interpreter, so that it is a second opinion about what a flat program does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from nhip.domain.conditions import All, AnyOf, Node, Not, Test
from nhip.domain.times import parse_time
from nhip.domain.workflow import (
    ActionStep,
    ExitStep,
    ExitWhen,
    IfStep,
    RepeatStep,
    SplitStep,
    Step,
    WaitEvent,
    WaitFor,
    Waiting,
    WaitStep,
    WaitUntil,
    WaitWindow,
    Way,
)
from nhip.engine.conditions.decide import parse
from nhip.engine.times.waits import outcome_at_end, wait_ending

NOW = parse_time("2026-11-21T08:00:00+07:00")
ROOTS = frozenset({"contact", "event", "steps"})
ZONES = ("Asia/Ho_Chi_Minh", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC")
MOST_STEPS = 14
DEEPEST = 3

durations = st.timedeltas(timedelta(seconds=1), timedelta(days=400)).map(
    lambda one: timedelta(seconds=int(one.total_seconds()))
)
clocks = st.times(timezones=st.none()).map(lambda one: one.replace(second=0, microsecond=0))
zones = st.sampled_from(("contact", *ZONES))


def tests(*ids: str) -> st.SearchStrategy[Node]:
    """A test of a flag, of what became of an earlier step, or of how far the run has come."""
    flags = st.sampled_from("abc").map(lambda name: test(f"event.{name}", "equals", True))
    ticks = st.integers(0, 12).map(lambda least: test("event.tick", "greater_or_equal", least))
    if not ids:
        return flags | ticks
    outcomes = st.tuples(st.sampled_from(ids), st.sampled_from(("done", "then", "elapsed", "again", "until", "0")))
    return flags | ticks | outcomes.map(lambda one: test(f"steps.{one[0]}.outcome", "equals", one[1]))


def test(path: str, op: str, value: Any) -> Node:
    return parse({"field": path, "op": op, "value": value}, "", roots=ROOTS, customs={})


test.__test__ = tests.__test__ = False  # type: ignore[attr-defined]


def conditions(*ids: str) -> st.SearchStrategy[Node]:
    """A test, or a small tree of them."""
    one = tests(*ids)
    several = st.lists(one, min_size=1, max_size=2).map(tuple)
    return (
        one
        | several.map(lambda items: All(items=items))
        | several.map(lambda items: AnyOf(items=items))
        | one.map(lambda item: Not(item=item))
    )


def waits(*ids: str) -> st.SearchStrategy[Waiting]:
    """Any wait, some of which are over before they begin."""
    moments = st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days, hours=days))
    until = st.one_of(
        moments.map(lambda moment: {"moment": moment}),
        st.dates(date(2026, 11, 19), date(2026, 11, 24)).map(lambda day: {"day": day.isoformat()}),
        st.sampled_from(("contact.renewal", "contact.nothing", "contact.name")).map(lambda path: {"field": path}),
    )
    return st.one_of(
        st.builds(WaitFor, duration=durations),
        st.builds(
            lambda said, **rest: WaitUntil(**said, **rest),
            until, days=st.integers(-2, 2), offset=st.integers(-5, 5).map(lambda hours: timedelta(hours=hours)),
            at=st.none() | clocks, timezone=zones,
        ),
        st.builds(
            WaitWindow, from_=st.just(time(8)) | clocks, to=st.just(time(20, 1)),
            days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))), timezone=zones,
        ),
        st.builds(
            WaitEvent, events=st.sampled_from((("shop.bought",), ("shop.bought", "shop.paid"))), timeout=durations,
            where=st.none() | tests(*ids),
        ),
    )  # fmt: skip


@st.composite
def definitions(draw: st.DrawFn, most: int = MOST_STEPS) -> tuple[Step, ...]:
    """Steps of every form, nested, each with an id of its own; conditions read what came before them or may."""
    ids: list[str] = []

    def steps(depth: int) -> tuple[Step, ...]:
        wanted = draw(st.sampled_from((1, 1, 2, 2, 3, 0) if depth else (1, 2, 3, 4)))
        return tuple(step(depth) for _ in range(wanted) if len(ids) < most)

    def step(depth: int) -> Step:
        name = f"s{len(ids) + 1}"
        before = tuple(ids)
        ids.append(name)
        nested = ["if", "if", "split", "repeat", "repeat", "repeat"] if depth < DEEPEST else []
        match draw(st.sampled_from([*nested, "action", "action", "wait", "wait", "exit"])):
            case "action":
                fallback = draw(st.sampled_from(((), ({"channel": "sms"},))))
                expires = draw(st.none() | durations)
                return ActionStep(id=name, action="x", config={"n": name}, fallback=fallback, expires_after=expires)
            case "wait":
                return WaitStep(id=name, wait=draw(waits(*before)))
            case "exit":
                return ExitStep(id=name, reason=draw(st.sampled_from(("done", "sold"))))
            case "if":
                condition = draw(conditions(*before))
                return IfStep(id=name, condition=condition, then=steps(depth + 1), otherwise=steps(depth + 1))
            case "split":
                weights = draw(st.sampled_from(((50, 50), (0, 100), (10, 20, 70))))
                ways = tuple(
                    Way(weight=weight, name=str(which), steps=steps(depth + 1)) for which, weight in enumerate(weights)
                )
                return SplitStep(id=name, ways=ways)
            case _:
                until = draw(st.none() | conditions(*before))
                return RepeatStep(id=name, times=draw(st.integers(1, 4)), until=until, steps=steps(depth + 1))

    return steps(0)


exits = st.lists(
    st.builds(ExitWhen, where=st.integers(0, 30).map(lambda least: test("event.tick", "greater_or_equal", least)))
    | st.just(ExitWhen(events=("shop.bought",))),
    max_size=2,
).map(tuple)
flags = st.fixed_dictionaries(dict.fromkeys("abc", st.booleans()))
contacts = st.fixed_dictionaries(
    {
        "external_id": st.sampled_from(("KH-1", "KH-2", "KH-3")),
        "timezone": st.sampled_from(ZONES),
        "name": st.just("Anh"),
    },
    optional={"renewal": st.sampled_from(("2026-11-20", "2026-11-23", "2026-11-22T09:00:00Z"))},
)


class _Over(Exception):
    """The run is over, whatever stands around this step."""


@dataclass
class Tale:
    """A run as it was lived: what is true of the contact, what time it is, and what has happened."""

    contact: Mapping[str, Any]
    flags: Mapping[str, bool]
    now: datetime = NOW
    stops: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)
    trace: list[tuple[str, str]] = field(default_factory=list)
    """Of every step that was come to: its id and outcome."""
    end: tuple[str, str | None] = ("completed", None)

    @property
    def facts(self) -> dict[str, Any]:
        """What a decision may read now."""
        return {
            "contact": dict(self.contact),
            "event": {**self.flags, "tick": self.stops},
            "steps": {name: {"outcome": outcome, "output": None} for name, outcome in self.outcomes.items()},
        }

    def passed(self, name: str, outcome: str) -> None:
        """A step is over."""
        self.trace.append((name, outcome))
        self.outcomes[name] = outcome

    def stopped(self, name: str, wait: Waiting | None, until: datetime) -> None:
        """A step took its time: an action a minute, a wait as long as it lasts."""
        self.now = max(until, self.now)
        self.passed(name, "done" if wait is None else outcome_at_end(wait))
        self.stops += 1


class Reader:
    """Reads nested steps aloud. ``ways`` says which way of a split this contact goes."""

    def __init__(self, tale: Tale, ways: Mapping[str, str], exit_when: Sequence[ExitWhen] = ()) -> None:
        self.tale = tale
        self.ways = ways
        self.exit_when = exit_when

    def read(self, steps: Sequence[Step]) -> Tale:
        """The whole of it, from the first step to the last."""
        try:
            self._leave()
            self._steps(steps)
        except _Over as over:
            self.tale.end = over.args
        return self.tale

    def _steps(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self._step(step)

    def _step(self, step: Step) -> None:
        match step:
            case ActionStep():
                self.tale.stopped(step.id, None, self.tale.now + timedelta(minutes=1))
                self._leave()
            case WaitStep():
                ending = wait_ending(step.wait, self.tale.facts, self.tale.now)
                if ending.until is None:
                    self.tale.passed(step.id, ending.outcome or "")
                else:
                    self.tale.stopped(step.id, step.wait, ending.until)
                    self._leave()
            case ExitStep():
                self.tale.trace.append((step.id, "exit"))
                raise _Over("exited", step.reason)
            case IfStep():
                holds = self._holds(step.condition)
                self.tale.passed(step.id, "then" if holds else "else")
                self._steps(step.then if holds else step.otherwise)
            case SplitStep():
                name = self.ways.get(step.id, "")
                self.tale.passed(step.id, name)
                self._steps(next((way.steps for way in step.ways if way.name == name), ()))
            case RepeatStep():
                done = 0
                while True:
                    if step.until is not None and self._holds(step.until):
                        return self.tale.passed(step.id, "until")
                    if done == step.times:
                        return self.tale.passed(step.id, "times")
                    self.tale.passed(step.id, "again")
                    self._steps(step.steps)
                    done += 1
        return None

    def _leave(self) -> None:
        for position, one in enumerate(self.exit_when):
            if not one.events and one.where is not None and self._holds(one.where):
                raise _Over("exited", f"exit_when[{position}]")

    def _holds(self, condition: Node) -> bool:
        match condition:
            case All(items=items):
                return all(self._holds(item) for item in items)
            case AnyOf(items=items):
                return any(self._holds(item) for item in items)
            case Not(item=item):
                return not self._holds(item)
            case Test(field=path, op="equals", value=value) if path.startswith("steps."):
                return bool(self.tale.outcomes.get(path.split(".")[1]) == value)
            case Test(field="event.tick", value=least):
                return bool(self.tale.stops >= least)
            case Test(field=path):
                return self.tale.flags[path.split(".")[1]]
            case _:
                raise AssertionError(condition)


def renamed(steps: Sequence[Step], more: Sequence[Step], chosen: Sequence[int]) -> tuple[Step, ...]:
    """The same steps with others put in between: at each place of every list, the next of ``chosen`` says whether."""
    left, turns = list(more), list(chosen)

    def put(sequence: Sequence[Step]) -> tuple[Step, ...]:
        found: list[Step] = []
        for step in sequence:
            if turns and turns.pop() and left:
                found.append(left.pop())
            found.append(grown(step))
        return tuple(found)

    def grown(step: Step) -> Step:
        match step:
            case IfStep():
                return msgspec.structs.replace(step, then=put(step.then), otherwise=put(step.otherwise))
            case SplitStep():
                ways = tuple(msgspec.structs.replace(way, steps=put(way.steps)) for way in step.ways)
                return msgspec.structs.replace(step, ways=ways)
            case RepeatStep():
                return msgspec.structs.replace(step, steps=put(step.steps))
            case _:
                return step

    return put(steps)
