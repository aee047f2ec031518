"""Calls answered: 50 a second come in through Twilio's protocol, each with one key press, and each answer is computed
from a published workflow inside the request; against a bare Litestar endpoint of the same size, in the same minutes.

    python -m bench.voice [--quick] [sqlite] [postgres]
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import aiohttp

from bench.servers import Nhip, databases, nhip, python_server
from nhip_channels.twilio_signature import signature

RATE = 50
"""Calls a second; each is two questions."""
GOAL_MS = 300.0
DIALECTS: tuple[str, ...] = ("sqlite", "postgres")
TOKEN = "bench-token"
NUMBER = "+842873000000"
PUBLIC = "https://care.example"


class Answers:
    """How long answers took, in milliseconds."""

    def __init__(self) -> None:
        self.inbound: list[float] = []
        self.keys: list[float] = []
        self.wrong = 0

    def shown(self) -> str:
        """One line."""
        both = sorted([*self.inbound, *self.keys])
        first, second = sorted(self.inbound), sorted(self.keys)
        return (
            f"p50 {percentile(both, 0.5):6.1f} ms  p99 {percentile(both, 0.99):6.1f} ms"
            f"   (call p99 {percentile(first, 0.99):6.1f}, key p99 {percentile(second, 0.99):6.1f})"
        )


def percentile(values: list[float], share: float) -> float:
    """Milliseconds below which that share stayed; the values are sorted."""
    return values[min(int(len(values) * share), len(values) - 1)]


async def install(engine: Nhip) -> str:
    """An account, a workflow that routes calls among others that do not concern them; answers the account's path."""
    config = {"account_sid": "AC0", "from": NUMBER, "public_url": PUBLIC}
    account = {"name": "hotline", "type": "voice_twilio", "config": config, "secrets": {"auth_token": TOKEN}}
    made = await engine.call("POST", "/v1/channels", account)
    for number in range(20):
        workflow = {
            "name": f"calls-{number}",
            "triggers": [{"id": "t", "type": "ivr_call", "config": {"numbers": [f"02873{number:06d}"]}}],
            "steps": [
                {
                    "id": "route",
                    "action": "route_call",
                    "config": {
                        "menu": "Bấm 1 để gặp chăm sóc khách hàng, bấm 2 để được tư vấn sản phẩm.",
                        "options": {"1": "care", "2": "advice"},
                        "returning_caller": "last_store",
                        "fallback": "care",
                    },
                }
            ],
        }
        await engine.call("POST", "/v1/workflows", workflow)
        await engine.call("POST", f"/v1/workflows/calls-{number}/publish")
    return f"/voice/hotline/{made['hook']['token']}"


async def load(port: int, path: str, *, calls: int, first: int, wanted: bytes) -> Answers:
    """Let that many calls come in, evenly, whatever becomes of those before."""
    answers = Answers()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(address: str, fields: dict[str, str]) -> tuple[float, bytes]:
            url = f"{PUBLIC}{path}{address}"
            headers = {
                "content-type": "application/x-www-form-urlencoded",
                "x-twilio-signature": signature(TOKEN, url, {name: [value] for name, value in fields.items()}),
            }
            began = time.perf_counter()
            async with session.post(
                f"http://127.0.0.1:{port}{path}{address}", data=urlencode(fields), headers=headers
            ) as response:
                body = await response.read()
                answers.wrong += response.status != 200
            return (time.perf_counter() - began) * 1000, body

        async def one(number: int) -> None:
            # Every caller has called before, a second time or more often.
            about = {
                "CallSid": f"CA{number:032x}", "From": f"+8498{number % 2_000:07d}", "To": NUMBER,
                "Direction": "inbound",
            }  # fmt: skip
            took, body = await ask("/answer", {**about, "CallStatus": "ringing"})
            answers.inbound.append(took)
            answers.wrong += wanted not in body
            took, _ = await ask("/answer?turn=1", {**about, "CallStatus": "in-progress", "Digits": "1"})
            answers.keys.append(took)

        began, running = time.perf_counter(), []
        for position in range(calls):
            await asyncio.sleep(max(0.0, began + position / RATE - time.perf_counter()))
            running.append(asyncio.create_task(one(first + position)))
        await asyncio.gather(*running)
    return answers


async def measure(name: str, database_url: str, *, seconds: int, rounds: int) -> None:
    """Alternate the bare endpoint and Nhịp."""
    ratios, tails = [], []
    async with python_server("bench.voice_bare") as bare, nhip(database_url) as engine:
        path = await install(engine)
        print(f"{name}: {RATE} calls a second, two answers each")
        calls = RATE * seconds
        for turn in range(rounds + 1):
            plain = await load(bare, path, calls=calls, first=0, wanted=b"Response")
            loaded = await load(engine.port, path, calls=calls, first=turn * calls, wanted=b"Gather")
            if loaded.wrong:
                raise SystemExit(f"{loaded.wrong} answers were wrong")
            if turn:  # the first turn warms up
                tails.append(percentile(sorted([*loaded.inbound, *loaded.keys]), 0.99))
                ours, theirs = statistics.median([*loaded.inbound, *loaded.keys]), statistics.median(plain.inbound)
                ratios.append(ours / theirs)
                print(f"  {loaded.shown()}   bare p50 {theirs:5.1f} ms")
    print(f"  p50 / bare           {statistics.median(ratios):6.1f}")
    kept = "kept" if max(tails) <= GOAL_MS else "MISSED"
    print(f"  p99                  {max(tails):6.1f} ms   (goal at most {GOAL_MS:.0f} ms: {kept})")


async def main() -> None:
    """Run on the databases named, or on both."""
    quick = "--quick" in sys.argv
    names = [name for name in DIALECTS if name in sys.argv] or list(DIALECTS)
    with tempfile.TemporaryDirectory(prefix="nhip-bench-") as folder, databases(Path(folder), names) as makers:
        for name in names:
            await measure(name, makers[name](), seconds=5 if quick else 20, rounds=1 if quick else 3)


if __name__ == "__main__":
    asyncio.run(main())
