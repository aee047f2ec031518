"""Runs `nhip` as an operator does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

ADMIN_KEY = "nhip_0123456789abcdef_" + "k" * 43
_READY_SECONDS = 60.0
_LISTENS = re.compile(r"listens at (http://\S+)")


class Server:
    """A running `nhip serve` or `nhip api`."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, errors: Path) -> None:
        self.process = process
        self._output = output
        self._errors = errors
        self.url = self._wait()
        self.client = httpx.Client(base_url=self.url, timeout=20)

    def _wait(self) -> str:
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: {self.said}")
            match = _LISTENS.search(self._output.read_text())
            if match and _is_ready(match[1]):
                return match[1]
            time.sleep(0.05)
        raise AssertionError(f"it is not ready: {self.said}")

    @property
    def said(self) -> str:
        """Everything that it printed."""
        return self._output.read_text() + self._errors.read_text()

    def call(self, method: str, path: str, body: Any = None, key: str = ADMIN_KEY) -> httpx.Response:
        """Send a request with a key."""
        json_body = {} if body is None else {"json": body}
        return self.client.request(method, path, headers={"authorization": f"Bearer {key}"}, **json_body)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; answers the exit code."""
        self.client.close()
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


class Command:
    """The command, over one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NHIP_")},
            "NHIP_DATA_DIR": str(folder / "data"),
            "NHIP_ADMIN_KEY": ADMIN_KEY,
            "PYTHONUNBUFFERED": "1",
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _arguments(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-c", "from nhip.cli import main; main()", *words]

    def run(self, *words: str, status: int = 0, **environment: str) -> str:
        """Run to its end, expecting an exit status; answers what it printed, with its errors where it failed."""
        done = subprocess.run(
            self._arguments(words), cwd=self.folder, env={**self.environment, **environment}, capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip
        output, errors = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == status, f"{done.returncode}: {output}{errors}"
        return output if status == 0 else output + errors

    def run_json(self, *words: str) -> Any:
        """Run to its end; answers the JSON that it printed."""
        return json.loads(self.run(*words, "--json"))

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start something that goes on."""
        number = len(self._processes)
        output, errors = self.folder / f"{number}.out", self.folder / f"{number}.err"
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                self._arguments(words), cwd=self.folder, env={**self.environment, **environment}, stdout=out, stderr=err
            )
        self._processes.append(process)
        return process

    def serve(self, *words: str, **environment: str) -> Server:
        """Start a server on a free port and wait until it is ready."""
        number = len(self._processes)
        process = self.start(*(words or ("serve",)), "--port", "0", **environment)
        return Server(process, self.folder / f"{number}.out", self.folder / f"{number}.err")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
