"""The demonstration's processes: the Zalo stand-in, and ``nhip serve``, which is started again whenever it dies."""

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

HOST: Final = "127.0.0.1"
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_MOST_FAILED_STARTS: Final = 3
_SHORT_LIFE_SECONDS: Final = 2.0
_SETTINGS: Final = {
    # The stand-in is on this machine, so its answers take milliseconds, and what a killed process had in its hands is
    # looked after sooner than the 30 seconds that suit providers far away.
    "NHIP_CALL_TIMEOUT_SECONDS": "4",
    "NHIP_LEASE_SECONDS": "8",
    "NHIP_ALLOW_PRIVATE_HOSTS": "true",
    "NHIP_LOG_LEVEL": "warning",
}


class DemoFailed(Exception):
    """The demonstration cannot go on; the text says why."""


class StandInProcess:
    """The Zalo stand-in as a process. ``ledger`` is the file with everything that it accepted."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "zalo-ledger.jsonl"
        self._log = folder / "zalo-standin.log"
        self._process: Process | None = None
        self.base_url = ""
        self.config: Mapping[str, Any] = {}
        self.secrets: Mapping[str, str] = {}

    async def start(self) -> None:
        """Start it, and learn where it listens."""
        command = [sys.executable, "-m", "nhip.testing.standins", "zalo", "--ledger", str(self.ledger)]
        self._process = process = await _spawn(command, self._log, stdout=PIPE)
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise DemoFailed(f"the Zalo stand-in did not start:\n{tail(self._log)}")
        said = msgspec.json.decode(line, type=dict[str, Any])
        self.base_url, self.config, self.secrets = said["base_url"], said["config"], said["secrets"]

    async def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            await _stop(self._process)


class ServerProcess:
    """``nhip serve`` in its embedded default. ``watch`` keeps it running; ``kill`` is SIGKILL.

    ``tell`` is called with a line about each death and each start after it.
    """

    def __init__(self, folder: Path, *, port: int | None, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.port = port or _free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.key = f"nhip_demo{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        self.restarts = 0
        self.log = folder / "nhip-serve.log"
        self._tell = tell
        self._process: Process | None = None
        self._answers: Callable[[], Awaitable[bool]] | None = None
        self._stopping = False

    @property
    def pid(self) -> int:
        """The process's id; another one after each death."""
        assert self._process is not None
        return self._process.pid

    async def start(self, answers: Callable[[], Awaitable[bool]]) -> None:
        """Start it, and wait until ``answers``, which asks it whether it is ready."""
        self._answers = answers
        command = [sys.executable, "-m", "nhip", "serve", "--host", HOST, "--port", str(self.port)]
        environment = {name: text for name, text in os.environ.items() if not name.startswith("NHIP_")}
        environment |= {**_SETTINGS, "NHIP_ADMIN_KEY": self.key, "NHIP_DATA_DIR": str(self.folder)}
        self._process = process = await _spawn(command, self.log, folder=self.folder, environment=environment)
        deadline = time.monotonic() + _READY_SECONDS
        while not await answers():
            if process.returncode is not None or time.monotonic() > deadline:
                raise DemoFailed(f"nhip serve did not start:\n{tail(self.log)}")
            await asyncio.sleep(0.05)

    async def watch(self) -> None:
        """Start it again whenever it dies, until cancelled.

        Raises:
            DemoFailed: it dies again and again.
        """
        failed = 0
        while True:
            began = time.monotonic()
            process, answers = self._process, self._answers
            assert process is not None
            assert answers is not None
            code = await process.wait()
            if self._stopping:
                return
            failed = failed + 1 if time.monotonic() - began < _SHORT_LIFE_SECONDS else 0
            if failed >= _MOST_FAILED_STARTS:
                raise DemoFailed(f"nhip serve dies again and again:\n{tail(self.log)}")
            self._tell(f"nhip serve died by {_cause(code)}; it is started again")
            down = time.monotonic()
            await self.start(answers)
            self.restarts += 1
            self._tell(f"nhip serve is back after {time.monotonic() - down:.1f} s (process {self.pid})")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        assert self._process is not None
        self._process.kill()

    def memory(self) -> int:
        """Its resident memory in bytes; 0 where the system does not say."""
        return _resident(self.pid)

    async def stop(self) -> None:
        """Stop it in order."""
        self._stopping = True
        if self._process is not None:
            await _stop(self._process)


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return ""


async def _spawn(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> Process:
    """Start a process outside our terminal's reach, so that Ctrl+C comes to us alone; it ends when we do."""
    with log.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=file if stdout is None else stdout,
            stderr=file,
            cwd=folder,
            env=environment,
            start_new_session=True,
            preexec_fn=_end_with_us if sys.platform == "linux" else None,
        )


def _end_with_us() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _resident(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True)  # noqa: S603, S607
        return int(said.stdout) * 1024
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0
