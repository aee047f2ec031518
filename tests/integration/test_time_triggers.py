"""What time sets off, told as stories: schedules, silences, comings back, days, segments."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy.util import await_only

from nhip.domain.errors import InvalidInput
from nhip.domain.segments import SegmentDraft
from nhip.domain.times import format_micros
from nhip.engine.definitions.definition import compile_definition
from nhip.ports import Unit
from nhip.services.customers import contacts
from nhip.services.customers.segments import Segments
from nhip.services.scans import looks, scheduler
from nhip.services.scans.asking import carry_over
from tests.support.world import World, tag

TOLD = ("schedule.tick", "contact.dormant", "date.reached", "segment.entered")


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of contacts already takes several units."""
    monkeypatch.setattr(looks, "PAGE", 3)
    monkeypatch.setattr(scheduler, "_FILL", 2)


def on(kind: str, **config: Any) -> dict[str, Any]:
    """A trigger."""
    return {"id": kind, "type": kind, "config": config}


async def told(world: World, kind: str | None = None) -> list[tuple[str, str]]:
    """Contact and time of what time set off, in the order of their making."""
    found = await world.rows("SELECT type, subject, time_at FROM events WHERE type <> 'order.created' ORDER BY id")
    return [(row[1], format_micros(row[2])) for row in found if row[0] in ((kind,) if kind else TOLD)]


async def names_told(world: World) -> list[str]:
    return sorted(name for name, _ in await told(world))


async def data_told(world: World) -> list[dict[str, Any]]:
    found = await world.rows("SELECT type, data FROM events ORDER BY id")
    return [msgspec.json.decode(row[1]) for row in found if row[0] in TOLD]


async def order(world: World, contact: str, number: int | str = 1, **rest: Any) -> None:
    await world.happens("order.created", contact, order={"external_id": f"DH-{contact}-{number}"}, **rest)


async def scans(world: World) -> int:
    return int(await world.value("SELECT COUNT(*) FROM scans"))


async def days_pass(world: World, count: int) -> None:
    for _ in range(count):
        await world.later(days=1)


# --- schedules --------------------------------------------------------------------------------------------------------


async def test_a_schedule_starts_for_everybody_at_each_tick(world: World) -> None:
    everybody = [f"KH-{n}" for n in range(8)]
    for name in everybody:
        await world.knows(name)
    await world.workflow("daily", tag("seen"), on=on("schedule", cron="0 9 * * *"))  # it is 08:00
    await world.later(minutes=59)
    assert await told(world) == []
    await world.later(minutes=1)
    assert await told(world) == [(name, "2026-11-21T02:00:00Z") for name in everybody]
    assert (await world.contact("KH-1"))["tags"] == ["seen"]
    await world.later(minutes=1)
    await world.later(hours=23, minutes=58)
    assert len(await told(world)) == 8
    await world.later(minutes=1)
    assert len(await told(world)) == 16
    assert await world.run_states() == ["completed"] * 16


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        pytest.param("skip", [10], id="skip: only the one that is in time"),
        pytest.param("last", [10], id="last"),
        pytest.param("all", list(range(1, 11)), id="all"),
    ],
)
async def test_ten_minutes_down(world: World, missed: str, expected: list[int]) -> None:
    await world.knows("KH-1")
    await world.workflow("often", tag("seen"), on=on("schedule", cron="* * * * *", missed=missed))
    await world.later(minutes=10, seconds=30)
    assert [time for _, time in await told(world)] == [f"2026-11-21T01:{minute:02}:00Z" for minute in expected]
    await world.later(seconds=30)
    assert [time for _, time in await told(world)][len(expected) :] == ["2026-11-21T01:11:00Z"]


async def test_a_skipped_tick_is_gone(world: World) -> None:
    await world.knows("KH-1")
    await world.workflow("hourly", tag("seen"), on=on("schedule", cron="0 * * * *", missed="skip"))
    await world.later(hours=3, minutes=2)
    assert await told(world) == []
    await world.later(minutes=58)
    assert await told(world) == [("KH-1", "2026-11-21T05:00:00Z")]


async def test_two_schedulers_make_each_of_a_hundred_ticks_once(world: World, second: World) -> None:
    """One stands still in the middle of its pass, again and again."""
    for n in range(4):
        await world.knows(f"KH-{n}")
    await world.workflow("often", tag("seen"), on=on("schedule", cron="* * * * *", missed="all"))
    storage = second.engine.database
    for minute in range(100):
        world.clock.advance(minutes=1)
        if minute % 10 == 5:  # the second one begins, does one unit of two, and pauses over several ticks
            [job] = await storage.read(second.engine.scheduler.due)
            assert await storage.transact(second.engine.scheduler.perform, job)
            world.clock.advance(minutes=3)
        await asyncio.gather(world.engine.executor.reconcile(), second.engine.executor.reconcile())
    found = await told(world)
    assert len(found) == len(set(found)) == 4 * 130
    assert {time for _, time in found} == {
        format_micros(world.clock.micros() - minutes * 60_000_000) for minutes in range(130)
    }
    await world.work()


