"""A person at the keyboard calls the hotline through each voice stand-in, and hears what the workflow says."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nhip.testing.standins.console import HELP
from tests.acceptance.command import Command, Server
from tests.docs.pages import DOCS

MENU = "Bấm 1 để gặp chăm sóc khách hàng."
HOTLINE: dict[str, Any] = {
    "name": "hotline",
    "triggers": [{"id": "called", "type": "ivr_call", "config": {}}],
    "steps": [{"id": "route", "action": "route_call", "config": {
        "menu": MENU, "options": {"1": "care", "2": {"say": "Tạm biệt."}}, "key_seconds": 20,
    }}],
}  # fmt: skip


class Person:
    """Who types at a stand-in."""

    def __init__(self, command: Command, folder: Path, *words: str) -> None:
        self._screen = folder / "screen.txt"
        with self._screen.open("wb") as screen:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nhip", "standin", *words], cwd=folder, env=command.environment,
                stdin=subprocess.PIPE, stdout=screen, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._read = 0
        self.account = json.loads(self.sees("}"))

    def types(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def sees(self, text: str, seconds: float = 20) -> str:
        """Wait for a line with this text, below those that were seen; answers with the line."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lines = self._screen.read_text().split("\n")[:-1]
            for number in range(self._read, len(lines)):
                if text in lines[number]:
                    self._read = number + 1
                    return lines[number]
            time.sleep(0.02)
        raise AssertionError(f"never saw {text!r} in: {self._screen.read_text()}")


def test_somebody_calls_by_hand_and_hears_the_menu(command: Command, tmp_path: Path) -> None:
    server = command.serve(NHIP_ALLOW_PRIVATE_HOSTS="true")
    assert server.call("POST", "/v1/workflows", HOTLINE).status_code == 201
    assert server.call("POST", "/v1/workflows/hotline/publish").status_code == 200
    for provider in ("twilio", "stringee", "asterisk"):
        calls_by_hand(command, server, tmp_path, provider)
    runs = server.call("GET", "/v1/runs?workflow=hotline").json()["items"]
    assert len(runs) == 6
    assert server.stop() == 0


def calls_by_hand(command: Command, server: Server, folder: Path, provider: str) -> None:
    person = Person(command, folder, provider, "--public-url", server.url)
    bridge = None
    try:
        told = person.account
        account = {"name": provider, "type": told["provider"], "config": told["config"], "secrets": told["secrets"]}
        made = server.call("POST", "/v1/channels", account)
        assert made.status_code == 201, made.text
        control = made.json()["hook"]["answer_url"]
        person.types("press 1")
        person.sees("no: nobody calls")
        person.types("call")
        if provider == "asterisk":
            person.sees("no: no bridge is connected")
            bridge = _bridge(command, told, control.removesuffix("/answer"))
            time.sleep(0.1)
            deadline = time.monotonic() + 20
            while True:
                person.types("call")
                try:
                    person.sees("call 1 from", 0.5)
                    break
                except AssertionError:
                    assert time.monotonic() < deadline
        else:
            person.sees("no: say first where")
            person.types("control nowhere")
            person.sees("no: that is the account's")
            person.types(f"control {control}")
            person.types("call +84912345678")
            person.sees("call 1 from +84912345678")
        person.sees(f"call 1 says: {MENU}")
        person.sees("call 1 is on the line" if provider == "asterisk" else "call 1 waits for a key")
        person.types("press 1")
        person.sees("call 1 rings care")
        person.types("answered")
        person.types("hangup")
        person.sees("call 1 is over")

        person.types("call - 02873000000")
        person.sees(f"call 2 says: {MENU}")
        person.types("press 2")
        person.sees("call 2 says: Tạm biệt.")
        person.sees("call 2 is over")
        person.types("what")
        person.sees("call [CALLER] [CALLED]")
        person.process.terminate()
        assert person.process.wait(timeout=20) == 0
    finally:
        assert person.process.stdin is not None
        person.process.stdin.close()
        for process in (person.process, bridge):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def _bridge(command: Command, told: dict[str, Any], control: str) -> subprocess.Popen[bytes]:
    secrets = told["secrets"]
    environment = {
        **command.environment, "NHIP_ARI_PASSWORD": secrets["password"], "NHIP_BRIDGE_SECRET": secrets["bridge_secret"]
    }  # fmt: skip
    words = ["-m", "nhip_channels.ari_bridge", "--ari", told["config"]["base_url"], "--voice", control]
    return subprocess.Popen([sys.executable, *words], env=environment, stderr=subprocess.DEVNULL)


def test_the_page_names_what_can_be_typed() -> None:
    page = (DOCS / "voice.md").read_text()
    for line in HELP.splitlines():
        assert f"`{line.split('  ')[0]}`" in page or line.split()[0] in ("answered", "missed"), line
