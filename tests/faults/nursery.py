"""Processes of the real program that start at once, and can be killed, stopped and continued."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

_ROOT = Path(__file__).parents[2]


class Process:
    """One process of the program. `status` is its exit status, or the negative number of the signal that ended it."""

    def __init__(self, name: str, pid: int, log: Path) -> None:
        self.name = name
        self.pid = pid
        self.log = log
        self.status: int | None = None
        self.ended_at = 0.0
        """When its end was noticed, by `time.monotonic`."""
        self._ended = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether it has not ended; a stopped process is alive."""
        return not self._ended.is_set()

    def note_end(self, status: int) -> None:
        """Take notice of the end."""
        self.status, self.ended_at = status, time.monotonic()
        self._ended.set()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; one to a process that has ended goes nowhere."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self, seconds: float = 10.0) -> None:
        """End it by SIGKILL, and wait for that."""
        self.signal(signal.SIGKILL)
        if not self._ended.wait(seconds):
            raise TimeoutError(f"{self.name} ({self.pid}) survived SIGKILL for {seconds} s")

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Nursery:
    """Forks processes of the program from one that has imported it already (see `tests.faults.entry`)."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._answers: list[int] = []
        self._answered = threading.Condition()
        self._living: dict[int, Process] = {}
        self._early: dict[int, int] = {}

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.entry", "nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        assert self._server.stdout is not None
        first = self._server.stdout.readline()
        if not first:
            raise RuntimeError("the program cannot be imported; see the output of the tests")
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in list(self._living.values()):
            process.kill()
        server = self._server
        assert server is not None
        assert server.stdin is not None
        server.stdin.close()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        if server.stdout is not None:
            server.stdout.close()

    def spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Process:
        """Start `nhip` with these arguments and exactly this environment; what it writes is appended to `log`."""
        server = self._server
        assert server is not None
        assert server.stdin is not None
        order = {"argv": list(argv), "env": dict(env), "log": str(log)}
        with self._answered:
            server.stdin.write(msgspec.json.encode(order) + b"\n")
            server.stdin.flush()
            if not self._answered.wait_for(lambda: self._answers, timeout=20):
                raise TimeoutError("the nursery does not answer")
            pid = self._answers.pop()
            process = Process(name, pid, log)
            if pid in self._early:
                process.note_end(self._early.pop(pid))
            else:
                self._living[pid] = process
        return process

    def _listen(self) -> None:
        assert self._server is not None
        assert self._server.stdout is not None
        for line in self._server.stdout:
            said: dict[str, Any] = msgspec.json.decode(line)
            with self._answered:
                if "status" not in said:
                    self._answers.append(said["pid"])
                elif (process := self._living.pop(said["pid"], None)) is not None:
                    process.note_end(said["status"])
                else:
                    self._early[said["pid"]] = said["status"]
                self._answered.notify_all()