async def test_a_scheduler_that_pauses_in_a_unit_holds_up_no_other_scan(world: World, second: World) -> None:
    if world.engine.database.dialect == "sqlite":
        return  # which has one writer: the others wait
    for n in range(4):
        await world.knows(f"KH-{n}")
    await world.workflow("often", tag("seen"), on=on("schedule", cron="* * * * *", missed="all"))
    await world.workflow("other", tag("other"), on=on("schedule", cron="*/2 * * * *", missed="all"))
    world.clock.advance(minutes=1)
    [job] = await second.engine.database.read(second.engine.scheduler.due)
    begun, go_on = asyncio.Event(), asyncio.Event()

    def pausing(unit: Unit) -> bool:
        performed = second.engine.scheduler.perform(unit, job)
        begun.set()
        await_only(go_on.wait())
        return performed

    paused = asyncio.create_task(second.engine.database.transact(pausing))
    await begun.wait()
    for _ in range(3):
        await world.later(minutes=1)
    assert {time for _, time in await told(world)} == {"2026-11-21T01:02:00Z", "2026-11-21T01:04:00Z"}
    go_on.set()
    assert await paused
    await asyncio.gather(world.engine.executor.reconcile(), second.engine.executor.reconcile())
    await world.work()
    found = [
        (data["scan"], data["tick"], name)
        for data, (name, _) in zip(await data_told(world), await told(world), strict=True)
    ]
    assert len(found) == len(set(found)) == 4 * (4 + 2)


async def test_a_scheduler_that_dies_in_a_unit_has_done_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(7):
        await world.knows(f"KH-{n}")
    await world.workflow("daily", tag("seen"), on=on("schedule", cron="0 9 * * *"))
    world.clock.advance(hours=1)
    engine = world.engine
    [job] = await engine.database.read(engine.scheduler.due)
    assert await engine.database.transact(engine.scheduler.perform, job)

    def dying(unit: Unit) -> None:
        engine.scheduler.perform(unit, job)
        raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError):
        await engine.database.transact(dying)
    assert len(await told(world)) == 3
    await engine.executor.reconcile()
    await world.work()
    assert await names_told(world) == [f"KH-{n}" for n in range(7)]


async def test_a_scan_that_fails_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.knows("KH-1", birthday="1990-11-21")
    await world.workflow("daily", tag("seen"), on=on("schedule", cron="0 9 * * *"))
    await world.workflow("birthday", tag("wished"), on=on("birthday", at="09:00"))

    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(looks.Look, "_tick", broken)
        await world.later(hours=1)
    assert [data["scan"].partition(":")[0] for data in await data_told(world)] == ["date"]
    await world.later(minutes=2)
    assert len(await told(world)) == 2


# --- publish, pause, resume, archive ----------------------------------------------------------------------------------


async def test_scans_stand_while_an_active_workflow_asks_them(world: World) -> None:
    await world.knows("KH-1")
    every_hour = on("schedule", cron="0 * * * *")
    await world.workflow("one", tag("one"), on=every_hour)
    await world.workflow("other", tag("other"), on=every_hour)
    assert await scans(world) == 1
    await world.later(hours=1)
    assert len(await told(world)) == 1
    assert sorted((await world.contact("KH-1"))["tags"]) == ["one", "other"]
    await world.pause("one")
    await world.later(hours=1)
    assert len(await told(world)) == 2
    assert len(await world.run_states()) == 3
    await world.archive("other")
    assert await scans(world) == 0
    await world.later(hours=5)
    assert len(await told(world)) == 2
    await world.resume("one")
    await world.later(minutes=59)
    assert len(await told(world)) == 2  # what the pause held back is not made up for
    await world.later(minutes=1)
    assert len(await told(world)) == 3


async def test_a_version_that_asks_something_else_begins_anew(world: World) -> None:
    await world.knows("KH-1")
    await world.workflow("one", tag("one"), on=on("schedule", cron="0 * * * *"))
    await world.later(minutes=30)
    await world.workflow("one", tag("one"), tag("two", id="two"), on=on("schedule", cron="0 * * * *"))
    await world.later(minutes=30)
    assert len(await told(world)) == 1
    await world.workflow("one", tag("one"), on=on("schedule", cron="30 * * * *"))
    assert await scans(world) == 1
    await world.later(minutes=30)
    assert [time for _, time in await told(world)] == ["2026-11-21T02:00:00Z", "2026-11-21T02:30:00Z"]


