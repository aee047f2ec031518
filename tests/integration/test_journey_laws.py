"""Whatever journey, whatever happens on it: a run that is interrupted anywhere ends as one that never was.

The same story is told twice, in two shops with the same clock. In one of them nothing goes wrong. In the other, units
of work are lost before or after they are committed, workers die with steps in their hands and come back from the dead,
two look around at the same moment, and clients say everything twice. What is left has to be the same, to the minute.
"""

import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from nhip.domain.messages import Message, Rejected, RejectionReason
from tests.support.clocks import StandingClock
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.invariants import check
from tests.support.scripted_channels import scripts
from tests.support.world import World, open_world, send, tag

if TYPE_CHECKING:
    from nhip.services.execution.claimed import Claimed

CONTACTS = ("KH-1", "KH-2")
MOST_STEPS = 9
LEASE = 60_000_000

Op = tuple[Any, ...]
_scripts = itertools.count(1)


# --- journeys ---------------------------------------------------------------------------------------------------------


@st.composite
def journeys(draw: st.DrawFn) -> dict[str, Any]:
    """Steps and settings of a small workflow. Its decisions depend on nothing that another run does meanwhile."""
    ids: list[str] = []
    leavings: list[list[dict[str, Any]]] = [[], [], [{"event": "shop.left"}]]

    def condition() -> dict[str, Any]:
        if draw(st.booleans()) and ids:
            outcome = draw(st.sampled_from(("done", "accepted", "event", "elapsed", "again", "a")))
            return {"field": f"steps.{draw(st.sampled_from(ids))}.outcome", "op": "equals", "value": outcome}
        return {"field": "event.data.n", "op": "greater_than", "value": draw(st.integers(0, 3))}

    def waiting() -> dict[str, Any]:
        match draw(st.sampled_from(("for", "event", "event", "window", "until"))):
            case "for":
                return {"for": draw(st.sampled_from(("PT1S", "PT1H", "P1D")))}
            case "event":
                where = {"field": "event.data.n", "op": "greater_than", "value": 1}
                choosy = {"where": where} if draw(st.booleans()) else {}
                return {"event": "shop.bought", "timeout": draw(st.sampled_from(("PT2H", "P2D"))), **choosy}
            case "window":
                return {"window": {"from": "09:00", "to": "17:00", "days": ["mon", "wed", "sat"]}}
            case _:
                return {"until": "contact.custom.renewal", "offset": draw(st.sampled_from(("-P1D", "PT3H")))}

    def steps(depth: int, *, ends: bool = False) -> list[dict[str, Any]]:
        found = [step(depth) for _ in range(draw(st.integers(1, 3 if depth else 4))) if len(ids) < MOST_STEPS]
        if ends and draw(st.booleans()):
            found.append({"id": f"end{len(ids)}", "exit": {"reason": "enough"}})
        return found or [tag("more", id=name("more"))]

    def name(kind: str) -> str:
        ids.append(f"{kind}{len(ids)}")
        return ids[-1]

    def step(depth: int) -> dict[str, Any]:
        nested = ["if", "split", "repeat", "repeat"] if depth < 2 else []
        match draw(st.sampled_from([*nested, "tag", "send", "send", "wait", "wait"])):
            case "tag":
                return tag(draw(st.sampled_from("xyz")), id=name("tag"))
            case "send":
                return send("zns", id=name("send"))
            case "wait":
                said = waiting()
                return {"id": name("wait"), "wait": said}
            case "if":
                asked = condition()
                return {"id": name("if"), "if": asked, "then": steps(depth + 1, ends=True), "else": steps(depth + 1)}
            case "split":
                identifier = name("split")
                ways = [{"weight": 50, "name": way, "steps": steps(depth + 1)} for way in "ab"]
                return {"id": identifier, "split": ways}
            case _:
                until = {"until": condition()} if draw(st.booleans()) else {}
                identifier = name("loop")
                times = draw(st.integers(1, 3))
                return {"id": identifier, "repeat": {"times": times, **until}, "steps": steps(depth + 1)}

    mode = draw(st.sampled_from(("parallel", "parallel", "single", "restart", "queued")))
    return {"steps": steps(0), "settings": {"mode": mode, "exit_when": draw(st.sampled_from(leavings))}}


