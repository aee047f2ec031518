"""Somebody who does what a page says, block by block, against a real ``nhip serve``.

The first word of an HTML comment above a block says what is special about it: ``server`` runs in a terminal of its own,
``make`` is looked up in the Makefile, ``screen`` is what the server's terminal shows. A block of JSON below a block of
shell is the answer that the page shows.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.docs.shown import differences
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
PORT = "8300"
PATIENCE = 60.0
CLIENTS = ["curl.py", *(["curl"] if shutil.which("curl") else [])]
"""What can be called ``curl`` here: ours, and the real one where it is installed."""

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>\w+): [^\n]*-->\n)?```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """One fenced block of the page; ``mark`` is the first word of the comment above it."""

    mark: str | None
    language: str
    body: str


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    return [Block(match["mark"], match["language"], match["body"]) for match in _BLOCK.finditer(page)]


class Shell:
    """One bash that lives as long as a reader's terminal does: what a block defines, the next ones know."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._count = 0
        self._process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, cwd=folder, env=environment, text=True, encoding="utf-8"
        )

    def run(self, block: str) -> str:
        """Run a block, and answer with what it printed."""
        self._count += 1
        out, err, code = (self._folder / f"{self._count}.{name}" for name in ("out", "err", "code"))
        assert self._process.stdin is not None
        self._process.stdin.write(
            f"{{\n{block}\n}} >{out} 2>{err} </dev/null\necho $? >{code}.new; mv {code}.new {code}\n"
        )
        self._process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while not code.exists():
            assert time.monotonic() < deadline, f"this did not end:\n{block}"
            assert self._process.poll() is None, f"this ended the shell:\n{block}"
            time.sleep(0.01)
        assert code.read_text() == "0\n", f"{block}\n{out.read_text()}\n{err.read_text()}"
        return out.read_text()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)


class Server:
    """What runs in the reader's first terminal."""

    def __init__(self, block: str, folder: Path, environment: dict[str, str], port: int) -> None:
        self._block = re.sub(r"^(?=\S+/nhip )", "exec ", block, flags=re.MULTILINE)
        self._folder = folder
        self._environment = {**environment, "NHIP_PORT": str(port)}
        self._url = f"http://127.0.0.1:{port}/health/ready"
        self.screen = folder / "screen"
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.screen.open("ab") as screen:
            return subprocess.Popen(
                ["bash", "-c", self._block], cwd=self._folder, env=self._environment, stdout=screen, stderr=screen,
                start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until it is ready."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if httpx.get(self._url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self._process.poll() is None, f"the server ended:\n{self.screen.read_text()}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self.screen.read_text()}"
            time.sleep(0.05)

    def interrupt(self) -> int:
        """Press Ctrl+C."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(PATIENCE)

    def again(self) -> None:
        """Run the same lines once more."""
        self._process = self._start()
        self.wait()

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)


class Reader:
    """Somebody who does what the page says, in order."""

    def __init__(self, folder: Path, client: str) -> None:
        self._port = free_port()
        commands = folder / ".venv" / "bin"
        commands.parent.mkdir()
        commands.symlink_to(Path(sys.executable).parent)
        path = [str(commands), os.environ["PATH"]]
        if client != "curl":
            (folder / "bin").mkdir()
            shim = folder / "bin" / "curl"
            shim.write_text(Path(__file__).with_name(client).read_text())
            shim.chmod(0o755)
            path.insert(0, str(shim.parent))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NHIP_")}
        self._environment = {**environment, "PATH": os.pathsep.join(path), "LC_ALL": "C.UTF-8"}
        self._folder = folder
        self.shell = Shell(folder, self._environment)
        self.server: Server | None = None
        self.last = ""

    def follow(self, block: Block, shown: Any) -> None:
        """Do what one block says; ``shown`` is the answer that the page shows below it, if any."""
        match block.mark:
            case "make":
                check_targets(block.body)
            case "server":
                self.server = Server(block.body, self._folder, self._environment, self._port)
                self.server.wait()
            case _:
                self.last = block.body.replace(PORT, str(self._port))
                self.try_it(shown)

    def try_it(self, shown: Any = None) -> None:
        """Run the last block. One that only looks may look again until it sees what the page shows."""
        looks = not re.search(r" -[dX] ", self.last)
        deadline = time.monotonic() + (PATIENCE if looks else 0)
        while True:
            said = self.shell.run(self.last)
            wrong = list(differences(shown, json.loads(said))) if shown is not None else []
            if not wrong:
                return
            if time.monotonic() >= deadline:
                pytest.fail("\n".join([self.last, said, *wrong]), pytrace=False)
            time.sleep(0.1)

    def look_at_screen(self, shown: Any) -> None:
        """Wait until the first terminal shows a line of JSON."""
        assert self.server is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = [line for line in self.server.screen.read_text().splitlines() if line.startswith("{")]
            if any(not list(differences(shown, json.loads(line))) for line in lines):
                return
            assert time.monotonic() < deadline, f"the first terminal shows:\n{self.server.screen.read_text()}"
            time.sleep(0.1)

    def read(self, blocks: list[Block]) -> None:
        """Do what all blocks say, in order."""
        for block, following in zip(blocks, [*blocks[1:], Block(None, "", "")], strict=True):
            if block.language == "sh":
                answers = following.language == "json" and following.mark is None
                self.follow(block, json.loads(following.body) if answers else None)
            elif block.mark == "screen":
                self.look_at_screen(json.loads(block.body))

    def close(self) -> None:
        self.shell.close()
        if self.server is not None:
            self.server.kill()


def check_targets(block: str) -> None:
    """The block calls nothing but targets that the Makefile has."""
    targets = re.findall(r"^([\w-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in block.splitlines():
        command, target, *rest = line.split("#")[0].split()
        assert (command, rest) == ("make", [])
        assert target in targets, f"the Makefile has no target {target}"


@contextmanager
def reading(folder: Path, client: str) -> Iterator[Reader]:
    reader = Reader(folder, client)
    try:
        yield reader
    finally:
        reader.close()
