"""Put the parts together: the one place that knows which adapter serves which port."""

import asyncio
import gc
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nhip.adapters.clock import SystemClock
from nhip.adapters.db import Database, upgrade
from nhip.adapters.doorbell import Bell
from nhip.adapters.embedded_valkey import EmbeddedValkey
from nhip.adapters.http import GuardedClient
from nhip.adapters.rating_links import PURPOSE, RatingLinks
from nhip.adapters.secrets import Vault
from nhip.adapters.templates import TemplateRenderer
from nhip.catalog import Catalog
from nhip.engine.incoming.intake import Intake
from nhip.ports import Clock, OpenStorage, Unit
from nhip.services.channels.pool import ChannelPool
from nhip.services.channels.receipts import Receipts
from nhip.services.customers.enrolments import Enrolments
from nhip.services.customers.merging import Merging
from nhip.services.customers.score_sweep import ScoreSweep
from nhip.services.customers.segments import Segments
from nhip.services.desk.telesales_campaigns import TelesalesCampaigns
from nhip.services.desk.telesales_entries import TelesalesEntries
from nhip.services.desk.telesales_returns import TelesalesReturns
from nhip.services.doors.call_requests import CallRequests
from nhip.services.doors.calls import Calls
from nhip.services.doors.hooks import Hooks
from nhip.services.doors.ratings import Ratings
from nhip.services.doors.source_doors import SourceDoors
from nhip.services.doors.sources import Sources
from nhip.services.events.inbox import Inbox
from nhip.services.events.ingest import Ingest
from nhip.services.execution.execute import Execution
from nhip.services.execution.executor import Executor
from nhip.services.execution.look_ups import LookUps
from nhip.services.execution.performer import Performer
from nhip.services.execution.reconcile import Reconcile
from nhip.services.execution.retention import Retention
from nhip.services.execution.upkeep import Upkeep
from nhip.services.runs.matching import Matcher, Versions
from nhip.services.runs.progress import Progress
from nhip.services.scans.asking import carry_over
from nhip.services.scans.scheduler import Scheduler
from nhip.services.workflows.custom_conditions import custom_conditions
from nhip.settings import Settings

if TYPE_CHECKING:
    from nhip.engine.conditions.decide import CustomConditions

log = logging.getLogger("nhip")


