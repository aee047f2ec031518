"""A replaced channel instance lives until its last call has ended."""

import asyncio
from typing import Any, cast

import msgspec
import pytest

from nhip.domain.configured import ChannelAccount
from nhip.services.channels.pool import ChannelPool
from tests.support.clocks import StandingClock
from tests.support.scripted_channels import ScriptedChannel
from tests.support.world import catalog


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The instances that were closed, in order."""
    found: list[object] = []

    async def close(channel: ScriptedChannel) -> None:
        found.append(channel)
        if channel.config.script == "raises":
            raise ZeroDivisionError("a bug")

    monkeypatch.setattr(ScriptedChannel, "close", close)
    return found


@pytest.fixture
def pool() -> ChannelPool:
    nothing = cast(Any, None)
    return ChannelPool(catalog(), nothing, nothing, nothing, StandingClock(), None)


def account(revision: int = 1, script: str = "main") -> ChannelAccount:
    return ChannelAccount(
        workspace_id=1, id="a", name="zns", type="scripted_traceable", config={"script": script}, hook_token="t",
        rate_per_second=None, next_free_at=0, price=None, revision=revision,
    )  # fmt: skip


async def test_a_replaced_instance_is_closed_when_its_last_call_has_ended(
    pool: ChannelPool, closed: list[object]
) -> None:
    with pool.use(account()) as first:
        with pool.use(account()) as same:
            assert same is first
            with pool.use(account(2)) as second:
                assert second.channel is not first.channel
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert closed == []
    await asyncio.sleep(0)
    assert closed == [first.channel]
    await pool.close()
    assert closed == [first.channel, second.channel]


async def test_one_that_nobody_uses_is_closed_at_once(pool: ChannelPool, closed: list[object]) -> None:
    with pool.use(account()) as first:
        pass
    with pool.use(account(2)):
        await asyncio.sleep(0)
        assert closed == [first.channel]


async def test_a_call_that_raises_has_ended_too(pool: ChannelPool, closed: list[object]) -> None:
    def call() -> None:
        with pool.use(account()), pool.use(account(2)):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call()
    await asyncio.sleep(0)
    assert len(closed) == 1


async def test_an_instance_that_cannot_be_closed_stops_no_other(pool: ChannelPool, closed: list[object]) -> None:
    with pool.use(account(script="raises")):
        pass
    with pool.use(msgspec.structs.replace(account(), id="b", name="other")):
        pass
    await pool.close()
    assert len(closed) == 2
