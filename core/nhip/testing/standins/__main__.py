"""Runs one stand-in as a process: ``python -m nhip.testing.standins zalo --port 0 --ledger FILE --faults reset=0.1``.

It prints one JSON line, ``{"provider", "base_url", "config", "secrets", "pid"}``, and runs until SIGTERM or SIGINT.
``--webhook-url`` is where the Zalo one pushes its receipts; the eSMS one is told with each message.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import msgspec

from nhip.testing.standins.esms import EsmsStandIn
from nhip.testing.standins.faults import Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.smtp import SmtpStandIn
from nhip.testing.standins.webhook import WebhookStandIn
from nhip.testing.standins.zalo import ZaloStandIn

AnyStandIn = ZaloStandIn | EsmsStandIn | SmtpStandIn | WebhookStandIn


def build(arguments: argparse.Namespace) -> AnyStandIn:
    """The stand-in that the command line asks for."""
    ledger, faults = Ledger(arguments.ledger), Faults.parse(arguments.faults)
    match arguments.provider:
        case "zalo":
            return ZaloStandIn(port=arguments.port, ledger=ledger, faults=faults, webhook_url=arguments.webhook_url)
        case "esms":
            return EsmsStandIn(port=arguments.port, ledger=ledger, faults=faults)
        case "smtp":
            return SmtpStandIn(port=arguments.port, ledger=ledger, faults=faults)
        case _:
            return WebhookStandIn(port=arguments.port, ledger=ledger, faults=faults)


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m nhip.testing.standins", description=__doc__)
    parser.add_argument("provider", choices=("zalo", "esms", "smtp", "webhook"))
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--ledger", default=None, help="append what is accepted to this file, one JSON line each")
    parser.add_argument("--faults", default="", help="timeout_after=0.1,error_after=0.05,reset=0.02,seed=7")
    parser.add_argument("--webhook-url", default=None, help="where Zalo pushes receipts")
    return parser.parse_args(arguments)


async def run(standin: AnyStandIn) -> None:
    """Run until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with standin:
        line = {
            "provider": standin.provider,
            "base_url": standin.base_url,
            "config": standin.config(),
            "secrets": standin.secrets(),
            "pid": os.getpid(),
        }
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Run the stand-in of the command line, on uvloop where there is one."""
    standin = build(read_arguments(sys.argv[1:]))
    try:
        import uvloop
    except ImportError:
        asyncio.run(run(standin))
    else:
        uvloop.run(run(standin))


if __name__ == "__main__":
    main()
