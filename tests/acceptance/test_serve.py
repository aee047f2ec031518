"""`nhip serve` and its parts, as an operator meets them."""

import json
import signal
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import ADMIN_KEY, Command, Server

EVENT = {"id": "1", "source": "shop", "type": "shop.opened", "subject": "KH-1", "data": {"contact": {"name": "Lan"}}}
GREET: dict[str, Any] = {
    "name": "greet",
    "triggers": [{"id": "opened", "type": "event", "config": {"type": "shop.opened"}}],
    "steps": [{"id": "tag", "action": "update_contact", "config": {"add_tags": ["greeted"]}}],
}


def publish(server: Server) -> None:
    assert server.call("POST", "/v1/workflows", GREET).status_code == 201
    assert server.call("POST", "/v1/workflows/greet/publish").status_code == 200


def wait_for_tag(server: Server, contact: str = "KH-1") -> None:
    end = time.monotonic() + 20
    while server.call("GET", f"/v1/contacts/{contact}").json()["tags"] != ["greeted"]:
        assert time.monotonic() < end, server.said
        time.sleep(0.05)


def test_one_command_takes_an_event_and_does_what_follows_and_keeps_it(command: Command) -> None:
    server = command.serve()
    publish(server)
    answer = server.call("POST", "/v1/events", EVENT)
    assert answer.status_code == 202
    assert len(answer.json()["events"][0]["runs"]) == 1
    wait_for_tag(server)
    assert server.stop() == 0

    again = command.serve()
    wait_for_tag(again)
    assert again.call("POST", "/v1/events", EVENT).json()["duplicates"] == 1
    assert again.stop(signal.SIGINT) == 0


def test_the_first_key_is_printed_once_and_the_secret_is_ours_alone(command: Command) -> None:
    server = command.serve(NHIP_ADMIN_KEY="")
    [line] = [line for line in server.said.splitlines() if "nhip_" in line]
    key = line.split()[-1]
    assert server.call("GET", "/v1/workspaces", key=key).status_code == 200
    assert server.stop() == 0

    again = command.serve(NHIP_ADMIN_KEY="")
    assert "nhip_" not in again.said
    assert again.call("GET", "/v1/workspaces", key=key).status_code == 200
    secret = command.folder / "data" / "secret.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert again.stop() == 0


def test_api_and_worker_share_the_work(command: Command) -> None:
    server = command.serve("api")
    worker = command.start("worker")
    publish(server)
    server.call("POST", "/v1/events", EVENT)
    wait_for_tag(server)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0
    assert server.stop() == 0


def test_a_request_under_way_is_answered_before_the_end(command: Command) -> None:
    server = command.serve()
    body = json.dumps([{**EVENT, "id": str(number)} for number in range(1000)]).encode()

    def slowly() -> Any:
        yield body[:-5]
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        yield body[-5:]

    headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
    answer = server.client.post("/v1/events", content=slowly(), headers=headers)
    assert answer.status_code == 202
    assert server.process.wait(timeout=30) == 0
    with sqlite3.connect(command.folder / "data" / "nhip.db") as database:
        assert database.execute("SELECT count(*) FROM events WHERE source = 'shop'").fetchone() == (1000,)
    database.close()


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"NHIP_PORT": "many"}, "NHIP_PORT"),
        ({"NHIP_SECRET_KEY": "short"}, "NHIP_SECRET_KEY"),
        ({"NHIP_ADMIN_KEY": "short"}, "NHIP_ADMIN_KEY"),
        ({"NHIP_DATABASE_URL": "oracle://x"}, "NHIP_DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_traced(
    command: Command, environment: dict[str, str], named: str
) -> None:
    said = command.run("serve", status=1, **environment)
    assert named in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_told(command: Command) -> None:
    server = command.serve()
    port = server.url.rpartition(":")[2]
    said = command.run("serve", "--port", port, status=1)
    assert port in said
    assert "Traceback" not in said
    server.stop()


def test_hostile_bytes_do_not_bring_it_down(command: Command) -> None:
    server = command.serve()
    headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
    memory = Path(f"/proc/{server.process.pid}/statm")
    pages = int(memory.read_text().split()[1])
    for body in (
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b"x" * 11_000_000,
        b"\x00" * 1000,
        b'{"id":"' + b"\\u0000" * 9000 + b'"}',
    ):
        for method, path in (("POST", "/v1/events"), ("PUT", "/v1/contacts/KH-1")):
            answer = server.client.request(method, path, content=body, headers=headers)
            assert 400 <= answer.status_code < 500
            assert answer.headers["content-type"] == "application/problem+json"
    assert server.call("POST", "/v1/events", EVENT).status_code == 202
    assert (int(memory.read_text().split()[1]) - pages) * 4096 < 50_000_000
    assert server.stop() == 0
