"""The page on providers names every field of every shipped channel, and its examples are accepted."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nhip_admin_api.schemas.channels import ChannelTest
from nhip_channels import esms_codes, zalo_codes
from tests.docs.pages import DOCS, blocks
from tests.support.api import open_api, shipped_catalog

PAGE = (DOCS / "providers.md").read_text()
CHANNELS = shipped_catalog().channels
EXAMPLES = [json.loads(body) for body in blocks("providers.md", "json")]
TITLES = {
    "zalo_zns": "Zalo ZNS",
    "email": "Email",
    "sms_esms": "SMS through eSMS",
    "voice_twilio": "Calls through Twilio",
    "voice_stringee": "Calls through Stringee",
    "voice_asterisk": "Calls through Asterisk",
    "webhook": "Webhook",
    "console": "Console",
}


def section(kind: str) -> str:
    found = re.search(rf"^## {TITLES[kind]}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, kind
    return found[1]


def listed(kind: str, part: str) -> list[tuple[str, str]]:
    """The first two cells of each row of the tables of a channel's configuration or secrets."""
    found = re.search(rf"^\| `{part}` \|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", section(kind), re.MULTILINE)
    rows = [line.strip("|").split("|") for line in found[1].splitlines()] if found else []
    return [(name, row[1].strip().strip("`")) for row in rows for name in re.findall(r"`(\w+)`", row[0])]


def shown(default: Any) -> str:
    if default is msgspec.NODEFAULT or default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_every_channel_has_a_section() -> None:
    assert TITLES.keys() == CHANNELS.keys()


@pytest.mark.parametrize("kind", TITLES)
def test_every_field_is_listed_with_its_default(kind: str) -> None:
    fields = msgspec.structs.fields(CHANNELS[kind].config_type)
    assert dict(listed(kind, "config")) == {field.encode_name: shown(field.default) for field in fields}


@pytest.mark.parametrize("kind", TITLES)
def test_every_secret_is_listed(kind: str) -> None:
    names = [field.encode_name for field in msgspec.structs.fields(CHANNELS[kind].secrets_type)]
    assert sorted(name for name, _ in listed(kind, "secrets")) == sorted(names)


@pytest.mark.parametrize("kind", TITLES)
def test_the_class_and_the_receipts_are_the_channels(kind: str) -> None:
    channel = CHANNELS[kind]
    found = re.search(rf"^\| \[`{kind}`\]\(#[\w-]+\) \| [^|]+ \| `(\w+)` \| ([^|]+) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert found
    assert found[1] == channel.delivery_class
    assert (found[2].strip() != "no") == channel.capabilities.receipts
    assert (found[3] == "yes") == channel.capabilities.inbound


async def test_the_examples_are_accepted(sqlite_url: str, tmp_path: Path) -> None:
    accounts = [one for one in EXAMPLES if "type" in one]
    templates = [one for one in EXAMPLES if "channel_type" in one]
    tests = [one for one in EXAMPLES if "template" in one]
    assert {one["type"] for one in accounts} == {one["channel_type"] for one in templates} == CHANNELS.keys()
    assert len(accounts) + len(templates) + len(tests) == len(EXAMPLES)
    async with open_api(sqlite_url, tmp_path) as api:
        for account in accounts:
            made = await api.post("/v1/channels", account, 201)
            assert made["secrets_set"] == sorted(account.get("secrets", {}))
        for template in templates:
            await api.put(f"/v1/templates/{template['channel_type']}", template, 201)
    for one in tests:
        msgspec.convert(one, ChannelTest)


def test_zalos_codes_are_read_as_the_page_says() -> None:
    for reason, codes in zalo_codes._REASONS.items():
        [row] = re.findall(rf"^\| ([^|]*) \| [^|]*`{reason}`", section("zalo_zns"), re.MULTILINE)
        for code in map(int, re.findall(r"-\d+", row)):
            assert code in codes, f"{code} is not {reason}"


def test_esms_codes_are_read_as_the_page_says() -> None:
    for reason in set(esms_codes._REASON_OF.values()):
        [row] = re.findall(rf"^\| ([^|]*) \| `{reason}` \|$", section("sms_esms"), re.MULTILINE)
        assert set(re.findall(r"\d+", row)) == {code for code, one in esms_codes._REASON_OF.items() if one == reason}
