"""``nhip serve``, ``nhip api`` and ``nhip worker``: processes that run until SIGTERM or SIGINT and end gracefully."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
import uvicorn
import uvloop

from nhip import logs
from nhip.bootstrap import Engine
from nhip.services.workspace import keys
from nhip.settings import Settings, load

API: Final = "nhip_admin_api.app:create_app"
"""The API by its import string: the command line knows nothing else of it."""
WORKER: Final = "nhip.worker:run_worker"
"""The worker's shell, reached the same way: the shells stand beside each other, not on each other."""
DRAIN_SECONDS: Final = 10
"""How long requests that are under way may take once the process was told to end."""


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _network(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="NHIP_DATA_DIR")(
        command
    )
    command = click.option("--port", type=click.IntRange(0, 65_535), help="NHIP_PORT; 0 takes a free one")(command)
    return click.option("--host", help="NHIP_HOST")(command)


@click.command()
@_network
def serve(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Run everything in one process: the API, a worker, and what they need.

    Without settings it uses an SQLite file and a Valkey of its own in the data folder, which suits one machine.
    """
    _run(host, port, data_dir, works=True)


@click.command()
@_network
def api(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Run the API alone; workers run elsewhere, over the same database and NHIP_REDIS_URL."""
    _run(host, port, data_dir, works=False)


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="NHIP_DATA_DIR")
def worker(data_dir: Path | None) -> None:
    """Run a worker alone: execute steps, serve nothing."""
    settings = load(data_dir=data_dir)
    logs.configure(settings.log_level, settings.log_format)
    uvloop.run(_named(WORKER)(settings))


def _run(host: str | None, port: int | None, data_dir: Path | None, *, works: bool) -> None:
    settings = load(host=host, port=port, data_dir=data_dir)
    with _listening(settings.host, settings.port) as listener:
        bound: int = listener.getsockname()[1]
        if bound != settings.port:
            settings = load(host=host, port=bound, data_dir=data_dir)
        logs.configure(settings.log_level, settings.log_format)
        uvloop.run(_serve(settings, listener, works=works))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise click.ClickException(f"cannot listen at {host}:{port}: {error.strerror}") from None
    with listener:
        yield listener


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn's own way would end the process before the engine has finished its work."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


async def _serve(settings: Settings, listener: socket.socket, *, works: bool) -> None:
    engine = await Engine.start(settings, embedded=works)
    try:
        made = await engine.database.transact(keys.ensure_first_key, settings.admin_key, engine.clock.micros())
        if made is not None:
            click.echo(f"The first API key, shown this once: {made}")
        await engine.warm()
        app = _named(API)(engine)
        server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        await _until_told(engine, server, listener, settings, works=works)
    finally:
        await engine.stop()


async def _until_told(
    engine: Engine, server: uvicorn.Server, listener: socket.socket, settings: Settings, *, works: bool
) -> None:
    """Serve, and work, until a signal; then let what is under way finish."""

    def end() -> None:
        # A second signal does not wait for anybody.
        server.force_exit = server.should_exit
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
    serving = loop.create_task(server.serve(sockets=[listener]), name="nhip-api")
    parts: set[asyncio.Task[None]] = {serving}
    if works:
        parts.add(engine.work())
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    click.echo(f"Nhịp listens at http://{host}:{settings.port}")
    await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        # The worker ended by itself, which it never should: end with its error, and let whoever watches start us again.
        server.should_exit = True
        await serving
        (parts - {serving}).pop().result()
    serving.result()