async def test_a_look_at_another_time_of_the_day_misses_nobody_and_tells_nobody_twice(world: World) -> None:
    """It is 08:00. Somebody orders and enters every hour, and the looks move from 12:00 to 16:00 and back to 10:00."""
    await segment(world, "vips", VIP)

    async def looks_at(clock: str) -> None:
        await world.workflow("asleep", tag("asleep"), on=on("dormancy", days=1, at=clock))
        await world.workflow("greet", tag("greeted"), on=on("segment_entered", segment="vips", at=clock))

    await looks_at("12:00")
    await world.later(minutes=30)
    for hour in range(30):
        await world.knows(f"KH-{hour}", tags=["VIP"])
        await order(world, f"KH-{hour}")
        await world.later(minutes=30)
        if hour in (5, 28):
            await looks_at("16:00" if hour == 5 else "10:00")
        await world.later(minutes=30)
    await days_pass(world, 3)
    everybody = sorted(f"KH-{hour}" for hour in range(30))
    assert sorted(name for name, _ in await told(world, "contact.dormant")) == everybody
    assert sorted(name for name, _ in await told(world, "segment.entered")) == everybody


async def test_a_pause_between_two_looks_loses_nobody_and_looks_in_a_pause_are_gone(world: World) -> None:
    await segment(world, "vips", VIP)
    await world.workflow("asleep", tag("asleep"), on=on("dormancy", days=1))
    await world.workflow("greet", tag("greeted"), on=on("segment_entered", segment="vips"))

    async def a_day(number: int) -> None:
        """Somebody orders and comes into the segment, and it is looked whom that concerns a day later."""
        await world.later(hours=2)
        await world.knows(f"KH-{number}", tags=["VIP"])
        await order(world, f"KH-{number}")
        await world.later(hours=22)

    async def pause(**duration: float) -> None:
        for name in ("asleep", "greet"):
            await world.pause(name)
        await world.later(**duration)
        for name in ("asleep", "greet"):
            await world.resume(name)

    for number in range(3):  # at 08:00 each time
        await a_day(number)
    await pause(minutes=10)
    await world.later(minutes=50)
    assert [name for name, _ in await told(world, "segment.entered")] == ["KH-0", "KH-1", "KH-2"]
    assert [name for name, _ in await told(world, "contact.dormant")] == ["KH-0", "KH-1"]
    await pause(days=1)  # KH-2 is dormant at 09:00 of the next day, when nobody looks
    await world.later(hours=1)
    await world.knows("KH-3", tags=["VIP"])
    await days_pass(world, 2)
    assert [name for name, _ in await told(world, "segment.entered")] == ["KH-0", "KH-1", "KH-2", "KH-3"]
    assert [name for name, _ in await told(world, "contact.dormant")] == ["KH-0", "KH-1"]


async def test_a_scan_rests_while_only_paused_workflows_ask_it(world: World) -> None:
    asleep = on("dormancy", days=1)
    await world.workflow("one", tag("one"), on=asleep)
    await world.workflow("other", tag("other"), on=asleep)
    await order(world, "KH-1")
    await world.pause("one")
    assert await world.value("SELECT COUNT(*) FROM scans WHERE due_at IS NOT NULL") == 1
    await world.archive("other")
    assert await world.value("SELECT COUNT(*) FROM scans WHERE due_at IS NULL") == 1
    await days_pass(world, 1)
    await world.resume("one")
    await days_pass(world, 1)
    assert await names_told(world) == ["KH-1"]
    await world.archive("one")
    assert await scans(world) == 0


# --- another version of Nhịp ------------------------------------------------------------------------------------------


async def another_version_wrote(world: World, *fields: str) -> None:
    """As if a version of Nhịp had published everything that knew these fields of scans not yet, and other keys."""
    for key, spec in await world.rows("SELECT key, spec FROM scans"):
        said = {name: value for name, value in msgspec.json.decode(spec).items() if name not in fields}
        old = {"old": f"older:{key}", "key": key}
        await world.change("UPDATE workflow_scans SET key = :old WHERE key = :key", **old)
        await world.change(
            "UPDATE scans SET key = :old, spec = :spec WHERE key = :key", spec=msgspec.json.encode(said).decode(), **old
        )


async def starts(world: World) -> None:
    """A process starts."""

    def load(unit: Unit) -> None:
        world.engine.matcher.refresh(unit, world.workspace_id)
        carry_over(unit, world.workspace_id, world.engine.matcher, world.clock.micros())

    await world.engine.database.transact(load)


