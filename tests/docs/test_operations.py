"""The page on operations names the settings, commands, metrics and states that there are."""

import json
import re
from pathlib import Path
from typing import Any

import click
import msgspec

from nhip.cli import COMMANDS, main
from nhip.settings import PREFIX, Settings
from nhip_admin_api.schemas.deliveries import ResolveMany
from nhip_admin_api.telemetry import Telemetry
from tests.docs.pages import DOCS, blocks
from tests.support.api import open_api

PAGE = (DOCS / "operations.md").read_text()
_SETTING = re.compile(r"^\| `NHIP_(\w+)` \| (?:`(.*?)`)? *\| ", re.MULTILINE)


def _shown(default: Any) -> str | None:
    if default is msgspec.NODEFAULT or default is None or default == ():
        return None
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_every_setting_is_listed_with_its_default() -> None:
    listed = {name.lower(): default or None for name, default in _SETTING.findall(PAGE)}
    assert listed == {field.name: _shown(field.default) for field in msgspec.structs.fields(Settings)}


def test_no_other_setting_is_mentioned_anywhere() -> None:
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__} | {"NHIP_CONFIG", "NHIP_TRACE_PLUGINS"}
    # The plugin's own mark, which is a name in its module and no variable.
    known |= {"NHIP_HOOKSPEC_VERSION"}
    # The bridge to Asterisk has variables of its own, and so has the dialplan beside it.
    known |= {"NHIP_ARI_PASSWORD", "NHIP_BRIDGE_SECRET", "NHIP_FROM", "NHIP_RING", "NHIP_TURN"}
    said = {
        (page.name, name)
        for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
        for name in re.findall(r"\bNHIP_[A-Z_]+", page.read_text())
    }
    assert {pair for pair in said if pair[1] not in known} == set()


def test_the_commands_exist() -> None:
    said = {
        tuple(words.split())
        for words in re.findall(r"\bnhip((?: [a-z]+){1,2})", "\n".join(re.findall(r"`(nhip [^`]+)`", PAGE)))
    }
    assert {words[0] for words in said} == set(COMMANDS)
    context = click.Context(main)
    for words in said:
        group: click.Command | None = main
        for word in words:
            if not isinstance(group, click.Group):
                break
            command = group.get_command(context, word)
            assert command is not None, f"there is no command nhip {' '.join(words)}"
            group = command


def test_the_options_exist() -> None:
    context = click.Context(main)
    for line in re.findall(r"`(nhip [^`]*--[^`]*)`", PAGE):
        words = [word for word in line.split()[1:] if word.islower() and not word.startswith("-")]
        command: click.Command = main
        for word in words:
            found = command.get_command(context, word) if isinstance(command, click.Group) else None
            if found is None:
                break
            command = found
        options = {name for parameter in command.params for name in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= options, line


def test_the_metrics_exist() -> None:
    there = {family.name for family in Telemetry().registry.collect()}
    said = {name.removesuffix("_total") for name in re.findall(r"`(nhip_[a-z_]+)", PAGE)}
    assert said <= there


def test_the_resolution_is_one() -> None:
    [body] = blocks("operations.md", "json")
    msgspec.convert(json.loads(body), ResolveMany)


async def test_the_secret_key_is_rotated_as_the_page_says(sqlite_url: str, tmp_path: Path) -> None:
    old, new = "o" * 40, "n" * 40
    account = {"name": "sms-main", "type": "sms_esms", "secrets": {"api_key": "a", "secret_key": "s"}}

    async def secrets_set(key: str, patch: dict[str, Any] | None = None) -> list[str]:
        async with open_api(sqlite_url, tmp_path, secret_key=key) as api:
            if patch is not None:
                assert (await api.request("PATCH", "/v1/channels/sms-main", {"secrets": patch})).status_code == 200
            names: list[str] = (await api.get("/v1/channels/sms-main"))["secrets_set"]
            return names

    async with open_api(sqlite_url, tmp_path, secret_key=old) as api:
        await api.post("/v1/channels", account, 201)
    assert await secrets_set(f"{new},{old}", {}) == ["api_key", "secret_key"]
    assert await secrets_set(new) == ["api_key", "secret_key"]

    lost = "l" * 40
    assert await secrets_set(lost) == []
    assert await secrets_set(lost, {"api_key": "a", "secret_key": "s"}) == ["api_key", "secret_key"]
