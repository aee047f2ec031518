"""Ask providers about deliveries of which it is not known whether they went out."""

import asyncio
import logging
from typing import Final

from nhip.ports import Storage
from nhip.services.channels.pool import ChannelPool
from nhip.services.execution.reconcile import Question, Reconcile

log = logging.getLogger("nhip.worker")

_LOOK_UP_SECONDS: Final = 5.0


class LookUps:
    """The questions of one worker."""

    def __init__(self, storage: Storage, reconcile: Reconcile, channels: ChannelPool, *, call_timeout: float) -> None:
        self._storage = storage
        self._reconcile = reconcile
        self._channels = channels
        self._call_timeout = call_timeout
        self._asked: dict[str, float] = {}

    def forget(self) -> None:
        """Ask again at once, whatever was asked a moment ago."""
        self._asked.clear()

    async def ask(self) -> None:
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
