"""Workers are killed while a segment is built and its members enter a workflow: everybody enters, once."""

import random
from typing import Any

import pytest

from tests.faults.conftest import MakeStage
from tests.faults.stage import on_this_machine

full = pytest.mark.full
WELCOME = {
    "name": "welcome",
    "triggers": [{"id": "never", "type": "event", "config": {"type": "never.happens"}}],
    "steps": [{"id": "pause", "wait": {"for": "P1D"}}],
}
VIP = {"condition": {"field": "contact.tags", "op": "has_any", "value": ["VIP"]}}


@pytest.mark.parametrize(
    ("contacts", "kills"), [pytest.param(2000, 5, id="small"), pytest.param(20_000, 40, id="full", marks=full)]
)
async def test_workers_are_killed_while_many_enter(make_stage: MakeStage, contacts: int, kills: int) -> None:
    chance = random.Random(20261124)
    async with make_stage("dedupes") as stage:
        await stage.listening(stage.start("api"))
        ask = stage.client.ask
        await ask("POST", "/v1/workflows", WELCOME)
        await ask("POST", "/v1/workflows/welcome/publish", {})
        names = [f"KH-{number:05}" for number in range(contacts)]
        for first in range(0, contacts, 1000):
            batch = [
                {"id": name, "source": "shop", "type": "shop.opened", "subject": name,
                 "data": {"contact": {"external_id": name, "tags": ["VIP"]}}}
                for name in names[first : first + 1000]
            ]  # fmt: skip
            await ask("POST", "/v1/events", batch)
        await ask("PUT", "/v1/segments/vip", VIP)
        asked = await ask("POST", "/v1/workflows/welcome/enroll", {"segment": "vip"})
        address = f"/v1/workflows/welcome/enrollments/{asked['id']}"

        workers = [stage.start("worker") for _ in range(2)]
        for _ in range(kills):
            before = (await ask("GET", address))["seen"]

            async def has_moved(before: int = before) -> Any:
                now = await ask("GET", address)
                return now["seen"] > before or now["state"] != "running"

            await stage.until(has_moved, "somebody enters", on_this_machine(30))
            workers.pop(chance.randrange(2)).kill()
            workers.append(stage.start("worker"))

        async def is_done() -> Any:
            return (await ask("GET", address))["state"] == "done"

        await stage.until(is_done, "everybody has entered", on_this_machine(60))
        done = await ask("GET", address)
        assert (done["total"], done["seen"], done["entered"], done["refused"]) == (contacts, contacts, contacts, {})
        runs = await stage.database.counts(
            "SELECT c.external_id, count(*) FROM runs r JOIN contacts c ON c.id = r.contact_id GROUP BY c.external_id"
        )
        assert dict(runs) == dict.fromkeys(names, 1)
        assert (await ask("GET", "/v1/segments/vip/count"))["count"] == contacts
