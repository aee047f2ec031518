"""Telephone calls: what a provider asks is answered by the workflow, in the very request that asks.

One unit takes the request in as an event, lets the run that it starts or wakes go on as far as it can, takes the plan
that ``route_call`` left, and keeps it: a provider that asks the same once more hears the same, and nothing happens
twice. Whatever goes wrong, the caller hears something.
"""

import logging
from collections.abc import Sequence
from typing import Final, get_args

import msgspec

from nhip.domain.calls import CallAnswer, CallPlan, CallRequest
from nhip.domain.configured import ChannelAccount
from nhip.domain.errors import MalformedInput, NhipError, NotFound
from nhip.domain.messages import InboundRequest
from nhip.plugin_api import Occasion
from nhip.ports import Doorbell, Storage
from nhip.services.channels.pool import ChannelPool
from nhip.services.doors.call_requests import Asked, CallRequests, Spare
from nhip.services.runs.progress import plain
from nhip.services.workspace.group_commit import GroupCommit

log = logging.getLogger("nhip.calls")

_MOST_AT_ONCE: Final = 50
"""Requests of one unit."""


class Calls:
    """Answers what providers ask about calls, and takes what they report. One in each process.

    Requests that come together are committed together, as events are.
    """

    def __init__(self, storage: Storage, requests: CallRequests, channels: ChannelPool, doorbell: Doorbell) -> None:
        self._storage = storage
        self._requests = requests
        self._channels = channels
        self._doorbell = doorbell
        self._group: GroupCommit[Asked, CallPlan] = GroupCommit(self._flush, largest=_MOST_AT_ONCE)

    async def take(self, account: ChannelAccount, request: InboundRequest) -> CallAnswer:
        """Verify a request, let happen what it says, and answer in the provider's words.

        Raises:
            NotFound: the account is none that takes calls.
            SignatureMismatch: it is not the provider's.
            MalformedInput: it cannot be read.
            StorageUnavailable, Overloaded: what is only reported cannot be stored now; the provider tries again.
        """
        with self._channels.use(account) as living:
            channel = living.channel
            if not channel.capabilities.voice:
                raise NotFound("call control", account.name)
            try:
                call = _plain(await channel.read_call(request))
                spare: Spare = {occasion: channel.spare_plan(occasion) for occasion in get_args(Occasion)}
                plan = await self._planned(Asked(account, call, spare))
                return channel.answer_call(call, plan)
            except NhipError:
                raise
            except Exception as error:
                log.error("plugin raised", exc_info=error, extra={"channel": account.name, "type": account.type})
                raise MalformedInput(f"the channel {account.type!r} could not take this request") from error

    async def drain(self) -> None:
        """Wait until everything taken so far is committed."""
        await self._group.drain()

    async def _planned(self, asked: Asked) -> CallPlan:
        try:
            return await self._group.submit(asked)
        except Exception:
            if not asked.call.asks:
                raise
            log.exception(
                "a call could not be answered", extra={"channel": asked.account.name, "call": asked.call.call_id}
            )
            return asked.spare["trouble"]

    async def _flush(self, asked: Sequence[Asked]) -> list[CallPlan]:
        plans = await self._storage.transact(self._requests.take, asked)
        self._doorbell.ring()
        return plans


def _plain(call: CallRequest) -> CallRequest:
    """What a provider says, as every database stores it.

    Raises:
        MalformedInput: it does not say which call it is about.
    """
    call_id = plain(call.call_id, 200)
    if not call_id:
        raise MalformedInput("the request does not say which call it is about")
    return msgspec.structs.replace(
        call,
        call_id=call_id,
        caller=plain(call.caller, 64),
        called=plain(call.called, 64) or "",
        digits=plain(call.digits, 64) or "",
        recording=plain(call.recording),
        reference=plain(call.reference, 64),
        detail=plain(call.detail, 200),
        turn=min(max(call.turn, 0), 10_000),
    )
