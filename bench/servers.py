"""The processes that a bench measures: Nhịp, the bare endpoint, the naive pipeline; and the databases they use."""

import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.support.databases import PostgresDatabases
from tests.support.postgres import running_postgres
from tests.support.valkey import running_valkey

ADMIN_KEY = "nhip_benchbenchbench_" + "0" * 43


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            arguments, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield running
        finally:
            running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(10)
            running.kill()


async def up(port: int, path: str, running: subprocess.Popen[bytes], log: Path, seconds: float = 30) -> None:
    """Wait until a server answers."""
    deadline = asyncio.get_running_loop().time() + seconds
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline:
            if running.poll() is not None:
                break
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                    if response.status < 500:
                        return
            await asyncio.sleep(0.05)
    raise RuntimeError(f"it did not come up:\n{log.read_text()[-4000:]}")


@contextmanager
def databases(folder: Path, names: list[str]) -> Iterator[dict[str, Callable[[], str]]]:
    """Per dialect, what makes a fresh database and answers its url: a file, or one on a PostgreSQL of our own."""
    makers: dict[str, Callable[[], str]] = {}
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:
        if "sqlite" in names:
            makers["sqlite"] = lambda: f"sqlite+aiosqlite:///{folder / f'bench{next(numbers)}.db'}"
        if "postgres" in names:
            (folder / "postgres").mkdir()
            folder.chmod(0o755)
            server = stack.enter_context(running_postgres(folder / "postgres"))
            postgres = stack.enter_context(PostgresDatabases(server))
            postgres.make_template(_nothing)
            makers["postgres"] = lambda: postgres.create(empty=True)
        yield makers


async def _nothing(_url: str) -> None:
    """The benches' databases start empty: each program makes its own tables."""


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """A Valkey of the bench's own; answers its url."""
    (folder / "valkey").mkdir()
    with running_valkey(folder / "valkey") as server:
        yield f"redis://{server.host}:{server.port}/0"


class Nhip:
    """A running Nhịp, reached over HTTP."""

    def __init__(self, port: int, process_id: int) -> None:
        self.port = port
        self.process_id = process_id

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One API call; raises with the problem when it is refused."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method,
                f"http://127.0.0.1:{self.port}{path}",
                data=msgspec.json.encode(body) if body is not None else None,
                headers={"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"},
            ) as response,
        ):
            text = await response.read()
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {response.status} {text.decode()[:2000]}")
            return msgspec.json.decode(text) if text else None

    def resident_mebibytes(self) -> float:
        """Resident memory of its process."""
        status = Path(f"/proc/{self.process_id}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


@asynccontextmanager
async def nhip(database_url: str, *, command: str = "serve", **environment: str) -> AsyncIterator[Nhip]:
    """``nhip serve`` (or ``api``) on a fresh data folder."""
    with tempfile.TemporaryDirectory(prefix="nhip-bench-") as folder:
        port, log = free_port(), Path(folder) / "log"
        settings = {
            "NHIP_DATABASE_URL": database_url,
            "NHIP_DATA_DIR": folder,
            "NHIP_ADMIN_KEY": ADMIN_KEY,
            "NHIP_ALLOW_PRIVATE_HOSTS": "true",
            "NHIP_LOG_LEVEL": "warning",
            **environment,
        }
        program = [str(Path(sys.executable).parent / "nhip"), command, "--port", str(port)]
        with process(program, settings, log) as running:
            await up(port, "/health/ready", running, log)
            yield Nhip(port, running.pid)


@asynccontextmanager
async def python_server(module: str, **environment: str) -> AsyncIterator[int]:
    """A baseline server: ``python -m module`` listening on ``PORT``."""
    with tempfile.TemporaryDirectory(prefix="nhip-bench-") as folder:
        port, log = free_port(), Path(folder) / "log"
        with process([sys.executable, "-m", module], {"PORT": str(port), **environment}, log) as running:
            await up(port, "/", running, log)
            yield port