stories = st.lists(
    st.one_of(
        st.tuples(
            st.just("event"), st.sampled_from(("shop.opened", "shop.bought", "shop.left")), st.sampled_from(CONTACTS),
            st.integers(0, 3), st.booleans(),
        ),
        st.tuples(st.just("pass"), st.sampled_from((1, 3, 25, 49))),
    ),
    max_size=7,
).map(lambda middle: [("event", "shop.opened", "KH-1", 2, True), *middle, *[("pass", 26)] * 3])  # fmt: skip
"""What happens, one after the other: an event (said twice or not), or hours that pass."""

TO_UNITS = ("lost", "unanswered")
"""A unit of work comes to nothing, or is committed and nobody is told."""
TO_WORKERS = ("dies", "returns", "both")
"""A worker dies with what it claimed, and perhaps comes back late; or two look around at once."""
weathers = st.lists(st.sampled_from(("", "", *TO_UNITS, *TO_UNITS, *TO_WORKERS)), max_size=40)
"""What goes wrong, one thing after the other."""


# --- two shops --------------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    """The process that asked for it is gone, and so is the unit, or the answer."""


class Shop:
    """A story's place: one database with one or several engines on it."""

    def __init__(self, worlds: Sequence[World], weather: Sequence[str]) -> None:
        self.worlds = itertools.cycle(worlds)
        self.world = worlds[0]
        self.weathers: dict[tuple[str, ...], Iterator[str]] = {
            kinds: iter([fate for fate in weather if fate in ("", *kinds)]) for kinds in (TO_UNITS, TO_WORKERS)
        }
        self.interruptions: Counter[str] = Counter()
        self.script = f"zns-{next(_scripts)}"
        self.mortal = False
        self.dead: list[tuple[World, Claimed]] = []
        """Workers that stopped after a claim, with what they had claimed."""
        for world in worlds:
            self._make_mortal(world)

    def _make_mortal(self, world: World) -> None:
        """Let units be lost: with all that they did, or with their answer."""
        database = world.engine.database
        whole = database.transact

        async def transact(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            fate = self.next_fate(TO_UNITS)

            def lost(unit: Any, *rest: Any, **more: Any) -> Any:
                work(unit, *rest, **more)
                raise Interrupted

            answer = await whole(lost if fate == "lost" else work, *args, **kwargs)
            if fate == "unanswered":
                raise Interrupted
            return answer

        database.transact = transact  # type: ignore[method-assign,assignment]

    def next_fate(self, kinds: tuple[str, ...]) -> str:
        """What goes wrong next, or nothing."""
        fate = next(self.weathers[kinds], "") if self.mortal else ""
        self.interruptions[fate] += 1
        return fate

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Nothing goes wrong for a while."""
        before, self.mortal = self.mortal, False
        try:
            yield
        finally:
            self.mortal = before

    async def open(self, journey: dict[str, Any]) -> None:
        await self.world.channel("zns", "scripted_dedupes", config={"script": self.script})
        await self.world.template("hello", "scripted_dedupes")
        for number, contact in enumerate(CONTACTS):
            custom = {"renewal": f"2026-11-2{number + 3}"}
            await self.world.knows(contact, name=contact, phone=f"098765432{number}", custom=custom)
        await self.world.workflow("n", *journey["steps"], settings=journey["settings"])

    async def happens(self, number: int, kind: str, contact: str, n: int, twice: bool) -> None:
        """A client says it until it is answered, and perhaps once more."""
        for _ in range(1 + twice):
            while True:
                world = next(self.worlds)
                try:
                    await world.happens(kind, contact, id=f"said-{number}", n=n)
                except Interrupted:
                    continue
                break

    async def rest(self) -> None:
        """Work until nothing is left to do at this moment, whoever dies over it."""
        await self.return_from_the_dead()
        for _ in range(400):
            world = next(self.worlds)
            try:
                match self.next_fate(TO_WORKERS):
                    case "both":
                        both = [one.engine.executor.reconcile() for one in (world, next(self.worlds))]
                        for failed in await asyncio.gather(*both, return_exceptions=True):
                            if failed is not None:
                                raise failed
                    case "dies":
                        await world.engine.database.transact(world.engine.execution.claim, "dead", 3, LEASE)
                    case "returns":
                        claimed = await world.engine.database.transact(world.engine.execution.claim, "dead", 3, LEASE)
                        self.dead.append((world, claimed))
                await world.engine.executor.reconcile()
                await world.work()
            except Interrupted:
                await world.engine.executor.settled()
            if not await self._left():
                break
        else:
            raise AssertionError("it does not come to rest")

    async def return_from_the_dead(self) -> None:
        """Who died with steps in its hands comes back when others have done them, and says what it knows."""
        with self.spared():
            while self.dead:
                world, claimed = self.dead.pop()
                # What the provider says to the same message now would change everything, if anybody listened.
                script = scripts[self.script]
                script.answer(*[Rejected(reason=RejectionReason.REFUSED, code="again")] * len(claimed.sendings))
                world.engine.performer.start(claimed, 1e12)
                await world.engine.executor.settled()
                script.answers.clear()

    async def _left(self) -> bool:
        """Whether something is to be done now. What somebody died over is free again, and is nobody's poison."""
        with self.spared():
            await self.world.change("UPDATE steps SET lease_until = 0 WHERE state = 'running'")
            await self.world.change("UPDATE steps SET leases_lost = 1 WHERE leases_lost > 1")
        due = "SELECT COUNT(*) FROM steps WHERE state = 'running' OR (state IN ('ready', 'waiting') AND due_at <= :now)"
        return bool(await self.world.value(due, now=self.world.clock.micros()))

    async def remains(self) -> dict[str, Any]:
        """What is left of the story, without what is made by chance."""
        told = "JOIN runs r ON r.id = {0}.run_id JOIN events e ON e.id = r.root_event_id"
        steps = await self.world.rows(
            "SELECT e.source_id, s.path, s.iteration, s.kind, s.state, s.outcome, s.generation, s.finished_at,"
            f" s.wanted_at, CASE WHEN s.kind = 'wait' THEN s.due_at ELSE 0 END FROM steps s {told.format('s')}"
        )
        deliveries = await self.world.rows(
            f"SELECT e.source_id, s.path, s.iteration, d.generation, d.state, d.idempotency_key FROM deliveries d"
            f" JOIN steps s ON s.id = d.step_id {told.format('d')}"
        )
        places = {row[5]: tuple(row[:4]) for row in deliveries}
        return {
            "steps": Counter(tuple(row) for row in steps),
            "runs": Counter(
                tuple(row)
                for row in await self.world.rows(
                    "SELECT e.source_id, r.state, r.reason, r.started_at, r.ended_at FROM runs r"
                    " JOIN events e ON e.id = r.root_event_id"
                )
            ),
            "deliveries": Counter(tuple(row[:5]) for row in deliveries),
            "messages": {places[message.idempotency_key] for message in self.sent},
            "events": Counter(
                tuple(row)
                for row in await self.world.rows(
                    "SELECT c.external_id, e.type, e.time_at FROM events e JOIN contacts c ON c.id = e.contact_id"
                )
            ),
            "tags": [sorted((await self.world.contact(one)).get("tags", [])) for one in CONTACTS],
        }

    @property
    def sent(self) -> list[Message]:
        return scripts[self.script].sent


@asynccontextmanager
async def shop(url: str, folder: Path, weather: Sequence[str] | None) -> AsyncIterator[Shop]:
    """A shop of one engine where nothing goes wrong, or one of two where everything does."""
    clock = StandingClock()
    async with open_world(url, folder, clock=clock) as first:
        if weather is None:
            yield Shop([first], ())
            return
        async with open_world(url, folder, clock=clock) as second:
            yield Shop([first, second], weather)


async def told(
    url: str, folder: Path, journey: dict[str, Any], story: Sequence[Op], weather: Sequence[str] | None
) -> tuple[dict[str, Any], Shop]:
    """Tell a story in a shop; answers what is left of it."""
    async with shop(url, folder, weather) as place:
        await place.open(journey)
        place.mortal = weather is not None
        for number, (what, *said) in enumerate(story):
            if what == "pass":
                place.world.clock.advance(hours=said[0])
            else:
                kind, contact, n, twice = said
                await place.happens(number, kind, contact, n, twice and weather is not None)
            await place.rest()
        place.mortal = False
        await check(place.world.engine.database, now=place.world.clock.micros())
        return await place.remains(), place


def same(urls: Sequence[str], folder: Path, journey: dict[str, Any], story: Sequence[Op], weather: list[str]) -> Shop:
    """Tell the story in both shops, and compare; answers the one where things went wrong."""
    quiet, calm = asyncio.run(told(urls[0], folder, journey, story, None))
    stormy, shaken = asyncio.run(told(urls[1], folder, journey, story, weather))
    assert len({message.idempotency_key for message in calm.sent}) == len(calm.sent)
    for what, expected in quiet.items():
        assert stormy[what] == expected, what
    return shaken


@contextmanager
def folder_of_its_own() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nhip-journeys-") as name:
        yield Path(name)


unhurried: Any = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@settings(unhurried, max_examples=12)
@given(journeys(), stories, weathers)
def test_an_interrupted_journey_ends_as_an_undisturbed_one(
    migrated_sqlite_databases: SqliteDatabases, journey: dict[str, Any], story: list[Op], weather: list[str]
) -> None:
    with folder_of_its_own() as folder:
        same([migrated_sqlite_databases.create(folder) for _ in range(2)], folder, journey, story, weather)


@settings(unhurried, max_examples=2)
@given(journeys(), stories, weathers)
def test_on_postgresql_too(
    migrated_postgres_databases: PostgresDatabases, journey: dict[str, Any], story: list[Op], weather: list[str]
) -> None:
    urls = [migrated_postgres_databases.create() for _ in range(2)]
    try:
        with folder_of_its_own() as folder:
            same(urls, folder, journey, story, weather)
    finally:
        for url in urls:
            migrated_postgres_databases.drop(url)


LONG = {
    "steps": [
        {"id": "loop", "repeat": {"times": 2}, "steps": [
            send("zns", id="tell"), {"id": "buys", "wait": {"event": "shop.bought", "timeout": "P1D"}}, tag("x"),
        ]},
        {"id": "fork", "if": {"field": "steps.buys.outcome", "op": "equals", "value": "event"},
         "then": [send("zns", id="thank")], "else": [tag("quiet", id="quiet")]},
    ],
    "settings": {"mode": "queued", "exit_when": [{"event": "shop.left"}]},
}  # fmt: skip
STORY: list[Op] = [
    ("event", "shop.opened", "KH-1", 2, True), ("event", "shop.opened", "KH-1", 2, True),
    ("event", "shop.opened", "KH-2", 2, False), ("pass", 25), ("event", "shop.bought", "KH-1", 2, True), ("pass", 25),
    ("event", "shop.left", "KH-2", 2, False), ("pass", 49), ("pass", 49),
]  # fmt: skip


@pytest.mark.parametrize("fate", ["lost", "unanswered", "dies", "returns", "both"])
def test_one_misfortune_after_the_other(migrated_sqlite_databases: SqliteDatabases, fate: str) -> None:
    weather = [fate, fate, ""] * 8
    with folder_of_its_own() as folder:
        shaken = same([migrated_sqlite_databases.create(folder) for _ in range(2)], folder, LONG, STORY, weather)
    assert shaken.interruptions[fate] > 5
