"""The stand-ins as processes, their ledgers and their plans of faults."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nhip import Accepted
from nhip.adapters.http import GuardedClient
from nhip.testing.contexts import message, open_channel
from nhip.testing.standins import Fault, Faults, Ledger
from nhip_channels.email import EmailChannel
from nhip_channels.sms_esms import SmsEsms
from nhip_channels.webhook import Webhook
from nhip_channels.zalo_zns import ZaloZns


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nhip.testing.standins", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert started.stdout is not None
        async with asyncio.timeout(30):
            told = json.loads(await started.stdout.readline())
        yield started, told
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


@pytest.mark.parametrize(
    ("provider", "cls"),
    [("zalo", ZaloZns), ("esms", SmsEsms), ("smtp", EmailChannel), ("webhook", Webhook)],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_stand_in_runs_as_a_process_with_a_ledger_that_survives_its_death(
    tmp_path: Path, provider: str, cls: type[Any]
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    to = "anh@example.com" if provider == "smtp" else "+84987654321"
    async with process(provider, "--ledger", str(ledger)) as (running, told):
        async with open_channel(cls, told["config"], told["secrets"]) as channel:
            mail = message(to, "key-1", subject="x", text="y", provider_template_id="1", params={"a": "b"})
            [outcome] = await channel.send([mail], 5)
        assert isinstance(outcome, Accepted)
        assert [entry.reference for entry in Ledger.load(ledger)] == ["key-1"], "it is there before the answer"
        os.kill(told["pid"], signal.SIGKILL)
        await running.wait()
    [entry] = Ledger.load(ledger)
    assert (entry.reference, entry.provider) == ("key-1", cls.kind)
    assert abs(entry.at - time.time()) < 60


async def test_a_process_stops_when_it_is_asked_to() -> None:
    async with process("webhook") as (running, _):
        running.terminate()
        assert await running.wait() == 0


async def test_a_running_process_can_be_told_another_plan(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    client = GuardedClient(allow_private=True)
    plan = "error_before=1"
    async with process("zalo", "--ledger", str(ledger), "--faults", plan) as (_, told):  # noqa: SIM117
        async with open_channel(ZaloZns, told["config"], told["secrets"], http=client) as channel:
            mail = message("+84987654321", "key-1", provider_template_id="1", params={"a": "b"})
            assert not isinstance((await channel.send([mail], 5))[0], Accepted)
            answer = await client.request("PUT", f"{told['base_url']}/standin/faults", body=b"slow=0")
            assert answer.status == 204
            url = await client.request("PUT", f"{told['base_url']}/standin/webhook-url", body=b"http://127.0.0.1:9/")
            assert url.status == 204
            assert isinstance((await channel.send([mail], 5))[0], Accepted)
    await client.close()
    assert len(Ledger.load(ledger)) == 1


def test_a_half_written_line_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    for number in range(3):
        ledger.append(reference=f"key-{number % 2}", address="x", provider_id=str(number), provider="test")
    ledger.close()
    assert Ledger.load(path) == ledger.entries
    assert ledger.duplicates() == {"key-0": 2}
    path.write_bytes(path.read_bytes()[:-5])
    assert len(Ledger.load(path)) == 2
    assert Ledger.load(tmp_path / "none") == []


def test_a_plan_strikes_as_often_as_it_says_and_the_same_way_each_time() -> None:
    plan = "timeout_after=0.1,error_after=0.05,error_before=0.05,reset=0.02,garbage=0.01,seed=7"
    first, second = Faults.parse(plan), Faults.parse(plan)
    drawn = [first.draw() for _ in range(10_000)]
    assert drawn == [second.draw() for _ in range(10_000)]
    shares = {fault: count / 10_000 for fault, count in first.drawn.items()}
    assert shares[Fault.TIMEOUT_AFTER] == pytest.approx(0.1, abs=0.01)
    assert shares[Fault.RESET_AFTER] + shares[Fault.RESET_BEFORE] == pytest.approx(0.02, abs=0.005)
    assert sum(shares.values()) == pytest.approx(0.23, abs=0.02)
    assert Faults().draw() is None


@pytest.mark.parametrize(
    "plan", ["nonsense=1", "garbage=2", "garbage=-1", "garbage=x", "garbage", "slow=0.6,garbage=0.6"]
)
def test_a_plan_that_makes_no_sense_is_refused(plan: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Faults.parse(plan)


def test_a_script_goes_before_chance() -> None:
    faults = Faults(garbage=1.0)
    faults.script([Fault.SLOW, None])
    assert [faults.draw() for _ in range(3)] == [Fault.SLOW, None, Fault.GARBAGE]
