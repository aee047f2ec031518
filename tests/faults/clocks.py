"""F17: waits of a second to 400 days, while clocks jump, differ between processes, and change with the seasons."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from nhip.domain.times import format_time, from_micros, parse_duration, parse_time, to_micros
from tests.faults.oracle import Findings, Violation
from tests.support import invariants
from tests.support.clocks import StandingClock
from tests.support.world import World, open_world, tag

START: Final = parse_time("2027-10-30T12:00:00Z")
"""A Saturday: clocks in Berlin go back that night, in New York a week later; and the leap day is four months ahead."""
SKEW: Final = timedelta(seconds=30)
JUMP: Final = timedelta(hours=1)
SECOND: Final = timedelta(seconds=1)
BERLIN, NEW_YORK, SAIGON = "Europe/Berlin", "America/New_York", "Asia/Ho_Chi_Minh"

LENGTHS: Final = ("PT1S", "PT59S", "PT1H", "P1D", "P29D", "P122D", "P365D", "P366D", "P400D")
MOMENTS: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "twice-berlin": ({"until": "2027-10-31", "at": "02:30"}, BERLIN, "2027-10-31T02:30:00+02:00"),
    "twice-york": ({"until": "2027-11-07", "at": "01:30"}, NEW_YORK, "2027-11-07T01:30:00-04:00"),
    "leap-day": ({"until": "2028-02-29", "at": "09:00"}, SAIGON, "2028-02-29T09:00:00+07:00"),
    "day-before": ({"until": "contact.custom.renewal", "offset": "-P1D"}, BERLIN, "2028-02-29T00:00:00+01:00"),
    "skipped-york": ({"until": "2028-03-12", "at": "02:30"}, NEW_YORK, "2028-03-12T03:30:00-04:00"),
    "skipped-berlin": ({"until": "2028-03-26", "at": "02:30"}, BERLIN, "2028-03-26T03:30:00+02:00"),
    "next-autumn": ({"until": "2028-10-29", "at": "02:30"}, BERLIN, "2028-10-29T02:30:00+02:00"),
    "over-midnight": ({"window": {"from": "22:00", "to": "06:00"}}, BERLIN, "2027-10-30T22:00:00+02:00"),
    "that-night": (
        {"window": {"days": ["sun"], "from": "02:30", "to": "06:00"}}, BERLIN, "2027-10-31T02:30:00+02:00",
    ),
    "monday": ({"window": {"days": ["mon"], "from": "08:00", "to": "20:00"}}, NEW_YORK, "2027-11-01T08:00:00-04:00"),
}  # fmt: skip
"""What is waited for, by whose clocks, and when that is."""


class AppClock(StandingClock):
    """What a process takes for the time: the truth, and how far its machine is off."""

    def __init__(self, truth: StandingClock, skew: timedelta = timedelta()) -> None:
        self.truth = truth
        self.skew = skew
        self.jumped = timedelta()

    def now(self) -> datetime:
        return self.truth.now() + self.skew + self.jumped

    def micros(self) -> int:
        return to_micros(self.now())


class Scene:
    """Two processes on one database, each with a clock of its own."""

    def __init__(self, worlds: Sequence[World], truth: StandingClock) -> None:
        self.worlds = worlds
        self.truth = truth
        self.due: dict[str, int] = {}
        """Per contact, when its wait is over by the clock of the process in which it began."""

    @property
    def clocks(self) -> list[AppClock]:
        return [world.clock for world in self.worlds if isinstance(world.clock, AppClock)]

    async def begin(self, chance: random.Random) -> None:
        """Let a run of each kind begin, in one process or the other."""
        waits = {f"for-{length.lower()}": ({"for": length}, SAIGON) for length in LENGTHS}
        waits |= {f"event-{one.lower()}": ({"event": "shop.never", "timeout": one}, BERLIN) for one in LENGTHS[::3]}
        waits |= {name: (wait, zone) for name, (wait, zone, _) in MOMENTS.items()}
        for name, (wait, zone) in waits.items():
            world = chance.choice(self.worlds)
            await world.workflow(name, {"id": "hold", "wait": wait}, tag("over"), on=f"begin.{name}")
            contact = {"external_id": name, "timezone": zone, "custom": {"renewal": "2028-03-01"}}
            await world.happens(f"begin.{name}", contact)
            length = wait.get("for") or wait.get("timeout")
            self.due[name] = (
                to_micros(world.clock.now() + parse_duration(str(length)))
                if length
                else to_micros(parse_time(MOMENTS[name][2]))
            )

    async def look_around(self, chance: random.Random) -> None:
        """Each process does what is due by its clock; then nothing is late by either."""
        for world in chance.sample(list(self.worlds), len(self.worlds)):
            await world.engine.executor.reconcile()
            await world.work()
        latest = min(clock.micros() for clock in self.clocks)
        left = await self.worlds[0].rows(
            "SELECT c.external_id FROM steps s JOIN contacts c ON c.id = s.contact_id WHERE s.state = 'waiting'"
        )
        late = [row[0] for row in left if self.due[row[0]] <= latest]
        if late:
            raise Violation(f"waits did not end although they are over by both clocks: {late}")

    async def judge(self) -> None:
        """No wait ended early by the clock of the process that ended it, and each run went on once."""
        findings = Findings()
        steps = await self.worlds[0].rows(
            "SELECT c.external_id, s.path, s.state, s.finished_at FROM steps s JOIN contacts c ON c.id = s.contact_id"
        )
        ended = {row[0]: row[3] for row in steps if row[1] == "hold" and row[2] == "done"}
        early = [
            f"{name} at {format_time(from_micros(at))} instead of {format_time(from_micros(self.due[name]))}"
            for name, at in ended.items()
            if from_micros(at) < from_micros(self.due[name]) - SECOND
        ]
        findings.expect_none(early, "waits ended early")
        findings.expect_none(sorted(self.due.keys() - ended.keys()), "waits are lost")
        went_on = sorted(row[0] for row in steps if row[1] == "mark" and row[2] == "done")
        findings.expect_none(sorted(self.due.keys() ^ set(went_on)), "runs did not go on once")
        findings.expect_none([one for one in self.due if went_on.count(one) > 1], "runs went on twice")
        over = await self.worlds[0].run_states()
        findings.expect_none([state for state in over if state != "completed"], "runs are not over")
        findings.raise_if_any("")
        await invariants.check(self.worlds[0].engine.database, now=self.truth.micros())


@asynccontextmanager
async def scene(database_url: str, folder: Path) -> AsyncIterator[Scene]:
    """Two engines whose clocks differ by half a minute."""
    truth = StandingClock(START)
    first, second = AppClock(truth), AppClock(truth, SKEW)
    async with (
        open_world(database_url, folder, clock=first) as one,
        open_world(database_url, folder, clock=second) as other,
    ):
        yield Scene([one, other], truth)


async def turn_clocks(place: Scene, *, seed: int, jumps: float = 0.3) -> int:
    """Live through 400 days; answers how often a clock jumped by an hour, forwards or back."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    await place.begin(chance)
    around = (-JUMP, -2 * SKEW, -SKEW, -2 * SECOND, timedelta(), SKEW, JUMP + SKEW)
    ticks = {from_micros(due) + before for due in place.due.values() for before in around}
    jumped = 0
    for tick in sorted(one for one in ticks if one >= START):
        place.truth.advance(microseconds=to_micros(tick) - place.truth.micros())
        for clock in place.clocks:
            if chance.random() < jumps:
                clock.jumped = chance.choice((-JUMP, timedelta(), JUMP))
                jumped += 1
        await place.look_around(chance)
    for clock in place.clocks:
        clock.jumped = timedelta()
    # What a clock that was ahead has made due, the others do when they are there.
    place.truth.advance(hours=1, seconds=1)
    await place.look_around(chance)
    await place.judge()
    return jumped