class Engine:
    """Every part of one process, wired. Make it with :meth:`start`, and :meth:`stop` it."""

    def __init__(
        self,
        settings: Settings,
        *,
        catalog: Catalog,
        database: OpenStorage,
        doorbell: Bell,
        valkey: EmbeddedValkey | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.database = database
        self.doorbell = doorbell
        self.valkey = valkey
        self.clock: Clock = clock or SystemClock()
        self.vault = Vault.from_settings(settings.secret_key, settings.data_dir)
        self.rating_links = RatingLinks(self.vault.derived(PURPOSE), settings.customer_url)
        self.renderer = TemplateRenderer(links=self.rating_links)
        self.http = GuardedClient(allow_private=settings.allow_private_hosts)
        self.customs: CustomConditions = custom_conditions(catalog)
        self.versions = Versions(catalog)
        self.matcher = Matcher(catalog, self.versions, self.customs)
        self.intake = Intake(catalog)
        self.progress = Progress(catalog, self.versions, self.customs)
        self.ingest = Ingest(catalog, self.matcher, self.versions, self.customs, self.progress)
        # While PostgreSQL works on one group of events, the next can be decided; SQLite has one writer anyway.
        lanes = 1 if database.dialect == "sqlite" else 2
        self.inbox = Inbox(database, self.ingest, self.clock, doorbell, lanes=lanes)
        self.receipts = Receipts(self.ingest, self.intake, self.progress, self.clock)
        settle_after = timedelta(seconds=settings.settle_seconds)
        self.execution = Execution(
            catalog, self.versions, self.ingest, self.intake, self.progress, self.receipts, self.renderer, self.clock,
            settle_after=settle_after,
        )  # fmt: skip
        self.reconcile = Reconcile(catalog, self.progress, self.receipts, self.clock, settle_after=settle_after)
        self.segments = Segments(catalog)
        self.enrolments = Enrolments(self.ingest, self.segments)
        self.merging = Merging(self.ingest)
        self.telesales_campaigns = TelesalesCampaigns(catalog)
        self.telesales_entries = TelesalesEntries(self.ingest)
        returns = TelesalesReturns(self.ingest, self.clock)
        self.upkeep = Upkeep(self.segments, self.enrolments, returns, self.clock)
        self.scheduler = Scheduler(self.ingest, self.segments, self.clock)
        self.retention = Retention(self.clock, keep=timedelta(days=settings.retention_days))
        self.channels = ChannelPool(catalog, database, self.vault, self.http, self.clock, settings.public_url)
        work = asyncio.Event()
        call_timeout = settings.call_timeout_seconds
        self.performer = Performer(
            database, self.execution, self.channels, self.http, catalog, self.renderer, self.clock,
            work=work, lease_seconds=settings.lease_seconds, call_timeout=call_timeout,
        )  # fmt: skip
        look_ups = LookUps(database, self.reconcile, self.channels, call_timeout=call_timeout)
        self.executor = Executor(
            database, self.execution, self.performer, self.reconcile, look_ups, doorbell,
            scheduler=self.scheduler, retention=self.retention, upkeep=self.upkeep,
            scores=ScoreSweep(self.ingest, self.clock), work=work, lease_seconds=settings.lease_seconds,
            max_in_flight=settings.max_in_flight, reconcile_seconds=settings.reconcile_seconds,
        )  # fmt: skip
        self.hooks = Hooks(database, self.receipts, self.channels, doorbell)
        requests = CallRequests(self.ingest, self.execution, self.receipts, self.clock)
        self.calls = Calls(database, requests, self.channels, doorbell)
        self.sources = Sources(self.vault)
        self.source_doors = SourceDoors(database, self.sources, self.intake, self.inbox, self.clock)
        self.ratings = Ratings(database, self.ingest, self.intake, self.inbox, self.rating_links, self.clock, doorbell)
        self._working: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, settings: Settings, *, migrate: bool = True, embedded: bool = True, catalog: Catalog | None = None,
        clock: Clock | None = None, database: OpenStorage | None = None,
    ) -> "Engine":  # fmt: skip
        """Open everything that ``settings`` name. ``embedded`` starts a Valkey where no ``redis_url`` is set.

        A ``database`` that is given takes the place of the one that they name, and is closed with the engine.
        """
        catalog = catalog or Catalog.load(allow=settings.plugins_allow, deny=settings.plugins_deny)
        for status in catalog.plugins:
            if status.state == "failed":
                log.error("plugin not loaded", extra={"plugin": status.name, "reason": status.reason})
        if migrate:
            await upgrade(settings.database_url)
        valkey, redis_url = None, settings.redis_url
        if redis_url is None and embedded:
            valkey = EmbeddedValkey(settings.data_dir)
            redis_url = valkey.url if await valkey.start() else None
        doorbell = Bell(redis_url, poll_seconds=0.1 if valkey else 0.02)
        database = database or Database.open(settings.database_url, pool_size=settings.pool_size)
        engine = cls(settings, catalog=catalog, database=database, doorbell=doorbell, valkey=valkey, clock=clock)
        health: Any = await doorbell.health()
        if "warning" in health:
            log.warning("redis", extra={"detail": health["warning"]})
        return engine

    async def warm(self) -> None:
        """Load what every event needs before the first one comes, and let the garbage collector pass it over.

        A published workflow is some hundred objects that live as long as the process; a collection that visits those of
        a hundred thousand workflows would stop it for seconds.
        """
        await self.database.transact(self._load_indexes)
        gc.collect()
        gc.freeze()
        # An event allocates hundreds of short-lived objects and leaves no cycles; look for those less often.
        gc.set_threshold(20_000, 20, 50)

    def _load_indexes(self, unit: Unit) -> None:
        after: int | None = None
        while page := unit.workspaces.all(after=after, limit=500):
            for workspace in page:
                self.matcher.refresh(unit, workspace.id)
                carry_over(unit, workspace.id, self.matcher, self.clock.micros())
            after = page[-1].id

    def work(self) -> asyncio.Task[None]:
        """Execute steps in this process from now on."""
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self.executor.run(), name="nhip-executor")
        return self._working

    async def stop(self) -> None:
        """Finish what is in flight, and close everything."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        for door in (self.hooks, self.calls, self.inbox):
            await door.drain()
        await self.doorbell.close()
        await self.channels.close()
        await self.http.close()
        await self.database.close()
        if self.valkey is not None:
            await self.valkey.stop()
