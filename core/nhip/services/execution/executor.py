"""The executor: drains what is due whenever somebody rings, and reconciles every second or two."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from nhip.catalog import Catalog
from nhip.crashpoints import crashpoint
from nhip.domain.errors import (
    ActionFailed,
    ActionUnavailable,
    AmbiguousOutcome,
    InvalidInput,
    NotSentError,
    StorageUnavailable,
    TemplateError,
)
from nhip.domain.ids import idempotency_key, new_id
from nhip.domain.messages import Ambiguous, NotSent, Outcome
from nhip.domain.runs import StepState
from nhip.domain.times import from_micros
from nhip.engine.facts.decoding import convert
from nhip.plugin_api import Channel, Facts, HttpClient, RemoteAction
from nhip.ports import Clock, Doorbell, Renderer, Storage
from nhip.ports.surroundings import CALL_BEGINS_BEFORE
from nhip.services.channels.pool import ChannelPool
from nhip.services.customers.score_sweep import ScoreSweep
from nhip.services.execution.claimed import Calling, Claimed, Sending
from nhip.services.execution.execute import Called, Execution, Sent
from nhip.services.execution.reconcile import Question, Reconcile
from nhip.services.execution.retention import Place, Retention
from nhip.services.execution.upkeep import Upkeep
from nhip.services.runs.progress import encode_output
from nhip.services.scans.scheduler import Scheduler
from nhip.services.workspace.group_commit import GroupCommit

log = logging.getLogger("nhip.worker")

_LOOK_UP_SECONDS: Final = 5.0
_FIRST_CLEAN_SECONDS: Final = 240.0
_CLEAN_SECONDS: Final = 3_600.0
_BETWEEN_CLEANS_SECONDS: Final = 0.05
_UPKEEP_SECONDS: Final = 1.0
_BETWEEN_UPKEEPS_SECONDS: Final = 0.005
"""So that whoever waits for the database gets a turn."""
_SUSPECTS_AT_ONCE: Final = 50
"""How many steps that lost a worker are performed, one by one, before others get their turn again."""
_PACE_SECONDS: Final = 0.008
_PACE_IN_FLIGHT: Final = 8
_LATE: Final = NotSent(code="lease", detail="too little of the lease was left to begin the call", counts=False)


class StepRemoteContext:
    """What a remote action may use; implements :class:`nhip.plugin_api.RemoteContext`."""

    def __init__(self, calling: Calling, now: int, timeout: float, http: HttpClient, renderer: Renderer) -> None:
        step = calling.step
        self.now = from_micros(now)
        self.facts: Facts = calling.facts
        self.idempotency_key = idempotency_key(
            step.workspace_id, step.run_id, step.path, step.iteration, step.generation
        )
        self.timeout = timeout
        self.http = http
        self._renderer = renderer

    def render(self, value: Any) -> Any:
        """Fill in every text inside ``value``; raises ``TemplateError``."""
        return self._renderer.render_value(value, self.facts)


class Executor:
    """Executes steps in this process, at most ``max_in_flight`` at once.

    ``answer`` is what a ring calls; it returns when nothing more is due. Any number of executors may share a database.
    """

    def __init__(  # noqa: PLR0913  (one for each part that it needs)
        self,
        storage: Storage,
        execution: Execution,
        reconcile: Reconcile,
        channels: ChannelPool,
        doorbell: Doorbell,
        http: HttpClient,
        catalog: Catalog,
        renderer: Renderer,
        clock: Clock,
        *,
        scheduler: Scheduler,
        retention: Retention,
        upkeep: Upkeep,
        scores: ScoreSweep,
        lease_seconds: float,
        call_timeout: float,
        max_in_flight: int,
        reconcile_seconds: float,
    ) -> None:
        self._storage = storage
        self._execution = execution
        self._reconcile = reconcile
        self._retention = retention
        self._upkeep = upkeep
        self._scores = scores
        self._scheduler = scheduler
        self._channels = channels
        self._doorbell = doorbell
        self._http = http
        self._catalog = catalog
        self._renderer = renderer
        self._clock = clock
        self._owner = new_id()
        self._lease = int(lease_seconds * 1_000_000)
        self._call_timeout = call_timeout
        self._grace = min(1.0, (lease_seconds - call_timeout) / 4)
        self._max_in_flight = max_in_flight
        self._reconcile_seconds = reconcile_seconds
        self._in_flight = 0
        self._work = asyncio.Event()
        self._freed = asyncio.Event()
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent: GroupCommit[Sent, bool] = GroupCommit(self._record_sent)
        self._called: GroupCommit[Called, bool] = GroupCommit(self._record_called)
        self._asked: dict[str, float] = {}
        self._claimed_at = 0.0
        self._suspects = False
        """Whether there are steps that lost a worker and have to be performed alone."""

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled, then finish what is in flight."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._drain_loop())
                group.create_task(self._reconcile_loop())
                group.create_task(self._schedule_loop())
                group.create_task(self._upkeep_loop())
                group.create_task(self._clean_loop())
                group.create_task(self._doorbell.run(self.answer))
        finally:
            self._stopping = True
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._call_timeout + 2)

    async def answer(self) -> None:
        """Somebody rang: there is work."""
        crashpoint("worker.ring_taken")
        self._work.set()

    async def _drain_loop(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self.drain()
            except StorageUnavailable as error:
                log.warning("storage unavailable", extra={"detail": error.detail})
                await asyncio.sleep(random.uniform(0.2, 1.0))
                self._work.set()
            except Exception:
                log.exception("drain failed")
                await asyncio.sleep(1.0)

    async def drain(self) -> None:
        """Claim and start steps until nothing is due or every place is taken."""
        while not self._stopping:
            if self._suspects:
                await self._perform_suspects()
            free = self._max_in_flight - self._in_flight
            if free <= self._max_in_flight // 4 and self._in_flight:
                self._freed.clear()
                await self._freed.wait()
                continue
            await self._pace()
            if not await self._claim(free, suspects=False):
                return

    async def _claim(self, limit: int, *, suspects: bool) -> int:
        """Claim, and start what was claimed; answers how many steps that were."""
        lease_ends = asyncio.get_running_loop().time() + self._lease / 1_000_000
        claim = asyncio.ensure_future(
            self._storage.transact(self._execution.claim, self._owner, limit, self._lease, suspects=suspects)
        )
        try:
            claimed = await asyncio.shield(claim)
        except asyncio.CancelledError:
            # The claim commits all the same, and what it took is then ours to perform.
            with contextlib.suppress(Exception):
                self._start(await claim, lease_ends)
            raise
        if claimed.count:
            crashpoint("step.intent_stored")
            self._start(claimed, lease_ends)
        return claimed.count

    async def _perform_suspects(self) -> None:
        """Perform steps that lost a worker, each with nothing else in flight: if one takes this process down, too, no
        other step shares the blame.
        """
        self._suspects = False
        await self.settled()
        for _ in range(_SUSPECTS_AT_ONCE):
            if not await self._claim(1, suspects=True):
                return
            await self.settled()
        self._suspects = True

    async def _pace(self) -> None:
        """While much is in flight, let a few milliseconds of work gather: one claim of many costs little more than one
        claim of few. An idle executor claims at once.
        """
        loop = asyncio.get_running_loop()
        wait = self._claimed_at + _PACE_SECONDS - loop.time()
        if wait > 0 and self._in_flight >= _PACE_IN_FLIGHT:
            await asyncio.sleep(wait)
        self._claimed_at = loop.time()

    async def settled(self) -> None:
        """Wait until nothing is in flight here: for tests, and for an orderly end."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # --- calls ------------------------------------------------------------------------------------------------------

    def _start(self, claimed: Claimed, lease_ends: float) -> None:
        batches: dict[tuple[int, str], list[Sending]] = {}
        for sending in claimed.sendings:
            batches.setdefault((sending.account.workspace_id, sending.account.name), []).append(sending)
        for sendings in batches.values():
            size = self._catalog.channels[sendings[0].account.type].capabilities.batch_size
            for first in range(0, len(sendings), size):
                self._spawn(self._send(sendings[first : first + size], lease_ends), min(size, len(sendings) - first))
        for calling in claimed.callings:
            self._spawn(self._call(calling, lease_ends), 1)

    def _has_time(self, lease_ends: float) -> bool:
        """Whether a call that begins now ends before the lease does: afterwards the step may be somebody else's."""
        return asyncio.get_running_loop().time() + self._call_timeout + self._grace < lease_ends

    @contextlib.asynccontextmanager
    async def _call_time(self) -> AsyncIterator[None]:
        """The time of one call. The process may sleep through its end: the client that writes a request looks at the
        clock once more.

        Raises:
            TimeoutError: it is over.
        """
        ends = asyncio.get_running_loop().time() + self._call_timeout + self._grace
        before = CALL_BEGINS_BEFORE.set(ends)
        try:
            async with asyncio.timeout_at(ends):
                yield
        finally:
            CALL_BEGINS_BEFORE.reset(before)

    def _spawn(self, work: Any, places: int) -> None:
        self._in_flight += places
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._in_flight -= places
            self._freed.set()
            if not task.cancelled() and task.exception() is not None:
                log.error("a step was not recorded; its lease will expire", exc_info=task.exception())

        task.add_done_callback(done)

    async def _send(self, sendings: Sequence[Sending], lease_ends: float) -> None:
        account = sendings[0].account
        outcomes: Sequence[Outcome]
        with contextlib.ExitStack() as stack:
            try:
                living = stack.enter_context(self._channels.use(account))
            except Exception as error:  # noqa: BLE001  (whatever it is, nothing was sent)
                outcomes = [NotSent(code="channel_unavailable", detail=str(error))] * len(sendings)
            else:
                async with living.limit:
                    if self._has_time(lease_ends):
                        outcomes = await self._outcomes(living.channel, sendings)
                    else:
                        outcomes = [_LATE] * len(sendings)
        crashpoint("step.response_read")
        results = [Sent(sending=one, outcome=outcome) for one, outcome in zip(sendings, outcomes, strict=True)]
        if len(results) == 1:
            await self._sent.submit(results[0])
        else:
            await asyncio.gather(*(self._sent.submit(result) for result in results))

    async def _outcomes(self, channel: Channel, sendings: Sequence[Sending]) -> Sequence[Outcome]:
        """Call the channel; what it may not do (raise, hang, miscount) is ambiguous."""
        messages = [sending.message for sending in sendings]
        try:
            async with self._call_time():
                outcomes = await channel.send(messages, self._call_timeout)
        except TimeoutError:
            return [Ambiguous(code="timeout", detail="the channel did not answer in time")] * len(messages)
        except (StorageUnavailable, ActionUnavailable) as error:
            # Its secrets could not be read or renewed: whatever was asked before, no message was taken.
            return [NotSent(code=error.code, detail=error.detail, counts=False)] * len(messages)
        except Exception as error:
            log.exception("channel raised", extra={"channel": sendings[0].account.name})
            return [Ambiguous(code="channel_bug", detail=f"{type(error).__name__}: {error}")] * len(messages)
        if len(outcomes) != len(messages):
            log.error("channel miscounted", extra={"channel": sendings[0].account.name})
            return [Ambiguous(code="channel_bug", detail="not one outcome per message")] * len(messages)
        return outcomes

    async def _call(self, calling: Calling, lease_ends: float) -> None:
        if not self._has_time(lease_ends):
            await self._called.submit(Called(step=calling.step, state=StepState.READY, reason=_LATE.detail))
            return
        await self._called.submit(await self._called_outcome(calling))

    async def _called_outcome(self, calling: Calling) -> Called:
        step = calling.step
        action = self._catalog.actions[calling.node.action]()
        assert isinstance(action, RemoteAction)
        context = StepRemoteContext(calling, self._clock.micros(), self._call_timeout, self._http, self._renderer)
        try:
            config = convert(calling.node.config, action.config_type, "config")
            async with self._call_time():
                output = dict(await action.run(context, config))
            encode_output(output)
        except ActionUnavailable as error:
            return Called(step=step, state=StepState.READY, reason=str(error), retry_after=error.retry_after)
        except NotSentError as error:
            return Called(step=step, state=StepState.READY, reason=str(error))
        except (ActionFailed, TemplateError, InvalidInput) as error:
            return Called(step=step, state=StepState.DEAD, reason=str(error))
        except (AmbiguousOutcome, TimeoutError) as error:
            return Called(step=step, state=StepState.UNKNOWN, reason=str(error) or "timeout")
        except Exception as error:
            log.exception("action raised", extra={"action": calling.node.action})
            return Called(step=step, state=StepState.UNKNOWN, reason=f"bug: {type(error).__name__}: {error}")
        finally:
            crashpoint("step.response_read")
        return Called(step=step, state=StepState.DONE, output=output)

    # --- record -----------------------------------------------------------------------------------------------------

    async def _record_sent(self, results: Sequence[Sent]) -> Sequence[bool]:
        return await self._recorded(self._execution.record_sent, results)

    async def _record_called(self, results: Sequence[Called]) -> Sequence[bool]:
        return await self._recorded(self._execution.record_called, results)

    async def _recorded(self, record: Any, results: Sequence[Any]) -> Sequence[bool]:
        """Record, insisting while the lease lasts: what a provider said must not be lost to a database's hiccup."""
        deadline = asyncio.get_running_loop().time() + self._lease / 1_000_000
        while True:
            try:
                mine: Sequence[bool] = await self._storage.transact(record, results)
            except StorageUnavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(random.uniform(0.05, 0.3))
                continue
            crashpoint("step.recorded")
            stale = len(mine) - sum(mine)
            if stale:
                log.warning("stale outcomes refused", extra={"count": stale})
            self._work.set()
            return mine

    # --- reconcile --------------------------------------------------------------------------------------------------

    async def _reconcile_loop(self) -> None:
        while True:
            try:
                await self._reconcile_once()
            except StorageUnavailable as error:
                log.warning("storage unavailable", extra={"detail": error.detail})
            except Exception:
                log.exception("reconcile failed")
            self._work.set()
            await asyncio.sleep(self._reconcile_seconds * random.uniform(0.8, 1.2))

    async def reconcile(self) -> None:
        """Look around at once: for tests, and for an operator who does not want to wait."""
        self._asked.clear()
        await self._reconcile_once()
        while await self._keep_up():
            pass
        await self._scheduler.run(self._storage)
        self._work.set()

    async def _reconcile_once(self) -> None:
        more = True
        while more and not self._stopping:
            # Between two passes of a burst, what the first one woke is claimed already.
            reconciled = await self._storage.transact(self._reconcile.run)
            self._suspects = self._suspects or reconciled.suspects
            more = reconciled.more
            if more:
                self._work.set()
        await self._ask_providers()
        await self._scores.run(self._storage)

    async def _ask_providers(self) -> None:
        """Ask about unknown deliveries, each at most every few seconds."""
        questions: list[Question] = await self._storage.read(self._reconcile.questions)
        now = asyncio.get_running_loop().time()
        self._asked = {key: at for key, at in self._asked.items() if now - at < _LOOK_UP_SECONDS}
        due = [one for one in questions if one.delivery.id not in self._asked]
        by_account: dict[tuple[int, str], list[Question]] = {}
        for question in due:
            self._asked[question.delivery.id] = now
            by_account.setdefault((question.account.workspace_id, question.account.name), []).append(question)
        for mine in by_account.values():
            try:
                with self._channels.use(mine[0].account) as living:
                    async with asyncio.timeout(self._call_timeout):
                        outcomes = await living.channel.look_up([question.message for question in mine])
            except Exception:
                log.exception("look-up failed", extra={"channel": mine[0].account.name})
                continue
            answers = list(zip(mine, outcomes, strict=True))
            if any(outcome is not None for _, outcome in answers):
                await self._storage.transact(self._reconcile.answer, answers)

    # --- schedule ---------------------------------------------------------------------------------------------------

    async def _schedule_loop(self) -> None:
        """Look at what time sets off. Beside the reconciling, because a look may take long."""
        while True:
            try:
                if await self._scheduler.run(self._storage):
                    self._work.set()
                    self._doorbell.ring()
            except StorageUnavailable as error:
                log.warning("storage unavailable", extra={"detail": error.detail})
            except Exception:
                log.exception("schedule failed")
            await asyncio.sleep(self._reconcile_seconds * random.uniform(0.8, 1.2))

    # --- upkeep -----------------------------------------------------------------------------------------------------

    async def _upkeep_loop(self) -> None:
        """Keep segments and enrolments going. Beside the reconciling, because there may be much of it."""
        while True:
            more = False
            try:
                more = await self._keep_up()
            except StorageUnavailable as error:
                log.warning("storage unavailable", extra={"detail": error.detail})
            except Exception:
                log.exception("upkeep failed")
            await asyncio.sleep(_BETWEEN_UPKEEPS_SECONDS if more else _UPKEEP_SECONDS * random.uniform(0.8, 1.2))

    async def _keep_up(self) -> bool:
        """One unit of what is due; answers whether more is."""
        done = await self._upkeep.run(self._storage)
        if done.entered:
            self._work.set()
            self._doorbell.ring()
        return done.more

    # --- clean ------------------------------------------------------------------------------------------------------

    async def _clean_loop(self) -> None:
        pause = _FIRST_CLEAN_SECONDS
        while True:
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = _CLEAN_SECONDS
            try:
                await self.clean()
            except StorageUnavailable as error:
                log.warning("storage unavailable", extra={"detail": error.detail})
            except Exception:
                log.exception("clean-up failed")

    async def clean(self) -> int:
        """Delete at once what is older than it is kept; answers how much that was."""
        place, over = Place(), False
        while not over:
            place, over = await self._storage.transact(self._retention.step, place)
            if not over:
                await asyncio.sleep(_BETWEEN_CLEANS_SECONDS)
        if place.deleted:
            log.info("old rows deleted", extra={"count": place.deleted})
        return place.deleted