async def test_an_upgrade_misses_nobody_and_tells_nobody_twice(world: World, second: World) -> None:
    await segment(world, "vips", VIP)
    for n in range(4):
        await world.knows(f"KH-{n}", tags=["VIP"], birthday=f"1990-11-{22 + n}")
        await order(world, f"KH-{n}")
    await world.workflow("often", tag("often"), on=on("schedule", cron="0 */6 * * *", missed="all"))
    await world.workflow("also", tag("also"), on=on("schedule", cron="0 */6 * * *", missed="all"))
    await world.workflow("asleep", tag("asleep"), on=on("dormancy", bands=[1, 2]))
    await world.workflow("birthday", tag("wished"), on=on("birthday", at="08:30"))
    await world.workflow("greet", tag("greeted"), on=on("segment_entered", segment="vips", existing=True))
    await world.workflow("paused", tag("paused"), on=on("segment_entered", segment="vips", existing=True))
    await world.later(hours=1)
    await world.later(days=1)
    await world.pause("paused")
    await another_version_wrote(world, "asker")
    world.clock.advance(seconds=1)
    await world.knows("KH-9", tags=["VIP"])
    world.clock.advance(days=1)  # everything is down
    await asyncio.gather(starts(second), starts(world))
    await starts(second)
    await world.later(minutes=5)
    kinds = [(row[0], row[1]) for row in await world.rows("SELECT type, subject FROM events ORDER BY id")]
    assert sorted(name for kind, name in kinds if kind == "segment.entered") == [
        *(f"KH-{n}" for n in range(4) for _ in range(2)), "KH-9",
    ]  # fmt: skip
    assert sorted(name for kind, name in kinds if kind == "contact.dormant") == [
        f"KH-{n}" for n in range(4) for _ in range(2)
    ]
    assert sorted(name for kind, name in kinds if kind == "date.reached") == ["KH-0", "KH-1"]
    assert sum(kind == "schedule.tick" for kind, _ in kinds) == 4 * 4 + 4 * 5
    runs = dict(await world.rows("SELECT workflow, COUNT(*) FROM runs GROUP BY workflow"))
    assert runs == {
        "often": 36, "also": 36, "asleep": 8, "birthday": 2, "greet": 5, "paused": 4,
    }  # fmt: skip
    await world.resume("paused")
    await days_pass(world, 1)
    assert await world.value("SELECT COUNT(*) FROM runs WHERE workflow = 'paused'") == 4


# --- silences ---------------------------------------------------------------------------------------------------------


async def test_a_silence_is_told_once_in_each_band_and_an_order_ends_it(world: World) -> None:
    await world.workflow("asleep", tag("asleep"), on=on("dormancy", bands=[30, 60]))
    await order(world, "KH-1")
    await world.knows("KH-2")  # who never ordered is not dormant
    await days_pass(world, 30)
    assert await told(world) == []  # the 30 days are over at 08:00, and it is looked at 09:00
    await world.later(hours=1)
    assert await told(world) == [("KH-1", "2026-12-21T02:00:00Z")]
    [data] = await data_told(world)
    assert {key: value for key, value in data.items() if key != "scan"} == {
        "days": 30, "band": 30, "activity": "order", "since": "2026-11-21T01:00:00Z",
    }  # fmt: skip
    assert (await world.contact("KH-1"))["tags"] == ["asleep"]
    await days_pass(world, 29)
    assert len(await told(world)) == 1
    await world.later(days=1)
    assert [data["band"] for data in await data_told(world)] == [30, 60]
    await days_pass(world, 40)
    assert len(await told(world)) == 2
    await order(world, "KH-1", 2)
    await days_pass(world, 31)
    assert [data["band"] for data in await data_told(world)] == [30, 60, 30]
    await world.pause("asleep")
    await world.resume("asleep")
    await days_pass(world, 2)
    assert len(await told(world)) == 3


async def test_an_order_while_nobody_looks_is_no_silence(world: World) -> None:
    for n in range(8):
        await order(world, f"KH-{n}")
    await world.workflow("asleep", tag("asleep"), on=on("dormancy", days=10))
    await days_pass(world, 9)
    world.clock.advance(days=3)  # down from here
    await order(world, "KH-3", 2)
    await world.later(hours=2)
    assert await names_told(world) == [f"KH-{n}" for n in range(8) if n != 3]
    assert {time for _, time in await told(world)} == {"2026-12-01T02:00:00Z"}  # when it would have been told
    await days_pass(world, 5)
    assert len(await told(world)) == 7


