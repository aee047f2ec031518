"""The whole API over a fresh database, in this process and without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar

from nhip import settings
from nhip.adapters.db import Database
from nhip.adapters.doorbell import Bell
from nhip.bootstrap import Engine
from nhip.catalog import Catalog
from nhip.domain.access import Principal
from nhip.services.workspace import keys
from nhip_admin_api.app import routed, serve

Json = Any


@cache
def shipped_catalog() -> Catalog:
    """Every shipped plugin; loading them once is enough."""
    return Catalog.load()


_idle_apps: list[Litestar] = []
"""Apps that serve no engine now: to make one takes longer than most tests."""


class Api:
    """One workspace's client, and the engine behind it."""

    def __init__(self, engine: Engine, client: httpx.AsyncClient, token: str, workspace_id: int) -> None:
        self.engine = engine
        self.client = client
        self.token = token
        self.workspace_id = workspace_id

    async def request(self, method: str, path: str, body: Json = None, **headers: str) -> httpx.Response:
        """Send a request with this workspace's key; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        json = {} if body is None else {"json": body}
        return await self.client.request(
            method, path, headers={"authorization": f"Bearer {self.token}", **named}, **json
        )

    async def get(self, path: str) -> Json:
        """Get what must be there."""
        return expect(await self.request("GET", path), 200)

    async def post(self, path: str, body: Json = None, status: int = 200, **headers: str) -> Json:
        """Post, expecting a status."""
        return expect(await self.request("POST", path, body, **headers), status)

    async def put(self, path: str, body: Json, status: int = 200, **headers: str) -> Json:
        """Put, expecting a status."""
        return expect(await self.request("PUT", path, body, **headers), status)

    async def send(self, event: Json) -> Json:
        """Send one event."""
        return await self.post("/v1/events", event, 202)

    async def work(self) -> None:
        """Execute everything that is due, and wait until it is recorded."""
        for _ in range(10):
            await self.engine.executor.drain()
            await self.engine.executor.settled()
        await self.engine.executor.drain()

    async def other_workspace(self, name: str = "other") -> "Api":
        """The same engine, seen from another workspace."""
        workspace, made = await self.engine.database.transact(
            keys.create_workspace, "tests", name=name, title="", now=self.engine.clock.micros()
        )
        return Api(self.engine, self.client, made.token, workspace.id)

    async def with_scopes(self, *scopes: str) -> "Api":
        """The same workspace with a lesser key."""
        now = self.engine.clock.micros()
        principal = Principal(key_id="tests", workspace_id=self.workspace_id, name="tests", scopes=frozenset({"admin"}))
        made = await self.engine.database.transact(
            keys.create_key, principal, name="lesser", scopes=scopes, expires_at=None, now=now
        )
        return Api(self.engine, self.client, made.token, self.workspace_id)


def expect(response: httpx.Response, status: int) -> Json:
    """The body of an answer that must have this status."""
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    return response.json() if response.content else None


@asynccontextmanager
async def open_api(database_url: str, folder: Path, **options: Any) -> AsyncIterator[Api]:
    """Run the API over a migrated database; ``options`` are settings."""
    loaded = settings.load({}, database_url=database_url, data_dir=folder, admin_key="tests-admin-key", **options)
    engine = Engine(loaded, catalog=shipped_catalog(), database=Database.open(database_url), doorbell=Bell())
    try:
        await engine.database.transact(keys.ensure_first_key, loaded.admin_key, engine.clock.micros())
        app = serve(_idle_apps.pop() if _idle_apps else routed(), engine)
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        # What runs beside the requests ends with the app, and so before the database is closed.
        async with _running(app), httpx.AsyncClient(transport=transport, base_url="http://tests") as client:
            workspace = await engine.database.read(keys.workspace, keys.DEFAULT_WORKSPACE)
            yield Api(engine, client, "tests-admin-key", workspace.id)
        _idle_apps.append(app)
    finally:
        await engine.stop()


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    """Live through an app's lifespan, in a task of its own: a fixture may end in another one than it began in."""
    started, stopping = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stopping.wait()

    task = asyncio.create_task(live())
    await started.wait()
    try:
        yield
    finally:
        stopping.set()
        await task
