"""Perform what a claim brought: the calls outside of any unit, and the recording of what came of them."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
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
from nhip.domain.messages import Ambiguous, NotSent, Outcome
from nhip.domain.runs import StepState
from nhip.engine.facts.decoding import convert
from nhip.plugin_api import Channel, HttpClient, RemoteAction
from nhip.ports import Clock, Renderer, Storage
from nhip.ports.surroundings import CALL_BEGINS_BEFORE
from nhip.services.channels.pool import ChannelPool
from nhip.services.execution.claimed import Calling, Claimed, Sending
from nhip.services.execution.execute import Called, Execution, Sent
from nhip.services.execution.remote_context import StepRemoteContext
from nhip.services.runs.progress import encode_output
from nhip.services.workspace.group_commit import GroupCommit

log = logging.getLogger("nhip.worker")

_LATE: Final = NotSent(code="lease", detail="too little of the lease was left to begin the call", counts=False)


class Performer:
    """Calls channels and remote actions for the steps that this process claimed, and records the outcomes in groups.

    ``work`` is set whenever something was recorded, because what follows may be due.
    """

    def __init__(  # noqa: PLR0913  (one for each part that it needs)
        self,
        storage: Storage,
        execution: Execution,
        channels: ChannelPool,
        http: HttpClient,
        catalog: Catalog,
        renderer: Renderer,
        clock: Clock,
        *,
        work: asyncio.Event,
        lease_seconds: float,
        call_timeout: float,
    ) -> None:
        self._storage = storage
        self._execution = execution
        self._channels = channels
        self._http = http
        self._catalog = catalog
        self._renderer = renderer
        self._clock = clock
        self._work = work
        self._lease_seconds = lease_seconds
        self._call_timeout = call_timeout
        self._grace = min(1.0, (lease_seconds - call_timeout) / 4)
        self._freed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent: GroupCommit[Sent, bool] = GroupCommit(self._record_sent)
        self._called: GroupCommit[Called, bool] = GroupCommit(self._record_called)
        self.in_flight = 0
        """How many steps are being performed or recorded."""

    async def freed(self) -> None:
        """Wait until fewer steps are in flight."""
        self._freed.clear()
        await self._freed.wait()

    async def settled(self) -> None:
        """Wait until nothing is in flight."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def finish(self) -> None:
        """Wait until nothing is in flight, as long as a call may take."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._call_timeout + 2)

    # --- calls ------------------------------------------------------------------------------------------------------

    def start(self, claimed: Claimed, lease_ends: float) -> None:
        """Begin what a claim brought; ``lease_ends`` in the seconds of the event loop."""
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

    def _spawn(self, call: Coroutine[Any, Any, None], places: int) -> None:
        self.in_flight += places
        task = asyncio.get_running_loop().create_task(call)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self.in_flight -= places
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
        deadline = asyncio.get_running_loop().time() + self._lease_seconds
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