async def test_who_was_silent_for_longer_when_it_was_published_is_told_the_next_band(world: World) -> None:
    await order(world, "KH-1")
    await days_pass(world, 40)
    await world.workflow("asleep", tag("asleep"), on=on("dormancy", bands=[30, 60]))
    await days_pass(world, 30)
    assert [data["band"] for data in await data_told(world)] == [60]


async def test_any_activity_ends_a_silence_of_any_kind(world: World) -> None:
    await world.workflow("asleep", tag("asleep"), on=on("dormancy", days=10, activity="any"))
    await world.workflow("tick", tag("ticked"), on=on("schedule", cron="0 12 * * *"))  # is no activity of theirs
    for n in range(5):
        await order(world, f"KH-{n}")
    await days_pass(world, 5)
    await world.happens("site.visited", "KH-0")
    await days_pass(world, 6)
    dormant = [name for name, _ in await told(world, "contact.dormant")]
    assert sorted(dormant) == ["KH-1", "KH-2", "KH-3", "KH-4"]
    await days_pass(world, 5)
    assert [name for name, _ in await told(world, "contact.dormant")][4:] == ["KH-0"]


async def test_coming_back_after_an_absence(world: World) -> None:
    await world.workflow("back", tag("back"), on=on("site_return", days=30))
    await world.happens("site.visited", "KH-1")
    await world.later(days=29)
    await world.happens("site.visited", "KH-1")
    await world.later(days=30)
    assert await world.run_states() == []
    await world.happens("site.visited", "KH-1")
    assert len(await world.run_states()) == 1
    await world.work()


# --- days -------------------------------------------------------------------------------------------------------------


async def test_birthdays_are_met_by_each_contacts_own_clock(world: World) -> None:
    await world.knows("KH-1", birthday="1990-11-23")
    await world.workflow("birthday", tag("wished"), on=on("birthday", at="08:00"))
    await world.knows("KH-2", birthday="1985-11-23", timezone="America/New_York")
    await world.knows("KH-3", birthday="1985-11-24")
    await world.knows("KH-4")
    await world.later(days=1, hours=23)
    assert await told(world) == []
    await world.later(hours=1)
    assert await told(world) == [("KH-1", "2026-11-23T01:00:00Z")]
    await world.later(hours=12)
    assert await told(world) == [("KH-1", "2026-11-23T01:00:00Z"), ("KH-2", "2026-11-23T13:00:00Z")]
    assert (await world.contact("KH-2"))["tags"] == ["wished"]
    await world.later(hours=12)
    assert [name for name, _ in await told(world)] == ["KH-1", "KH-2", "KH-3"]
    await world.later(days=365)
    assert await names_told(world) == ["KH-1", "KH-1", "KH-2", "KH-2", "KH-3", "KH-3"]


async def test_days_at_another_time_of_the_day_miss_nobody_and_tell_nobody_twice(world: World) -> None:
    """The time moves on the very day: after it was told, before it was, before anybody looked, and to where another
    workflow looks already. Those in New York are half a day behind, and one contact moves there.
    """
    zones = {"VN": None, "NY": "America/New_York"}
    names = {f"{zone}-{day}-{n}": day for zone in zones for day in range(22, 27) for n in range(2)}
    for name, day in names.items():
        await world.knows(name, birthday=f"1990-11-{day}", timezone=zones[name[:2]])

    async def tells(clock: str, name: str = "birthday") -> None:
        await world.workflow(name, tag("told"), on=on("birthday", at=clock))

    await tells("20:00", "other")
    await tells("12:00")
    moves = {30: ("16:00",), 50: ("06:00",), 52: ("20:00",), 75: ("09:00", "10:00"), 97: ("23:00",)}
    for hour in range(1, 24 * 7):
        await world.later(hours=1)
        for clock in moves.get(hour, ()):
            await tells(clock)
        if hour == 30:
            await world.knows("VN-22-0", timezone="America/New_York")
        if hour == 51:  # 11:00 on the 23rd: who was to be told at 16:00 was told at once when it became 06:00
            late = "SELECT e.subject FROM runs r JOIN events e ON e.id = r.event_id WHERE r.workflow = 'birthday'"
            assert ("VN-23-0",) in [tuple(row) for row in await world.rows(late)]
    told_by = "SELECT e.subject, e.data FROM runs r JOIN events e ON e.id = r.event_id WHERE r.workflow = :name"
    for workflow in ("birthday", "other"):
        found = await world.rows(told_by.replace(":name", f"'{workflow}'"))
        assert sorted(row[0] for row in found) == sorted(names)
    reasons = await world.rows("SELECT DISTINCT workflow, reason FROM refusals")
    assert [tuple(row) for row in reasons] == [("birthday", "told_already")]


