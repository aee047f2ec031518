"""The commands that run and end."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.command import ADMIN_KEY, Command

GREET = {
    "name": "greet",
    "triggers": [{"id": "opened", "type": "event", "config": {"type": "shop.opened"}}],
    "steps": [{"id": "tag", "action": "update_contact", "config": {"add_tags": ["greeted"]}}],
}


def test_help_names_every_command(command: Command) -> None:
    said = command.run("--help")
    for name in ("serve", "api", "worker", "demo", "db", "config", "plugins", "keys", "workflows"):
        assert f"  {name} " in said


def test_config_shows_every_setting_and_no_secret(command: Command) -> None:
    shown = command.run_json("config")
    assert shown["data_dir"] == str(command.folder / "data")
    assert ADMIN_KEY not in json.dumps(shown)
    assert ADMIN_KEY not in command.run("config")


def test_the_schema_is_upgraded_as_often_as_one_likes(command: Command) -> None:
    for _ in range(2):
        assert "up to date" in command.run("db", "upgrade")


def test_keys_are_made_listed_and_revoked_beside_a_running_server(command: Command) -> None:
    server = command.serve()
    made = command.run_json("keys", "create", "till", "--scope", "contacts:read", "--expires-in", "P1D")
    assert server.call("GET", "/v1/contacts", key=made["key"]).status_code == 200
    assert server.call("GET", "/v1/api-keys", key=made["key"]).status_code == 403
    listed = {one["id"]: one["state"] for one in command.run_json("keys", "list")}
    assert listed[made["id"]] == "valid"
    command.run("keys", "revoke", made["id"])
    time.sleep(1.0)
    assert server.call("GET", "/v1/contacts", key=made["key"]).status_code == 401
    assert "no API key" in command.run("keys", "revoke", "nobody", status=1)
    assert "no workspace" in command.run("keys", "list", "--workspace", "nowhere", status=1)
    server.stop()


def test_workflows_are_validated_imported_and_exported(command: Command) -> None:
    good, bad = command.folder / "good.json", command.folder / "bad.json"
    good.write_text(json.dumps(GREET))
    bad.write_text(json.dumps({**GREET, "steps": [{"id": "tag", "action": "nothing"}], "colour": "red"}))
    assert "valid" in command.run("workflows", "validate", str(good))
    said = command.run("workflows", "validate", str(good), str(bad), status=1)
    assert "steps[0].action" in said
    assert "colour" in said
    server = command.serve()
    assert "greet: active, version 1" in command.run("workflows", "import", str(good), "--publish")
    assert server.call("GET", "/v1/workflows/greet").json()["state"] == "active"
    event = {"id": "1", "source": "shop", "type": "shop.opened", "subject": "KH-1"}
    assert len(server.call("POST", "/v1/events", event).json()["events"][0]["runs"]) == 1
    server.stop()

    assert json.loads(command.run("workflows", "export", "greet")) == GREET
    command.run("workflows", "export", "--output", "written")
    assert json.loads((command.folder / "written" / "greet.json").read_text()) == GREET
    assert "no workflow" in command.run("workflows", "export", "none", status=1)
    command.run("workflows", "import", str(good), str(bad), status=1)


def test_plugins_are_listed_and_checked(command: Command) -> None:
    listed = {one["name"]: one["state"] for one in command.run_json("plugins", "list")}
    assert listed["trigger.order_status"] == "loaded"
    assert command.run_json("plugins", "check") == []
    (command.folder / "broken.py").write_text("raise ValueError('not today')\n")
    said = command.run("plugins", "check", "broken", status=1, PYTHONPATH=str(command.folder))
    assert "not today" in said


@pytest.mark.parametrize("kind", ["trigger", "condition", "action", "channel"])
def test_a_new_plugin_s_project_works_as_it_is(command: Command, kind: str) -> None:
    command.run("plugins", "new", "my_plugin", "--kind", kind)
    project = command.folder / "nhip-my-plugin"
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_asyncio.plugin", "-W", "error"]
    tested = subprocess.run(words, cwd=project, env=environment, capture_output=True, timeout=120, check=False)
    assert tested.returncode == 0, tested.stdout.decode()
    command.run("plugins", "check", "nhip_my_plugin.plugin", PYTHONPATH=str(project))
    assert "exists already" in command.run("plugins", "new", "my_plugin", status=1)
    assert "snake_case" in command.run("plugins", "new", "My-Plugin", status=1)
    assert not [path for path in Path(project).rglob("*") if "$" in path.name]
