"""Runs one stand-in as a process: ``nhip standin zalo --port 0 --ledger FILE --faults reset=0.1``.

It prints one JSON line, ``{"provider", "base_url", "config", "secrets", "pid"}``, and runs until SIGTERM or SIGINT.
``--webhook-url`` is where the Zalo one pushes its receipts; the eSMS one is told with each message.

The voice ones (twilio, stringee, asterisk) then take calls by hand from standard input, and show what a caller hears:
``call +84987654321``, ``press 1``, ``answered``, ``hangup``; ``help`` lists all.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from nhip.testing.standins.asterisk_server import AsteriskServer
from nhip.testing.standins.console import Console, Exchange, Refused, exchange_of
from nhip.testing.standins.esms import EsmsStandIn
from nhip.testing.standins.faults import Faults
from nhip.testing.standins.ledger import Ledger
from nhip.testing.standins.smtp import SmtpStandIn
from nhip.testing.standins.stringee import StringeeStandIn
from nhip.testing.standins.webhook import WebhookStandIn
from nhip.testing.standins.zalo import ZaloStandIn

if TYPE_CHECKING:
    from nhip.testing.standins.twilio import TwilioStandIn

AnyStandIn: TypeAlias = (
    "ZaloStandIn | EsmsStandIn | SmtpStandIn | WebhookStandIn | AsteriskServer | StringeeStandIn | TwilioStandIn"
)
PROVIDERS = ("zalo", "esms", "smtp", "webhook", "twilio", "stringee", "asterisk")


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
        case "webhook":
            return WebhookStandIn(port=arguments.port, ledger=ledger, faults=faults)
        case "asterisk":
            return AsteriskServer(port=arguments.port, ledger=ledger, faults=faults)
        case "stringee":
            public = arguments.public_url
            return StringeeStandIn(port=arguments.port, ledger=ledger, faults=faults, public_url=public)
        case _:
            return _twilio(arguments, ledger, faults)


def _twilio(arguments: argparse.Namespace, ledger: Ledger, faults: Faults) -> "TwilioStandIn":
    try:
        from nhip.testing.standins.twilio import TwilioStandIn
    except ImportError as error:
        # Twilio's own library signs what it sends, and reads what it is told.
        raise SystemExit(
            f"the stand-in for Twilio needs the distribution twilio: pip install twilio ({error})"
        ) from error
    return TwilioStandIn(port=arguments.port, ledger=ledger, faults=faults, public_url=arguments.public_url)


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    usual = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="nhip standin", description=__doc__, formatter_class=usual)
    parser.add_argument("provider", choices=PROVIDERS)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--ledger", default=None, help="append what is accepted to this file, one JSON line each")
    parser.add_argument("--faults", default="", help="timeout_after=0.1,error_after=0.05,reset=0.02,seed=7")
    parser.add_argument("--webhook-url", default=None, help="where Zalo pushes receipts")
    parser.add_argument("--public-url", default="http://127.0.0.1:8080", help="where Twilio and Stringee reach Nhịp")
    parser.add_argument("--control", default=None, help="where Nhịp takes calls: the account's hook.answer_url")
    return parser.parse_args(arguments)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def _take_calls(exchange: Exchange) -> None:
    """Do what is typed, one line after the other, and show what happens in calls, until cancelled."""
    console = Console(exchange, _say)
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)

    # A thread of its own, because a read of a terminal cannot be cancelled; it ends with the process.
    threading.Thread(target=read, name="standin-console", daemon=True).start()
    watching = loop.create_task(console.watch())
    try:
        while True:
            await console.type(await lines.get())
    finally:
        watching.cancel()


async def run(standin: AnyStandIn, control: str | None = None) -> None:
    """Run until a signal comes. ``control`` is where Nhịp takes the calls of a voice stand-in."""
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
        exchange = exchange_of(standin)
        if exchange is not None and control is not None:
            exchange.take_control(control)
        _say(msgspec.json.encode(line).decode())
        typing = loop.create_task(_take_calls(exchange)) if exchange is not None else None
        await stop.wait()
        if typing is not None:
            typing.cancel()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stand-in of the command line, on uvloop where there is one."""
    said = read_arguments(sys.argv[1:] if arguments is None else arguments)
    running = run(build(said), said.control)
    try:
        import uvloop
    except ImportError:
        runner = asyncio.run
    else:
        runner = uvloop.run
    try:
        runner(running)
    except Refused as error:
        raise SystemExit(f"--control: {error}") from None


if __name__ == "__main__":
    main()