async def test_who_was_born_on_a_leap_day(world: World) -> None:
    await world.workflow("birthday", tag("wished"), on=on("birthday", days_before=1))
    await world.knows("KH-1", birthday="1992-02-29")
    await world.later(days=2 * 365)
    assert [
        (data["date"], time) for data, (_, time) in zip(await data_told(world), await told(world), strict=True)
    ] == [
        ("2027-02-28", "2027-02-27T01:00:00Z"),
        ("2028-02-29", "2028-02-28T01:00:00Z"),
    ]


async def test_a_day_follows_what_is_known_of_its_contact(world: World) -> None:
    await world.workflow("birthday", tag("wished"), on=on("birthday"))
    for n in range(4):
        await world.knows(f"KH-{n}", birthday="1990-11-23")
    await world.knows("KH-1", birthday="1990-11-25")
    await world.knows("KH-2", birthday=None)
    await world.knows("KH-3", timezone="America/New_York")
    await world.later(days=2)
    assert await names_told(world) == ["KH-0"]
    await world.later(hours=13)
    assert await names_told(world) == ["KH-0", "KH-3"]
    await world.later(days=5)
    assert await names_told(world) == ["KH-0", "KH-1", "KH-3"]


async def test_a_reminder_a_week_and_three_days_before_and_on_the_morning(world: World) -> None:
    start = "2026-12-01T15:00:00+07:00"
    await world.happens("appointment.created", "KH-1", appointment={"external_id": "LH-1", "starts_at": start})
    await world.workflow(
        "remind",
        tag("reminded"),
        on=on("date_reminder", field="appointment.starts_at", offsets=["-P7D", "-P3D", "P0D"]),
        conditions={"field": "appointment.status", "op": "not_equals", "value": "cancelled"},
    )
    await world.happens(
        "appointment.created", "KH-2", appointment={"external_id": "LH-2", "starts_at": start, "status": "booked"}
    )
    await world.happens("appointment.updated", "KH-2", appointment={"external_id": "LH-2", "status": "cancelled"})
    before = await world.rows("SELECT external_id, as_of, attributes, revision FROM records ORDER BY external_id")
    await days_pass(world, 20)
    mine = [time for name, time in await told(world) if name == "KH-1"]
    assert mine == ["2026-11-24T01:00:00Z", "2026-11-28T01:00:00Z", "2026-12-01T01:00:00Z"]
    assert len(await told(world)) == 6
    assert len(await world.run_states()) == 3
    after = await world.rows("SELECT external_id, as_of, attributes, revision FROM records ORDER BY external_id")
    assert before == after
    assert [data["days"] for data in await data_told(world)] == [-7, -7, -3, -3, 0, 0]


async def test_an_appointment_that_moves_is_told_anew(world: World) -> None:
    await world.workflow("remind", tag("r"), on=on("date_reminder", field="appointment.starts_at", offsets=["-P1D"]))
    await world.happens(
        "appointment.created", "KH-1", appointment={"external_id": "LH-1", "starts_at": "2026-11-25T15:00:00+07:00"}
    )
    await days_pass(world, 3)
    assert len(await told(world)) == 1
    await world.happens(
        "appointment.updated", "KH-1", appointment={"external_id": "LH-1", "starts_at": "2026-11-30T15:00:00+07:00"}
    )
    await days_pass(world, 10)
    assert [data["date"] for data in await data_told(world)] == ["2026-11-25", "2026-11-30"]


async def test_records_follow_the_clock_of_their_contact(world: World) -> None:
    await world.workflow("remind", tag("r"), on=on("date_reminder", field="appointment.starts_at", at="08:00"))
    start = "2026-11-25T20:00:00Z"  # the 26th in Vietnam, the 25th in New York
    await world.happens("appointment.created", "KH-1", appointment={"external_id": "LH-1", "starts_at": start})
    await world.knows("KH-1", timezone="America/New_York")
    await days_pass(world, 10)
    assert await told(world) == [("KH-1", "2026-11-25T13:00:00Z")]


async def test_a_day_that_comes_back_each_month(world: World) -> None:
    await world.workflow(
        "monthly", tag("r"),
        on=on("date_reminder", field="contact.custom.since", every="monthly", timezone="Asia/Ho_Chi_Minh"),
    )  # fmt: skip
    await world.knows("KH-1", custom={"since": "2026-12-31"})  # it begins then, and not on 30 November
    await days_pass(world, 130)
    assert [data["date"] for data in await data_told(world)] == ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]


