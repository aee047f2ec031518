"""The scene of a fault test: the real program in several processes, a provider, a client, and eyes on the database."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nhip.adapters.db import Database
from tests.faults import oracle
from tests.faults.client import Client
from tests.faults.inspector import Inspector
from tests.faults.nursery import Nursery, Process
from tests.faults.oracle import Findings, Stuck, Violation
from tests.faults.providers import Provider
from tests.support import invariants
from tests.support.ports import free_port

KEY = "nhip_0123456789abcdef_fault-tests-need-no-secret-key"
LEASE_SECONDS = 2.0
RECOVERY_SECONDS = LEASE_SECONDS + 3.0
"""How long after the last death everything must be settled again."""
_LOG_LINES = 15


def on_this_machine(seconds: float) -> float:
    """A bound meant for a machine of one's own, stretched by how much this one is overloaded."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Stage:
    """Make it, enter it, and start processes on it; what is still alive at the end is killed."""

    def __init__(
        self,
        nursery: Nursery,
        database_url: str,
        redis_url: str | None,
        folder: Path,
        provider: Provider,
        *,
        apis: int = 1,
        canary: str | None = None,
        **settings: Any,
    ) -> None:
        self.nursery = nursery
        self.folder = folder
        self.provider = provider
        self.database = Inspector(database_url)
        self.ports = [free_port() for _ in range(apis)]
        self.client = Client([f"http://127.0.0.1:{port}" for port in self.ports], KEY)
        self.processes: list[Process] = []
        self.sent: list[str] = []
        self.patience = 15.0
        """For how many seconds everything may stand still before the stage counts as stuck."""
        self._env = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "NHIP_DATA_DIR": str(folder / "data"),
            "NHIP_DATABASE_URL": database_url,
            "NHIP_ADMIN_KEY": KEY,
            "NHIP_PUBLIC_URL": self.client.urls[0],
            "NHIP_SECRET_KEY": "a secret key that only the fault tests use",
            "NHIP_ALLOW_PRIVATE_HOSTS": "true",
            "NHIP_LEASE_SECONDS": str(LEASE_SECONDS),
            "NHIP_CALL_TIMEOUT_SECONDS": "0.8",
            "NHIP_RECONCILE_SECONDS": "0.3",
            "NHIP_POOL_SIZE": "4",
            "NHIP_LOG_FORMAT": "json",
            **{f"NHIP_{name.upper()}": str(value) for name, value in settings.items()},
        }
        if redis_url is not None:
            self._env["NHIP_REDIS_URL"] = redis_url
        if canary is not None:
            self._env["NHIP_TEST_CANARY"] = canary

    # --- life -------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
        await self.client.__aexit__(kind, error, trace)
        await self.database.__aexit__(kind, error, trace)

    def start(self, command: str, *, crash: str | None = None, number: int = 0) -> Process:
        """Start ``nhip api``, ``nhip worker`` or ``nhip serve``; it shall crash at the point ``name:nth``."""
        env = dict(self._env)
        if command != "worker":
            env["NHIP_PORT"] = str(self.ports[number])
        if crash is not None:
            env["NHIP_CRASH"] = crash
        name = f"{command}-{len(self.processes)}" + (f" armed with {crash}" if crash else "")
        log = self.folder / f"{len(self.processes):03}-{command}.log"
        process = self.nursery.spawn(name, [command], env, log)
        self.processes.append(process)
        return process

    async def listening(self, process: Process, number: int = 0, seconds: float = 20.0) -> Process:
        """Wait until an API process answers."""

        async def answers() -> bool:
            if not process.alive:
                raise Violation(f"{process.name} ended with {process.status}:\n{process.output()[-3000:]}")
            return await self.client.finds(self.client.urls[number])

        await self.until(answers, f"{process.name} listens", seconds)
        return process

    async def set_up(self, *, keep_api: bool = True) -> Process:
        """Start an API process and let an admin configure a workflow of two steps: a message, then a task."""
        process = await self.listening(self.start("api"))
        channel = await self.client.ask("POST", "/v1/channels", self.provider.channel)
        self.provider.told_hook(channel["hook"]["url"])
        await self.client.ask("PUT", "/v1/templates/shipped", self.provider.template)
        workflow = {
            "name": "shipped",
            "title": "Tell and note",
            "triggers": [{"id": "shipped", "type": "event", "config": {"type": "parcel.shipped"}}],
            "steps": [
                {"id": "tell", "action": "send_message", "config": {"channel": "out", "template": "shipped"}},
                {"id": "note", "action": "create_task", "config": {"title": "{{ event.source_id }}"}},
            ],
        }
        await self.client.ask("POST", "/v1/workflows", workflow)
        await self.client.ask("POST", "/v1/workflows/shipped/publish", {})
        if not keep_api:
            process.kill()
        return process

    # --- events -----------------------------------------------------------------------------------------------------

    def events(self, count: int, *, contacts: int | None = None) -> list[dict[str, Any]]:
        """New events, each with a mark of its own; several concern the same contact."""
        contacts = contacts or max(count * 2 // 3, 1)
        made = []
        for _ in range(count):
            number = len(self.sent)
            mark, contact = f"evt-{number:05}", number % contacts
            self.sent.append(mark)
            made.append(
                {
                    "specversion": "1.0",
                    "id": mark,
                    "source": "shop",
                    "type": "parcel.shipped",
                    "subject": f"KH-{contact}",
                    "data": {
                        "contact": {
                            "external_id": f"KH-{contact}",
                            "phone": f"098{contact:07}",
                            "email": f"kh{contact}@example.com",
                        }
                    },
                }
            )
        return made

    # --- waiting ----------------------------------------------------------------------------------------------------

    async def until(self, holds: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
        """Wait until something holds; a coroutine function or a plain one says so."""
        deadline = time.monotonic() + seconds
        while True:
            answer = holds()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            if time.monotonic() > deadline:
                raise Stuck(f"not within {seconds:g} s: {what}\n{await self.diagnostics()}")
            await asyncio.sleep(0.02)

    async def died(self, process: Process, seconds: float = 20.0) -> None:
        """Wait until an armed process has killed itself."""
        await self.until(lambda: not process.alive, f"{process.name} dies at its crash point", seconds)
        if process.status != -9:
            raise Violation(f"{process.name} ended with {process.status} instead:\n{process.output()[-3000:]}")

    async def one_died(self, *processes: Process) -> None:
        """Wait until one of these processes has ended."""
        await self.until(lambda: not all(process.alive for process in processes), "one of them dies")

    async def acknowledged(self, count: int, sending: asyncio.Task[None]) -> None:
        """Wait until so many events are acknowledged, or all of them."""
        await self.until(lambda: len(self.client.acknowledged) >= count or sending.done(), "answers come", 60)

    async def more_received(self, sending: asyncio.Task[None]) -> None:
        """Wait until one more message has gone out, or nothing is left to be sent."""
        before = sum(self.provider.received().values())
        await self.until(lambda: sum(self.provider.received().values()) > before or sending.done(), "messages go out")

    async def settled(self, seconds: float = 300.0) -> float:
        """Wait until nothing is left to do; answers when that was, by ``time.monotonic``.

        Raises:
            Stuck: nothing has moved for :attr:`patience` seconds, or all of it takes longer than ``seconds``.
        """
        begun = moved = time.monotonic()
        before: object = None
        while True:
            left, standing = await self._left()
            now = time.monotonic()
            if not left:
                return now
            if standing != before:
                before, moved = standing, now
            if now - moved > self.patience or now - begun > seconds:
                raise Stuck(f"{left}; nothing moved for {now - moved:.1f} s\n{await self.diagnostics()}")
            await asyncio.sleep(0.05)

    async def _left(self) -> tuple[str, object]:
        """What is still to be done, and where everything stands."""
        steps = await self.database.steps()
        deliveries = await self.database.deliveries()
        received = self.provider.received()
        standing = (steps, deliveries, sum(received.values()))
        for state in ("ready", "running", "waiting"):
            count = sum(number for (_, this, _), number in steps.items() if this == state)
            if count:
                return f"{count} steps are {state}", standing
        unknown = sum(number for (_, this, _), number in steps.items() if this == "unknown")
        if not unknown:
            runs = await self.database.runs()
            return (f"{runs['running']} runs are under way without a step" if runs["running"] else ""), standing
        if self.provider.delivery_class == "dedupes":
            return f"{unknown} steps are unknown although the provider drops repeated keys", standing
        held = [mark for _, mark in await self.database.unknown()]
        if unknown != len(held):
            return f"{unknown} steps are unknown, but {len(held)} deliveries", standing
        if self.provider.delivery_class == "traceable":
            known = [mark for mark in held if received[mark]]
            if known:
                return f"{len(known)} messages are unknown although their receipts came: {known[:5]}", standing
        return "", standing

    # --- judging ----------------------------------------------------------------------------------------------------

    async def resolve_unknown(self) -> int:
        """Do what an operator does with the provider's own report: say of each unknown message whether it went out."""
        received = self.provider.received()
        unknown = await self.database.unknown()
        for identifier, mark in unknown:
            outcome = "sent" if received[mark] else "not_sent"
            path = f"/v1/deliveries/{identifier}/resolve"
            # A conflict says that its receipt came meanwhile.
            await self.client.ask("POST", path, {"outcome": outcome}, accepting=(409,))
        return len(unknown)

    async def check(self, *, held: Sequence[str] = (), extra: dict[str, int] | None = None) -> None:
        """Everything that must hold, together; ``extra`` counts messages that were asked for once more."""
        findings = Findings()
        await oracle.check_events(findings, self.database, self.client, self.sent)
        await oracle.check_steps(findings, self.database, LEASE_SECONDS)
        expected = {mark: 1 + (extra or {}).get(mark, 0) for mark in self.sent}
        oracle.check_ledger(findings, self.provider.received(), expected, held)
        await oracle.check_tasks(findings, self.database, [mark for mark in self.sent if mark not in set(held)])
        findings.expect_none(self.client.problems, "answers were errors")
        findings.expect_none(await self._breaches(), "laws are broken")
        findings.raise_if_any(await self.diagnostics() if findings.problems else "")

    async def _breaches(self) -> list[str]:
        """The laws of the database that are broken while it is at rest.

        A receipt that is being taken at this moment passes through states that are not rest, so it may look again.
        """
        database = Database.open(self._env["NHIP_DATABASE_URL"], pool_size=1)
        found: list[str] = []
        try:
            for _ in range(10):
                try:
                    await invariants.check(database, now=int(time.time() * 1_000_000))
                except AssertionError as error:
                    found = str(error).splitlines()
                    await asyncio.sleep(0.2)
                else:
                    return []
        finally:
            await database.close()
        return found

    async def settle_and_check(self, *, extra: dict[str, int] | None = None) -> float:
        """Settle, judge, resolve what is held as unknown, settle and judge again; answers when it was settled first."""
        at = await self.settled()
        held = [mark for _, mark in await self.database.unknown()]
        await self.check(held=held, extra=extra)
        if held:
            await self.resolve_unknown()
            await self.settled()
            await self.check(extra=extra)
        return at

    async def diagnostics(self) -> str:
        """Where everything stands: what one needs to see when progress stops."""
        now = int(time.time() * 1_000_000)
        lines = ["--- where everything stands ---"]
        lines += [f"{len(self.sent)} events sent, {len(self.client.acknowledged)} acknowledged"]
        lines += [f"statuses {dict(self.client.statuses)}; {len(self.client.problems)} problems"]
        lines += self.client.problems[:5]
        lines += [f"ledger: {sum(self.provider.received().values())} messages"]
        for name, found in (
            ("steps", await self.database.steps()),
            ("deliveries", await self.database.deliveries()),
            ("runs", await self.database.runs()),
        ):
            lines += [f"{name}: {key} {count}" for key, count in found.items()]
        oldest = await self.database.rows(
            "SELECT id, path, state, reason, epoch, attempt, leases_lost, due_at, lease_until FROM steps"
            " WHERE state IN ('ready', 'running', 'waiting', 'unknown') ORDER BY due_at LIMIT 5"
        )
        for *fields, due, lease in oldest:
            ends = "" if lease is None else f", lease ends in {(lease - now) / 1e6:.1f} s"
            lines.append(f"oldest due: {fields}, due {(now - due) / 1e6:.1f} s ago{ends}")
        for process in self.processes[-6:]:
            state = "alive" if process.alive else f"ended with {process.status}"
            lines.append(f"--- {process.name} ({process.pid}) {state} ---")
            lines += process.output().splitlines()[-_LOG_LINES:]
        return "\n".join(lines)
