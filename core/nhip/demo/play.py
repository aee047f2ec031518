"""Plays a plan: installs the ten workflows, sends the events, and sees every message to its end."""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nhip.demo.client import Client
from nhip.demo.processes import DemoFailed, ServerProcess, StandInProcess
from nhip.demo.provider import ProviderLedger
from nhip.demo.scenario import Plan, Planned
from nhip.demo.workflows import CHANNEL, RECIPES

LANES: Final = 16
"""Connections that send events. Each customer's events go through one of them, in their order."""
AHEAD: Final = 400
"""So many messages may be asked for that the provider does not have yet. A shop's day does not come at once; without a
bound the seconds in the table would tell the length of a queue."""
_SINGLE: Final = 0.8
_BATCHES: Final = (10, 60)
_LOOK_SECONDS: Final = 0.25
_READ_SECONDS: Final = 0.02
_COUNT_SECONDS: Final = 1.0
_LOST_SECONDS: Final = 2.0
"""For so long after an outcome became unknown a message may still be on its way to the provider."""
_PATIENCE_SECONDS: Final = 90.0
"""Without any change for so long, the play has come to a halt."""
_RECEIPT_SECONDS: Final = 20.0
"""A stand-in that was not heard repeats a receipt, after 16 seconds at the latest."""


class Play:
    """One performance, with what is known of it so far."""

    def __init__(self, plan: Plan, client: Client, ledger: ProviderLedger) -> None:
        self.plan = plan
        self.ledger = ledger
        self.acknowledged = 0
        """Events that were answered with 202."""
        self.duplicates = 0
        """Of these, events that the server had stored already when an answer got lost."""
        self.sent_at: dict[tuple[str, str], float] = {}
        """By workflow and code: when the event that asks for a message was sent for the first time, in Unix seconds."""
        self.delivered = 0
        self._asked = 0
        self._room = asyncio.Event()
        self.resolved_sent = 0
        self.not_sent: list[str] = []
        """The workflows of messages that were resolved as not sent."""
        self._client = client
        self._unknown_since: dict[str, float] = {}

    # --- before -----------------------------------------------------------------------------------------------------

    async def install(self, standin: StandInProcess) -> str:
        """Make the channel account, the templates and the workflows, and publish them; answers with the hook's URL."""
        account = await self._client.post(
            "/v1/channels",
            {
                "name": CHANNEL,
                "type": "zalo_zns",
                "config": dict(standin.config),
                "secrets": dict(standin.secrets),
                "price": {"amount": 300, "currency": "VND"},
            },
        )
        for recipe in RECIPES:
            await self._client.put(f"/v1/templates/{recipe.name}", recipe.template)
            await self._client.put(f"/v1/workflows/{recipe.name}", recipe.definition)
            await self._client.post(f"/v1/workflows/{recipe.name}/publish")
        hook: str = account["hook"]["url"]
        return hook

    # --- during -----------------------------------------------------------------------------------------------------

    async def send(self) -> None:
        """Send every event until it is acknowledged."""
        lanes: list[list[Planned]] = [[] for _ in range(LANES)]
        of_person = {person.external_id: number % LANES for number, person in enumerate(self.plan.people)}
        for planned in self.plan.events:
            lanes[of_person[planned.person.external_id]].append(planned)
        async with asyncio.TaskGroup() as group:
            for number, lane in enumerate(lanes):
                group.create_task(self._send_lane(lane, random.Random(number)))

    async def _send_lane(self, lane: list[Planned], chance: random.Random) -> None:
        for events in _requests(lane, chance):
            while self._asked - len(self.ledger) > AHEAD:
                self._room.clear()
                await self._room.wait()
            now = time.time()
            for planned in events:
                if planned.accepted and planned.starts is not None:
                    self.sent_at[planned.starts, planned.code] = now
                    self._asked += 1
            outcomes = await self._client.send([planned.event for planned in events])
            self.acknowledged += len(outcomes)
            self.duplicates += sum(1 for outcome in outcomes if outcome["duplicate"])

    async def watch_ledger(self, server: ServerProcess, kill_after: tuple[int, ...]) -> None:
        """Read the provider's ledger while it grows, and kill the server when so many messages were accepted."""
        kills = sorted(kill_after)
        while True:
            count = self.ledger.read()
            if kills and count >= kills[0]:
                del kills[0]
                server.kill()
            if self._asked - count <= AHEAD:
                self._room.set()
            await asyncio.sleep(_READ_SECONDS)

    async def watch_counts(self) -> None:
        """Ask now and then how many messages were delivered, and resolve those that nobody knows of."""
        while True:
            await asyncio.sleep(_COUNT_SECONDS)
            counts = _zns(await self._client.get("/v1/metrics/summary"))
            self.delivered = counts.get("delivered", 0)
            if counts.get("unknown"):
                await self._resolve()

    # --- after ------------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Wait until no run is under way and every message has an outcome.

        Raises:
            DemoFailed: nothing changes any more.
        """
        before: tuple[Any, ...] = ()
        changed_at = time.monotonic()
        while True:
            summary = await self._client.get("/v1/metrics/summary")
            counts = _zns(summary)
            self.delivered = counts.get("delivered", 0)
            standing = (summary["running"], *sorted(counts.items()), len(self.ledger))
            now = time.monotonic()
            if standing != before:
                before, changed_at = standing, now
            is_over = not summary["running"] and not counts.get("unknown") and not counts.get("pending")
            if is_over and (self.delivered >= counts.get("accepted", 0) or now - changed_at > _RECEIPT_SECONDS):
                self.ledger.read()
                return
            if now - changed_at > _PATIENCE_SECONDS:
                raise DemoFailed(f"nothing has changed for {_PATIENCE_SECONDS:.0f} s: {summary}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _resolve(self) -> None:
        """Do what an operator does with unknown messages: say of each what the provider's report says."""
        now = time.monotonic()
        unknown = [one async for one in self._client.pages("/v1/deliveries?state=unknown")]
        self._unknown_since = {one["id"]: self._unknown_since.get(one["id"], now) for one in unknown}
        self.ledger.read()
        for delivery in unknown:
            if now - self._unknown_since[delivery["id"]] < _LOST_SECONDS:
                continue
            sent = delivery["idempotency_key"] in self.ledger.references
            if await self._client.resolve(delivery["id"], sent=sent):
                if sent:
                    self.resolved_sent += 1
                else:
                    self.not_sent.append(delivery["workflow"])


def _requests(lane: list[Planned], chance: random.Random) -> Iterator[list[Planned]]:
    """A lane's events as single posts and batches, mixed."""
    place = 0
    while place < len(lane):
        size = 1 if chance.random() < _SINGLE else chance.randint(*_BATCHES)
        yield lane[place : place + size]
        place += size


def _zns(numbers: Mapping[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = numbers["deliveries"].get(CHANNEL, {})
    return counts
