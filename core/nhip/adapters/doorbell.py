"""The doorbell: an event inside the process, and arq between processes.

arq carries nothing but "there is work": losing all of Redis costs at most one pass of the reconciler. What is known of
arq shapes this: it has no socket time-out of its own, so the pool brings one; its worker ends when Redis goes away, so
it is supervised; its default payload is pickle, so both sides get JSON.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from arq import ArqRedis, Worker, func
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

log = logging.getLogger("nhip.doorbell")

QUEUE: Final = "nhip:rings"
SOCKET_TIMEOUT: Final = 2.0
_RING_SLOT: Final = 0.05
"""Rings within one slot of this many seconds are one job."""


def _encode(payload: Any) -> bytes:
    return json.dumps(payload, default=str).encode()


def open_pool(redis_url: str) -> ArqRedis:
    """A connection to Redis or Valkey that never waits longer than :data:`SOCKET_TIMEOUT` seconds."""
    pool: ConnectionPool = ConnectionPool.from_url(
        redis_url, socket_timeout=SOCKET_TIMEOUT, socket_connect_timeout=SOCKET_TIMEOUT, health_check_interval=15
    )
    return ArqRedis(pool, job_serializer=_encode, job_deserializer=json.loads, default_queue_name=QUEUE)


async def _close(pool: ArqRedis) -> None:
    """Release the connections, which redis-py leaves open where it was given the pool."""
    try:
        await asyncio.wait_for(pool.aclose(close_connection_pool=True), SOCKET_TIMEOUT)
    except (RedisError, OSError, TimeoutError):
        log.debug("a dead connection was dropped")


class Bell:
    """Implements :class:`nhip.ports.Doorbell`. Without a ``redis_url`` it rings inside this process only."""

    def __init__(self, redis_url: str | None = None, *, poll_seconds: float = 0.02) -> None:
        self._redis_url = redis_url
        self._poll_seconds = poll_seconds
        self._rung = asyncio.Event()
        self._pool: ArqRedis | None = None
        self._ringing: asyncio.Task[None] | None = None
        self._again = False
        self._state = "up" if redis_url else "off"

    def ring(self) -> None:
        """There is work. Never blocks, never raises; rings that come close together are one."""
        self._rung.set()
        if self._redis_url is None:
            return
        if self._ringing is not None:
            self._again = True
            return
        self._ringing = asyncio.get_running_loop().create_task(self._ring_far())

    async def _ring_far(self) -> None:
        try:
            while True:
                self._again = False
                await self._enqueue()
                await asyncio.sleep(_RING_SLOT)
                if not self._again:
                    return
        finally:
            self._ringing = None

    async def _enqueue(self) -> None:
        if self._pool is None:
            assert self._redis_url is not None
            self._pool = open_pool(self._redis_url)
        slot = int(time.time() / _RING_SLOT)
        try:
            await self._pool.enqueue_job("ring", _job_id=f"ring:{slot}", _expires=60)
            self._state = "up"
        except (RedisError, OSError, TimeoutError) as error:
            if self._state != "down":
                log.warning("redis unavailable; workers find work by themselves", extra={"detail": str(error)})
            self._state = "down"
            await asyncio.sleep(0.5)

    async def run(self, answer: Callable[[], Awaitable[None]]) -> None:
        """Answer rings from this process and, through arq, from others, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._answer_near(answer))
            if self._redis_url is not None:
                group.create_task(self._supervise(answer))

    async def _answer_near(self, answer: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            await answer()

    async def _supervise(self, answer: Callable[[], Awaitable[None]]) -> None:
        """Keep an arq worker alive: it ends whenever Redis does not answer it."""

        async def ring(_context: dict[Any, Any]) -> None:
            await answer()

        assert self._redis_url is not None
        while True:
            pool = open_pool(self._redis_url)
            worker = Worker(
                functions=[func(cast(Any, ring), name="ring", keep_result=0, timeout=10, max_tries=1)],
                redis_pool=pool,
                queue_name=QUEUE,
                poll_delay=self._poll_seconds,
                max_jobs=8,
                handle_signals=False,
                job_serializer=_encode,
                job_deserializer=json.loads,
                health_check_interval=60,
            )
            running = asyncio.get_running_loop().create_task(worker.async_run())
            try:
                await asyncio.wait({running})
                running.result()
            except (RedisError, OSError, TimeoutError) as error:
                self._state = "down"
                log.info("arq worker ended", extra={"detail": str(error)})
            except Exception:
                log.exception("arq worker failed")
            finally:
                while not running.done():
                    # arq's polling may lose a cancellation, and would keep this process from ending: insist.
                    running.cancel()
                    await asyncio.wait({running}, timeout=0.1)
                await _close(pool)
            await asyncio.sleep(0.5)

    async def health(self) -> Mapping[str, Any]:
        """Whether Redis answers, and whether its memory policy could evict rings."""
        if self._redis_url is None:
            return {"state": "off"}
        pool = self._pool or open_pool(self._redis_url)
        self._pool = pool
        try:
            await pool.ping()
            policy = await pool.config_get("maxmemory-policy")
        except (RedisError, OSError, TimeoutError) as error:
            return {"state": "down", "detail": f"{type(error).__name__}"}
        said = policy.get("maxmemory-policy", "unknown")
        health: dict[str, Any] = {"state": "up", "maxmemory_policy": said}
        if said not in ("noeviction", "unknown"):
            health["warning"] = "maxmemory-policy should be noeviction, or rings may be evicted"
        return health

    async def close(self) -> None:
        """Stop ringing and release the connection."""
        if self._ringing is not None:
            self._ringing.cancel()
            await asyncio.gather(self._ringing, return_exceptions=True)
        if self._pool is not None:
            await _close(self._pool)
            self._pool = None