async def test_three_days_down_miss_nothing_and_repeat_nothing(world: World, second: World) -> None:
    for n in range(1, 10):
        await world.knows(f"KH-{n}", birthday=f"1990-11-2{n}")
    await world.workflow("birthday", tag("wished"), on=on("birthday"))
    await world.later(days=1)
    await world.later(days=3)  # and nobody was there in between
    await second.later(hours=1)
    assert await told(world) == [(f"KH-{n}", f"2026-11-2{n}T01:00:00Z") for n in range(2, 6)]
    await days_pass(world, 6)
    assert await names_told(world) == [f"KH-{n}" for n in range(2, 10)]


async def test_days_are_kept_only_while_somebody_waits_for_them(world: World) -> None:
    for n in range(5):
        await world.knows(f"KH-{n}", birthday="1990-11-23")
    assert await world.value("SELECT COUNT(*) FROM dates") == 0
    await world.workflow("birthday", tag("wished"), on=on("birthday"))
    await world.later(minutes=1)
    assert await world.value("SELECT COUNT(*) FROM dates") == 5
    await world.pause("birthday")
    await world.knows("KH-1", birthday="1990-11-24")
    await world.resume("birthday")  # before anything was forgotten
    await world.later(minutes=1)
    assert await world.value("SELECT COUNT(*) FROM dates") == 5
    await world.pause("birthday")
    await world.later(minutes=1)
    assert await world.value("SELECT COUNT(*) FROM dates") == 0
    assert await world.value("SELECT COUNT(*) FROM date_watches") == 0
    await world.resume("birthday")
    await days_pass(world, 3)
    assert await told(world, "date.reached") == [
        (f"KH-{n}", f"2026-11-2{4 if n == 1 else 3}T01:00:00Z") for n in (0, 2, 3, 4, 1)
    ]


async def test_whoever_is_erased_leaves_no_days(world: World) -> None:
    await world.workflow(
        "remind", tag("r"),
        on=[on("birthday"), on("date_reminder", field="appointment.starts_at")],
    )  # fmt: skip
    await world.knows("KH-1", birthday="1990-11-23")
    await world.happens(
        "appointment.created", "KH-1", appointment={"external_id": "LH-1", "starts_at": "2026-11-25T15:00:00+07:00"}
    )
    assert await world.value("SELECT COUNT(*) FROM dates") == 2

    def erase(unit: Unit) -> None:
        contacts.erase(unit, world.workspace_id, "tester", "KH-1", world.clock.micros())

    world.whole = False
    await world.engine.database.transact(erase)
    assert await world.value("SELECT COUNT(*) FROM dates") == 0
    await days_pass(world, 5)
    assert await told(world) == []
    await world.change("DELETE FROM events")  # they remember that there was somebody


# --- segments ---------------------------------------------------------------------------------------------------------


async def segment(world: World, name: str, condition: Any) -> None:
    def save(unit: Unit) -> None:
        Segments(world.engine.catalog).save(
            unit, world.workspace_id, name, SegmentDraft(condition=condition), if_match=None, actor="tester",
            now=world.clock.micros(),
        )  # fmt: skip

    await world.engine.database.transact(save)


VIP = {"field": "contact.tags", "op": "has_any", "value": ["VIP"]}


async def test_a_schedule_for_a_segment(world: World) -> None:
    for n in range(9):
        await world.knows(f"KH-{n}", tags=["VIP"] if n % 2 else [])
    await segment(world, "vips", VIP)
    await world.workflow("daily", tag("seen"), on=on("schedule", cron="0 9 * * *", segment="vips"))
    await world.later(hours=1)
    assert await names_told(world) == ["KH-1", "KH-3", "KH-5", "KH-7"]


@pytest.mark.parametrize("existing", [False, True])
async def test_entering_a_segment(world: World, existing: bool) -> None:
    for n in range(4):
        await world.knows(f"KH-{n}", tags=["VIP"])
    await segment(world, "vips", VIP)
    await world.later(minutes=5)
    await world.workflow("greet", tag("greeted"), on=on("segment_entered", segment="vips", existing=existing))
    await world.later(minutes=5)
    await world.knows("KH-7", tags=["VIP"])
    await world.later(hours=1)
    present = [f"KH-{n}" for n in range(4)] if existing else []
    assert await names_told(world) == [*present, "KH-7"]
    await days_pass(world, 2)
    await world.knows("KH-8", tags=["VIP"])
    await world.knows("KH-9", tags=["VIP"])
    await days_pass(world, 2)
    assert await names_told(world) == [*present, "KH-7", "KH-8", "KH-9"]


