"""A small world to test the engine in: a real engine on a real database, a workspace, and the words of a story.

The clock stands still until a test moves it, and nothing happens in the background: `work` performs what is due and
returns when nothing more is.
"""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import msgspec
from sqlalchemy import text

from nhip.adapters.db.unit import SqlUnit
from nhip.bootstrap import Engine
from nhip.catalog import Catalog
from nhip.domain.authored import ChannelDraft, PublishPlan, TemplateDraft
from nhip.domain.configured import ChannelAccount
from nhip.domain.events import EventReceipt
from nhip.domain.messages import InboundRequest, Receipt, ReceiptStatus
from nhip.engine.incoming.intake import CloudEvent
from nhip.ports import Unit
from nhip.services.channels.accounts import ChannelAccounts
from nhip.services.channels.templates import Templates
from nhip.services.workflows.workflows import Published, Workflows
from nhip.settings import load
from tests.support import scripted_actions, scripted_channels
from tests.support.clocks import StandingClock
from tests.support.scripted_channels import Script

TEST_SQL = "/* by the test itself */ "
"""Marks the statements of tests, which may look across workspaces."""

SECRET_KEY = "a key for tests that is long enough to be one"

_numbers = itertools.count(1)


class World:
    """One workspace of one engine. Several worlds may share a database: each is then a process of its own."""

    def __init__(self, engine: Engine, clock: StandingClock, workspace_id: int) -> None:
        self.engine = engine
        self.clock = clock
        self.workspace_id = workspace_id
        self.workflows = Workflows(engine.catalog)
        self.hooks = engine.hooks
        self.whole = True
        """Whether everything that ever happened is still stored."""

    # --- what admins do -----------------------------------------------------------------------------------------------

    async def channel(
        self,
        name: str,
        kind: str = "scripted_traceable",
        *,
        config: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        per_second: int | None = None,
    ) -> Script:
        """Make a channel account; a scripted one follows the script of its own name, which is answered."""
        accounts = ChannelAccounts(self.engine.catalog, self.engine.vault, lambda url: None)
        said = dict(config) if config is not None else {"script": name} if kind.startswith("scripted") else {}
        draft = msgspec.convert(
            {
                "name": name, "type": kind, "config": said, "secrets": dict(secrets or {}),
                **({"rate_limit": {"per_second": per_second}} if per_second else {}),
            },
            ChannelDraft,
        )  # fmt: skip
        await self.engine.database.transact(accounts.create, self.workspace_id, draft, "tester", self.clock.micros())
        return scripted_channels.scripts[name]

    async def template(self, name: str, kind: str = "scripted_traceable", **content: Any) -> None:
        """Make or replace a template."""
        templates = Templates(self.engine.catalog, self.engine.renderer)
        said = content or {"text": "Chào {{ contact.name }}"}
        draft = msgspec.convert({"channel_type": kind, "message_class": "transactional", **said}, TemplateDraft)

        def save(unit: Unit) -> None:
            templates.save(unit, self.workspace_id, name, draft, if_match=None, actor="tester", now=self.clock.micros())

        await self.engine.database.transact(save)

    async def workflow(
        self,
        name: str,
        *steps: Mapping[str, Any],
        on: Any = "shop.opened",
        plan: PublishPlan | None = None,
        **rest: Any,
    ) -> Published:
        """Save and publish a workflow. `on` is an event type, a trigger, or a list of triggers."""
        triggers = on if isinstance(on, list) else [on]
        definition = {
            "name": name,
            "triggers": [
                {"id": f"t{n}", "type": "event", "config": {"type": one}} if isinstance(one, str) else one
                for n, one in enumerate(triggers)
            ],
            "steps": list(steps),
            **rest,
        }

        def save(unit: Unit) -> Published:
            now = self.clock.micros()
            if unit.workflows.find(self.workspace_id, name) is None:
                self.workflows.create(unit, self.workspace_id, definition, "tester", now)
            else:
                self.workflows.save(unit, self.workspace_id, name, definition, if_match=None, actor="tester", now=now)
            return self.workflows.publish(
                unit, self.workspace_id, name, if_match=None, actor="tester", now=now, plan=plan
            )

        return await self.engine.database.transact(save)

    async def pause(self, name: str) -> None:
        await self._workflow_verb(self.workflows.pause, name)

    async def resume(self, name: str) -> None:
        await self._workflow_verb(self.workflows.resume, name)

    async def archive(self, name: str) -> None:
        await self._workflow_verb(self.workflows.archive, name)

    async def _workflow_verb(self, verb: Any, name: str) -> None:
        def act(unit: Unit) -> None:
            verb(unit, self.workspace_id, name, actor="tester", now=self.clock.micros())

        await self.engine.database.transact(act)

    # --- what happens -------------------------------------------------------------------------------------------------

    def event(
        self,
        kind: str = "shop.opened",
        contact: Any = "KH-1",
        *,
        id: str | None = None,  # noqa: A002
        source: str = "shop",
        time: str | None = None,
        **data: Any,
    ) -> Any:
        """An incoming event. `contact` is an external id, a snapshot, or nobody."""
        snapshot = {"external_id": contact} if isinstance(contact, str) else contact
        said = {**({"contact": snapshot} if snapshot is not None else {}), **data}
        return self.engine.intake.event(
            CloudEvent(id=id or f"evt-{next(_numbers)}", source=source, type=kind, time=time, data=said)
        )

    async def happens(self, kind: str = "shop.opened", contact: Any = "KH-1", **rest: Any) -> EventReceipt:
        """Submit one event as a request of its own."""
        return (await self.engine.inbox.submit(self.workspace_id, [self.event(kind, contact, **rest)]))[0]

    async def knows(self, external_id: str = "KH-1", **fields: Any) -> None:
        """A contact is put, which is no event by itself."""
        contact = self.engine.intake.contact({"external_id": external_id, **fields})
        silent = self.engine.intake.silent(contact=contact, records=[])
        await self.engine.inbox.submit(self.workspace_id, [silent])

    async def is_told(self, channel: str, *receipts: Receipt, signature: str = "genuine") -> int:
        """A provider sends receipts to a scripted account's hook; answers how many were new."""
        token = await self.value("SELECT hook_token FROM channels WHERE name = :name", name=channel)
        account = await self.hooks.account(channel, token)
        request = InboundRequest(
            method="POST", path="/", query={}, headers={"x-signature": signature}, body=msgspec.json.encode(receipts)
        )
        return await self.hooks.receive(account, request)

    async def work(self) -> None:
        """Perform what is due, and what follows from it at once, until nothing is."""
        executor = self.engine.executor
        while True:
            executor._work.clear()
            await executor.drain()
            await executor.settled()
            if not executor._work.is_set():  # nothing was recorded, so nothing followed
                return

    async def later(self, **duration: float) -> None:
        """Time passes; then a worker looks around and works."""
        self.clock.advance(**duration)
        await self.engine.executor.reconcile()
        await self.work()

    async def clean(self) -> int:
        """What is older than it is kept is deleted; answers how much that was."""
        self.whole = False
        return await self.engine.executor.clean()

    # --- what can be seen ---------------------------------------------------------------------------------------------

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        """What a query finds."""

        def look(unit: SqlUnit) -> list[Any]:
            return list(unit.connection.execute(text(TEST_SQL + sql), values))

        return await self.engine.database.read(cast(Any, look))

    async def row(self, sql: str, **values: Any) -> Any:
        """The one row that a query finds."""
        found = await self.rows(sql, **values)
        assert len(found) == 1, found
        return found[0]

    async def value(self, sql: str, **values: Any) -> Any:
        """The one value that a query finds."""
        return (await self.row(sql, **values))[0]

    async def change(self, sql: str, **values: Any) -> None:
        """Change the database behind the engine's back, as a fault does."""

        def write(unit: SqlUnit) -> None:
            unit.connection.execute(text(TEST_SQL + sql), values)

        await self.engine.database.transact(cast(Any, write))

    async def steps(self) -> list[tuple[str, str, str | None]]:
        """Of every step but branches: its id in the definition, state and outcome, in the order of their making."""
        found = await self.rows("SELECT path, state, outcome FROM steps WHERE kind <> 'branch' ORDER BY run_id, node")
        return [tuple(row) for row in found]

    async def deliveries(self) -> list[tuple[str, str, str | None]]:
        """Of every delivery: its channel, state and reason, in the order of their making."""
        found = await self.rows("SELECT channel, state, reason FROM deliveries ORDER BY run_id, generation, id")
        return [tuple(row) for row in found]

    async def run_states(self) -> list[str]:
        """The state of every run, the oldest first."""
        return [row[0] for row in await self.rows("SELECT state FROM runs ORDER BY id")]

    async def contact(self, external_id: str = "KH-1") -> dict[str, Any]:
        """A contact's attributes."""
        raw = await self.value("SELECT attributes FROM contacts WHERE external_id = :name", name=external_id)
        return msgspec.json.decode(raw, type=dict[str, Any])

    async def account(self, channel: str) -> ChannelAccount:
        """A channel account, as the engine reads it."""

        def look(unit: Unit) -> ChannelAccount:
            return unit.published.channels(self.workspace_id, [channel])[channel]

        return await self.engine.database.read(cast(Any, look))


