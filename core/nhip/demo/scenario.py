"""The plan of one demonstration: so many events, which make exactly so many accepted messages.

A plan follows from its size and seed alone. 15,000 events of 2,000 customers make 10,000 accepted messages.
"""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from nhip.demo.people import Person, people
from nhip.demo.stories import TELLERS, Story, suggestion, visit

EVENTS: Final = 15_000
CONTACTS: Final = 2_000
SHORTEST: Final = 100
"""Events below which not every part of the case occurs."""
SOURCE: Final = "/demo/shop"
_SEED: Final = 2026
_DAY: Final = 86_400.0


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One event that will be sent."""

    event: dict[str, Any]
    """The CloudEvent."""
    person: Person
    code: str
    """Of the ticket, order or deal."""
    starts: str | None
    """The workflow that it starts."""

    @property
    def accepted(self) -> bool:
        """Whether a message comes of it that the provider accepts."""
        return self.starts is not None and self.person.reachable


class Expected(msgspec.Struct, kw_only=True):
    """What has to come out for one workflow."""

    triggered: int = 0
    sent: int = 0
    suppressed: int = 0
    rejected: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that will be sent, in the order in which it happened."""

    people: list[Person]
    events: list[Planned]
    messages: int
    """How many messages have to be accepted."""

    def expected(self) -> dict[str, Expected]:
        """Per workflow, what has to come out."""
        found: dict[str, Expected] = {}
        for planned in self.events:
            if planned.starts is not None:
                one = found.setdefault(planned.starts, Expected())
                one.triggered += 1
                one.sent += planned.person.reachable
                one.suppressed += planned.person.phone is None
                one.rejected += planned.person.refused
        return found


class _Told(msgspec.Struct, frozen=True):
    """One chapter at its time."""

    at: float
    person: Person
    code: str
    story: Story
    chapter: int


def plan(events: int = EVENTS, now: datetime | None = None) -> Plan:
    """Plan ``events`` events, of which two in three make an accepted message. ``now`` is when the last one happened."""
    if events < SHORTEST:
        raise ValueError(f"at least {SHORTEST} events are needed")
    chance = random.Random(f"{_SEED}-{events}")
    crowd = people(max(20, min(CONTACTS, events * CONTACTS // EVENTS)), chance)
    messages = events * 2 // 3
    told = _tell(crowd, events, messages, chance)
    told.sort(key=lambda one: (one.at, one.chapter))
    begin = (now or datetime.now(UTC)) - timedelta(seconds=_DAY)
    latest = told[-1].at
    known: set[str] = set()
    planned = []
    for number, one in enumerate(told, 1):
        moment = begin + timedelta(seconds=one.at / latest * _DAY)
        planned.append(_planned(number, one, moment, first=one.person.external_id not in known))
        known.add(one.person.external_id)
    return Plan(people=crowd, events=planned, messages=messages)


def _tell(crowd: list[Person], events: int, messages: int, chance: random.Random) -> list[_Told]:
    """Tell stories until exactly ``events`` chapters are told, ``messages`` of them with an accepted message."""
    letters, weights = list(TELLERS), [weight for _, weight in TELLERS.values()]
    numbers: Counter[str] = Counter()
    told: list[_Told] = []
    reachable = [person for person in crowd if person.reachable]
    while events:
        stories = numbers.total()
        # Everybody occurs once before anybody occurs twice by chance.
        person = crowd[stories] if stories < len(crowd) else chance.choice(crowd)
        letter = chance.choices(letters, weights)[0]
        code = f"{letter}-{numbers[letter] + 1:06}"
        story = TELLERS[letter][0](code, person, chance)
        if not _fits(story, person, events, messages):
            if messages:
                person = chance.choice(reachable)
                letter, teller = "YC", suggestion
            else:
                letter, teller = "XEM", visit
            code = f"{letter}-{numbers[letter] + 1:06}"
            story = teller(code, person, chance)
        numbers[letter] += 1
        events -= len(story)
        messages -= _accepted(story, person)
        at = chance.random() * _DAY
        for chapter, one in enumerate(story):
            at += one.pause * chance.uniform(0.5, 1.5) if chapter else 0
            told.append(_Told(at, person, code, story, chapter))
    return told


def _accepted(story: Story, person: Person) -> int:
    return sum(1 for chapter in story if chapter.starts is not None and person.reachable)


def _fits(story: Story, person: Person, events: int, messages: int) -> bool:
    """Whether, after this story, as many events are left as messages, or more."""
    left, wanted = events - len(story), messages - _accepted(story, person)
    return left >= wanted >= 0


def _planned(number: int, told: _Told, moment: datetime, *, first: bool) -> Planned:
    chapter = told.story[told.chapter]
    data: dict[str, Any] = {"contact": told.person.snapshot()} if first else {}
    data |= {chapter.record: chapter.said} if chapter.record else chapter.said
    event = {
        "specversion": "1.0",
        "id": f"su-kien-{number:06}",
        "source": SOURCE,
        "type": chapter.type,
        "subject": told.person.external_id,
        "time": moment.isoformat(timespec="milliseconds"),
        "data": data,
    }
    return Planned(event=event, person=told.person, code=told.code, starts=chapter.starts)