async def test_each_workflow_is_told_once_who_is_in_a_segment_already(world: World) -> None:
    existing = on("segment_entered", segment="vips", existing=True)
    await segment(world, "vips", VIP)
    await world.knows("KH-1", tags=["VIP"])
    await world.workflow("first", tag("first"), on=existing)
    await world.later(hours=2)
    await world.knows("KH-2", tags=["VIP"])
    await world.workflow("other", tag("other"), on=existing)
    await world.workflow("new", tag("new"), on=on("segment_entered", segment="vips"))
    await days_pass(world, 1)
    await world.workflow("other", tag("again"), on=existing)
    await days_pass(world, 1)
    starts = "SELECT workflow, COUNT(*) FROM runs GROUP BY workflow ORDER BY workflow"
    assert [tuple(row) for row in await world.rows(starts)] == [("first", 2), ("other", 2)]

    world.clock.advance(days=400)
    await world.clean()
    assert await told(world) == []
    for name in ("first", "other"):  # which is told nobody again, though what was told is forgotten
        await world.pause(name)
        await world.later(minutes=1)
        await world.resume(name)
    await days_pass(world, 2)
    assert await told(world) == []


async def test_who_is_in_a_segment_already_is_told_after_a_pause_before_the_first_look(world: World) -> None:
    await segment(world, "vips", VIP)
    await world.knows("KH-1", tags=["VIP"])
    await world.workflow("first", tag("first"), on=on("segment_entered", segment="vips", existing=True))
    await world.pause("first")
    await days_pass(world, 2)
    await world.resume("first")
    await days_pass(world, 2)
    assert await names_told(world) == ["KH-1"]


async def test_time_brings_somebody_into_a_segment(world: World) -> None:
    await segment(
        world,
        "quiet",
        {"all": [
            {"field": "contact.activity.order.last_at", "op": "is_not_empty"},
            {"field": "contact.activity.order.last_at", "op": "not_within_last", "value": "P30D"},
        ]},
    )  # fmt: skip
    await order(world, "KH-1")
    await world.workflow("greet", tag("greeted"), on=on("segment_entered", segment="quiet"))
    await days_pass(world, 29)
    assert await told(world) == []
    await days_pass(world, 3)
    assert await names_told(world) == ["KH-1"]


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "path"),
    [
        (on("schedule", cron="0 9 30 2 *"), "cron"),
        (on("schedule", cron="every day"), "cron"),
        (on("schedule", cron="0 9 * * *", timezone="Asia/Hanoi"), "timezone"),
        (on("dormancy"), "days"),
        (on("dormancy", days=3, bands=[3]), "days"),
        (on("dormancy", bands=[30, 30]), "bands[1]"),
        (on("dormancy", days=30, at="25:00"), "at"),
        (on("dormancy", days=30, timezone="contact"), "timezone"),
        (on("date_reminder", field="appointment.starts_at", offsets=["P0D", "PT3S"]), "offsets[1]"),
        (on("date_reminder", field="appointment.starts_at", offsets=["PT3H"], every="yearly"), "offsets[0]"),
        (on("date_reminder", field="appointment.starts_at", offsets=["PT3H"], stale_after="P8D"), "stale_after"),
        (on("date_reminder", field="appointment.starts_at", offsets=["--P3D"]), "offsets[0]"),
        (on("date_reminder", field="birthday"), "field"),
        (on("date_reminder", field="contact.birthday", timezone="Mars"), "timezone"),
        (on("birthday", at="8:00"), "at"),
        (on("birthday", days_before=-1), "days_before"),
        (on("segment_entered", segment="vips", timezone=""), "timezone"),
    ],
)
async def test_what_cannot_be_is_said_with_its_place(world: World, trigger: dict[str, Any], path: str) -> None:
    definition = {"name": "w", "triggers": [trigger], "steps": [tag("x")]}
    with pytest.raises(InvalidInput) as caught:
        compile_definition(definition, world.engine.catalog)
    assert [problem.path for problem in caught.value.problems] == [f"triggers[0].config.{path}"]


@pytest.mark.parametrize(
    ("trigger", "path", "code"),
    [
        (on("schedule", cron="0 9 * * *", segment="nobody"), "segment", "unknown_segment"),
        (on("segment_entered", segment="nobody"), "segment", "unknown_segment"),
        (on("date_reminder", field="spaceship.launched_at"), "field", "unknown_record_type"),
    ],
)
async def test_what_does_not_exist_is_said_with_its_place(
    world: World, trigger: dict[str, Any], path: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await world.workflow("w", tag("x"), on=trigger)
    assert [(one.path, one.code) for one in caught.value.problems] == [(f"triggers[0].config.{path}", code)]