def receipt(number: int | str, status: str, *, key: str | None = None, provider_id: str | None = None) -> Receipt:
    """A provider's report; `number` makes its id."""
    return Receipt(
        receipt_id=f"receipt-{number}", status=ReceiptStatus(status), idempotency_key=key, provider_id=provider_id
    )


def send(
    channel: str,
    template: str = "hello",
    *,
    id: str = "tell",  # noqa: A002
    fallback: Any = (),
    **config: Any,
) -> dict[str, Any]:
    """A step that sends a message."""
    step: dict[str, Any] = {
        "id": id, "action": "send_message", "config": {"channel": channel, "template": template, **config},
    }  # fmt: skip
    return {**step, "fallback": list(fallback)} if fallback else step


def tag(name: str, *, id: str = "mark") -> dict[str, Any]:  # noqa: A002
    """A step that adds a tag."""
    return {"id": id, "action": "update_contact", "config": {"add_tags": [name]}}


def wait(duration: str, *, id: str = "pause") -> dict[str, Any]:  # noqa: A002
    """A step that waits."""
    return {"id": id, "wait": {"for": duration}}


@cache
def catalog(*, deny: tuple[str, ...] = (), extra: tuple[ModuleType, ...] = ()) -> Catalog:
    """Every shipped plugin, and the scripted ones."""
    return Catalog.load(deny=deny, extra_modules=(scripted_channels, scripted_actions, *extra))


@asynccontextmanager
async def open_world(
    database_url: str,
    folder: Path,
    *,
    clock: StandingClock | None = None,
    workspace: str = "shop",
    plugins: Catalog | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """An engine on a database, with a workspace of that name, which is made where there is none."""
    clock = clock or StandingClock()
    options = {"reconcile_seconds": 0.05, "secret_key": SECRET_KEY, **options}
    settings = load({}, data_dir=folder, database_url=database_url, allow_private_hosts=True, **options)
    engine = await Engine.start(settings, migrate=False, embedded=False, catalog=plugins or catalog(), clock=clock)

    def found_workspace(unit: SqlUnit) -> int:
        query = text(TEST_SQL + "SELECT id FROM workspaces WHERE name = :name")
        known = unit.connection.execute(query, {"name": workspace}).scalar()
        if known is None:
            make = text(TEST_SQL + "INSERT INTO workspaces (name, created_at) VALUES (:name, 0)")
            unit.connection.execute(make, {"name": workspace})
            known = unit.connection.execute(query, {"name": workspace}).scalar_one()
        return int(known)

    try:
        workspace_id = await engine.database.transact(cast(Any, found_workspace))
        yield World(engine, clock, workspace_id)
    finally:
        await engine.stop()
