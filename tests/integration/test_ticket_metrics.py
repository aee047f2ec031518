"""The numbers of tickets."""

from typing import Any

from nhip.domain.history import Span
from nhip.services.history.ticket_measures import measure_tickets
from tests.support.api import Api, expect
from tests.support.world import World

RAISED: list[dict[str, Any]] = [
    {"type": "complaint", "sub_type": "late_delivery", "source": "zalo"},
    {"type": "complaint", "sub_type": "late_delivery", "source": "zalo"},
    {"type": "complaint", "sub_type": "defect", "source": "hotline"},
    {"type": "question"},
    {},
]


def span(world: World, **back: float) -> Span:
    now = world.clock.micros()
    return Span(workflow=None, since=now - int(back.get("hours", 1) * 3_600_000_000), until=now + 1)


async def test_what_was_opened_and_how_long_it_took(world: World) -> None:
    for number, said in enumerate(RAISED):
        await world.happens("ticket.created", ticket={"external_id": f"TK-{number}", "status": "new", **said})
    for number, (minutes, rating) in enumerate([(10, 5), (10, 2), (20, None), (30, 4)]):
        world.clock.advance(minutes=minutes)
        done = {"external_id": f"TK-{number}", "status": "done", **({"rating": rating} if rating else {})}
        await world.happens("ticket.updated", ticket=done)

    numbers = await world.engine.database.read(measure_tickets, world.workspace_id, span(world, hours=2))

    assert (numbers.opened, numbers.opened_and_resolved) == (5, 4)
    assert numbers.by_type == {"complaint": 3, "question": 1, "": 1}
    assert numbers.by_sub_type == {"late_delivery": 2, "": 2, "defect": 1}
    assert numbers.by_source == {"zalo": 2, "": 2, "hotline": 1}
    minute = 60_000_000
    handling = numbers.handling
    assert (handling.count, handling.mean, handling.p50) == (4, 35 * minute, 30 * minute)
    assert handling.p90 is not None
    assert abs(handling.p90 - 61 * minute) < 1
    assert (numbers.satisfaction.rated, numbers.satisfaction.content) == (3, 2)


async def test_what_is_opened_again_is_not_resolved(world: World) -> None:
    for status in ("new", "done", "in_progress"):
        await world.happens("ticket.updated", ticket={"external_id": "TK-1", "status": status})

    numbers = await world.engine.database.read(measure_tickets, world.workspace_id, span(world))
    assert (numbers.opened, numbers.opened_and_resolved, numbers.handling.count) == (1, 0, 0)


async def test_only_the_span_counts(world: World) -> None:
    await world.happens("ticket.created", ticket={"external_id": "TK-1", "status": "new"})
    world.clock.advance(hours=3)
    await world.happens("ticket.updated", ticket={"external_id": "TK-1", "status": "done"})

    numbers = await world.engine.database.read(measure_tickets, world.workspace_id, span(world))
    assert (numbers.opened, numbers.handling.count, numbers.handling.p50) == (0, 1, 3 * 3_600_000_000)


async def test_over_http(api: Api) -> None:
    await api.put("/v1/records/ticket/TK-1", {"status": "done", "type": "complaint", "source": "zalo", "rating": 5})
    await api.put("/v1/records/ticket/TK-2", {"status": "new", "type": "complaint"})
    other = await api.other_workspace()

    shown = await api.get("/v1/metrics/tickets")

    del shown["since"], shown["until"]
    assert shown == {
        "opened": 2,
        "resolved": 1,
        "handling_time": {"mean_s": 0.0, "p50_s": 0.0, "p90_s": 0.0},
        "by_type": {"complaint": 2},
        "by_sub_type": {"": 2},
        "by_source": {"zalo": 1, "": 1},
        "satisfaction": {"rated": 1, "rate": 1.0},
        "success_rate": 0.5,
    }
    empty = await other.get("/v1/metrics/tickets?since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z")
    assert (empty["opened"], empty["satisfaction"], empty["success_rate"]) == (0, {"rated": 0, "rate": None}, None)
    refused = await api.request("GET", "/v1/metrics/tickets?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z")
    assert expect(refused, 422)["errors"][0]["path"] == "until"
